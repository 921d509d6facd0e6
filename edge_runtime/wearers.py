"""Who wears which sensor, as a pseudonym, and, apart from that, whom a pseudonym stands for.

`wearers.json` binds sources to pseudonyms, over `subject` of the configuration until that changes.
What says who that is lies in `identities.json` alone: without that file the store is pseudonymous.
Recordings and exports know the pseudonym at most.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from edge_runtime.errors import ConfigError
from edge_runtime.store.disk import make_private_directory

WEARERS_FILE: Final = "wearers.json"
IDENTITIES_FILE: Final = "identities.json"
LONGEST: Final = 64
_Table = TypeVar("_Table")


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a pseudonym stands for, as far as anybody wrote it down."""

    name: str
    born: str = ""
    note: str = ""


class _Changed(msgspec.Struct, frozen=True):
    """`wearer` holds while the configuration says `configured`: the later word counts."""

    wearer: str
    configured: str | None


class Wearers:
    """The wearer of each source; `configured` where nobody has changed it since."""

    def __init__(self, directory: Path, configured: Mapping[str, str | None]) -> None:
        self._file = directory / WEARERS_FILE
        self._configured = dict(configured)
        self._changed = _read(self._file, dict[str, _Changed])

    def configure(self, configured: Mapping[str, str | None]) -> None:
        """What the configuration says from now on."""
        self._configured = dict(configured)

    def get(self, source: str) -> str | None:
        """The pseudonym of who wears it now; None: nobody was named."""
        configured = self._configured.get(source)
        changed = self._changed.get(source)
        if changed is not None and changed.configured == configured:
            return changed.wearer or None
        return configured

    def change(self, source: str, pseudonym: str) -> bool:
        """Another wearer from the next session of `source` on; empty: nobody is named. False: it
        is so already. Raises ConfigError."""
        check(pseudonym)
        if pseudonym == (self.get(source) or ""):
            return False
        change = _Changed(pseudonym, self._configured.get(source))
        changed = {**self._changed, source: change}
        _write(self._file, changed)
        self._changed = changed
        return True


def check(pseudonym: str) -> None:
    """Raises ConfigError for what is no pseudonym."""
    if len(pseudonym) > LONGEST or not pseudonym.isprintable() or pseudonym != pseudonym.strip():
        raise ConfigError(f"a pseudonym has at most {LONGEST} printable characters")


def identities(directory: Path) -> dict[str, Identity]:
    """Whom pseudonyms stand for. Raises ConfigError."""
    return _read(directory / IDENTITIES_FILE, dict[str, Identity])


def identify(directory: Path, pseudonym: str, identity: Identity) -> None:
    """Write down whom `pseudonym` stands for. Raises ConfigError."""
    check(pseudonym)
    _write(directory / IDENTITIES_FILE, {**identities(directory), pseudonym: identity})


def forget(directory: Path, pseudonym: str) -> bool:
    """Nobody can say any more whom `pseudonym` stands for; False: nobody could before."""
    known = identities(directory)
    if known.pop(pseudonym, None) is None:
        return False
    _write(directory / IDENTITIES_FILE, known)
    return True


def _read(file: Path, kind: type[_Table]) -> _Table:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError):
        return kind()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error


def _write(file: Path, table: Mapping[str, Any]) -> None:
    """Whole or not at all, for its owner's eyes alone."""
    beside = file.with_name(f"{file.name}.part")
    make_private_directory(file.parent)
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(table)))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror})") from error
