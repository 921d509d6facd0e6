"""What the beats of the last minute say about the rhythm: sums over windows, in integers.

Each firm beat is turned into a row of integers (intervals, their changes, P waves, shapes), once.
What a window of seconds says is a quotient of two sums of such rows, so it costs next to nothing
however often it is asked, and does not depend on how the beats came: sums of integers are exact.

Measures of irregularity: changes from RR to RR in bins (RR as logarithm, so in parts of the
interval), to the next but one and the third; how near an RR comes to one of those before (Sarkar
et al., IEEE Trans Biomed Eng 2008;55:1219, the spread of a Lorenz plot); the coefficient of sample
entropy's two counts of similar pairs (Lake and Moorman, Am J Physiol 2011;300:H319); turning
points. Of the atria: P waves as `features.py` compares them with this patient's own.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.intervals import LOG_STEPS, log_rr
from edge_runtime.signal.spec import CONTRACT_RATE_HZ
from edge_runtime.signal.windows import WINDOW_AFTER

Ints = NDArray[np.int64]

SPANS_S: Final = {"now": (10, 0), "middle": (20, 10), "half": (30, 0), "minute": (60, 0)}
"""Windows by name: from so many seconds before the hop until so many before it."""

_UNIT: Final = 1 << 12
"""One, in the fixed point of the rows."""
_SHIFT: Final = (LOG_STEPS // _UNIT).bit_length() - 1
_TYPICAL: Final = int(log_rr(np.array([CONTRACT_RATE_HZ * 4 // 5]))[0])
_MOST_CHANGE: Final = _UNIT // 2
_BINS: Final = (0.03, 0.06, 0.12, 0.25)
"""Changes of RR are counted above these parts of an interval; sinus arrhythmia seldom exceeds an
eighth, ectopic beats a quarter."""
_ALIKE: Final = int(0.04 * _UNIT)
"""Intervals nearer than 4 % (30 ms at 75/min) are alike, as in the coefficient's own tolerance."""
_TURN: Final = int(0.1 * _UNIT)
_NEAREST: Final = 8
_PAIRS: Final = 20
_PAST: Final = _PAIRS + 2
_EARLY: Final = 0.15
_LARGE: Final = 4.0
"""Features are clipped here before they become integers."""

_AVERAGED: Final = (
    "p_in_beat", "p_coherence", "p_size", "template_p_size", "p_like_template", "p_like_prev",
    "qrs_like_template", "beat_like_template", "beat_like_prev", "before_off_template",
    "t_off_template", "share", "dominant", "early_alike", "early_unlike",
)  # fmt: skip
"""Features of a beat whose mean over readable beats is a measure of its own."""

_COLUMN: Final = {spec.name: number for number, spec in enumerate(FEATURES)}
_AVERAGED_AT: Final = [_COLUMN[name] for name in _AVERAGED]

_ROW: Final = (
    "beats", "tentative", "rr_known", "rr", "rr_squared",
    "change_known", "change", "change_squared", *(f"change_above_{b}" for b in _BINS),
    "second_known", "second", "second_alike", "third_known", "third", "third_alike",
    "turn_known", "turn",
    "nearest_known", "nearest", "nearest_unlike", "pairs", "pairs_alike",
    "early", "late", "readable", *_AVERAGED, "unlike_qrs", "late_p_in_beat", "on_time",
)  # fmt: skip
_AT: Final = {name: number for number, name in enumerate(_ROW)}

