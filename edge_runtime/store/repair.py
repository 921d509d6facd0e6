"""Making a damaged store whole again, without throwing anything away.

What cannot stay goes to `lost+found/TIME` in the state directory, never to nowhere.
"""

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge_runtime.store.database import FILE_NAME, Database, Provenance
from edge_runtime.store.disk import DirectoryLock, failed, make_directory, remove_file
from edge_runtime.store.integrity import database_faults, places, strangers
from edge_runtime.store.raw import write_record_header
from edge_runtime.store.reading import read_only
from edge_runtime.store.removal import RAW_FOLDER, TABLES_OF_A_SESSION
from edge_runtime.store.segment import finish_segment_file
from edge_runtime.store.store import Store

LOST_FOLDER: Final = "lost+found"
_KEYS: Final = {
    "subject": "id", "session": "id", "beat": "session, at", "event": "session, number",
    "episode": "session, rhythm, onset", "alarm": "session, alarm",
    "gap": "session, signal, first", "anchor": "session, at",
    "alignment": "session, signal, idx",
    "segment": "session, signal, first", "review": "id",
}  # fmt: skip
"""Every table with its key, those first that others refer to."""


def repair(directory: Path) -> Iterator[str]:
    """Repair what can be; says each thing that was done. Raises StoreInUseError while a daemon
    records there, and StoreError."""
    moment = datetime.fromtimestamp(int(time.time()), UTC)
    lost = directory / LOST_FOLDER / f"{moment:%Y%m%dT%H%M%SZ}"
    lock = DirectoryLock(directory)
    try:
        if list(database_faults(directory)):
            yield from _salvage(directory, lost)
    finally:
        lock.release()
    Store(directory, Provenance("", "", ""), {}).close()  # finishes what a crash left
    lock = DirectoryLock(directory)
    try:
        yield from _repair_records(directory)
        yield from _put_aside(directory, lost)
    finally:
        lock.release()


def _salvage(directory: Path, lost: Path) -> Iterator[str]:
    """A new database of what can be read of the old one."""
    make_directory(lost)
    for ending in ("", "-wal", "-shm"):
        file = directory / f"{FILE_NAME}{ending}"
        if file.exists():
            _move(file, lost)
    new = Database(directory)
    try:
        saved = _copied(lost / FILE_NAME, directory / FILE_NAME)
    finally:
        new.close()
    yield f"the database was damaged: {saved:,} rows were saved; the old one is in {lost}"


def _copied(old: Path, new: Path) -> int:
    """Rows that could be read, from the beginning and, behind what is damaged, from the end."""
    saved = 0
    with (
        closing(sqlite3.connect(f"{old.resolve().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(new, isolation_level=None)) as target,
    ):
        for table, key in _KEYS.items():
            target.execute("BEGIN")
            n_rows, whole = _copy_rows(source, target, table, key)
            saved += n_rows
            if not whole:
                backwards = ", ".join(f"{one} DESC" for one in key.split(", "))
                saved += _copy_rows(source, target, table, backwards)[0]
            target.execute("COMMIT")
        for table in TABLES_OF_A_SESSION:
            gone = target.execute(
                f"DELETE FROM {table} WHERE session NOT IN (SELECT id FROM session)"
            )
            saved -= gone.rowcount
        target.execute(
            "UPDATE session SET subject = NULL WHERE subject NOT IN (SELECT id FROM subject)"
        )
    return saved


def _copy_rows(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str, order: str
) -> tuple[int, bool]:
    """Rows of `table` until the first that cannot be read: how many were new, and whether all
    could be."""
    saved = 0
    try:
        cursor = source.execute(f"SELECT * FROM {table} ORDER BY {order}")
        columns = ", ".join(column[0] for column in cursor.description)
        for row in cursor:
            marks = ", ".join("?" * len(row))
            statement = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"
            with contextlib.suppress(sqlite3.IntegrityError):  # a row that is no row
                saved += target.execute(statement, row).rowcount
    except sqlite3.DatabaseError:
        return saved, False
    return saved, True


def _repair_records(directory: Path) -> Iterator[str]:
    database = Database(directory)
    try:
        with closing(read_only(directory)) as connection:
            found = list(places(connection, directory))
        for place, rows in found:
            session = place.folder.name
            left = []
            for row in rows:
                assert row.n_samples is not None
                file = place.data_file(row.name)
                whole = row.n_samples * place.frame_bytes(row.fmt)
                has_header = file.with_suffix(".hea").exists()
                if file.exists() and file.stat().st_size >= whole and has_header:
                    left.append(row)
                    continue
                n_samples = finish_segment_file(place, row)
                if not n_samples:
                    remove_file(file.with_suffix(".hea"))
                database.finish_segment(session, row, n_samples)
                yield f"{file}: {n_samples} of {row.n_samples} samples are there"
            database.commit()
            left = database.segments(session, place.signal.id)
            if place.folder.is_dir():
                write_record_header(place, left)
    finally:
        database.close()


def _put_aside(directory: Path, lost: Path) -> Iterator[str]:
    with closing(read_only(directory)) as connection:
        names = connection.execute(
            "SELECT session.name, segment.name FROM segment"
            " JOIN session ON session.id = segment.session"
        )
        known = {directory / RAW_FOLDER / session / f"{name}.dat" for session, name in names}
    for file in list(strangers(directory, known)):
        aside = lost / file.parent.name
        make_directory(aside)
        for one in (file, file.with_suffix(".hea")):
            if one.exists():
                _move(one, aside)
        yield f"{file}: moved to {aside}"


def _move(file: Path, folder: Path) -> None:
    try:
        shutil.move(file, folder / file.name)
    except OSError as error:
        raise failed(file, error) from error
