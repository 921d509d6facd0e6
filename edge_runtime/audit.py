"""Who looked at, took out or changed what, and when: a file that only grows.

`audit.jsonl` of the state directory, a JSON object a line. Each holds a hash of the line before it,
so that a line that was changed or cut out shows. It names no wearer and holds no signal: it stays
when a session is deleted.
"""

import fcntl
import getpass
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.publication import utc_text

log = logging.getLogger(__name__)

FILE_NAME: Final = "audit.jsonl"
DAEMON: Final = "the daemon"
"""Who acts where nobody asked."""
_NOTHING_BEFORE: Final = "0" * 16
_TAIL_BYTES: Final = 1 << 16
_VIEW_AGAIN_S: Final = 3600.0
"""A page that shows a session asks for it many times."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act. `time` is UTC; `before` hashes the line before."""

    time: str
    by: str
    act: str
    about: dict[str, str | int | float]
    before: str


class Audit:
    """The audit log of one state directory; several processes may write it.

    An act that cannot be written down is told in the log, and is not held up: an alarm must be
    acknowledged on a full disk, too.
    """

    def __init__(
        self,
        directory: Path,
        utc_ns: Callable[[], int] = time.time_ns,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = directory / FILE_NAME
        self._utc_ns = utc_ns
        self._now_s = now_s
        self._viewed: dict[tuple[str, str], float] = {}

    def record(self, by: str, act: str, **about: str | int | float) -> None:
        """Write one act down; it is on disk when this returns."""
        try:
            self._append(by, act, about)
        except OSError as error:
            log.error("%s: %s by %s is not written down: %s", self._file, act, by, error.strerror)

    def record_view(self, by: str, session: str) -> None:
        """Somebody looks at a stored session: once an hour."""
        now_s = self._now_s()
        if now_s - self._viewed.get((by, session), -_VIEW_AGAIN_S) < _VIEW_AGAIN_S:
            return
        since_s = now_s - _VIEW_AGAIN_S
        self._viewed = {key: at_s for key, at_s in self._viewed.items() if at_s > since_s}
        self._viewed[by, session] = now_s
        self.record(by, "view", session=session)

    def _append(self, by: str, act: str, about: dict[str, str | int | float]) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        handle = os.open(self._file, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            before, whole = _last_line(handle)
            entry = Entry(time=utc_text(self._utc_ns()), by=by, act=act, about=about, before=before)
            line = msgspec.json.encode(entry) + b"\n"
            os.write(handle, line if whole else b"\n" + line)
            os.fsync(handle)
        finally:
            os.close(handle)


def entries(directory: Path) -> Iterator[Entry | str]:
    """The acts, oldest first; a text where one does not hold: a line that cannot be read, or one
    whose predecessor is not the one it was written behind. Raises StoreError."""
    file = directory / FILE_NAME
    before = _NOTHING_BEFORE
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.rstrip(b"\n")
                try:
                    entry = msgspec.json.decode(text, type=Entry)
                except msgspec.DecodeError:
                    yield f"line {number} cannot be read"
                else:
                    if entry.before != before:
                        yield f"before line {number} something was changed or taken out"
                    yield entry
                before = _digest(text)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror}") from error


def this_user() -> str:
    """Who acts on the command line."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the system has no name for
        return str(os.geteuid())


def _last_line(handle: int) -> tuple[str, bool]:
    """The hash of the last line, and whether it is whole: a crash may have cut it off."""
    size = os.fstat(handle).st_size
    if size == 0:
        return _NOTHING_BEFORE, True
    tail = os.pread(handle, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    return _digest(tail.rstrip(b"\n").rpartition(b"\n")[2]), tail.endswith(b"\n")


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]
