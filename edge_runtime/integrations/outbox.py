"""Messages on disk that wait for a receiver: in order, for a while, within a bound.

One SQLite file for each receiver. Every call opens nothing and is short, but may wait for the
disk: not for the event loop's own thread.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.errors import StoreError

DAY_S: Final = 86_400
FOLDER: Final = "outbox"
"""In the state directory."""
_PAGE_BYTES: Final = 4096
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS message (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " utc_s INTEGER NOT NULL, payload BLOB NOT NULL)"
)
_OVERHEAD: Final = 1.5
"""The file may be so much larger than what is in it, before SQLite itself says no."""


def forget_session(directory: Path, session: str) -> None:
    """Take what still waits of a deleted session out of every outbox of the state directory, those
    that another thread has open among them. Raises StoreError."""
    for file in sorted((directory / FOLDER).glob("*.sqlite3")):
        try:
            connection = sqlite3.connect(file, isolation_level=None)
            try:
                connection.execute("PRAGMA secure_delete = ON")
                # As msgspec writes a `Published`: no blanks, and a session's name needs no escape.
                connection.execute(
                    "DELETE FROM message WHERE instr(payload, ?)",
                    (f'"session":"{session}"'.encode(),),
                )
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreError(f"{file}: {error}; check free space (df -h) and rights") from error


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message: its number in the outbox, never used again, and its content."""

    number: int
    payload: bytes


class Outbox:
    """At most `most_bytes` of messages, none older than `keep_s`; the oldest go first.

    `dropped` counts those that went unsent. Raises StoreError when the disk fails.
    """

    def __init__(
        self,
        file: Path,
        *,
        keep_s: float = 7 * DAY_S,
        most_bytes: int = 64 << 20,
        utc_s: Callable[[], float] = time.time,
    ) -> None:
        self.dropped = 0
        self._file = file
        self._keep_s = keep_s
        self._most_bytes = most_bytes
        self._utc_s = utc_s
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._failed(error) from error

    def _prepare(self) -> None:
        most_pages = int(_OVERHEAD * self._most_bytes / _PAGE_BYTES) + 64
        for statement in (
            f"PRAGMA page_size = {_PAGE_BYTES}",
            "PRAGMA auto_vacuum = FULL",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            f"PRAGMA max_page_count = {most_pages}",
            "PRAGMA journal_size_limit = 1048576",
            _TABLE,
        ):
            self._connection.execute(statement)
        ((self._bytes,),) = self._connection.execute(
            "SELECT coalesce(sum(length(payload)), 0) FROM message"
        )

    def put(self, payloads: Sequence[bytes]) -> list[int]:
        """Keep `payloads`, on disk when this returns; their numbers."""
        now_s = int(self._utc_s())
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                numbers = []
                for payload in payloads:
                    statement = "INSERT INTO message (utc_s, payload) VALUES (?, ?)"
                    added = self._connection.execute(statement, (now_s, payload))
                    assert added.lastrowid is not None
                    numbers.append(added.lastrowid)
                size, dropped = self._trimmed(self._bytes + sum(map(len, payloads)), now_s)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._undo()
                raise self._failed(error) from error
            self._bytes = size
            self.dropped += dropped
        return numbers

    def oldest(self, limit: int, below: int | None = None) -> list[Waiting]:
        """The first `limit` messages, those numbered from `below` on left out."""
        with self._lock:
            try:
                size, dropped = self._trimmed(self._bytes, int(self._utc_s()))
                rows = self._connection.execute(
                    "SELECT number, payload FROM message WHERE number < ? ORDER BY number LIMIT ?",
                    ((1 << 62) if below is None else below, limit),
                ).fetchall()
            except sqlite3.Error as error:
                raise self._failed(error) from error
            self._bytes = size
            self.dropped += dropped
        return [Waiting(*row) for row in rows]

    def remove(self, numbers: Iterable[int]) -> None:
        """Forget what was delivered."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                freed = 0
                for number in numbers:
                    found = self._connection.execute(
                        "DELETE FROM message WHERE number = ? RETURNING length(payload)", (number,)
                    ).fetchall()
                    freed += sum(length for (length,) in found)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._undo()
                raise self._failed(error) from error
            self._bytes -= freed

    def __len__(self) -> int:
        with self._lock:
            ((n,),) = self._connection.execute("SELECT count(*) FROM message")
        return int(n)

    def close(self) -> None:
        """Nothing is open any more."""
        with self._lock:
            self._connection.close()

    def _trimmed(self, size: int, now_s: int) -> tuple[int, int]:
        """Delete what is too old or too much; the bytes that stay, and how many went."""
        dropped = 0
        for number, utc_s, length in self._connection.execute(
            "SELECT number, utc_s, length(payload) FROM message ORDER BY number"
        ):
            if size <= self._most_bytes and now_s - utc_s <= self._keep_s:
                break
            self._connection.execute("DELETE FROM message WHERE number = ?", (number,))
            size -= length
            dropped += 1
        return size, dropped

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _failed(self, error: Exception) -> StoreError:
        return StoreError(f"{self._file}: {error}; check free space (df -h) and rights")
