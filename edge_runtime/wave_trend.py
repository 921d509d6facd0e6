"""The trend of intervals: medians of ten seconds of normal beats, as events.

Spans lie on the source's own clock, so nothing depends on the chunking. A span is told with the
first beat after it, and where the lead changes or the stream ends.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import (
    AnalysisLeadChanged,
    BeatClass,
    BeatClassified,
    BeatDetected,
    Event,
    GapRecorded,
    IntervalsMeasured,
)
from edge_runtime.inference.landmarks import Landmarks
from edge_runtime.signal.observations import BeatsReady, Observation
from edge_runtime.wave_measures import WaveMeasures, measure
from firmware_bridge.stream import SignalInfo

SPAN_S: Final = 10.0
_LEAST: Final = 3
"""A median is told of so many beats or more."""
_T_ENDS_KEPT: Final = 8
_ROUNDED: Final = 4

Delineates = Callable[[NDArray[np.float32]], Landmarks]
"""Windows (k, 160) to the places of their waves."""

_MEDIANS: Final = ("pr_s", "qrs_s", "qt_s", "st_mv", "st_slope_mv_per_s")


class _Beat(msgspec.Struct):
    """One measured beat; None where a wave was not found."""

    rr_s: float | None
    pr_s: float | None
    qrs_s: float | None
    qt_s: float | None
    st_mv: float | None
    st_slope_mv_per_s: float | None
    p_wave: float | None


class _State(msgspec.Struct):
    lead: str
    span: int | None = None
    beats: list[_Beat] = []
    r_on_t: int = 0
    t_ends_s: list[float] = []
    before: tuple[int, bool] | None = None  # the beat before: where, and whether normal
    rr_s: dict[int, float | None] = {}


class WaveTrend:
    """What the waves of one source's beats measure. Deterministic, clock-free.

    Fed with what the path observed and the events that came of it; gives these events with its
    own between them.
    """

    def __init__(self, signal: SignalInfo, lead: int, delineate: Delineates) -> None:
        self._rate_hz = float(signal.rate_hz)
        self._length = round(SPAN_S * signal.rate_hz)
        self._delineate = delineate
        self._state = _State(signal.leads[lead])

    def tell(self, observed: Sequence[Observation], events: Sequence[Event]) -> list[Event]:
        """`events` of `observed`, in order, with the spans that they complete."""
        wanted = {
            event.at
            for event in events
            if isinstance(event, BeatClassified) and event.label is not BeatClass.UNKNOWN
        }
        found = self._measured(observed, wanted)
        out: list[Event] = []
        for event in events:
            out.append(event)
            out += self._see(event, found)
        return out

    def finish(self, decided: int) -> list[Event]:
        """The stream has ended: the span that is open."""
        return self._close(decided)

    def snapshot(self) -> dict[str, Any]:
        """Its memory as plain data."""
        state: dict[str, Any] = msgspec.to_builtins(self._state, str_keys=True)
        return state

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`."""
        self._state = msgspec.convert(snapshot, _State, strict=False)

    def _measured(
        self, observed: Sequence[Observation], wanted: set[int]
    ) -> dict[int, tuple[WaveMeasures, int]]:
        """Measures of the beats at `wanted` and the row that each has in them."""
        found: dict[int, tuple[WaveMeasures, int]] = {}
        for one in observed:
            if not isinstance(one, BeatsReady):
                continue
            told = np.array([at in wanted for at in one.at.tolist()], np.bool_)
            rows = np.flatnonzero(one.block.valid & told)
            if not len(rows):
                continue
            window = one.block.window[rows]
            measures = measure(self._delineate(window), window, one.block.unit_mv[rows])
            found |= {at: (measures, k) for k, at in enumerate(one.at[rows].tolist())}
        return found

    def _see(self, event: Event, found: dict[int, tuple[WaveMeasures, int]]) -> list[Event]:
        match event:
            case BeatDetected():
                self._state.rr_s[event.at] = event.rr_s
            case BeatClassified():
                return self._see_beat(event, found.get(event.at))
            case GapRecorded():
                self._state.before = None
            case AnalysisLeadChanged():
                closed = self._close(event.decided)
                self._state = _State(event.lead)
                return closed
            case _:
                pass
        return []

    def _see_beat(
        self, beat: BeatClassified, found: tuple[WaveMeasures, int] | None
    ) -> list[Event]:
        state = self._state
        rr_s = state.rr_s.pop(beat.at, None)
        for earlier in [at for at in state.rr_s if at < beat.at - self._length]:
            del state.rr_s[earlier]
        span = beat.at // self._length
        closed = []
        if state.span is not None and span > state.span:
            closed = self._close(beat.decided)
        if state.span is None:
            state.span = span
        normal = beat.label is BeatClass.NORMAL
        if found is not None:
            measures, row = found
            if beat.label is BeatClass.VENTRICULAR:
                state.r_on_t += self._strikes_t(beat.at, measures.qrs_onset_s[row])
            if normal:
                self._keep(measures, row, rr_s)
        state.before = beat.at, normal
        return closed

    def _keep(self, measures: WaveMeasures, row: int, rr_s: float | None) -> None:
        state = self._state
        names = [name for name in _Beat.__struct_fields__ if name != "rr_s"]
        values = {name: _known(getattr(measures, name)[row]) for name in names}
        state.beats.append(_Beat(rr_s=rr_s, **values))
        t_end_s = _known(measures.t_end_s[row])
        if t_end_s is not None:
            state.t_ends_s = [*state.t_ends_s[1 - _T_ENDS_KEPT :], t_end_s]

    def _strikes_t(self, at: int, qrs_onset_s: float) -> bool:
        """Whether this QRS begins before the T wave of the normal beat before it would end.

        Its own T may be hidden: the median of the last eight normal beats stands for it.
        """
        state = self._state
        if state.before is None or not state.before[1] or len(state.t_ends_s) < _LEAST:
            return False
        begins_s = (at - state.before[0]) / self._rate_hz + qrs_onset_s
        return bool(begins_s < median(state.t_ends_s))

    def _close(self, decided: int) -> list[Event]:
        state = self._state
        if state.span is None:
            return []
        beats, span = state.beats, state.span
        values = {name: self._median(name) for name in _MEDIANS}
        rr_s = self._median("rr_s")
        told = IntervalsMeasured(
            at=span * self._length,
            decided=decided,
            until=(span + 1) * self._length,
            lead=state.lead,
            beats=len(beats),
            rr_s=rr_s,
            qtc_bazett_s=_corrected(values["qt_s"], rr_s, 1 / 2),
            qtc_fridericia_s=_corrected(values["qt_s"], rr_s, 1 / 3),
            p_wave_share=self._share(),
            r_on_t=state.r_on_t,
            **values,
        )
        state.span, state.beats, state.r_on_t = None, [], 0
        return [told] if told.beats or told.r_on_t else []

    def _median(self, name: str) -> float | None:
        known = [value for beat in self._state.beats if (value := getattr(beat, name)) is not None]
        return _rounded(median(known)) if len(known) >= _LEAST else None

    def _share(self) -> float | None:
        known = [beat.p_wave for beat in self._state.beats if beat.p_wave is not None]
        return _rounded(sum(known) / len(known)) if len(known) >= _LEAST else None


def _corrected(qt_s: float | None, rr_s: float | None, power: float) -> float | None:
    """QT at 60/min, as Bazett (1/2) and Fridericia (1/3) have it."""
    if qt_s is None or not rr_s:
        return None
    return _rounded(float(qt_s / rr_s**power))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _rounded(value: float) -> float:
    """To a tenth of a millisecond: beyond it, powers differ between processors."""
    return round(value, _ROUNDED)
