"""Which backups were made of a store, so that a deletion can say where a session still is."""

import time
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.errors import StoreError
from firmware_bridge.errors import RecordError
from firmware_bridge.records.writing import replace_file

FILE_NAME: Final = "backups.json"


class KnownBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that a backup was written to, when, and the sessions in it."""

    folder: str
    utc_s: int
    sessions: list[str]


def known_backups(directory: Path) -> list[KnownBackup]:
    """Oldest first. Raises StoreError."""
    file = directory / FILE_NAME
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[KnownBackup])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(f"{file}: cannot be read: {error}") from error


def remember_backup(directory: Path, folder: Path, sessions: list[str]) -> None:
    """Write down that `folder` holds these. Raises StoreError."""
    made = KnownBackup(folder=str(folder.absolute()), utc_s=int(time.time()), sessions=sessions)
    known = [one for one in known_backups(directory) if one.folder != made.folder]
    try:
        replace_file(directory / FILE_NAME, msgspec.json.encode([*known, made]), sync=True)
    except RecordError as error:
        raise StoreError(str(error)) from error


def backups_with(directory: Path, session: str) -> list[str]:
    """Folders of backups that were made while `session` was there, and still exist, or cannot be
    seen now (a disk that is not plugged in). Raises StoreError."""
    return [one.folder for one in known_backups(directory) if session in one.sessions]
