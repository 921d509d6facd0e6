"""Waves of the heart beat as `(`, peak and `)` mark them, for every use that is made of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations, read_annotations

UNMARKED: Final = -1
"""In the place of an onset or an end that was not set."""


class Kind(IntEnum):
    """What a wave is."""

    P = 1
    QRS = 2
    T = 3
    U = 4


_BY_SYMBOL: Final = {"p": Kind.P, "t": Kind.T, "u": Kind.U}
_QRS_SYMBOLS: Final = frozenset('NLRaVFJASEj/QeBnf"')


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """n waves in order of time: `kind` (`Kind`) and sample numbers, int64 (n,) each.

    `onset` and `end` are `UNMARKED` where they were not set.
    """

    kind: NDArray[np.int64]
    onset: NDArray[np.int64]
    peak: NDArray[np.int64]
    end: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, int, int]]) -> "Waves":
        """Rows of kind, onset, peak and end, in order of the peaks."""
        table = np.array(list(rows), dtype=np.int64).reshape(-1, 4)
        kind, onset, peak, end = table[np.argsort(table[:, 2], kind="stable")].T.copy()
        return cls(kind, onset, peak, end)

    @property
    def first(self) -> NDArray[np.int64]:
        """First marked sample of each wave: its onset, or else its peak."""
        return np.where(self.onset == UNMARKED, self.peak, self.onset)

    @property
    def last(self) -> NDArray[np.int64]:
        """Last marked sample of each wave: its end, or else its peak."""
        return np.where(self.end == UNMARKED, self.peak, self.end)


def waves_of(marks: Annotations) -> Waves:
    """The waves that the marks describe; brackets around no peak are passed over."""
    rows: list[tuple[int, int, int, int]] = []
    onset = UNMARKED
    closed = True
    for sample, symbol in zip(marks.sample.tolist(), marks.symbol, strict=True):
        kind = _BY_SYMBOL.get(symbol) or (Kind.QRS if symbol in _QRS_SYMBOLS else None)
        if symbol == "(":
            onset = sample
        elif kind is not None:
            rows.append((kind, onset, sample, UNMARKED))
            onset, closed = UNMARKED, False
        elif symbol == ")":
            if not closed:
                rows[-1] = (*rows[-1][:3], sample)
            onset, closed = UNMARKED, True
    return Waves.of(rows)


def read_waves(path: Path | str) -> Waves:
    """The waves of an annotation file, ending included. Raises `RecordError`."""
    return waves_of(read_annotations(path))
