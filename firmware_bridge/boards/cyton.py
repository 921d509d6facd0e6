"""OpenBCI's Cyton: eight inputs at 250 Hz, a counter that wraps at 256 samples. No I/O.

A frame has 33 bytes: `a0`, counter u8, eight int24 (big-endian), six bytes of accelerometer, and
`c0` to `cf`, by which the firmware says what those six bytes are. Commands are single letters; the
answer to a reset ends in `$$$`. Source: OpenBCI's Cyton data format and SDK.
"""

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.boards.samples import (
    Board,
    BoardForm,
    BoardItem,
    BoardSamples,
    Unreadable,
)

FRAME_BYTES: Final = 33
START: Final = 0xA0
STOP: Final = 0xC0
_STOP_BITS: Final = 0xF0
N_INPUTS: Final = 8
_SAMPLE_BYTES: Final = slice(2, 2 + 3 * N_INPUTS)
COUNTER_MODULUS: Final = 256
GAIN: Final = 24
VREF_MV: Final = 4500.0
_PROMPT_END: Final = b"$$$"
_LONGEST_ANSWER: Final = 4096
"""The register dump has about 1,500 characters."""


class CytonParser:
    """Finds frames. A stream that got out of step is believed again once two frames follow each
    other: `a0` and `cX` alone are met by chance in one place of 4,096."""

    def __init__(self) -> None:
        self._pending = b""
        self._in_step = True

    def feed(self, data: bytes) -> list[BoardItem]:
        """Samples of whole frames in `data` and what was kept back, and what was skipped."""
        buffer = self._pending + data
        items: list[BoardItem] = []
        position = 0
        while len(buffer) - position >= FRAME_BYTES:
            frames = self._frames(buffer, position)
            if len(frames):
                items.append(_samples(frames))
                position += len(frames) * FRAME_BYTES
                self._in_step = True
                continue
            begin = self._next_begin(buffer, position)
            if begin == position:
                break  # whether this is a frame is told by what follows it
            items.append(Unreadable("out of step", begin - position))
            position = begin
        self._pending = buffer[position:]
        return items

    def _frames(self, buffer: bytes, position: int) -> NDArray[np.uint8]:
        """The frames that follow each other from `position` on, (n, 33)."""
        n_whole = (len(buffer) - position) // FRAME_BYTES
        n_needed = 1 if self._in_step else 2
        begins = range(position, position + n_needed * FRAME_BYTES, FRAME_BYTES)
        if n_whole < n_needed or not all(_may_begin(buffer, at) for at in begins):
            return np.empty((0, FRAME_BYTES), np.uint8)
        rows = np.frombuffer(buffer, np.uint8, n_whole * FRAME_BYTES, position)
        rows = rows.reshape(n_whole, FRAME_BYTES)
        fits = (rows[:, 0] == START) & (rows[:, -1] & _STOP_BITS == STOP)
        return rows[: n_whole if fits.all() else int(np.argmin(fits))]

    def _next_begin(self, buffer: bytes, position: int) -> int:
        """Where a frame may begin, at `position` or behind; never beyond what must be kept."""
        self._in_step = False
        if _may_begin(buffer, position) and len(buffer) - position < 2 * FRAME_BYTES:
            return position
        at = position + 1
        while (at := buffer.find(START, at)) >= 0:
            if at + FRAME_BYTES > len(buffer) or _may_begin(buffer, at):
                return at
            at += 1
        return len(buffer)


def _may_begin(buffer: bytes, at: int) -> bool:
    return buffer[at] == START and buffer[at + FRAME_BYTES - 1] & _STOP_BITS == STOP


def _samples(frames: NDArray[np.uint8]) -> BoardSamples:
    big_endian = np.zeros((len(frames), N_INPUTS, 4), np.uint8)
    big_endian[:, :, :3] = frames[:, _SAMPLE_BYTES].reshape(len(frames), N_INPUTS, 3)
    # The sample sits in the upper three bytes; the shift brings its sign down with it.
    counts = big_endian.view(">i4")[:, :, 0] >> 8
    return BoardSamples(counts.astype(np.float64), numbers=frames[:, 1].astype(np.int64))


class CytonDialogue:
    """Reset, wait for the greeting, start. What the dongle says of a board it does not hear is
    kept as the complaint."""

    def __init__(self) -> None:
        self._answer = b""
        self.streams = False
        self.complaint = ""

    def opening(self) -> bytes:
        """Stop what may still stream, then reset."""
        self._answer, self.streams, self.complaint = b"", False, ""
        return b"sv"

    def hear(self, data: bytes) -> tuple[bytes, bytes]:
        """Text until the greeting is over; frames after that."""
        if self.streams:
            return data, b""
        self._answer = (self._answer + data)[-_LONGEST_ANSWER:]
        greeting, ended, rest = self._answer.partition(_PROMPT_END)
        if not ended:
            return b"", b""
        if b"OpenBCI" not in greeting:
            failure = greeting[max(0, greeting.rfind(b"Failure")) :]
            if failure.startswith(b"Failure"):
                self.complaint = failure.decode("ascii", "replace").strip()
            self._answer = rest
            return self.hear(b"") if rest else (b"", b"")
        self.streams = True
        return rest, b"b"

    def closing(self) -> bytes:
        """Stop, so that the board saves its battery."""
        return b"s"


BOARD: Final = Board(
    form=BoardForm(
        name="cyton",
        model="OpenBCI Cyton",
        leads=tuple(f"EXG{k + 1}" for k in range(N_INPUTS)),
        rate_hz=Fraction(250),
        counts_per_mv=(2**23 - 1) * GAIN / VREF_MV,
        modulus=COUNTER_MODULUS,
    ),
    baud=115_200,
    parser=CytonParser,
    dialogue=CytonDialogue,
)
