"""What other limits would have raised: stored beats, classes, gaps and quality told to the rules.

The store keeps what rules over beats need, so a limit can be tried on the last day in seconds. It
keeps no waveform windows, shapes, electrode states or silences: `NOT_PREVIEWED` cannot be tried.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Final

from edge_runtime.events import (
    AlarmRaised,
    AnalysisLeadChanged,
    BeatClass,
    BeatClassified,
    BeatDetected,
    DeviceReported,
    Event,
    GapRecorded,
    SignalQuality,
    SourceOpened,
)
from edge_runtime.publication import Published
from edge_runtime.rules.facts import Battery, Beat, Fact, Hole, Label, Readability, SignalClock
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.store.reading import events_of

NOT_PREVIEWED: Final = (
    "ventricular_fibrillation",
    "signal_lost",
    "lead_off",
    "multiform_pvc",
    "pacer_not_capturing",
    "pacer_not_pacing",
)
_CLASSES: Final = {kind.value: kind for kind in BeatClass}
_FLAT: Final = "flat"
MOST_HOURS: Final = 24.0 * 366
"""How far back anybody may look."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Alarms by rule with two settings, and how many hours of beats they were tried on."""

    now: Counter[str]
    then: Counter[str]
    hours: float

    def rows(self) -> list[tuple[str, int, int]]:
        """(rule, with the present settings, with the others), those that differ first."""
        rules = sorted(self.now.keys() | self.then.keys())
        rows = [(rule, self.now[rule], self.then[rule]) for rule in rules]
        return sorted(rows, key=lambda row: row[1] == row[2])


def preview(
    connection: sqlite3.Connection, now: RuleSettings, then: RuleSettings, since: datetime
) -> Preview:
    """Try both settings on everything stored since `since` (aware). Raises StoreError."""
    counts = Counter[str](), Counter[str]()
    hours = 0.0
    since_ns = int(since.timestamp() * 1e9)
    for name in _sessions(connection, since_ns):
        published = list(events_of(connection, name))
        for settings, count in zip((now, then), counts, strict=True):
            count.update(_alarms(published, settings, since))
        times = [datetime.fromisoformat(one.time) for one in published]
        inside = [time for time in times if time >= since]
        if inside:
            hours += (max(inside) - min(inside)).total_seconds() / 3600
    return Preview(*counts, hours)


def _sessions(connection: sqlite3.Connection, since_ns: int) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM session WHERE ended_utc_ns IS NULL OR ended_utc_ns >= ? ORDER BY id",
        (since_ns,),
    )
    return [name for (name,) in rows]


def _alarms(
    published: Sequence[Published], settings: RuleSettings, since: datetime
) -> Iterator[str]:
    """Rules of the alarms raised since then."""
    events = [one.event for one in published]
    opened = next((e for e in events if isinstance(e, SourceOpened)), None)
    if opened is None:
        return
    book = RuleBook(settings, _clock(events, opened.rate_hz))
    book.begin(0)
    reader = _Reader(opened.rate_hz, _first_lead(events))
    for one in published:
        for fact in reader.facts(one.event):
            raised = book.tell(fact)
            if datetime.fromisoformat(one.time) >= since:
                yield from _rules(raised)
    yield from _rules(book.advance(max(event.decided for event in events) + 1))


def _rules(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        if isinstance(event, AlarmRaised) and event.rule not in NOT_PREVIEWED:
            yield event.rule


def _clock(events: Sequence[Event], rate_hz: float) -> SignalClock:
    """Latencies as they were seen."""

    def latest(kind: type[BeatDetected] | type[BeatClassified]) -> int:
        return max((e.decided - e.at for e in events if isinstance(e, kind)), default=0)

    found = latest(BeatDetected)
    rate = Fraction(str(rate_hz))
    return SignalClock(rate, found, max(found, latest(BeatClassified)), settle=found)


def _first_lead(events: Iterable[Event]) -> str:
    return next((e.lead for e in events if isinstance(e, BeatDetected)), "")


@dataclass(slots=True)
class _Reader:
    """From events back to what the rules were told."""

    rate_hz: float
    lead: str
    levels: dict[str, SignalQuality] = field(default_factory=dict)

    def facts(self, event: Event) -> Iterator[Fact]:
        """The facts behind an event, none for most kinds."""
        match event:
            case BeatDetected():
                rr = None if event.rr_s is None else round(event.rr_s * self.rate_hz)
                yield Beat(event.at, event.decided, rr)
            case BeatClassified():
                yield Label(
                    event.at,
                    event.decided,
                    event.label,
                    _best(event),
                    event.scores,
                    disputed=event.disputed or "",
                )
            case GapRecorded():
                yield Hole(event.at, event.decided, event.at + event.n_missing)
            case AnalysisLeadChanged():
                self.lead = event.lead
                yield Hole(event.at, event.decided, event.at)
                yield from self._quality(event.at, event.decided)
            case SignalQuality():
                self.levels[event.lead] = event
                if event.lead == self.lead:
                    yield from self._quality(event.at, event.decided)
            case DeviceReported() if event.battery_percent is not None:
                yield Battery(event.at, event.decided, event.battery_percent)
            case _:
                pass

    def _quality(self, at: int, decided: int) -> Iterator[Readability]:
        known = self.levels.get(self.lead)
        if known is not None:
            flat = _FLAT in known.reason
            yield Readability(at, decided, known.level, flat, known.reason)


def _best(event: BeatClassified) -> BeatClass | None:
    if event.label is not BeatClass.UNKNOWN:
        return event.label
    best = max(event.scores, key=lambda name: event.scores[name], default="")
    return _CLASSES.get(best)
