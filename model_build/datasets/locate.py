"""Where the archives lie on this machine, and how they get there."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from model_build.datasets.catalogue import Database, database, verify
from model_build.errors import DataError

ENVIRONMENT = "ECG_DATA_DIR"

Fetch = Callable[[Database, str, str, Path], None]
"""Fetch file (2nd) of a remote folder (3rd) into a local one (4th). May raise `OSError`."""


def data_directory(option: Path | None = None) -> Path:
    """The folder of archives: the option, else ECG_DATA_DIR, else `var/data` (for downloads)."""
    if option is not None:
        return option
    value = os.environ.get(ENVIRONMENT)
    return Path(value) if value else Path("var/data")


def fetch_from_physionet(db: Database, name: str, remote: str, folder: Path) -> None:
    """Download one file with the wfdb package. Raises `OSError` where it cannot be had.

    Without the package: ModuleNotFoundError, which the command line explains.
    """
    import wfdb  # noqa: PLC0415 - loads pandas and matplotlib; only a download needs it

    with tempfile.TemporaryDirectory() as scratch:
        wfdb.dl_files(f"{db.physionet}/{db.version}", scratch, [remote + name], keep_subdirs=False)
        shutil.move(Path(scratch) / name, folder / name)


def _fetch_record(db: Database, record: str, folder: Path, fetch: Fetch) -> None:
    problem: Exception | None = None
    for pattern in db.folders:
        try:
            for name in db.files(record):
                fetch(db, name, pattern.format(record=record), folder)
        except (OSError, ValueError) as error:
            problem = error
        else:
            return
    raise DataError(
        f"{db.name}/{record} is not in {folder} and could not be downloaded ({problem}). "
        f"Without a network: copy {db.title} {db.version} there (doi {db.doi}), or name the folder "
        f"that holds {db.name}/ by --data or {ENVIRONMENT}."
    ) from problem


def ensure(
    directory: Path,
    name: str,
    records: Iterable[str] | None = None,
    fetch: Fetch = fetch_from_physionet,
) -> Path:
    """The folder that holds the files of database `name`, its pinned `records` verified.

    Absent records are downloaded (only pinned ones). Raises `DataError` saying what to do where
    that fails, where a file differs from its checksum, or where a record is not pinned.
    """
    db = database(name)
    folder = db.folder(directory)
    for record in db.records if records is None else records:
        if record not in db.records:
            raise DataError(f"{name}/{record} is not in the catalogue; nothing outside it is read")
        if not all((folder / file).is_file() for file in db.files(record)):
            _make(folder)
            _fetch_record(db, record, folder, fetch)
        verify(folder, db, record)
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder} does not exist and cannot be made ({error.strerror}); name the folder of "
            f"archives by --data or {ENVIRONMENT}"
        ) from error
