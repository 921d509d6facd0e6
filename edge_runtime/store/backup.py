"""A copy of the store, made beside a running daemon, and its way back.

The database is copied by SQLite's own online backup, at one moment; then the signal that it speaks
of. A list of all files with their hashes is written last: a folder with it is whole.
"""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.store.backups import remember_backup
from edge_runtime.store.database import FILE_NAME, Provenance, SegmentRow
from edge_runtime.store.disk import (
    DirectoryLock,
    failed,
    make_directory,
    make_private_directory,
    remove_folder,
    sync_directory,
)
from edge_runtime.store.raw import RawPlace, signals_of, write_record_header
from edge_runtime.store.reading import read_only, session_names
from edge_runtime.store.removal import RAW_FOLDER, STRIPS_FOLDER, TABLES_OF_A_SESSION
from edge_runtime.store.store import Store

LIST_FILE: Final = "backup.json"
_BLOCK: Final = 1 << 20
_BESIDE: Final = ("audit.jsonl",)
"""Kept with it. Not what says who somebody is, nor what lets somebody in."""

Progress = Callable[[str], None]


class BackupList(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: sessions, and SHA-256 of each file by its path."""

    sessions: list[str]
    files: dict[str, str]


def back_up(directory: Path, folder: Path, progress: Progress = lambda _file: None) -> BackupList:
    """Copy the store to `folder`, which must not exist; it appears when it is whole. Raises
    StoreError."""
    if folder.exists():
        raise StoreError(f"{folder}: is there already; give each backup a folder of its own")
    beside = folder.with_name(f"{folder.name}.part")
    remove_folder(beside)  # of one that was broken off
    make_private_directory(beside)
    try:
        _copy_database(directory, beside)
        sessions = _copy_signal(directory, beside, progress)
        _copy_rest(directory, beside, progress)
        files = {str(file.relative_to(beside)): _hash(file) for file in _files(beside)}
        made = BackupList(sessions=sessions, files=files)
        _write(beside / LIST_FILE, msgspec.json.format(msgspec.json.encode(made)))
        for one in (*beside.rglob("*"), beside):
            if one.is_dir():
                sync_directory(one)
        beside.rename(folder)
        sync_directory(folder.parent)
    except OSError as error:
        raise failed(folder, error) from error
    except sqlite3.Error as error:
        raise StoreError(f"{folder}: {error}; is there room (df -h)?") from error
    finally:
        remove_folder(beside)
    remember_backup(directory, folder, sessions)
    return made


def restore(folder: Path, directory: Path, progress: Progress = lambda _file: None) -> BackupList:
    """Put the backup in `folder` where `directory` has no store. Raises StoreError: no backup, a
    file that is not as it was, or a store that is there already."""
    made = checked(folder, progress)
    make_private_directory(directory)
    lock = DirectoryLock(directory)
    try:
        for name in (FILE_NAME, RAW_FOLDER, STRIPS_FOLDER):
            there = directory / name
            if there.exists() and (there.is_file() or any(there.iterdir())):
                raise StoreError(
                    f"{there}: is there already; move it away, or set another store.directory"
                )
        # The database comes last: without it there is no store, and one can begin again.
        for name in sorted(made.files, key=lambda one: one == FILE_NAME):
            if name in _BESIDE and (directory / name).exists():
                continue
            progress(name)
            target = directory / name
            make_directory(target.parent)
            _copy(folder / name, target)
        sync_directory(directory)
    except OSError as error:
        raise failed(directory, error) from error
    finally:
        lock.release()
    Store(directory, Provenance("", "", ""), {}).close()  # finishes the session that ran
    return made


def checked(folder: Path, progress: Progress = lambda _file: None) -> BackupList:
    """The list of a backup whose every file is as it was. Raises StoreError."""
    file = folder / LIST_FILE
    try:
        made = msgspec.json.decode(file.read_bytes(), type=BackupList)
        for name, wanted in made.files.items():
            progress(name)
            path = folder / name
            if not path.resolve().is_relative_to(folder.resolve()) or _hash(path) != wanted:
                raise StoreError(f"{path}: is not as it was backed up; take another backup")
    except FileNotFoundError as error:
        raise StoreError(f"{error.filename}: is missing; {folder} is no whole backup") from error
    except OSError as error:
        raise failed(folder, error) from error
    except msgspec.DecodeError as error:
        raise StoreError(f"{file}: cannot be read: {error}") from error
    return made


def _copy_database(directory: Path, folder: Path) -> None:
    with (
        closing(read_only(directory)) as source,
        closing(sqlite3.connect(folder / FILE_NAME)) as target,
    ):
        # In one step: a writer that commits between two would make it begin again.
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")


def _copy_signal(directory: Path, folder: Path, progress: Progress) -> list[str]:
    """What the copied database speaks of; what has gone meanwhile is taken out of it."""
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as copied:
        _drop_going(copied)
        names = session_names(copied)
        rows = copied.execute("SELECT id, name, stream, started_utc_ns FROM session").fetchall()
        for number, name, stream, started_utc_ns in rows:
            for signal in signals_of(stream):
                here = RawPlace(directory / RAW_FOLDER / name, signal, started_utc_ns)
                there = RawPlace(folder / RAW_FOLDER / name, signal, started_utc_ns)
                kept = []
                for row in _segments(copied, number, signal.id):
                    progress(f"{name} {row.name}")
                    if _copy_segment(here, there, row):
                        kept.append(row)
                    else:
                        copied.execute(
                            "DELETE FROM segment WHERE session = ? AND signal = ? AND first = ?",
                            (number, signal.id, row.first),
                        )
                if there.folder.is_dir():
                    write_record_header(there, [row for row in kept if row.n_samples])
    return names


def _drop_going(copied: sqlite3.Connection) -> None:
    """What is being deleted has no place in a new copy."""
    going = "(SELECT id FROM session WHERE going)"
    copied.execute("PRAGMA secure_delete = ON")
    copied.execute("BEGIN")
    for table in TABLES_OF_A_SESSION:
        copied.execute(f"DELETE FROM {table} WHERE session IN {going}")
    copied.execute("DELETE FROM session WHERE going")
    copied.execute("COMMIT")


def _segments(copied: sqlite3.Connection, session: int, signal: str) -> list[SegmentRow]:
    rows = copied.execute(
        "SELECT signal, first, name, fmt, n_samples FROM segment"
        " WHERE session = ? AND signal = ? AND NOT going ORDER BY first",
        (session, signal),
    )
    return [SegmentRow(*row) for row in rows]


def _copy_segment(here: RawPlace, there: RawPlace, row: SegmentRow) -> bool:
    """False where retention or a deletion came first."""
    make_directory(there.folder)
    try:
        _copy(here.data_file(row.name), there.data_file(row.name))
        if row.n_samples is not None:
            header = f"{row.name}.hea"
            _copy(here.folder / header, there.folder / header)
    except FileNotFoundError:
        there.data_file(row.name).unlink(missing_ok=True)
        return False
    return True


def _copy_rest(directory: Path, folder: Path, progress: Progress) -> None:
    for file in (*_files(directory / STRIPS_FOLDER), *(directory / name for name in _BESIDE)):
        target = folder / file.relative_to(directory)
        progress(file.name)
        if file.suffix == ".part" or not file.exists():
            continue
        make_directory(target.parent)
        _copy(file, target)


def _files(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.rglob("*")) if file.is_file())


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, _BLOCK)
        writing.flush()
        os.fsync(writing.fileno())


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _hash(file: Path) -> str:
    with file.open("rb") as reading:
        return hashlib.file_digest(reading, "sha256").hexdigest()
