"""OpenBCI's Cyton in software, with its dongle: silent until started, reset by `v`."""

from typing import Final

from firmware_bridge.boards.cyton import BOARD
from firmware_bridge.simulator.boards.board import SimulatedBoard
from firmware_bridge.simulator.recording import Recording

_GREETING: Final = (
    b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n"
    b"LIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$"
)
_DEFAULT_SETTINGS: Final = b"060110$$$"
_DONE: Final = b"Success: $$$"
_AUX: Final = bytes(6)


class SimulatedCyton(SimulatedBoard):
    """Answers what drivers ask: reset, defaults, start, stop, rate and channel settings."""

    def __init__(self, recording: Recording, clock_error_ppm: float = 0.0) -> None:
        super().__init__(recording, BOARD.form, 24, clock_error_ppm)
        self.streaming = False
        self._number = 0
        self._setting = b""  # of a channel, `x...X`, as far as it has come

    def receive(self, data: bytes) -> list[bytes]:
        """Each command is a letter; channel settings are several between `x` and `X`."""
        answers: list[bytes] = []
        for letter in data:
            command = bytes([letter])
            if self._setting or command == b"x":
                self._setting += command
                if command == b"X":
                    self._setting = b""
                    answers += self._say(_DONE)
                continue
            answers += self._obey(command)
        return answers

    def _obey(self, command: bytes) -> list[bytes]:
        if command == b"b":
            self.streaming, self._number = True, 0
            return []
        if command == b"s":
            self.streaming = False
            return []
        if command == b"v":
            self.streaming = False
            return [_GREETING]
        if command == b"D":
            return self._say(_DEFAULT_SETTINGS)
        return self._say(_DONE) if command in (b"d", b"~", b"<", b"C", b"T") else []

    def _say(self, text: bytes) -> list[bytes]:
        return [] if self.streaming else [text]

    def _frames(self) -> list[bytes]:
        samples = b"".join(count.to_bytes(3, "big", signed=True) for count in self._ecg())
        frame = bytes([0xA0, self._number]) + samples + _AUX + b"\xc0"
        self._number = (self._number + 1) % 256
        return [frame]
