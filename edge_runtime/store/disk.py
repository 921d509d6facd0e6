"""What the store asks of the file system: one owner, names that survive a power cut, and errors
that say what to do."""

import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import Final

from edge_runtime.errors import StoreError, StoreInUseError

_LOCK_FILE: Final = "lock"
_OURS: Final = (
    "accounts.json",
    "alarms.json",
    "audit.jsonl",
    "backups.json",
    "devices.toml",
    "edge-runtime.log",
    "events.sqlite3*",
    "export-*",
    "identities.json",
    "lock",
    "lost+found",
    "outbox",
    "raw",
    "release",
    "reserve",
    "run",
    "settings.toml",
    "starts.json",
    "strips",
    "wearers.json",
    "*.part",
)
"""What lies in a state directory."""
_ADVICE: Final = {
    errno.ENOSPC: "free space on that disk (df -h shows it)",
    errno.EDQUOT: "free space in the quota (quota shows it)",
    errno.EFBIG: "raise the limit of file size (ulimit -f)",
    errno.EROFS: "the disk is mounted read-only; look at dmesg, or set store.directory",
    errno.EACCES: "give this user the rights to write there, or set store.directory",
    errno.EPERM: "give this user the rights to write there, or set store.directory",
    errno.EIO: "the disk fails; look at dmesg, save what is on it and replace it",
}


class DirectoryLock:
    """The right to write in `directory`, until `release` or the end of the process, whatever ends
    it. Raises StoreInUseError when another process has it."""

    def __init__(self, directory: Path) -> None:
        path = directory / _LOCK_FILE
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise failed(path, error) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            owner = os.pread(self._handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise StoreInUseError(
                f"{directory}: another edge-runtime (process {owner}) records there; "
                "stop it, or give this one its own store.directory"
            ) from error
        except OSError as error:
            os.close(self._handle)
            raise failed(path, error) from error

    def release(self) -> None:
        """Let another process have the directory. Does nothing the second time."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1


def make_directory(directory: Path) -> None:
    """Make `directory` and what lies above it; the new names are on disk when this returns.

    Raises StoreError.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise failed(directory, error) from error
    sync_directory(directory.parent)


def make_private_directory(directory: Path) -> None:
    """As `make_directory`, and nobody but its owner may look into it.

    One that holds anything that is not the store's keeps its rights: it may be somebody's home;
    `doctor` says so. Raises StoreError.
    """
    make_directory(directory)
    try:
        if any(not any(map(entry.match, _OURS)) for entry in directory.iterdir()):
            return
        if directory.stat().st_uid == os.geteuid() and is_open(directory):
            directory.chmod(0o700)
    except OSError as error:
        raise failed(directory, error) from error


def is_open(directory: Path) -> bool:
    """Others than its owner may look into it."""
    return bool(directory.stat().st_mode & 0o077)


def remove_file(file: Path) -> None:
    """Remove it, if it is there; the caller syncs the directory. Raises StoreError."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise failed(file, error) from error


def remove_folder(folder: Path) -> None:
    """Remove it with all that is in it, if it is there. Raises StoreError."""
    if not folder.is_dir():
        return
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise failed(folder, error) from error
    sync_directory(folder.parent)


def sync_directory(directory: Path) -> None:
    """Names made, renamed or removed in `directory` are on disk when this returns."""
    try:
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise failed(directory, error) from error


def failed(path: Path, error: OSError) -> StoreError:
    """`error` in words, with what to do."""
    advice = _ADVICE.get(error.errno or 0, "check that disk, or set store.directory")
    return StoreError(f"{path}: {error.strerror}; {advice}")
