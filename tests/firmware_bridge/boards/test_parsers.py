"""Every board's format: the makers' own vectors, any portions, and what is no frame."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.boards.catalogue import BOARDS
from firmware_bridge.boards.cyton import CytonDialogue
from firmware_bridge.boards.samples import BoardSamples
from firmware_bridge.driver_names import BOARD_NAMES
from firmware_bridge.simulator.boards import catalogue
from firmware_bridge.simulator.boards.board import SimulatedBoard
from firmware_bridge.simulator.recording import Recording
from tests.firmware_bridge.boards.feeding import CUTS, counts, fed, skipped

ADS1292R = bytes.fromhex("0afa090002 d4fe 1200 0f00 4800 00 000b")
"""From ProtoCentral's shield: ECG -300, respiration 18."""
HEALTHYPI6 = bytes.fromhex(
    "0afa2b0202 01000000 ffffffff 02000000 03000000 04000000 05000000 06000000 ff 4800 62 0f 740e"
    "07000000 08000000 000b"
)
"""Packed by protocentral-healthypi 0.1.2: sequence 1, ECG -1, 2 and 3."""
CYTON = bytes.fromhex(
    "a000 0003e8 fff830 000bb8 fff060 001388 ffe890 001b58 ffe0c0 000000000000 c0"
)
"""Decoded by BrainFlow 5.23's own driver to 22.352, -44.703, ..., -178.814 uV."""
CYTON_UV = [22.352, -44.703, 67.055, -89.407, 111.759, -134.110, 156.462, -178.814]


def test_every_board_has_a_driver_an_emulator_and_a_name() -> None:
    assert tuple(BOARDS) == tuple(catalogue.BOARDS) == BOARD_NAMES


@pytest.mark.parametrize(
    ("name", "frame", "expected", "number"),
    [
        ("ads1292r", ADS1292R, [-300], None),
        ("healthypi6", HEALTHYPI6, [-1, 2, 3], 1),
        ("cyton", CYTON, [1000, -2000, 3000, -4000, 5000, -6000, 7000, -8000], 0),
        ("ad8232", b"512\r\n", [512], None),
    ],
)
def test_the_makers_vectors(
    name: str, frame: bytes, expected: list[int], number: int | None
) -> None:
    (samples,) = BOARDS[name].parser().feed(frame)
    assert isinstance(samples, BoardSamples)
    assert samples.counts.tolist() == [expected]
    assert (samples.numbers is None) == (number is None)
    assert samples.numbers is None or samples.numbers.tolist() == [number]


def test_the_scale_of_a_cyton_is_the_makers() -> None:
    (samples,) = BOARDS["cyton"].parser().feed(CYTON)
    assert isinstance(samples, BoardSamples)
    microvolts = samples.counts[0] / BOARDS["cyton"].form.counts_per_mv * 1000
    np.testing.assert_allclose(microvolts, CYTON_UV, atol=5e-4)


def emulated(name: str, seconds: float = 4.0) -> tuple[SimulatedBoard, bytes]:
    """A board that plays a ramp in 1.5 mV, and what it sends in so many seconds."""
    kind = catalogue.BOARDS[name]
    rate = kind.rate_hz
    ramp = np.linspace(-0.75, 0.75, int(2 * rate), dtype=np.float32)[:, np.newaxis]
    board = kind.make(Recording("ramp", Fraction(rate), ("I",), ramp), 0.0)
    board.receive(b"b")
    return board, b"".join(board.frames_until(seconds))


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", BOARD_NAMES)
def test_any_portions_give_the_same_samples(name: str, cut: Callable[[bytes], list[bytes]]) -> None:
    board, sent = emulated(name)
    items = fed(BOARDS[name].parser(), cut(sent))
    read = counts(items)
    n_samples = int(4 * board.recording.rate_hz)
    assert read.shape == (n_samples, len(BOARDS[name].form.leads))
    rows = np.arange(n_samples) % len(board.recording.millivolts)
    form = BOARDS[name].form
    millivolts = (read[:, 0] - form.baseline) / form.counts_per_mv
    half_a_count = 0.51 / form.counts_per_mv
    np.testing.assert_allclose(millivolts, board.recording.millivolts[rows, 0], atol=half_a_count)


