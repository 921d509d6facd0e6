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

from edge_runtime.signal.windows import CONTRACT_RATE_HZ

DEPTH: Final = 300
"""Intervals that the longest statistic looks back."""
LOG_STEPS: Final = 1 << 16
RR_MIN: Final = 25
"""0.1 s, below any detector's refractory period."""
RR_MAX: Final = 4 * CONTRACT_RATE_HZ
"""4 s; a longer pause is the rules' business, not a statistic's."""

_KEEP: Final = DEPTH + 4
_NONE: Final = 1 << 28  # larger than any logarithm; differences stay within int32
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
    _line: NDArray[np.int32]  # kept intervals, oldest first, padded in front with _NONE
    _total: NDArray[np.int64]  # their running sum, 0 first
    _end: NDArray[np.int64]  # (k,) where in the line the past of each beat ends
    _with_own: NDArray[np.int64]  # (k,) the same, its own interval included

    def means(self, lengths: tuple[int, ...]) -> NDArray[np.float64]:
        """Means (k, len(lengths)) of so many past intervals (of all known if fewer; 0 if none)."""
        count = np.minimum(self.known[:, None], np.array(lengths))
        end = self._end[:, None]
        sums = self._total[end] - self._total[end - count]
        out: NDArray[np.float64] = sums / np.maximum(count, 1)
        return out

    def quantiles(self, n: int, percents: tuple[int, ...]) -> NDArray[np.int32]:
        """Order statistics (k, len(percents)) of the past n intervals, by nearest rank."""
        rows = _last(self._line, self._end, n)
        rows.sort(axis=1)  # unknown ones are the largest integer and come last
        last = np.maximum(np.minimum(self.known, n) - 1, 0)
        rank = (last[:, None] * np.array(percents) + 50) // 100
        out: NDArray[np.int32] = rows[np.arange(len(rows))[:, None], rank]
        return out

    def changes(self, n: int, lag: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Median of |RR - RR `lag` before| over the last n, own included, and their number."""
        change = np.abs(self._line[lag:] - self._line[:-lag])
        change[self._line[:-lag] == _NONE] = _NONE
        rows = _last(change, self._with_own - lag, n)
        rows.sort(axis=1)
        count = self._usable(n, lag)
        return rows[np.arange(len(rows)), np.maximum(count - 1, 0) // 2], count

    def share_of_changes(self, n: int, above: int) -> NDArray[np.float64]:
        """Share of the last n successive differences, own included, larger than `above` steps."""
        line = self._line
        large = np.zeros(len(line), dtype=np.int64)
        large[1:] = (np.abs(line[1:] - line[:-1]) > above) & (line[:-1] != _NONE)
        return self._share(large, n, 1)

    def turning_points(self, n: int) -> NDArray[np.float64]:
        """Share of the last n intervals, own included, before which longer turned to shorter or
        back: 2/3 in pure chance, small in trends, 1 in strict alternation."""
        line = self._line
        step = np.sign(line[1:] - line[:-1])
        turns = np.zeros(len(line), dtype=np.int64)
        turns[2:] = (step[1:] * step[:-1] < 0) & (line[:-2] != _NONE)
        return self._share(turns, n, 2)

    def _usable(self, n: int, reach: int) -> NDArray[np.int64]:
        own = self._with_own - self._end
        count: NDArray[np.int64] = np.minimum(np.maximum(self.known + own - reach, 0), n)
        return count

    def _share(self, hits: NDArray[np.int64], n: int, reach: int) -> NDArray[np.float64]:
        total, count = _running(hits), self._usable(n, reach)
        sums = total[self._with_own] - total[self._with_own - count]
        out: NDArray[np.float64] = sums / np.maximum(count, 1)
        return out


def _last(line: NDArray[np.int32], end: NDArray[np.int64], n: int) -> NDArray[np.int32]:
    out: NDArray[np.int32] = line[(end - n)[:, None] + np.arange(n)]
    return out


def _running(values: NDArray[Any]) -> NDArray[np.int64]:
    total = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=total[1:])
    return total


class IntervalTrack:
    """Intervals between accepted peaks. Others are measured against the last accepted one."""

    def __init__(self) -> None:
        self._line = np.full(_KEEP, _NONE, dtype=np.int32)
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
        with_own = _KEEP + np.cumsum(kept)
        end = with_own - kept
        already = int((self._line != _NONE).sum())
        known = np.minimum(already + (end - _KEEP), DEPTH)
        self._line = line[len(line) - _KEEP :].copy()
        if k and own[-1] >= 0:
            self._last_at, self._last_stretch = int(at[own[-1]]), int(stretch[own[-1]])
        total = _running(np.where(line == _NONE, 0, line))
        return Intervals(rr, ok, known, line, total, end, with_own)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """All state, as arrays."""
        last = np.array([self._last_at, self._last_stretch], dtype=np.int64)
        return {"line": self._line.copy(), "last": last}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `snapshot` gave."""
        self._line = np.array(state["line"], dtype=np.int32)
        self._last_at, self._last_stretch = (int(v) for v in state["last"])
