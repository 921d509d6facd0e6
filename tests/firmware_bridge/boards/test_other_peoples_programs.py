"""Independent witnesses: other people's programs read what the emulated boards send."""

import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.boards.cyton import BOARD
from firmware_bridge.simulator.boards.cyton import SimulatedCyton
from firmware_bridge.simulator.boards.openview import SimulatedHealthyPi6
from firmware_bridge.simulator.recording import Recording
from tests.firmware_bridge.simulated import device_at

RATE = 250
STEP_UV = 10.0
"""Sample k of the ramp is k times this: any loss or shift shows."""


def ramp(rate_hz: int, n: int = 5000) -> Recording:
    millivolts = (np.arange(n) * STEP_UV / 1000).astype(np.float32)[:, np.newaxis]
    return Recording("ramp", Fraction(rate_hz), ("I",), millivolts)


def test_brainflow_s_own_driver_streams_from_the_emulated_cyton(tmp_path: Path) -> None:
    """It resets, sets defaults, starts and stops the board, and decodes its frames in C++."""
    pytest.importorskip("pkg_resources", reason="BrainFlow needs setuptools before 82")
    brainflow = pytest.importorskip("brainflow.board_shim", reason="BrainFlow has no wheel here")
    brainflow.BoardShim.disable_board_logger()
    wanted = 2 * RATE
    with device_at(tmp_path / "board", SimulatedCyton(ramp(RATE)), speed=2.0):
        asked = brainflow.BrainFlowInputParams()
        asked.serial_port = str((tmp_path / "board").resolve())
        theirs = brainflow.BoardShim(brainflow.BoardIds.CYTON_BOARD, asked)
        theirs.prepare_session()
        try:
            theirs.start_stream()
            until = time.monotonic() + 20
            waiting = threading.Event()
            while theirs.get_board_data_count() < wanted and time.monotonic() < until:
                waiting.wait(0.05)
            data = theirs.get_board_data()
            theirs.stop_stream()
        finally:
            theirs.release_session()
    rows = brainflow.BoardShim.get_exg_channels(brainflow.BoardIds.CYTON_BOARD)
    assert brainflow.BoardShim.get_sampling_rate(brainflow.BoardIds.CYTON_BOARD) == RATE
    microvolts = data[rows]
    assert microvolts.shape[1] >= wanted
    half_a_count_uv = 0.51 * 1000 / BOARD.form.counts_per_mv
    np.testing.assert_allclose(np.diff(microvolts), STEP_UV, atol=2 * half_a_count_uv)
    numbers = data[brainflow.BoardShim.get_package_num_channel(brainflow.BoardIds.CYTON_BOARD)]
    assert (np.diff(numbers) % 256 == 1).all()


def test_the_maker_s_own_library_reads_the_emulated_healthypi6() -> None:
    openview = pytest.importorskip("healthypi.openview", reason="the maker's library is missing")
    sent = b"".join(SimulatedHealthyPi6(ramp(500)).frames_until(2.0))
    packets = list(openview.iter_packets(sent))
    assert [packet.seq for packet in packets] == list(range(1000))
    assert [packet.ecg1 for packet in packets] == [round(k * STEP_UV) for k in range(1000)]
    assert {packet.ecg2 - packet.ecg1 for packet in packets} == {0}