@pytest.mark.parametrize("name", BOARD_NAMES)
def test_a_reader_that_joins_late_loses_the_frame_it_fell_into(name: str) -> None:
    _, sent = emulated(name, 0.5)
    whole = counts(fed(BOARDS[name].parser(), [sent]))
    for begin in range(1, 70, 3):
        read = counts(fed(BOARDS[name].parser(), CUTS["by sevens"](sent[begin:])))
        # The first line of an AD8232 may be the rest of a number: nothing tells.
        tail = read[1:] if name == "ad8232" else read
        assert len(tail) >= len(whole) - 17
        np.testing.assert_array_equal(tail, whole[len(whole) - len(tail) :])


@pytest.mark.parametrize("name", BOARD_NAMES)
@given(noise=st.binary(max_size=300), at=st.integers(0, 2000))
def test_noise_between_frames_costs_little(name: str, noise: bytes, at: int) -> None:
    _, sent = emulated(name, 1.0)
    whole = len(counts(fed(BOARDS[name].parser(), [sent])))
    at = min(at, len(sent))
    items = fed(BOARDS[name].parser(), [sent[:at], noise, sent[at:]])
    read = counts(items)
    # Noise may look like frames, and costs the frames at its edges.
    assert len(read) >= whole - 20
    assert len(read) <= whole + 20 + len(noise)


@pytest.mark.parametrize("name", BOARD_NAMES)
@given(pieces=st.lists(st.binary(max_size=200), max_size=20))
def test_noise_alone_never_raises_and_is_accounted_for(name: str, pieces: list[bytes]) -> None:
    items = fed(BOARDS[name].parser(), pieces)
    assert skipped(items) <= sum(map(len, pieces))


def test_healthypi5_before_firmware_1_0_sends_single_samples() -> None:
    packet = bytes.fromhex("0afa1600 02 40e2ffff 00000000 ff 00000000 00000000 0000 62 48 0f 000b")
    items = BOARDS["healthypi5"].parser().feed(packet * 3)
    assert counts(items).tolist() == [[-7616.0]] * 3


@pytest.mark.parametrize(
    ("name", "status", "off"),
    [
        ("healthypi3", 0x00, False),
        ("healthypi3", 0x01, True),
        ("healthypi3", 0x02, False),  # the finger probe
        ("healthypi4", 0x00, False),
        ("healthypi4", 0x04, True),
        ("healthypi4", 0x10, True),
    ],
)
def test_which_status_bits_mean_an_electrode(name: str, status: int, off: bool) -> None:
    packet = bytes.fromhex("0afa1400 02") + bytes(19) + bytes([status]) + b"\x00\x0b"
    (samples,) = BOARDS[name].parser().feed(packet)
    assert isinstance(samples, BoardSamples)
    assert samples.off is not None
    assert samples.off.tolist() == [[off]]


def test_a_packet_of_another_board_is_no_sample() -> None:
    items = BOARDS["max30001"].parser().feed(ADS1292R * 2)
    assert len(counts(items)) == 0
    assert skipped(items) == 2 * len(ADS1292R)


def test_an_ad8232_says_that_a_lead_is_off() -> None:
    items = BOARDS["ad8232"].parser().feed(b"500\r\n!\r\n!\r\n501\r\n")
    (samples,) = items
    assert isinstance(samples, BoardSamples)
    assert samples.off is not None
    assert samples.off[:, 0].tolist() == [False, True, True, False]
    assert np.isnan(samples.counts[:, 0]).tolist() == [False, True, True, False]


@pytest.mark.parametrize("line", [b"1024", b"-3", b"12x", b"\xb2", b"0x10", b"99999999999"])
def test_what_no_10_bit_converter_gives_is_skipped(line: bytes) -> None:
    items = BOARDS["ad8232"].parser().feed(line + b"\n")
    assert len(counts(items)) == 0
    assert skipped(items) == len(line) + 1


def test_a_cyton_is_started_once_it_has_greeted() -> None:
    dialogue = CytonDialogue()
    assert dialogue.opening() == b"sv"
    assert dialogue.hear(b"OpenBCI V3 8-16 channel\nFirm") == (b"", b"")
    assert dialogue.hear(b"ware: v3.1.2\n$$$\xa0\x00") == (b"\xa0\x00", b"b")
    assert dialogue.hear(b"\x01") == (b"\x01", b"")
    assert dialogue.opening() == b"sv"
    assert not dialogue.streams


def test_what_the_dongle_says_of_a_board_it_does_not_hear_is_kept() -> None:
    dialogue = CytonDialogue()
    dialogue.opening()
    assert dialogue.hear(b"Failure: Communications timeout - Device failed$$$") == (b"", b"")
    assert "Communications timeout" in dialogue.complaint
