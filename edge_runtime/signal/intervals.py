"""RR intervals of the last 300 beats and their statistics, in integers.

An interval is kept as the logarithm of its length, in steps of 1/65536 looked up in a table of
integers. Sums, differences and order statistics of integers are exact, so blocks and single beats
agree bit for bit on every machine.
"""

from dataclasses import dataclass
from math import log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.spec import CONTRACT_RATE_HZ

DEPTH: Final = 300
"""Intervals that the longest statistic looks back."""
LOG_STEPS: Final = 1 << 16
RR_MIN: Final = 25
"""0.1 s, below any detector's refractory period."""
RR_MAX: Final = 4 * CONTRACT_RATE_HZ
"""4 s; a longer pause is the rules' business, not a statistic's."""

_KEEP: Final = DEPTH + 4
_NONE: Final = 1 << 28
_UNKNOWN: Final = (_NONE + (np.arange(_KEEP) << 20)).astype(np.int32)
"""What stands for intervals before the first: larger than any, and further from one another than
any two intervals, so that they sort to the end, and their differences too. Within int32."""
_LOG: Final = np.array(
    [0] + [round(LOG_STEPS * log(n / CONTRACT_RATE_HZ)) for n in range(1, RR_MAX + 1)],
    dtype=np.int32,
)


def log_rr(rr: NDArray[np.int64]) -> NDArray[np.int32]:
    """Natural logarithm of RR in seconds, in steps of 1/65536; `rr` in contract samples."""
    out: NDArray[np.int32] = _LOG[np.minimum(np.maximum(rr, RR_MIN), RR_MAX)]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """The RR that ends at each of k beats, and what was known of the RR before it.

    `rr` (k,) in log steps, meaningful where `ok`; `known` (k,) intervals before it, at most 300.
    """

    rr: NDArray[np.int32]
    ok: NDArray[np.bool_]
    known: NDArray[np.int64]
    _line: NDArray[np.int32]  # kept intervals, oldest first, in front of them _UNKNOWN
    _end: NDArray[np.int64]  # (k,) where in the line the past of each beat ends
    _own: NDArray[np.bool_]  # (k,) whether its own interval follows there
    _total: NDArray[np.int64]  # running sum of the line, _UNKNOWN as 0

    def means(self, lengths: tuple[int, ...]) -> NDArray[np.float64]:
        """Means (k, len(lengths)) of so many past intervals (of all known if fewer; 0 if none)."""
        count = np.minimum(self.known[:, None], np.array(lengths))
        end = self._end[:, None]
        sums = self._total[end] - self._total[end - count]
        out: NDArray[np.float64] = sums / np.maximum(count, 1)
        return out

    def quantiles(self, of: tuple[tuple[int, tuple[int, ...]], ...]) -> NDArray[np.int32]:
        """Order statistics by nearest rank, one column for each percent of each pair in `of`:
        (how many past intervals, percents), the longest first."""
        longest = of[0][0]
        rows = self._line[(self._end - longest)[:, None] + np.arange(longest)]
        pairs = np.array([(n, percent) for n, percents in of for percent in percents])
        last = np.maximum(np.minimum(self.known[:, None], pairs[:, 0]) - 1, 0)
        rank = (last * pairs[:, 1] + 50) // 100
        row, column = np.arange(len(rows))[:, None], 0
        out = np.empty(rank.shape, dtype=np.int32)
        for n, percents in of:
            part = slice(column, column + len(percents))
            out[:, part] = np.sort(rows[:, longest - n :], axis=1)[row, rank[:, part]]
            column = part.stop
        return out

    def changes(self, n: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Medians of |RR - RR `lag` before| over the last n, own included, and their number.

        Both (3, k), for lags 1, 2 and 3.
        """
        line = self._line
        change = np.abs(line[3:] - np.array([line[2:-1], line[1:-2], line[:-3]]))
        rows = change[:, (self._end + self._own - 3 - n)[:, None] + np.arange(n)]
        rows.sort(axis=2)
        count = self._usable(n, np.array([[1], [2], [3]]))
        middle = np.maximum(count - 1, 0) // 2
        return rows[np.arange(3)[:, None], np.arange(rows.shape[1]), middle], count

    def share_of_changes(self, n: int, above: int) -> NDArray[np.float64]:
        """Share of the last n successive differences, own included, larger than `above` steps."""
        large = np.zeros(len(self._line), dtype=np.bool_)
        large[1:] = np.abs(self._line[1:] - self._line[:-1]) > above
        return self._share(large, n, 1)

    def turning_points(self, n: int) -> NDArray[np.float64]:
        """Share of the last n intervals, own included, before which longer turned to shorter or
        back: 2/3 in pure chance, small in trends, 1 in strict alternation."""
        step = np.sign(self._line[1:] - self._line[:-1])
        turns = np.zeros(len(self._line), dtype=np.bool_)
        turns[2:] = step[1:] * step[:-1] < 0
        return self._share(turns, n, 2)

    def _usable(self, n: int, reach: int | NDArray[np.int64]) -> NDArray[np.int64]:
        count: NDArray[np.int64] = np.maximum(self.known + self._own - reach, 0)
        return np.minimum(count, n)

    def _share(self, hits: NDArray[np.bool_], n: int, reach: int) -> NDArray[np.float64]:
        total, count = _running(hits), self._usable(n, reach)
        end = self._end + self._own
        out: NDArray[np.float64] = (total[end] - total[end - count]) / np.maximum(count, 1)
        return out


def _running(values: NDArray[Any]) -> NDArray[np.int64]:
    total = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=total[1:])
    return total


class IntervalTrack:
    """Intervals between accepted peaks. Others are measured against the last accepted one."""

    def __init__(self) -> None:
        self._line = _UNKNOWN.copy()
        self._last_at = 0
        self._last_stretch = -1

    def advance(
        self, at: NDArray[np.int64], stretch: NDArray[np.int64], accepted: NDArray[np.bool_]
    ) -> Intervals:
        """Take k peaks in order. `stretch` (k,) counts gaps: RR across two stretches is unknown."""
        k = len(at)
        own = np.maximum.accumulate(np.where(accepted, np.arange(k), -1))
        before = np.concatenate((np.array([-1]), own[:-1]))[:k]
        first = before < 0
        previous = np.where(first, self._last_at, at[before])
        ok = stretch == np.where(first, self._last_stretch, stretch[before])
        rr = log_rr(at - previous)
        kept = ok & accepted
        line = np.concatenate((self._line, rr[kept]))
        end = _KEEP + np.cumsum(kept) - kept
        is_known = line < _NONE
        already = int(np.count_nonzero(is_known[:_KEEP]))
        known = np.minimum(already + (end - _KEEP), DEPTH)
        self._line = line[len(line) - _KEEP :].copy()
        if k and own[-1] >= 0:
            self._last_at, self._last_stretch = int(at[own[-1]]), int(stretch[own[-1]])
        return Intervals(rr, ok, known, line, end, kept, _running(np.where(is_known, line, 0)))

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """All state, as arrays."""
        last = np.array([self._last_at, self._last_stretch], dtype=np.int64)
        return {"line": self._line.copy(), "last": last}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `snapshot` gave."""
        self._line = np.array(state["line"], dtype=np.int32)
        self._last_at, self._last_stretch = (int(v) for v in state["last"])
