"""A Holter summary: what a day's beats come to, by session, day and hour.

A pure function of stored beats, lost stretches and rhythm episodes, in one pass and bounded memory.
How things are counted:

- The rate is the displayed one (the mean of up to eight valid RR intervals, `rules/heart_rate.py`);
  the mean is 60 / the mean valid RR.
- A couplet is exactly two V (S) in a row, a run three or more; a hole, and a beat of another or of
  no class, ends it. Both count where they begin.
- A pause is a valid RR above 2.0 s.
- SDNN and RMSSD (Task Force of ESC and NASPE, Circulation 93:1043, 1996) are of NN intervals: valid
  RR between two N of 0.3 to 2.0 s; RMSSD of NN that follow each other.
- Lost is where no sample came, or the analysis lead was unusable or off.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from math import sqrt
from typing import Final

import msgspec

PAUSE_S: Final = 2.0
_NN_S: Final = (0.3, 2.0)
_AROUND_S: Final = 5.0
_RUN: Final = 3
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class HolterBeat:
    """A beat as it was stored: where (sample index), when, its valid RR to the one before (None: a
    hole lies between), the displayed rate, its class (empty: none)."""

    at: int
    utc_ms: int
    rr_s: float | None
    bpm: float | None
    label: str


@dataclass(frozen=True, slots=True)
class Span:
    """Samples [first, end), the first of them at `utc_ms`."""

    first: int
    end: int
    utc_ms: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one stretch comes to; None where there is nothing to tell it from. `af_s`, `af_burden`
    (of the analysed time) are None where nobody looked for AF."""

    analysed_s: float
    lost_s: float
    beats: int
    lowest_bpm: float | None
    mean_bpm: float | None
    highest_bpm: float | None
    ventricular: int
    supraventricular: int
    ventricular_per_h: float | None
    supraventricular_per_h: float | None
    ventricular_couplets: int
    ventricular_runs: int
    supraventricular_couplets: int
    supraventricular_runs: int
    pauses: int
    longest_rr_s: float | None
    sdnn_ms: float | None
    rmssd_ms: float | None
    af_s: float | None
    af_burden: float | None


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """The hour that begins at `time` (ISO 8601, local)."""

    time: str
    figures: Figures


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar day, in local time."""

    date: str
    figures: Figures
    hours: list[Hour]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A place worth a look: `value` in the unit that `kind` has in its name; `from_s`, `to_s` are
    what `edge-runtime export` takes."""

    kind: str
    value: float
    time: str
    at: int
    from_s: float
    to_s: float


