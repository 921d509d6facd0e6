"""ProtoCentral's boards in software: what their firmware's `sendData` writes, byte for byte."""

import struct
from typing import Final

import numpy as np

from firmware_bridge.boards import ads1292r, healthypi4, healthypi5, healthypi6, max30001
from firmware_bridge.simulator.boards.board import SimulatedBoard
from firmware_bridge.simulator.recording import Recording

_RESTING_BPM: Final = 72
_BREATHS: Final = 15
_TEMPERATURE_CC: Final = 3700


def _packet(kind: int, payload: bytes) -> bytes:
    return struct.pack("<BBHB", 0x0A, 0xFA, len(payload), kind) + payload + b"\x00\x0b"


class SimulatedAds1292r(SimulatedBoard):
    """The shield with the maker's sketch: zeros while an electrode is off."""

    def __init__(self, recording: Recording, clock_error_ppm: float = 0.0) -> None:
        super().__init__(recording, ads1292r.BOARD.form, 16, clock_error_ppm)

    def _frames(self) -> list[bytes]:
        ecg = 0 if self._off[self._row] else self._ecg()[0]
        return [_packet(2, struct.pack("<hhBBBBB", ecg, 0, _BREATHS, 0, _RESTING_BPM, 0, 0))]


class SimulatedMax30001(SimulatedBoard):
    """The breakout with the maker's sketch."""

    def __init__(self, recording: Recording, clock_error_ppm: float = 0.0) -> None:
        super().__init__(recording, max30001.BOARD.form, 18, clock_error_ppm)

    def _frames(self) -> list[bytes]:
        skip = 0xFF if self._sent % 2 else 0x00
        return [_packet(2, struct.pack("<iiB3x", self._ecg()[0], 0, skip))]


class SimulatedHealthyPi4(SimulatedBoard):
    """HealthyPi v3 or v4; they differ in what the status byte means."""

    def __init__(
        self, recording: Recording, clock_error_ppm: float = 0.0, *, version: int = 4
    ) -> None:
        board = healthypi4.V4 if version == 4 else healthypi4.V3
        super().__init__(recording, board.form, 16, clock_error_ppm)
        # v3: the finger probe is off all the time. v4: the positive input of channel 2.
        self._on, self._is_off = (0x00, 0x04) if version == 4 else (0x02, 0x03)

    def _frames(self) -> list[bytes]:
        off = self._off[self._row]
        ecg = 0 if off else self._ecg()[0]
        vitals = (_TEMPERATURE_CC, _BREATHS, 98, _RESTING_BPM, 80, 120)
        status = self._is_off if off else self._on
        return [_packet(2, struct.pack("<hhiiHBBBBBB", ecg, 0, 0, 0, *vitals, status))]


class SimulatedHealthyPi5(SimulatedBoard):
    """HealthyPi 5 with firmware from 1.0 on: eight samples a packet, PPG in others."""

    per_frame = healthypi5.BATCH

    def __init__(self, recording: Recording, clock_error_ppm: float = 0.0) -> None:
        super().__init__(recording, healthypi5.BOARD.form, 24, clock_error_ppm)

    def _frames(self) -> list[bytes]:
        rows = (self._row + np.arange(self.per_frame)) % len(self._counts)
        ecg = [int(count) for count in self._counts[rows, 0]]
        batch = struct.pack("<8i4iBB", *ecg, 0, 0, 0, 0, _RESTING_BPM, _BREATHS)
        ppg = struct.pack("<8hBBB", *[0] * 8, 98, 0x0E, 0x0E)
        return [_packet(3, batch), _packet(4, ppg)]


class SimulatedHealthyPi6(SimulatedBoard):
    """What the co-processor of HealthyPi 6 sends to each TCP client."""

    def __init__(self, recording: Recording, clock_error_ppm: float = 0.0) -> None:
        super().__init__(recording, healthypi6.BOARD.form, 32, clock_error_ppm)

    def _frames(self) -> list[bytes]:
        sequence = self._sent % (1 << 32)
        vitals = (0xFF, _RESTING_BPM, 98, _BREATHS, _TEMPERATURE_CC, 0, 0)
        body = struct.pack("<I6iBHBBH2i", sequence, *self._ecg(), 0, 0, 0, *vitals)
        return [bytes([0x0A, 0xFA, 0x2B, 0x02, 0x02]) + body + b"\x00\x0b"]
