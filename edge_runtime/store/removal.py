"""Taking things out of the store, in steps that a crash may interrupt anywhere.

What is to go is marked first, in one transaction, and is read by nobody from then on. Then its
files go, then its rows, the row that carries the mark last: whoever starts after a crash goes on
with what is still marked. A step takes a fraction of a second, so that recording goes on between.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edge_runtime.errors import StoreError
from edge_runtime.integrations.outbox import forget_session
from edge_runtime.store.database import Database
from edge_runtime.store.disk import remove_file, remove_folder, sync_directory
from edge_runtime.store.raw import RawPlace, signals_of, write_record_header

RAW_FOLDER: Final = "raw"
STRIPS_FOLDER: Final = "strips"
_ROWS_A_STEP: Final = 2000
_FILES_A_STEP: Final = 50
_FREED_PAGES_A_STEP: Final = 2000
_MANY_ROWS: Final = {
    "beat": "at",
    "event": "number",
    "gap": "first",
    "anchor": "at",
    "alignment": "idx",
}
_FEW_ROWS: Final = ("episode", "alarm", "segment", "review")
TABLES_OF_A_SESSION: Final = (*_MANY_ROWS, *_FEW_ROWS)

Rewrite = Callable[[str, str], bool]
"""Given session and signal: the record is being written, and its writer has taken what is marked
out of its header."""


class Removal:
    """Removes sessions and segments of the store in `directory`. Raises StoreError; what is marked
    waits, and is tried again."""

    def __init__(self, database: Database, directory: Path, rewrite: Rewrite) -> None:
        self._database = database
        self._directory = directory
        self._rewrite = rewrite
        self._pending = True  # whatever a crash left
        self._giving_back = False

    def mark_session(self, session: str) -> None:
        """This session, which has ended, is to go with all that is known of it. Raises StoreError
        where there is none, or it still runs."""
        number = self._database.number_of(session)
        changed = self._database.change(
            "UPDATE session SET going = 1 WHERE id = ? AND ended_utc_ns IS NOT NULL", number
        )
        if not changed:
            raise StoreError(
                f"session {session} is still running; end it first (another wearer, or stop the "
                "daemon)"
            )
        self._pending = True

    def mark_segments(self, session: str, signal: str, firsts: Sequence[int]) -> None:
        """These finished pieces of raw signal are to go; the session's events stay."""
        number = self._database.number_of(session)
        places = ", ".join("?" * len(firsts))
        self._database.change(
            "UPDATE segment SET going = 1 WHERE n_samples IS NOT NULL AND session = ?"
            f" AND signal = ? AND first IN ({places})",
            number,
            signal,
            *firsts,
        )
        self._pending = True

    @property
    def pending(self) -> bool:
        """Something is marked and not gone yet."""
        return self._pending or self._giving_back

    def step(self) -> bool:
        """Take the next part of what is marked out; False when nothing is left of it."""
        if self._giving_back:
            self._giving_back = self._database.give_back(_FREED_PAGES_A_STEP)
        elif self._pending:
            self._pending = self._session_step() or self._segment_step()
        return self.pending

    def _session_step(self) -> bool:
        rows = self._database.read("SELECT id, name FROM session WHERE going ORDER BY id LIMIT 1")
        for number, name in rows:
            for folder in (RAW_FOLDER, STRIPS_FOLDER):
                remove_folder(self._directory / folder / name)
            forget_session(self._directory, name)
            if not self._some_rows(number):
                self._last_row(number, name)
            return True
        return False

    def _some_rows(self, session: int) -> bool:
        for table, key in _MANY_ROWS.items():
            found = f"SELECT {key} FROM {table} WHERE session = ?1 ORDER BY {key} LIMIT ?2"
            statement = f"DELETE FROM {table} WHERE session = ?1 AND {key} IN ({found})"
            if self._database.change(statement, session, _ROWS_A_STEP):
                return True
        return False

    def _last_row(self, session: int, name: str) -> None:
        for table in _FEW_ROWS:
            self._database.write(f"DELETE FROM {table} WHERE session = ?", session)
        self._database.write("DELETE FROM session WHERE id = ?", session)
        self._database.write(
            "DELETE FROM subject WHERE id NOT IN"
            " (SELECT subject FROM session WHERE subject IS NOT NULL)"
        )
        self._database.commit()
        self._database.forget_session(name)
        self._giving_back = True

    def _segment_step(self) -> bool:
        rows = self._database.read(
            "SELECT session.id, session.name, stream, started_utc_ns, signal FROM segment"
            " JOIN session ON session.id = segment.session WHERE segment.going LIMIT 1"
        )
        for number, name, stream, started_utc_ns, signal in rows:
            found = (s for s in signals_of(stream) if s.id == signal)
            place = RawPlace(self._directory / RAW_FOLDER / name, next(found), started_utc_ns)
            self._some_segments(number, name, place)
            return True
        return False

    def _some_segments(self, number: int, session: str, place: RawPlace) -> None:
        signal = place.signal.id
        if not self._rewrite(session, signal):
            write_record_header(place, self._database.segments(session, signal))
        going = self._database.read(
            "SELECT first, name FROM segment WHERE going AND session = ? AND signal = ? LIMIT ?",
            number,
            signal,
            _FILES_A_STEP,
        )
        for _, name in going:
            remove_file(place.data_file(name))
            remove_file(place.folder / f"{name}.hea")
        if place.folder.is_dir():
            sync_directory(place.folder)
        for first, _ in going:
            self._database.write(
                "DELETE FROM segment WHERE session = ? AND signal = ? AND first = ?",
                number,
                signal,
                first,
            )
        self._database.commit()
