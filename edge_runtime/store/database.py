"""The SQLite side of the store: one connection, one thread.

Rows wait in memory and go to the disk together, in one transaction, when the store says `commit`;
what a full or failing disk refuses waits on and is tried again. Write-ahead log with
`synchronous = FULL`: a committed transaction survives a power cut, an open one leaves no trace.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    AlarmStateChanged,
)
from edge_runtime.publication import Published, Session
from edge_runtime.store.event_rows import Statement, event_statements
from edge_runtime.store.schema import migrate
from firmware_bridge.stream import Alignment, ClockAnchor, Gap, StreamOpened

FILE_NAME: Final = "events.sqlite3"
_PAGE_BYTES: Final = 1024
"""A commit every few seconds changes a row or two in each of a few tables and writes their pages
whole: small pages halve the wear of a memory card (tests/benchmarks/store_bytes.py)."""
_CHECKPOINT_PAGES: Final = 4000
_LOG_BYTES: Final = 4 << 20
"""A log that grew behind a long reader is cut back to this."""
_INCREMENTAL: Final = 2
"""SQLite's number of `auto_vacuum = INCREMENTAL`."""
_MOST_WAITING: Final = 20_000
"""Rows kept while the disk refuses them: more than an hour of one source, about 10 MB."""
ALARMS: Final = (AlarmRaised, AlarmCleared, AlarmStateChanged)
"""Events that are on disk at once, and that wait for it without a limit: few, and the reason why
anything is kept."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a session was made with, as hashes."""

    bundle_set: str
    configuration: str
    rules: str
    rhythms: tuple[str, ...] = ()
    """That were looked for: where none was found, an absent one can be told from an unknown."""


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
    """Rows of the store. Raises StoreError; what waited for `commit` still waits after it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._waiting: list[Statement] = []
        self.dropped_rows = 0
        try:
            # Opened where a failure refuses the start, used by the writer thread alone.
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._failed(error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._failed(error) from error
        except StoreError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        for pragma in (
            f"page_size = {_PAGE_BYTES}",
            "auto_vacuum = INCREMENTAL",  # of a database that begins: what goes makes room
            "secure_delete = ON",  # what is deleted is not to be read out of the file
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            f"journal_size_limit = {_LOG_BYTES}",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        migrate(self._connection)
        rows = self._connection.execute("SELECT name, id FROM session").fetchall()
        self._ids: dict[str, int] = dict(rows)

    def begin_session(self, session: Session, provenance: Provenance, subject: str | None) -> None:
        """A row for `session`."""
        number = 1 + max(self._ids.values(), default=0)
        self._ids[session.id] = number
        if subject is not None:
            self.write("INSERT OR IGNORE INTO subject (label) VALUES (?)", subject)
        self.write(
            "INSERT INTO session (id, name, subject, source, stream, started_utc_ns, bundle_set,"
            " configuration, rules, judged)"
            " VALUES (?, ?, (SELECT id FROM subject WHERE label = ?), ?, ?, ?, ?, ?, ?, ?)",
            number,
            session.id,
            subject,
            session.opened.source,
            _stream_json(session.opened),
            session.started_utc_ns,
            provenance.bundle_set,
            provenance.configuration,
            provenance.rules,
            msgspec.json.encode(provenance.rhythms).decode(),
        )

    def number_of(self, session: str) -> int:
        """The key of a session's rows. Raises StoreError where there is none."""
        number = self._ids.get(session)
        if number is None:
            raise StoreError(f"no session {session!r}; `edge-runtime sessions list` names them")
        return number

    def forget_session(self, session: str) -> None:
        """Its row is gone."""
        self._ids.pop(session, None)

    def end_session(self, session: str, utc_ns: int, reason: str) -> None:
        """Close the row."""
        self.write(
            "UPDATE session SET ended_utc_ns = ?, end_reason = ? WHERE name = ?",
            utc_ns,
            reason,
            session,
        )

    def unfinished_sessions(self) -> list[SessionRow]:
        """Sessions without an end, oldest first."""
        rows = self.read(
            "SELECT id, name, stream, started_utc_ns FROM session"
            " WHERE ended_utc_ns IS NULL AND NOT going ORDER BY id"
        )
        return [SessionRow(*row) for row in rows]

    def last_known_utc_ns(self, session: str) -> int | None:
        """The time of the session's last anchor, beat or event."""
        number = self._ids[session]
        ((found,),) = self.read(
            "SELECT max(t) FROM (SELECT max(utc_ns) AS t FROM anchor WHERE session = ?1"
            " UNION ALL SELECT 1000000 * max(utc_ms) FROM event WHERE session = ?1"
            " UNION ALL SELECT 1000000 * max(detected_utc_ms) FROM beat WHERE session = ?1)",
            number,
        )
        return None if found is None else int(found)

    def add_event(self, published: Published) -> None:
        """Keep one event, in the table that fits it. Raises StoreError when too much waits
        already, but never for an alarm."""
        if not isinstance(published.event, ALARMS):
            self._need_room()
        number = self._ids[published.session]
        self._waiting += event_statements(number, published)

    def add_gap(self, session: str, gap: Gap) -> None:
        """Keep a hole of any signal."""
        self._need_room()
        self.write(
            "INSERT OR REPLACE INTO gap VALUES (?, ?, ?, ?, ?, ?)",
            self._ids[session],
            gap.signal,
            int(gap.first),
            int(gap.n_missing),
            bool(gap.exact),
            gap.reason.value,
        )

    def add_anchor(self, session: str, anchor: ClockAnchor, utc_ns: int) -> None:
        """Keep a point of the clock's fit."""
        self._need_room()
        self.write(
            "INSERT OR REPLACE INTO anchor VALUES (?, ?, ?, ?, ?)",
            self._ids[session],
            int(anchor.index),
            anchor.source_ns,
            anchor.host_ns,
            utc_ns,
        )

    def add_alignment(self, session: str, alignment: Alignment) -> None:
        """Keep where another signal stood when the reference stood there."""
        self._need_room()
        self.write(
            "INSERT OR REPLACE INTO alignment VALUES (?, ?, ?, ?)",
            self._ids[session],
            alignment.signal,
            int(alignment.index),
            int(alignment.at),
        )

    def add_segment(self, session: str, row: SegmentRow) -> None:
        """A segment is being written from now on."""
        self.write(
            "INSERT INTO segment (session, signal, first, name, fmt, n_samples)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            self._ids[session],
            row.signal,
            row.first,
            row.name,
            row.fmt,
            row.n_samples,
        )

    def finish_segment(self, session: str, row: SegmentRow, n_samples: int) -> None:
        """The segment's file and header are on disk. An empty one is forgotten."""
        key = (self._ids[session], row.signal, row.first)
        where = "WHERE session = ? AND signal = ? AND first = ?"
        if n_samples == 0:
            self.write(f"DELETE FROM segment {where}", *key)
        else:
            self.write(f"UPDATE segment SET n_samples = ? {where}", n_samples, *key)

    def segments(self, session: str, signal: str) -> list[SegmentRow]:
        """The committed segments of one signal in order."""
        rows = self.read(
            "SELECT signal, first, name, fmt, n_samples FROM segment"
            " WHERE session = ? AND signal = ? AND NOT going ORDER BY first",
            self._ids[session],
            signal,
        )
        return [SegmentRow(*row) for row in rows]

    def commit(self) -> None:
        """Everything written so far is on disk when this returns; after a StoreError it waits."""
        if not self._waiting:
            return
        refused: list[sqlite3.Error] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for statement, values in self._waiting:
                try:
                    self._connection.execute(statement, values)
                except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
                    # A row that can never be written must not hold up all others.
                    refused.append(error)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise self._failed(error) from error
        self._waiting.clear()
        if refused:
            raise StoreError(
                f"{self._path}: {len(refused)} rows were refused ({refused[0]}); please report this"
            )

    def give_back(self, n_pages: int) -> bool:
        """Leave nothing of what was deleted in the log, and up to so many free pages less in the
        file; True while there are more."""
        try:
            # Not `execute`: that takes a single step, which is a single page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({n_pages})")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            (left,) = self._connection.execute("PRAGMA freelist_count").fetchone()
            (kind,) = self._connection.execute("PRAGMA auto_vacuum").fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return bool(left) and kind == _INCREMENTAL

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        finally:
            self._connection.close()

    def write(self, statement: str, *values: Any) -> None:
        """To be done with the next `commit`."""
        self._waiting.append((statement, values))

    def change(self, statement: str, *values: Any) -> int:
        """Do this now, alone, and have it on disk; the number of rows it changed."""
        self.commit()  # what waits came first, and may be what this is about
        try:
            return self._connection.execute(statement, values).rowcount
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _need_room(self) -> None:
        """Sessions and segments, few and needed by all others, do not ask."""
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped_rows += 1
            raise StoreError(
                f"{self._path}: cannot be written for so long that new rows are dropped; "
                "see the first message about it"
            )

    def read(self, statement: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Rows of the last commit."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"{self._path}: {error}; {_advice(error)}")


def _advice(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return "free space on that disk (df -h shows it)"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return "give this user the rights to write there, or set store.directory"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another program is writing to it; close that"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return "the file is damaged; move it away (the raw signal beside it stays readable)"
        case _:
            return "check free space (df -h), rights and dmesg"


def _stream_json(opened: StreamOpened) -> str:
    def plain(value: object) -> str:
        if isinstance(value, Fraction):
            return str(value)
        raise NotImplementedError(f"{type(value).__name__} in a StreamOpened")

    return msgspec.json.encode(opened, enc_hook=plain).decode()