_QUOTIENTS: Final = (
    ("tentative", "beats", 1), ("rr", "rr_known", _UNIT),
    ("change", "change_known", _UNIT), *((f"change_above_{b}", "change_known", 1) for b in _BINS),
    ("second", "second_known", _UNIT), ("second_alike", "second_known", 1),
    ("third", "third_known", _UNIT), ("third_alike", "third_known", 1),
    ("turn", "turn_known", 1),
    ("nearest", "nearest_known", _UNIT), ("nearest_unlike", "nearest_known", 1),
    ("pairs_alike", "pairs", 1), ("early", "rr_known", 1), ("late", "rr_known", 1),
    ("readable", "beats", 1), *((name, "readable", _UNIT) for name in _AVERAGED),
    ("unlike_qrs", "readable", 1), ("late_p_in_beat", "on_time", _UNIT),
)  # fmt: skip
"""(sum, the number of what was summed, one in the sum's fixed point): a measure each."""
_ROOTS: Final = (("rr_squared", "rr", "rr_known"), ("change_squared", None, "change_known"))
"""(sum of squares, sum that the mean is taken off or None, number): spreads."""
_COUNTS: Final = {"beats": "beats", "intervals": "rr_known", "shapes": "readable"}
"""Rates a second by name, of what is counted."""

MEASURES: Final = (
    *_COUNTS,
    *(name for name, _, _ in _QUOTIENTS),
    "rr_spread",
    "change_rms",
)
"""Measures of one span, in order."""
OF_INTERVALS: Final = frozenset(
    {"beats", "intervals", "rr_spread", "change_rms"}
    | {name for name, known, _ in _QUOTIENTS if known not in {"readable", "on_time", "beats"}}
)
"""Those that are made of R peaks alone."""
EVIDENCE: Final = tuple(f"{measure}/{span}" for span in SPANS_S for measure in MEASURES)
"""All of a hop, in order."""

_OVER: Final = np.array([_AT[over] for over, _, _ in _QUOTIENTS])
_UNDER: Final = np.array([_AT[under] for _, under, _ in _QUOTIENTS])
_ONE: Final = np.array([one for _, _, one in _QUOTIENTS], np.float64)
_COUNTED: Final = np.array([_AT[count] for count in _COUNTS.values()])
_SPAN_STARTS: Final = CONTRACT_RATE_HZ * np.array([start for start, _ in SPANS_S.values()])
_SPAN_ENDS: Final = CONTRACT_RATE_HZ * np.array([end for _, end in SPANS_S.values()])
_SPAN_S: Final = np.array([start - end for start, end in SPANS_S.values()], np.float64)
_LONGEST: Final = int(_SPAN_STARTS.max())


