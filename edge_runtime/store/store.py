"""The store: everything the daemon keeps, and when it is safe on disk.

Owned by one thread. Events and raw samples become durable together every `durability_s`; alarms
at once. After a crash `Store` finishes what the last run left open before it takes anything new.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge_runtime.errors import StoreError
from edge_runtime.events import AlarmCleared, AlarmRaised
from edge_runtime.publication import Published, Session
from edge_runtime.store.database import Database, Provenance
from edge_runtime.store.raw import RawPlace
from edge_runtime.store.raw_record import RawRecord
from edge_runtime.store.recovery import recover
from firmware_bridge.stream import ClockAnchor, Gap, SampleChunk, StreamItem

RAW_FOLDER: Final = "raw"


class Store:
    """Keeps sessions. `subjects` names the wearer of each source, where that is known.

    Raises StoreError from every method that writes; what was durable before stays.
    """

    def __init__(
        self,
        directory: Path,
        provenance: Provenance,
        subjects: Mapping[str, str | None],
        *,
        durability_s: float = 5.0,
        keep_raw: bool = True,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            (directory / RAW_FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{directory}: {error.strerror}; set store.directory") from error
        self._directory = directory
        self._provenance = provenance
        self._subjects = subjects
        self._durability_s = durability_s
        self._keep_raw = keep_raw
        self._now_s = now_s
        self._synced_at_s = now_s()
        self._sessions: dict[str, Session] = {}
        self._raw: dict[tuple[str, str], RawRecord] = {}
        self._database = Database(directory)
        self.recovered = recover(self._database, directory / RAW_FOLDER)

    def begin(self, session: Session) -> None:
        """A session starts; it is on disk when this returns."""
        subject = self._subjects.get(session.opened.source)
        self._database.begin_session(session, self._provenance, subject)
        self._database.commit()
        self._sessions[session.id] = session
        if not self._keep_raw:
            return
        folder = self._directory / RAW_FOLDER / session.id
        try:
            folder.mkdir()
        except OSError as error:
            raise StoreError(f"{folder}: {error.strerror}") from error
        for signal in session.opened.signals:
            place = RawPlace(folder, signal, session.started_utc_ns)
            self._raw[session.id, signal.id] = RawRecord(place, session.id, self._database)

    def record(self, session: str, item: StreamItem) -> None:
        """Keep raw signal, gaps and anchors; other items live on as events."""
        match item:
            case SampleChunk():
                raw = self._raw.get((session, item.signal))
                if raw is not None:
                    raw.add_chunk(item)
            case Gap():
                self._database.add_gap(session, item)
                raw = self._raw.get((session, item.signal))
                if raw is not None:
                    raw.add_gap(item)
            case ClockAnchor():
                utc_ns = self._sessions[session].utc_ns(item.index)
                self._database.add_anchor(session, item, utc_ns)
            case _:
                pass

    def record_events(self, published: Sequence[Published]) -> None:
        """Keep events. With an alarm among them all are on disk when this returns."""
        for one in published:
            utc_ns = self._sessions[one.session].utc_ns(one.event.at)
            self._database.add_event(one, utc_ns)
        if any(isinstance(one.event, AlarmRaised | AlarmCleared) for one in published):
            self._database.commit()

    def tick(self) -> None:
        """Sync if the durability interval is over."""
        if self._now_s() - self._synced_at_s >= self._durability_s:
            self.sync()

    def sync(self) -> None:
        """Everything recorded so far is on disk when this returns."""
        # Samples first: an event on disk then always has its signal beside it.
        for raw in self._raw.values():
            raw.sync()
        self._database.commit()
        self._synced_at_s = self._now_s()

    def end(self, session: str, reason: str) -> None:
        """A session is over: its record is complete and readable when this returns."""
        for key in [key for key in self._raw if key[0] == session]:
            self._raw.pop(key).close_segment()
        self._sessions.pop(session, None)
        self._database.end_session(session, time.time_ns(), reason)
        self._database.commit()

    def close(self) -> None:
        """End what is open, then let go of the database."""
        for session in list(self._sessions):
            self.end(session, "stopped")
        self._database.close()
