"""One program at a time holds a strap: a second connection would end the first one's stream."""

import fcntl
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final, TextIO

from firmware_bridge.errors import LinkError

_LONGEST_NAME: Final = 200


class DeviceLock:
    """Held from its creation to `release`, or to the end of the process.

    `scope` tells apart radios that have nothing to do with each other. Raises LinkError that names
    the holder.
    """

    def __init__(self, address: str, scope: str, folder: Path | None = None) -> None:
        folder = folder or _folder()
        scope_hash = hashlib.sha256(scope.encode()).hexdigest()[:12]
        name = f"ecg-edge-{address.replace(':', '').lower()}-{scope_hash}.lock"
        try:
            self._file: TextIO = os.fdopen(_opened(folder / name), "r+", encoding="utf-8")
        except OSError as error:
            raise LinkError(f"{folder / name}: cannot be opened ({error.strerror})") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._file.read(_LONGEST_NAME).strip() or "another program"
            self._file.close()
            raise LinkError(f"{address} is held by {holder}; stop that first") from None
        self._file.truncate(0)
        self._file.write(f"`{_command(sys.argv)}` (process {os.getpid()})")
        self._file.flush()

    def release(self) -> None:
        """Let it go; harmless when it is already."""
        self._file.close()


def require_free(address: str, scope: str, folder: Path | None = None) -> None:
    """Raise LinkError that names the holder of a device that is held."""
    DeviceLock(address, scope, folder).release()


def _command(argv: list[str]) -> str:
    """What a person would call this program: `edge-runtime run`."""
    program = Path(argv[0])
    name = program.parent.name.replace("_", "-") if program.stem == "__main__" else program.name
    verbs = [word for word in argv[1:2] if word.isalpha()]
    return " ".join([name, *verbs])


def _folder() -> Path:
    """A folder that all programs share: a service may have a /tmp of its own."""
    shared = Path("/run/lock")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def _opened(file: Path) -> int:
    """Everybody may lock, whoever made the file: it is never removed."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(file, flags)
    os.fchmod(descriptor, 0o666)
    return descriptor
