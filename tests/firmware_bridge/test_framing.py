"""COBS, CRC and the push parser. The cobs package is an independent witness of the encoding."""

import itertools

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.framing import (
    MAX_BODY_BYTES,
    FrameFault,
    FrameReader,
    MalformedFrame,
    cobs_decode,
    cobs_encode,
    crc16,
    encode_frame,
)

bodies = st.binary(min_size=1, max_size=MAX_BODY_BYTES)


def test_crc_check_value_of_the_catalogue() -> None:
    assert crc16(b"123456789") == 0x29B1


@given(st.binary(max_size=1200))
def test_encoding_is_what_the_cobs_package_decodes(data: bytes) -> None:
    assert cobs.decode(cobs_encode(data)) == data


@given(st.binary(max_size=1200))
def test_decoding_reads_what_the_cobs_package_encodes(data: bytes) -> None:
    assert cobs_decode(cobs.encode(data)) == data


@given(st.binary(min_size=1, max_size=600))
def test_decoding_refuses_exactly_what_the_cobs_package_refuses(noise: bytes) -> None:
    try:
        expected = cobs.decode(noise)
    except cobs.DecodeError:
        expected = None
    assert cobs_decode(noise) == expected


@given(st.lists(bodies, max_size=5), st.lists(st.integers(0, 4000), max_size=20))
def test_frames_survive_any_portions(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(encode_frame, sent))
    borders = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader()
    found = [
        frame
        for start, end in itertools.pairwise(borders)
        for frame in reader.feed(stream[start:end])
    ]
    assert found == sent


@given(st.binary(max_size=4000), bodies)
def test_a_frame_after_noise_and_a_delimiter_is_found(noise: bytes, body: bytes) -> None:
    frames = FrameReader().feed(noise + b"\0" + encode_frame(body))
    assert frames[-1] == body
    assert all(isinstance(frame, MalformedFrame) for frame in frames[:-1])


@given(bodies, st.data())
def test_a_turned_bit_never_yields_a_wrong_body(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(encode_frame(body))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    found = FrameReader().feed(bytes(frame) + b"\0")
    assert all(isinstance(one, MalformedFrame) for one in found)


def test_idle_line_is_silent() -> None:
    assert FrameReader().feed(b"\0" * 100) == []


def test_a_long_run_without_delimiter_is_reported_once_and_forgotten() -> None:
    reader = FrameReader()
    found = [frame for _ in range(50) for frame in reader.feed(b"\x05" * 200)]
    assert [frame.fault for frame in found if isinstance(frame, MalformedFrame)] == [
        FrameFault.TOO_LONG
    ]
    assert reader.feed(b"\0" + encode_frame(b"after")) == [b"after"]


@pytest.mark.parametrize("body", [b"", b"x" * (MAX_BODY_BYTES + 1)])
def test_bodies_that_do_not_fit_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="frame body"):
        encode_frame(body)