class Holter(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it. `rhythms`: those that were looked for."""

    session: str
    source: str
    started: str
    rhythms: list[str]
    figures: Figures
    days: list[Day]
    moments: list[Moment]


@dataclass(frozen=True, slots=True)
class HolterSession:
    """Of whom; `end` is the index after the last sample."""

    session: str
    source: str
    rate_hz: Fraction
    started_utc_ms: int
    end: int
    rhythms: tuple[str, ...]


def holter(
    session: HolterSession,
    beats: Iterable[HolterBeat],
    lost: Iterable[Span],
    fibrillation: Iterable[Span],
    zone: tzinfo = UTC,
) -> Holter:
    """Count. `beats`, `lost` and `fibrillation` are in order; spans of a kind do not overlap."""
    counter = _Counter(session, zone)
    counter.time("covered", Span(0, session.end, session.started_utc_ms))
    for span in lost:
        counter.time("lost", span)
    for span in fibrillation:
        counter.time("af", span)
        counter.moments.see("af_onset_s", (span.end - span.first) / counter.rate, span.first, span)
    for beat in beats:
        counter.beat(beat)
    return counter.finish()


@dataclass(slots=True)
class _Tally:
    """Sums over one stretch."""

    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    lowest_bpm: float | None = None
    highest_bpm: float | None = None
    rr_n: int = 0
    rr_sum_s: float = 0.0
    longest_rr_s: float | None = None
    nn_n: int = 0
    nn_mean_s: float = 0.0
    nn_squares: float = 0.0
    steps: int = 0
    step_squares: float = 0.0

    def add_s(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def rate(self, bpm: float) -> None:
        self.lowest_bpm = bpm if self.lowest_bpm is None else min(self.lowest_bpm, bpm)
        self.highest_bpm = bpm if self.highest_bpm is None else max(self.highest_bpm, bpm)

    def interval(self, rr_s: float) -> None:
        self.rr_n += 1
        self.rr_sum_s += rr_s
        self.longest_rr_s = rr_s if self.longest_rr_s is None else max(self.longest_rr_s, rr_s)
        if rr_s > PAUSE_S:
            self.count("pauses")

    def normal_interval(self, nn_s: float, before_s: float | None) -> None:
        """Welford's sums: those of squares lose their digits over a day."""
        self.nn_n += 1
        off = nn_s - self.nn_mean_s
        self.nn_mean_s += off / self.nn_n
        self.nn_squares += off * (nn_s - self.nn_mean_s)
        if before_s is not None:
            self.steps += 1
            self.step_squares += (nn_s - before_s) ** 2

    def figures(self, *, af_known: bool) -> Figures:
        lost_s, af_s = self.seconds.get("lost", 0.0), self.seconds.get("af", 0.0)
        analysed_s = max(0.0, self.seconds.get("covered", 0.0) - lost_s)
        hours = analysed_s / 3600
        v, s = self.counts.get("V", 0), self.counts.get("S", 0)
        return Figures(
            analysed_s=round(analysed_s, 3),
            lost_s=round(lost_s, 3),
            beats=self.counts.get("beats", 0),
            lowest_bpm=_rounded(self.lowest_bpm, 1),
            mean_bpm=round(60 * self.rr_n / self.rr_sum_s, 1) if self.rr_n else None,
            highest_bpm=_rounded(self.highest_bpm, 1),
            ventricular=v,
            supraventricular=s,
            ventricular_per_h=round(v / hours, 2) if hours else None,
            supraventricular_per_h=round(s / hours, 2) if hours else None,
            ventricular_couplets=self.counts.get("V couplet", 0),
            ventricular_runs=self.counts.get("V run", 0),
            supraventricular_couplets=self.counts.get("S couplet", 0),
            supraventricular_runs=self.counts.get("S run", 0),
            pauses=self.counts.get("pauses", 0),
            longest_rr_s=_rounded(self.longest_rr_s, 3),
            sdnn_ms=_root_ms(self.nn_squares, self.nn_n - 1),
            rmssd_ms=_root_ms(self.step_squares, self.steps),
            af_s=round(af_s, 3) if af_known else None,
            af_burden=round(min(1.0, af_s / analysed_s), 4) if af_known and analysed_s else None,
        )


class _Moments:
    """The first of each kind with the largest value (or the smallest)."""

    _SMALLEST: Final = frozenset({"lowest_bpm"})

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, int, int, int]] = {}

    def see(self, kind: str, value: float, first: int, last: "HolterBeat | Span") -> None:
        """`value` from index `first` to where `last` is."""
        known = self.found.get(kind)
        if known is not None:
            better = value < known[0] if kind in self._SMALLEST else value > known[0]
            if not better:
                return
        end = last.at if isinstance(last, HolterBeat) else last.first
        self.found[kind] = (value, first, end, last.utc_ms)


