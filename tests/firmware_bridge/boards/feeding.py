"""A parser fed in every way, and what it gave."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.boards.samples import BoardItem, BoardParser, BoardSamples, Unreadable

Cut = Callable[[bytes], list[bytes]]
CUTS: dict[str, Cut] = {
    "whole": lambda data: [data],
    "byte by byte": lambda data: [data[k : k + 1] for k in range(len(data))],
    "by sevens": lambda data: [data[k : k + 7] for k in range(0, len(data), 7)],
}


def fed(parser: BoardParser, pieces: Iterable[bytes]) -> list[BoardItem]:
    return [item for piece in pieces for item in parser.feed(piece)]


def counts(items: Iterable[BoardItem]) -> NDArray[np.float64]:
    """All samples, (n, n_leads)."""
    blocks = [item.counts for item in items if isinstance(item, BoardSamples)]
    return np.concatenate(blocks) if blocks else np.empty((0, 0))


def skipped(items: Iterable[BoardItem]) -> int:
    """Bytes that made no sense."""
    return sum(item.n_bytes for item in items if isinstance(item, Unreadable))
