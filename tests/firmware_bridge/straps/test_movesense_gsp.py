"""GSP commands, answers and packets, byte for byte as Movesense's samples have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import ProtocolError
from firmware_bridge.straps import movesense_gsp as gsp

REFERENCE = 0x63


def packet(stamp_ms: int, counts: list[int], *, short: bool = False) -> bytes:
    samples = np.array(counts, "<i2" if short else "<i4").tobytes()
    return bytes((gsp.Reply.DATA, REFERENCE)) + stamp_ms.to_bytes(4, "little") + samples


def in_two(whole: bytes, cut: int) -> list[bytes]:
    return [whole[:cut], bytes((gsp.Reply.PART_TWO, REFERENCE)) + whole[cut:]]


def test_commands() -> None:
    path = gsp.ecg_path(512, short=False)
    assert gsp.subscribe(REFERENCE, path).hex() == "01632f4d6561732f4543472f353132"
    path = gsp.ecg_path(512, short=True)
    assert gsp.subscribe(REFERENCE, path).hex() == "01632f4d6561732f4543472f3531322f6d56"
    assert gsp.hello(100).hex() == "0064"
    assert gsp.unsubscribe(REFERENCE).hex() == "0263"


@pytest.mark.parametrize(
    ("answer", "status"),
    [("0163c800", 200), ("016301fb", 507), ("0163fb01", 507), ("0163f501", 501)],
)
def test_answers(answer: str, status: int) -> None:
    decoded = gsp.decode_answer(bytes.fromhex(answer))
    assert (decoded.reference, decoded.status) == (REFERENCE, status)
    assert decoded.is_ok == (status == 200)
    with pytest.raises(ProtocolError):
        gsp.decode_answer(bytes.fromhex(answer)[:3])


def test_the_32_bit_form() -> None:
    read = gsp.EcgReader(REFERENCE, short=False).feed(packet(1000, list(range(16))))
    assert read is not None
    assert read.stamp_ms == 1000
    assert read.millivolts[1] == pytest.approx(0.000381469726563)
    assert len(packet(1000, list(range(16)))) == 70


def test_the_millivolt_form() -> None:
    whole = packet(5000, [-18] * 16, short=True)
    assert whole.hex().startswith("026388130000eeff")
    read = gsp.EcgReader(REFERENCE, short=True).feed(whole)
    assert read is not None
    assert read.stamp_ms == 5000
    assert read.millivolts[0] == pytest.approx(-0.018)


@given(st.integers(2, 69), st.lists(st.integers(-(2**31), 2**31 - 1), min_size=16, max_size=16))
def test_a_packet_split_anywhere_is_the_same(cut: int, counts: list[int]) -> None:
    reader = gsp.EcgReader(REFERENCE, short=False)
    whole = packet(7, counts)
    if cut < 3:
        return  # a notification without data is no first part
    first, second = in_two(whole, cut)
    assert reader.feed(first) is None
    read = reader.feed(second)
    assert read is not None
    assert np.array_equal(read.millivolts, (np.array(counts) * gsp.MV_PER_COUNT).astype(np.float32))


def test_a_first_part_alone_does_not_spoil_what_follows() -> None:
    reader = gsp.EcgReader(REFERENCE, short=False)
    whole = packet(7, [1] * 16)
    assert reader.feed(whole[:40]) is None
    assert reader.feed(whole) is not None
    with pytest.raises(ProtocolError):
        reader.feed(in_two(whole, 40)[1])


def test_data_of_another_subscription_are_left_alone() -> None:
    reader = gsp.EcgReader(REFERENCE, short=False)
    whole = packet(7, [1] * 16)
    assert reader.feed(whole[:40]) is None
    assert reader.feed(bytes((2, 0x22, 1, 2, 3, 4))) is None
    assert reader.feed(in_two(whole, 40)[1]) is not None


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_noise_is_refused_and_nothing_piles_up(noise: list[bytes]) -> None:
    reader = gsp.EcgReader(REFERENCE, short=False)
    for data in noise:
        try:
            read = reader.feed(data)
        except ProtocolError:
            continue
        assert read is None or len(read.millivolts) > 0
    assert reader.feed(packet(9, [3] * 16)) is not None
