"""The SQLite side of the store: one connection, one thread, explicit transactions.

Write-ahead log with `synchronous = FULL`: a committed transaction survives a power cut, an open
one leaves no trace. Nothing here commits by itself; the store decides when.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    BeatClassified,
    BeatDetected,
    Event,
    Phase,
    RhythmEpisode,
    to_json,
)
from edge_runtime.publication import Published, Session
from edge_runtime.store.schema import migrate
from firmware_bridge.stream import ClockAnchor, Gap

FILE_NAME: Final = "events.sqlite3"
_CHECKPOINT_PAGES: Final = 2000


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a session was made with, as hashes."""

    bundle_set: str
    configuration: str
    rules: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A piece of raw signal without a hole; `n_samples` None while it is being written."""

    signal: str
    first: int
    name: str
    fmt: int
    n_samples: int | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that was never ended: the daemon was killed or lost its power."""

    id: int
    name: str
    stream: str
    started_utc_ns: int


class Database:
    """Rows of the store. Raises StoreError, with the open transaction rolled back."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._ids: dict[str, int] = {}
        try:
            # Opened where a failure refuses the start, used by the writer thread alone.
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            )
            self._execute("PRAGMA journal_mode = WAL")
            self._execute("PRAGMA synchronous = FULL")
            self._execute("PRAGMA foreign_keys = ON")
            self._execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            migrate(self._connection)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def begin_session(self, session: Session, provenance: Provenance, subject: str | None) -> None:
        """A row for `session`."""
        stream = msgspec.json.encode(session.opened, enc_hook=str).decode()
        cursor = self._write(
            "INSERT INTO session (name, subject, source, stream, started_utc_ns, bundle_set,"
            " configuration, rules) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                session.id,
                self._subject(subject),
                session.opened.source,
                stream,
                session.started_utc_ns,
                provenance.bundle_set,
                provenance.configuration,
                provenance.rules,
            ),
        )
        assert cursor.lastrowid is not None
        self._ids[session.id] = cursor.lastrowid

    def end_session(self, session: str, utc_ns: int, reason: str) -> None:
        """Close the row."""
        self._write(
            "UPDATE session SET ended_utc_ns = ?, end_reason = ? WHERE name = ?",
            (utc_ns, reason, session),
        )
        self._ids.pop(session, None)

    def unfinished_sessions(self) -> list[SessionRow]:
        """Sessions without an end, oldest first."""
        rows = self._execute(
            "SELECT id, name, stream, started_utc_ns FROM session"
            " WHERE ended_utc_ns IS NULL ORDER BY id"
        )
        return [SessionRow(*row) for row in rows]

    def resume(self, row: SessionRow) -> None:
        """Let rows be written for a session of an earlier run (by the recovery)."""
        self._ids[row.name] = row.id

    def last_known_utc_ns(self, session: str) -> int | None:
        """The time of the session's last anchor or event."""
        number = self._ids[session]
        (found,) = self._execute(
            "SELECT max(t) FROM (SELECT max(utc_ns) AS t FROM anchor WHERE session = ?1"
            " UNION ALL SELECT max(utc_ns) FROM event WHERE session = ?1)",
            (number,),
        ).fetchone()
        return None if found is None else int(found)

    def add_event(self, published: Published, utc_ns: int) -> None:
        """Keep one event, in the table that fits it."""
        number = self._ids[published.session]
        match event := published.event:
            case BeatDetected():
                self._write(
                    "INSERT INTO beat (session, at, detected_number, detected_decided, lead, rr_s,"
                    " heart_rate_bpm) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        number,
                        event.at,
                        published.number,
                        event.decided,
                        event.lead,
                        event.rr_s,
                        event.heart_rate_bpm,
                    ),
                )
            case BeatClassified():
                scores = msgspec.json.encode(event.scores).decode()
                self._write(
                    "UPDATE beat SET classified_number = ?, classified_decided = ?, label = ?,"
                    " scores = ?, reason = ? WHERE session = ? AND at = ?",
                    (
                        published.number,
                        event.decided,
                        event.label.value,
                        scores,
                        event.reason,
                        number,
                        event.at,
                    ),
                )
            case _:
                self._write(
                    "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        number,
                        published.number,
                        event.at,
                        utc_ns,
                        type(event).__struct_config__.tag,
                        to_json(event).decode(),
                    ),
                )
                self._add_to_overview(number, event, utc_ns)

    def add_gap(self, session: str, gap: Gap) -> None:
        """Keep a hole of any signal."""
        self._write(
            "INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?)",
            (self._ids[session], gap.signal, gap.first, gap.n_missing, gap.exact, gap.reason),
        )

    def add_anchor(self, session: str, anchor: ClockAnchor, utc_ns: int) -> None:
        """Keep a point of the clock's fit."""
        self._write(
            "INSERT OR REPLACE INTO anchor VALUES (?, ?, ?, ?, ?)",
            (self._ids[session], anchor.index, anchor.source_ns, anchor.host_ns, utc_ns),
        )

    def add_segment(self, session: str, row: SegmentRow) -> None:
        """A segment is being written from now on."""
        self._write(
            "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)",
            (self._ids[session], row.signal, row.first, row.name, row.fmt, row.n_samples),
        )

    def finish_segment(self, session: str, signal: str, first: int, n_samples: int) -> None:
        """The segment's file and header are on disk. An empty one is forgotten."""
        key = (self._ids[session], signal, first)
        where = "WHERE session = ? AND signal = ? AND first = ?"
        if n_samples == 0:
            self._write(f"DELETE FROM segment {where}", key)
        else:
            self._write(f"UPDATE segment SET n_samples = ? {where}", (n_samples, *key))

    def segments(self, session: str, signal: str) -> list[SegmentRow]:
        """The segments of one signal in order."""
        rows = self._execute(
            "SELECT signal, first, name, fmt, n_samples FROM segment"
            " WHERE session = ? AND signal = ? ORDER BY first",
            (self._ids[session], signal),
        )
        return [SegmentRow(*row) for row in rows]

    def commit(self) -> None:
        """Everything written so far is on disk when this returns."""
        if self._connection.in_transaction:
            self._execute("COMMIT")

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self._connection.close()

    def _add_to_overview(self, number: int, event: Event, utc_ns: int) -> None:
        match event:
            case AlarmRaised():
                self._write(
                    "INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                    (
                        number,
                        event.alarm,
                        event.rule,
                        event.kind.value,
                        event.priority.value,
                        event.text,
                        event.at,
                        utc_ns,
                    ),
                )
            case AlarmCleared():
                self._write(
                    "UPDATE alarm SET cleared_at = ? WHERE session = ? AND alarm = ?",
                    (event.at, number, event.alarm),
                )
            case RhythmEpisode(phase=Phase.ONSET):
                self._write(
                    "INSERT OR IGNORE INTO episode VALUES (?, ?, ?, NULL)",
                    (number, event.rhythm.value, event.at),
                )
            case RhythmEpisode():
                self._write(
                    "UPDATE episode SET end = ?1 WHERE session = ?2 AND rhythm = ?3 AND onset ="
                    " (SELECT max(onset) FROM episode WHERE session = ?2 AND rhythm = ?3)",
                    (event.at, number, event.rhythm.value),
                )
            case _:
                pass

    def _subject(self, label: str | None) -> int | None:
        if label is None:
            return None
        self._write("INSERT OR IGNORE INTO subject (label) VALUES (?)", (label,))
        (number,) = self._execute("SELECT id FROM subject WHERE label = ?", (label,)).fetchone()
        return int(number)

    def _write(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        if not self._connection.in_transaction:
            self._execute("BEGIN IMMEDIATE")
        return self._execute(statement, values)

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"{self._path}: {error}; check free space (df -h) and rights of the folder"
        )


def read_only(directory: Path) -> sqlite3.Connection:
    """A connection for readers, off the writer's thread. Raises StoreError."""
    path = directory / FILE_NAME
    try:
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be opened: {error}") from error


def stored_events(connection: sqlite3.Connection, session: str) -> Iterator[tuple[int, str]]:
    """(number, payload) of all events of a session that are no beats."""
    yield from connection.execute(
        "SELECT number, payload FROM event JOIN session ON session.id = event.session"
        " WHERE session.name = ? ORDER BY number",
        (session,),
    )