class RhythmEvidence:
    """The rows of the last minute's beats of one lead, and what spans of them say."""

    def __init__(self) -> None:
        self._at: Ints = np.zeros(0, np.int64)
        self._rows: Ints = np.zeros((0, len(_ROW)), np.int64)
        # Of the firm beats before: where the last was, their log RR and whether it is known.
        self._last = 0
        self._rr: Ints = np.zeros(_PAST, np.int64)
        self._known: NDArray[np.bool_] = np.zeros(_PAST, np.bool_)

    def add(self, block: BeatBlock) -> None:
        """The next beats in context, in order."""
        if not len(block):
            return
        rows = self._make_rows(block)
        self._at = np.concatenate([self._at, block.at])
        self._rows = np.concatenate([self._rows, rows])

    def at(self, hops: Ints) -> NDArray[np.float32]:
        """Measures (k, len(EVIDENCE)) at contract indices `hops` (k,), in order.

        Of beats whose windows end before the hop; what is asked later may not lie before it.
        """
        total = np.zeros((len(self._rows) + 1, len(_ROW)), np.int64)
        np.cumsum(self._rows, axis=0, out=total[1:])
        # Beats of the very last moment belong to the span once their windows are complete.
        shown = hops[:, np.newaxis] - WINDOW_AFTER
        first = np.searchsorted(self._at, shown - _SPAN_STARTS, side="right")
        end = np.searchsorted(self._at, shown - _SPAN_ENDS, side="right")
        sums = total[end] - total[first]
        if len(hops):
            old = int(np.searchsorted(self._at, int(shown[-1, 0]) - _LONGEST, side="right"))
            self._at, self._rows = self._at[old:], self._rows[old:]
        return _measures(sums)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "at": self._at.copy(),
            "rows": self._rows.copy(),
            "last": self._last,
            "rr": self._rr.copy(),
            "known": self._known.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken."""
        self._at = np.array(state["at"], np.int64)
        self._rows = np.array(state["rows"], np.int64).reshape(-1, len(_ROW))
        self._last = int(state["last"])
        self._rr = np.array(state["rr"], np.int64)
        self._known = np.array(state["known"], np.bool_)

    def _make_rows(self, block: BeatBlock) -> Ints:
        rows: Ints = np.zeros((len(block), len(_ROW)), np.int64)
        firm = np.flatnonzero(~block.tentative)
        rows[:, _AT["tentative"]] = block.tentative
        if len(firm):
            table = block.features[firm]
            past = self._intervals(block.at[firm], table[:, _COLUMN["rr_known"]] > 0.0)
            columns = {"beats": np.ones(len(firm), np.int64), **past.columns()}
            columns |= _shape_columns(table, past.known)
            for name, values in columns.items():
                rows[firm, _AT[name]] = values
        return rows

    def _intervals(self, at: Ints, known: NDArray[np.bool_]) -> "_Line":
        before = np.concatenate([[self._last], at[:-1]])
        rr = log_rr(at - before).astype(np.int64) - _TYPICAL >> _SHIFT
        line = np.concatenate([self._rr, np.where(known, rr, 0)])
        ok = np.concatenate([self._known, known])
        self._last = int(at[-1])
        self._rr, self._known = line[-_PAST:].copy(), ok[-_PAST:].copy()
        return _Line(line, ok)


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """RR of k beats behind those of `_PAST` beats before them, and which are known."""

    line: Ints
    ok: NDArray[np.bool_]

    @property
    def known(self) -> NDArray[np.bool_]:
        return self.ok[_PAST:]

    def columns(self) -> dict[str, NDArray[Any]]:
        line, known = self.line, self.known
        now = line[_PAST:]
        first, second, third = (self._change(lag) for lag in (1, 2, 3))
        change = np.minimum(np.abs(first.by), _MOST_CHANGE)
        turn_by, turn_known = self._turns()
        nearest = self._nearest()
        pairs, alike = self._pairs()
        return {
            "rr_known": known,
            "rr": now,
            "rr_squared": now * now,
            "change_known": first.known,
            "change": change * first.known,
            "change_squared": change * change * first.known,
            **{f"change_above_{b}": (change > int(b * _UNIT)) & first.known for b in _BINS},
            **second.columns("second"),
            **third.columns("third"),
            "turn_known": turn_known,
            "turn": turn_by,
            "nearest_known": nearest.known,
            "nearest": np.minimum(nearest.by, _MOST_CHANGE) * nearest.known,
            "nearest_unlike": (nearest.by > _ALIKE) & nearest.known,
            "pairs": pairs,
            "pairs_alike": alike,
        }

    def _change(self, lag: int) -> "_Change":
        by = self.line[_PAST:] - self.line[_PAST - lag : len(self.line) - lag]
        # All between are known too: a change spans no gap.
        known = self.known.copy()
        for back in range(1, lag + 1):
            known &= self.ok[_PAST - back : len(self.ok) - back]
        return _Change(by, known)

    def _turns(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether two large changes in a row go opposite ways, and where both are known."""
        now = self.line[_PAST:] - self.line[_PAST - 1 : -1]
        before = self.line[_PAST - 1 : -1] - self.line[_PAST - 2 : -2]
        known = self._change(2).known
        large = (np.abs(now) > _TURN) & (np.abs(before) > _TURN)
        return large & (np.sign(now) != np.sign(before)) & known, known

    def _nearest(self) -> "_Change":
        past = self._past(_NEAREST, 0)
        ok = self._past_ok(_NEAREST, 0)
        apart = np.where(ok, np.abs(past - self.line[_PAST:, np.newaxis]), _UNIT)
        return _Change(apart.min(axis=1), self.known & (ok.sum(axis=1) >= _NEAREST // 2))

    def _pairs(self) -> tuple[Ints, Ints]:
        """How many of the last RR resemble the one before this, and how many of these go on as
        this one does."""
        before, before_ok = self._past(_PAIRS, 1), self._past_ok(_PAIRS, 1)
        after, after_ok = self._past(_PAIRS, 0), self._past_ok(_PAIRS, 0)
        prev = self.line[_PAST - 1 : -1, np.newaxis]
        prev_ok = self.ok[_PAST - 1 : -1, np.newaxis]
        usable = before_ok & after_ok & prev_ok & self.known[:, np.newaxis]
        alike = usable & (np.abs(before - prev) < _ALIKE)
        on = alike & (np.abs(after - self.line[_PAST:, np.newaxis]) < _ALIKE)
        return alike.sum(axis=1), on.sum(axis=1)

    def _past(self, n: int, skip: int) -> Ints:
        """The `n` RR before each, (k, n), oldest first, ending `skip` before the last."""
        return self.line[self._places(n, skip)]

    def _past_ok(self, n: int, skip: int) -> NDArray[np.bool_]:
        return self.ok[self._places(n, skip)]

    def _places(self, n: int, skip: int) -> Ints:
        k = len(self.line) - _PAST
        return np.arange(k)[:, np.newaxis] + (_PAST - n - skip + np.arange(n))


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """By how much each of k RR differs from an earlier one, where `known`."""

    by: Ints
    known: NDArray[np.bool_]

    def columns(self, name: str) -> dict[str, NDArray[Any]]:
        size = np.minimum(np.abs(self.by), _MOST_CHANGE)
        return {
            f"{name}_known": self.known,
            name: size * self.known,
            f"{name}_alike": (size < _ALIKE) & self.known,
        }


def _shape_columns(table: NDArray[np.float32], known: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    readable = table[:, _COLUMN["shape_known"]] > 0.0
    values = np.clip(table[:, _AVERAGED_AT], -_LARGE, _LARGE).astype(np.float64)
    steps = np.rint(values * _UNIT).astype(np.int64) * readable[:, np.newaxis]
    columns: dict[str, NDArray[Any]] = dict(zip(_AVERAGED, steps.T, strict=True))
    lateness = table[:, _COLUMN["rr_to_q50_60"]]
    on_time = readable & (lateness > -_EARLY)
    return columns | {
        "early": (lateness < -_EARLY) & known,
        "late": (lateness > _EARLY) & known,
        "readable": readable,
        "unlike_qrs": readable & (table[:, _COLUMN["qrs_like_template"]] < 0.8),
        "on_time": on_time,
        "late_p_in_beat": columns["p_in_beat"] * on_time,
    }


def _measures(sums: Ints) -> NDArray[np.float32]:
    """Sums (k, spans, rows) to measures (k, spans * len(MEASURES)); 0 where nothing is known."""
    real = sums.astype(np.float64)
    counts = real[:, :, _COUNTED] / _SPAN_S[:, np.newaxis]
    quotients = real[:, :, _OVER] / np.maximum(real[:, :, _UNDER], 1.0) / _ONE
    spreads = [_spread(real, *root) for root in _ROOTS]
    table = np.concatenate([counts, quotients, np.stack(spreads, axis=2)], axis=2)
    return table.reshape(len(table), -1).astype(np.float32)


def _spread(
    sums: NDArray[np.float64], squares: str, of: str | None, number: str
) -> NDArray[np.float64]:
    n = np.maximum(sums[:, :, _AT[number]], 1.0)
    mean = 0.0 if of is None else sums[:, :, _AT[of]] / n
    variance = sums[:, :, _AT[squares]] / n - mean * mean
    out: NDArray[np.float64] = np.sqrt(np.maximum(variance, 0.0)) / _UNIT
    return out
