"""What a board's parser gives, and what a board is: the values that its driver is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.stream import CounterLoss, LossDetection, NoLossDetection


@dataclass(frozen=True, slots=True, eq=False)
class BoardSamples:
    """Samples in the order in which they came, `counts` float64 of shape (n, n_leads): what the
    converter gave, NaN where it gave nothing. `numbers` is the board's own count with each sample
    (n,), None where the format has none; `off` says of each lead (n, n_leads) whether the board
    finds its electrode off, None where the format cannot tell."""

    counts: NDArray[np.float64]
    numbers: NDArray[np.int64] | None = None
    off: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that made no sense and were skipped: a value to count, never the end of a stream."""

    fault: str
    n_bytes: int


BoardItem = BoardSamples | Unreadable


class BoardParser(Protocol):
    """Push parser of one board's format."""

    def feed(self, data: bytes) -> list[BoardItem]:
        """What `data`, in any portion, completes. Keeps no more than one frame back."""
        ...


class Dialogue(Protocol):
    """What is said to a board, and what it says before it streams."""

    def opening(self) -> bytes:
        """Bytes for a port that was just opened; forgets what was said before."""
        ...

    def hear(self, data: bytes) -> tuple[bytes, bytes]:
        """Of what came from the board: what is left for its parser, and what to answer."""
        ...

    def closing(self) -> bytes:
        """Bytes for a port that will be closed."""
        ...

    @property
    def streams(self) -> bool:
        """True once the board was started, or if it starts by itself."""
        ...

    @property
    def complaint(self) -> str:
        """What the board itself said is wrong; empty if it did not."""
        ...


class Unasked:
    """The dialogue of a board that streams as soon as it has power."""

    streams = True
    complaint = ""

    def opening(self) -> bytes:
        """Nothing."""
        return b""

    def hear(self, data: bytes) -> tuple[bytes, bytes]:
        """All of it is for the parser."""
        return data, b""

    def closing(self) -> bytes:
        """Nothing."""
        return b""


@dataclass(frozen=True, slots=True)
class BoardForm:
    """What a board's ECG is like: `mV = (count - baseline) / counts_per_mv`, the same for all
    leads. `modulus` is that of its sample counter, 0 where it has none; `counts_on`: the counter
    goes on while the link is away. `rate_hz` None: it is measured before the stream opens."""

    name: str
    model: str
    leads: tuple[str, ...]
    rate_hz: Fraction | None
    counts_per_mv: float
    baseline: int = 0
    modulus: int = 0
    counts_on: bool = False

    @property
    def loss(self) -> LossDetection:
        """How loss is told."""
        return CounterLoss(self.modulus) if self.modulus else NoLossDetection()


USUAL_GREETING_S: Final = 8.0
"""A board that is reset when its port opens (Arduino style) boots in two seconds, and the makers'
sketches wait as long again before they set up the converter."""


@dataclass(frozen=True, slots=True)
class Board:
    """A kind of board. `baud` is what its maker's firmware uses; `greeting_s` how long it may take
    until samples come."""

    form: BoardForm
    baud: int
    parser: Callable[[], BoardParser]
    dialogue: Callable[[], Dialogue] = Unasked
    greeting_s: float = USUAL_GREETING_S
