"""The store: everything the daemon keeps, and when it is safe on disk.

Owned by one thread. Events and raw samples become durable together every `durability_s`; alarms
at once. While a disk is full or fails, what it refuses waits in memory (ten minutes of signal,
more of events) and is tried again every `durability_s`. After a crash `Store` finishes what the
last run left open before it takes anything new.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from edge_runtime.dropped import Drop
from edge_runtime.errors import StoreError
from edge_runtime.publication import Published, Session
from edge_runtime.store.database import ALARMS, FILE_NAME, Database, Provenance
from edge_runtime.store.disk import DirectoryLock, make_directory, make_private_directory
from edge_runtime.store.housekeeping import FreeBytes, Housekeeping, free_bytes
from edge_runtime.store.raw import RawPlace
from edge_runtime.store.raw_record import RawRecord
from edge_runtime.store.recovery import recover
from edge_runtime.store.removal import RAW_FOLDER, Removal
from edge_runtime.store.retention import RetentionSettings
from edge_runtime.store.reviews import Review, add_review
from firmware_bridge.stream import Alignment, ClockAnchor, Gap, SampleChunk, SignalKind, StreamItem

_ANCHOR_EVERY_S: Final = 10
"""Sensors send an anchor a second. Ten seconds at 100 ppm of drift are 1 ms, half a sample at
500 Hz, and a fit over an hour still has 360 points to average the jitter of arrival."""

_SYNC_AT: Final = 0.9
"""Of the durability interval: `tick` comes twice a second, and the disk needs a moment too."""


class Subjects(Protocol):
    """Who wears the sensor of a source, asked at the beginning of each session."""

    def get(self, source: str, /) -> str | None:
        """A pseudonym; None: nobody was named."""
        ...


class Store:
    """Keeps sessions. `subjects` names the wearer of each source, where that is known.

    Raises StoreError: from the constructor when nothing can be kept here at all; from every other
    method when something is not on disk yet and waits. `recovery` tells what the last run left.
    """

    def __init__(
        self,
        directory: Path,
        provenance: Provenance,
        subjects: Subjects,
        *,
        durability_s: float = 5.0,
        keep_raw: bool = True,
        retention: RetentionSettings | None = None,
        now_s: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
        free: FreeBytes = free_bytes,
    ) -> None:
        self._raw_folder = directory / RAW_FOLDER
        self._provenance = provenance
        self._subjects = subjects
        self._durability_s = durability_s
        self._keep_raw = keep_raw
        self._now_s = now_s
        self._synced_at_s = now_s()
        self._sessions: dict[str, Session] = {}
        self._raw: dict[tuple[str, str], RawRecord] = {}
        self._next_anchor: dict[str, int] = {}
        self._next_alignment: dict[tuple[str, str], int] = {}
        self._given_up = 0  # samples of signals that are over
        make_private_directory(directory)
        make_directory(self._raw_folder)
        self._lock = DirectoryLock(directory)
        try:
            self._database = Database(directory)
            self.recovery = recover(self._database, self._raw_folder)
            self._removal = Removal(self._database, directory, self._taken_out)
            self.housekeeping = Housekeeping(
                directory,
                self._database,
                self._removal,
                retention or RetentionSettings(),
                now_s,
                utc_ns,
                free,
            )
        except BaseException:
            self._lock.release()
            raise

    def made_with(self, provenance: Provenance) -> None:
        """Sessions that begin from now on were made with this. Any thread may say so."""
        self._provenance = provenance

    def begin(self, session: Session) -> None:
        """A session starts; it is on disk when this returns.

        After a StoreError its row waits like any other: do not begin it again, go on recording.
        """
        subject = self._subjects.get(session.opened.source)
        self._database.begin_session(session, self._provenance, subject)
        self._sessions[session.id] = session
        if self._keep_raw:
            sampled = (s for s in session.opened.signals if s.kind is not SignalKind.RR)
            for signal in sampled:
                place = RawPlace(self._raw_folder / session.id, signal, session.started_utc_ns)
                self._raw[session.id, signal.id] = RawRecord(place, session.id, self._database)
        self._database.commit()

    def record(self, session: str, item: StreamItem) -> None:
        """Keep raw signal, gaps and anchors; other items live on as events."""
        match item:
            case SampleChunk():
                raw = self._raw.get((session, item.signal))
                if raw is not None:
                    raw.add_chunk(item)
            case Gap():
                if item.signal == self._sessions[session].opened.reference.id:
                    self._next_anchor.pop(session, None)  # the clock's fit may begin anew
                raw = self._raw.get((session, item.signal))
                if raw is not None:
                    raw.add_gap(item)
                self._database.add_gap(session, item)
            case ClockAnchor():
                self._record_anchor(self._sessions[session], item)
            case Alignment():
                self._record_alignment(session, item)
            case _:
                pass

    def record_events(self, published: Sequence[Published]) -> None:
        """Keep events. With an alarm among them all are on disk when this returns.

        An event for which there is no room any more does not hold up those after it.
        """
        acts: list[Callable[[], None]] = [partial(self._database.add_event, p) for p in published]
        if any(isinstance(one.event, ALARMS) for one in published):
            acts.append(self._database.commit)
        _do_all(acts)

    def tick(self) -> None:
        """Sync if the durability interval is over, or will be at the next call; look for what is
        to go by itself, and take a part of it out."""
        due = self._now_s() - self._synced_at_s >= _SYNC_AT * self._durability_s
        _do_all([*([self.sync] if due else []), self.housekeeping.look, self.remove_some])

    def mark_for_removal(self, session: str) -> None:
        """This session is to go with all that is known of it: nobody reads it any more. Raises
        StoreError for one that is not there, or still runs."""
        self._removal.mark_session(session)

    def remove_some(self) -> bool:
        """A part of what is to go is gone for good when this returns; False: nothing is left."""
        return self._removal.step()

    def review(self, review: Review) -> None:
        """Keep what a person says of an alarm or a beat; it is on disk when this returns."""
        add_review(self._database, review)

    def sync(self) -> None:
        """Everything recorded so far is on disk when this returns."""
        # Also after a failure: the next attempt comes in its turn, not with the next sample.
        self._synced_at_s = self._now_s()
        # Samples first: an event on disk then has its signal beside it.
        _do_all([*(raw.sync for raw in self._raw.values()), self._database.commit])

    def end(self, session: str, reason: str) -> None:
        """A session is over: its record is complete and readable when this returns.

        After a StoreError it stays open; `close` tries again, and else the next start.
        """
        mine = [key for key in self._raw if key[0] == session]
        _do_all(self._raw[key].close for key in mine)
        for key in mine:
            self._given_up += self._raw.pop(key).given_up
        del self._sessions[session]
        self._next_anchor.pop(session, None)
        self._next_alignment = {k: at for k, at in self._next_alignment.items() if k[0] != session}
        self._database.end_session(session, time.time_ns(), reason)
        self._database.commit()

    def dropped(self) -> dict[Drop, int]:
        """What was given up since the start; from any thread."""
        now = sum(raw.given_up for raw in list(self._raw.values()))
        return {
            Drop.STORE_SAMPLES: self._given_up + now,
            Drop.STORE_ROWS: self._database.dropped_rows,
        }

    def close(self) -> None:
        """End what is open, then let go of the database and the directory."""

        def end(session: str) -> Callable[[], None]:
            return lambda: self.end(session, "stopped")

        try:
            _do_all([*map(end, list(self._sessions)), self._database.close])
        finally:
            self._lock.release()

    def _taken_out(self, session: str, signal: str) -> bool:
        raw = self._raw.get((session, signal))
        if raw is None:
            return False
        raw.take_out(self._database.segments(session, signal))
        return True

    def _record_anchor(self, session: Session, anchor: ClockAnchor) -> None:
        if anchor.index < self._next_anchor.get(session.id, 0):
            return
        every = int(_ANCHOR_EVERY_S * session.opened.reference.rate_hz)
        self._next_anchor[session.id] = int(anchor.index) + every
        self._database.add_anchor(session.id, anchor, session.utc_ns(anchor.index))

    def _record_alignment(self, session: str, alignment: Alignment) -> None:
        key = (session, alignment.signal)
        if alignment.at < self._next_alignment.get(key, 0):
            return
        rate_hz = self._sessions[session].opened.reference.rate_hz
        self._next_alignment[key] = int(alignment.at) + int(_ANCHOR_EVERY_S * rate_hz)
        self._database.add_alignment(session, alignment)


@contextmanager
def idle_store(directory: Path) -> Iterator[Store]:
    """The store of a daemon that does not run. Raises StoreInUseError while one does, StoreError
    where there is none."""
    if not (directory / FILE_NAME).is_file():
        raise StoreError(f"{directory}: there is no store here; check store.directory")
    store = Store(directory, Provenance("", "", ""), {})
    try:
        yield store
    finally:
        store.close()


def _do_all(acts: Iterable[Callable[[], object]]) -> None:
    """Every act gets its turn; then the first trouble is raised."""
    troubles = []
    for act in acts:
        try:
            act()
        except StoreError as error:
            troubles.append(error)
    if troubles:
        raise troubles[0]
