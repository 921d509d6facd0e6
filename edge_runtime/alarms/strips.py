"""The strip of every alarm: its signal, 15 s to either side, kept where raw retention does not go.

A strip is a span first (`AlarmRaised.trace`); once the samples up to its end have come, the writer
writes it as a WFDB record `strips/SESSION/alarm_NUMBER` beside the raw signal. It stands in front
of the store and passes everything on, so the store itself knows of no strips.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_runtime.errors import StoreError
from edge_runtime.events import AlarmRaised
from edge_runtime.publication import Published, Session
from edge_runtime.signal.ring import RingBuffer
from edge_runtime.store.disk import make_directory
from edge_runtime.store.raw import WIDE, RawPlace, to_counts
from edge_runtime.store.removal import STRIPS_FOLDER
from edge_runtime.threads import AnyStore
from firmware_bridge.errors import RecordError
from firmware_bridge.records import Header, write_signals
from firmware_bridge.stream import Gap, SampleChunk, StreamItem

log = logging.getLogger(__name__)

FOLDER: Final = STRIPS_FOLDER
KEPT_S: Final = 120
"""Signal in memory: 15 s, and what an alarm of a slow condition is dated back (a minute)."""


@dataclass(slots=True)
class _Watched:
    """One running session: its last signal and the strips that wait for theirs."""

    session: Session
    ring: RingBuffer
    waiting: list[AlarmRaised] = field(default_factory=list)


class StripStore:
    """`store` with strips in `directory`/strips. All calls come from the writer's thread."""

    def __init__(self, store: AnyStore, directory: Path) -> None:
        self._store = store
        self._folder = directory / FOLDER
        self._watched: dict[str, _Watched] = {}

    def begin(self, session: Session) -> None:
        """A session starts."""
        signal = session.opened.reference
        ring = RingBuffer(int(KEPT_S * signal.rate_hz), len(signal.leads))
        self._watched[session.id] = _Watched(session, ring)
        self._store.begin(session)

    def record(self, session: str, item: StreamItem) -> None:
        """Keep the last signal, and write what is complete."""
        watched = self._watched.get(session)
        if watched is not None:
            signal = watched.session.opened.reference.id
            match item:
                case SampleChunk() if item.signal == signal and item.first >= watched.ring.end:
                    watched.ring.write(item.first, item.samples)
                case Gap() if item.signal == signal:
                    end = item.first + item.n_missing
                    watched.ring.skip_to(max(end, watched.ring.end))
                case _:
                    pass
            self._write_due(watched, at_end=False)
        self._store.record(session, item)

    def record_events(self, published: Sequence[Published]) -> None:
        """Note the strips that alarms ask for."""
        for one in published:
            watched = self._watched.get(one.session)
            if watched is not None and isinstance(one.event, AlarmRaised):
                watched.waiting.append(one.event)
        self._store.record_events(published)

    def tick(self) -> None:
        """Nothing of its own."""
        self._store.tick()

    def end(self, session: str, reason: str) -> None:
        """Write what there is of the strips that still wait."""
        watched = self._watched.pop(session, None)
        if watched is not None:
            self._write_due(watched, at_end=True)
        self._store.end(session, reason)

    def close(self) -> None:
        """Strips of sessions that nobody ended are written as they are."""
        for watched in self._watched.values():
            self._write_due(watched, at_end=True)
        self._watched.clear()
        self._store.close()

    def _write_due(self, watched: _Watched, *, at_end: bool) -> None:
        due = [
            alarm
            for alarm in watched.waiting
            if alarm.trace is None or at_end or alarm.trace.strip_end <= watched.ring.end
        ]
        for alarm in due:
            watched.waiting.remove(alarm)
            try:
                self._write(watched, alarm)
            except (RecordError, StoreError) as error:
                log.error("the strip of alarm %d is not kept: %s", alarm.alarm, error)

    def _write(self, watched: _Watched, alarm: AlarmRaised) -> None:
        if alarm.trace is None:
            return
        first = max(alarm.trace.strip_first, watched.ring.first)
        end = min(alarm.trace.strip_end, watched.ring.end)
        if first >= end:
            return
        folder = self._folder / watched.session.id
        make_directory(folder)
        signal, name = watched.session.opened.reference, strip_name(alarm.alarm)
        place = RawPlace(folder, signal, watched.session.started_utc_ns)
        counts = to_counts(signal, watched.ring.read(first, end))
        comments = (
            f"alarm {alarm.alarm} {alarm.rule} {alarm.priority.value}: {alarm.text}",
            f"samples {first} to {end} of session {watched.session.id}",
        )
        specs = place.specs(WIDE, f"{name}.dat")
        header = Header(name, signal.rate_hz, len(counts), specs, comments=comments)
        write_signals(folder / name, counts, header)


def strip_name(alarm: int) -> str:
    """The record of an alarm's strip; names sort."""
    return f"alarm_{alarm:06d}"


def strips_of(directory: Path, session: str) -> Iterator[Path]:
    """The records (without ending) of a session's strips."""
    for header in sorted((directory / FOLDER / session).glob("alarm_*.hea")):
        yield header.with_suffix("")
