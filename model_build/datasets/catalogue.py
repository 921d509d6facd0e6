"""What the archives are: title, licence, citation, pinned records and their checksums.

`checksums.txt` holds one line a record: SHA-256 over the hexadecimal SHA-256 of each of its files,
in the order of the database's `suffixes`, each followed by a newline.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model_build.errors import DataError


@dataclass(frozen=True, slots=True)
class Database:
    """One archive. `groups` names lists of records; an archive without groups has one, "all".

    `home` is the archive's own folder, `place` where the files lie within it.
    """

    name: str
    title: str
    version: str
    doi: str
    licence: str
    licence_url: str
    citation: str
    physionet: str
    folders: tuple[str, ...]
    suffixes: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    home: str
    place: str = ""

    def folder(self, directory: Path) -> Path:
        """Where the files lie, in a folder of archives."""
        return directory / self.home / self.place

    @property
    def records(self) -> tuple[str, ...]:
        """Every pinned record."""
        return tuple(record for group in self.groups.values() for record in group)

    def files(self, record: str) -> tuple[str, ...]:
        """Names of the files of `record`, within `place`."""
        return tuple(record + suffix for suffix in self.suffixes)


_GROUPS = {
    "all": "records", "normal": "normal", "atrial_fibrillation": "atrial_fibrillation",
    "other": "other", "noisy": "noisy",
}  # fmt: skip


def _database(name: str, entry: dict[str, Any]) -> Database:
    groups = {g: tuple(entry[key].split()) for g, key in _GROUPS.items() if key in entry}
    words = {k: entry[k] for k in ("title", "version", "doi", "licence", "licence_url", "citation")}
    return Database(
        name=name,
        physionet=entry["physionet"],
        folders=tuple(entry["folders"]),
        suffixes=tuple(entry["suffixes"]),
        groups=MappingProxyType(groups),
        home=entry.get("home", name),
        place=entry.get("place", ""),
        **words,
    )


@cache
def catalogue() -> Mapping[str, Database]:
    """Every archive by name."""
    text = resources.files(__package__).joinpath("catalogue.toml").read_text("utf-8")
    return MappingProxyType({n: _database(n, e) for n, e in tomllib.loads(text).items()})


def database(name: str) -> Database:
    """The archive called `name`. Raises `DataError` with the names there are."""
    try:
        return catalogue()[name]
    except KeyError:
        raise DataError(f"no database {name!r}; there are {', '.join(catalogue())}") from None


@cache
def checksums() -> Mapping[str, str]:
    """Digest by "database/record"."""
    text = resources.files(__package__).joinpath("checksums.txt").read_text("ascii")
    pairs = (line.split() for line in text.splitlines())
    return MappingProxyType({key: digest for digest, key in pairs})


def record_digest(folder: Path, db: Database, record: str) -> str:
    """The digest of the files of `record` in `folder`. Raises `DataError` if one is absent."""
    whole = hashlib.sha256()
    for name in db.files(record):
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{db.name}/{name} cannot be read: {error.strerror}") from error
        whole.update(hashlib.sha256(content).hexdigest().encode() + b"\n")
    return whole.hexdigest()


def verify(folder: Path, db: Database, record: str) -> None:
    """Raise `DataError` unless the files of `record` in `folder` are the pinned ones."""
    if record_digest(folder, db, record) != checksums()[f"{db.name}/{record}"]:
        raise DataError(
            f"{folder / record}: its files differ from {db.title} {db.version}; "
            f"fetch the record again, or check that the folder holds that version"
        )
