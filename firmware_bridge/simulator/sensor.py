"""The simulated sensor itself: frames as a function of time. No I/O, no clock."""

import itertools
from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge import protocol
from firmware_bridge.errors import ProtocolError
from firmware_bridge.framing import FrameReader, MalformedFrame, encode_frame
from firmware_bridge.simulator.recording import Recording

COUNTS_PER_MV: Final = 1000.0
"""1 µV per count, as 24-bit front ends of wearables have it or better."""
SAMPLES_PER_FRAME: Final = 10
_HELLO_EVERY_S: Final = 5
_STATUS_EVERY_S: Final = 10
_INT24_MAX: Final = 0x7FFFFF


class SimulatedSensor:
    """Plays `recording` in a loop. `boot` numbers its restarts; a restart counts from zero."""

    def __init__(self, recording: Recording, boot: int = 1, clock_error_ppm: float = 0.0) -> None:
        self.recording = recording
        self.streaming = False
        self._boot = boot
        self._rate = recording.rate_hz * Fraction(1 + clock_error_ppm / 1e6)
        self._sequence = itertools.count()
        self._sent = 0  # samples sent or skipped since boot
        self._commands = FrameReader()
        scaled = np.round(recording.millivolts * COUNTS_PER_MV)
        self._counts = np.clip(scaled, -_INT24_MAX, _INT24_MAX).astype(np.int32)
        self._leads_off = _leads_off_bits(recording)

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes from the host; frames to answer with."""
        answers: list[bytes] = []
        for frame in self._commands.feed(data):
            if isinstance(frame, MalformedFrame):
                continue
            try:
                command = protocol.decode_command(frame)
            except ProtocolError:
                continue
            if command.type is protocol.MessageType.STOP:
                self.streaming = False
                continue
            answers.append(self._frame(self._hello()))
            self.streaming |= command.type is protocol.MessageType.START
        return answers

    def frames_until(self, elapsed_s: float) -> list[bytes]:
        """Frames of all whole packets sampled up to `elapsed_s` since boot, each once."""
        due = int(elapsed_s * self._rate)
        frames: list[bytes] = []
        while self._sent + SAMPLES_PER_FRAME <= due:
            if self.streaming:
                frames += self._regular_frames()
                frames.append(self._frame(self._data()))
            self._sent += SAMPLES_PER_FRAME
        return frames

    def _regular_frames(self) -> list[bytes]:
        rate = int(self.recording.rate_hz)
        frames = []
        if self._sent % (_HELLO_EVERY_S * rate) < SAMPLES_PER_FRAME:
            frames.append(self._frame(self._hello()))
        if self._sent % (_STATUS_EVERY_S * rate) < SAMPLES_PER_FRAME:
            frames.append(self._frame(self._status()))
        return frames

    def _frame(self, message: protocol.DeviceMessage) -> bytes:
        return encode_frame(protocol.encode(message))

    def _next_sequence(self) -> int:
        return next(self._sequence) % protocol.SEQUENCE_MODULUS

    def _hello(self) -> protocol.Hello:
        return protocol.Hello(
            sequence=self._next_sequence(),
            boot=self._boot,
            rate_hz=self.recording.rate_hz,
            model="simulated sensor",
            firmware="1.0.0",
            serial="SIM-0001",
            leads=tuple(protocol.Lead(name, COUNTS_PER_MV, 0) for name in self.recording.leads),
            has_leadoff_sensor=True,
        )

    def _data(self) -> protocol.Data:
        position = self._sent % len(self._counts)
        rows = (position + np.arange(SAMPLES_PER_FRAME)) % len(self._counts)
        return protocol.Data(
            sequence=self._next_sequence(),
            counter=self._sent % protocol.COUNTER_MODULUS,
            device_us=int(self._sent * 1_000_000 / self.recording.rate_hz),
            leads_off=int(self._leads_off[position]),
            counts=self._counts[rows],
        )

    def _status(self) -> protocol.Status:
        hours = self._sent / float(self.recording.rate_hz) / 3600
        battery = max(0, round(100 - hours))  # a wearable of about four days
        return protocol.Status(self._next_sequence(), self._sent, battery, contact=True)


def _leads_off_bits(recording: Recording) -> np.ndarray:
    bits = np.zeros(len(recording.millivolts), dtype=np.uint8)
    for first, end, lead in recording.leads_off:
        bits[first:end] |= 1 << lead
    return bits