class _Counter:
    def __init__(self, session: HolterSession, zone: tzinfo) -> None:
        self.rate = float(session.rate_hz)
        self.moments = _Moments()
        self._session = session
        self._zone = zone
        self._whole = _Tally()
        self._days: dict[str, _Tally] = {}
        self._hours: dict[str, _Tally] = {}
        self._hour: tuple[int, int, tuple[_Tally, ...]] = (0, 0, ())
        self._before: HolterBeat | None = None
        self._nn_before_s: float | None = None
        self._row: tuple[HolterBeat, ...] = ()  # the first and last of V or S in a row
        self._row_n = 0
        self._af_known = "AFIB" in session.rhythms

    def time(self, name: str, span: Span) -> None:
        """Add a span's seconds to every stretch it lies in."""
        self._af_known |= name == "af"
        at_ms = float(span.utc_ms)
        end_ms = at_ms + 1000 * (span.end - span.first) / self.rate
        while at_ms < end_ms:
            tallies = self._at(int(at_ms))
            until_ms = min(end_ms, self._hour[1])
            for tally in tallies:
                tally.add_s(name, (until_ms - at_ms) / 1000)
            at_ms = until_ms

    def beat(self, beat: HolterBeat) -> None:
        tallies = self._at(beat.utc_ms)
        before, self._before = self._before, beat
        rr_s = beat.rr_s if before is not None else None
        nn_s = None
        if rr_s is not None and before is not None and before.label == beat.label == "N":
            nn_s = rr_s if _NN_S[0] <= rr_s <= _NN_S[1] else None
        for tally in tallies:
            tally.count("beats")
            if beat.label:
                tally.count(beat.label)
            if beat.bpm is not None:
                tally.rate(beat.bpm)
            if rr_s is not None:
                tally.interval(rr_s)
            if nn_s is not None:
                tally.normal_interval(nn_s, self._nn_before_s)
        self._nn_before_s = nn_s
        self._see_moments(beat, rr_s)
        if self._row and (rr_s is None or self._row[0].label != beat.label):
            self._end_row()
        if beat.label in {"V", "S"}:
            self._row = (self._row[0] if self._row else beat, beat)
            self._row_n += 1

    def finish(self) -> Holter:
        self._end_row()
        session = self._session
        days = []
        for date, tally in sorted(self._days.items()):
            hours = [
                Hour(time=time, figures=one.figures(af_known=self._af_known))
                for time, one in sorted(self._hours.items())
                if time.startswith(date)
            ]
            figures = tally.figures(af_known=self._af_known)
            days.append(Day(date=date, figures=figures, hours=hours))
        return Holter(
            session=session.session,
            source=session.source,
            started=self._local(session.started_utc_ms).isoformat(timespec="milliseconds"),
            rhythms=list(session.rhythms),
            figures=self._whole.figures(af_known=self._af_known),
            days=days,
            moments=list(self._moments_found()),
        )

    def _see_moments(self, beat: HolterBeat, rr_s: float | None) -> None:
        if beat.bpm is not None:
            self.moments.see("lowest_bpm", beat.bpm, beat.at, beat)
            self.moments.see("highest_bpm", beat.bpm, beat.at, beat)
        if rr_s is not None and rr_s > PAUSE_S:
            self.moments.see("longest_pause_s", rr_s, beat.at - round(rr_s * self.rate), beat)

    def _end_row(self) -> None:
        row, n = self._row, self._row_n
        self._row, self._row_n = (), 0
        if n == 0:
            return
        first, last = row
        kind = "ventricular" if first.label == "V" else "supraventricular"
        if n == 1:
            self.moments.see(f"single_{kind}", 1.0, first.at, first)
            return
        what = "run" if n >= _RUN else "couplet"
        for tally in self._at(first.utc_ms):
            tally.count(f"{first.label} {what}")
        self.moments.see(f"longest_{kind}_{what}_beats", float(n), first.at, last)

    def _moments_found(self) -> Iterator[Moment]:
        for kind, (value, first, end, utc_ms) in sorted(self.moments.found.items()):
            yield Moment(
                kind=kind,
                value=round(value, 3),
                time=self._local(utc_ms).isoformat(timespec="milliseconds"),
                at=end,
                from_s=round(max(0.0, first / self.rate - _AROUND_S), 3),
                to_s=round(end / self.rate + _AROUND_S, 3),
            )

    def _at(self, utc_ms: int) -> tuple[_Tally, ...]:
        """The tallies of that moment: whole, day, hour."""
        begin, end, tallies = self._hour
        if not begin <= utc_ms < end:
            local = self._local(utc_ms)
            top = local.replace(minute=0, second=0, microsecond=0)
            begin = utc_ms - round((local - top) / timedelta(milliseconds=1))
            text = top.isoformat(timespec="minutes")
            tallies = (
                self._whole,
                self._days.setdefault(text[:10], _Tally()),
                self._hours.setdefault(text, _Tally()),
            )
            self._hour = begin, begin + _HOUR_MS, tallies
        return tallies

    def _local(self, utc_ms: int) -> datetime:
        return datetime.fromtimestamp(utc_ms / 1000, self._zone)


def _root_ms(squares: float, n: int) -> float | None:
    return round(1000 * sqrt(squares / n), 1) if n > 0 else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
