"""Is the store whole: does the database hold together, and does each file say what its row says?

Reads beside a running daemon; what is being recorded is left out.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.errors import StoreError
from edge_runtime.store.database import FILE_NAME, SegmentRow
from edge_runtime.store.raw import RawPlace, signals_of
from edge_runtime.store.reading import read_only
from edge_runtime.store.removal import RAW_FOLDER, STRIPS_FOLDER
from firmware_bridge.errors import RecordError
from firmware_bridge.records import read_header, verify_record

_MOST_TOLD: Final = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it should be. `repair`: what that will do, empty: nothing can."""

    words: str
    repair: str = ""


def faults(directory: Path, *, deep: bool) -> Iterator[Fault]:
    """What is wrong in the store. `deep` reads every sample and compares checksums. Raises
    StoreError where there is no store."""
    if not (directory / FILE_NAME).is_file():
        raise StoreError(f"{directory}: there is no store here; check store.directory")
    database = list(database_faults(directory))
    yield from database
    if database:
        return  # what its rows say is not to be trusted
    known: set[Path] = set()
    with closing(read_only(directory)) as connection:
        for place, rows in places(connection, directory):
            for row in rows:
                known.add(place.data_file(row.name))
                yield from _segment_faults(place, row, deep=deep)
            yield from _header_faults(place, rows)
        known.update(_unfinished(connection, directory))
    for file in strangers(directory, known):
        yield Fault(f"{file}: no row of the database knows it", "it is moved to lost+found")
    if deep:
        for header in sorted((directory / STRIPS_FOLDER).glob("*/*.hea")):
            yield from _record_faults(header.with_suffix(""))


def database_faults(directory: Path) -> Iterator[Fault]:
    """What SQLite finds."""
    repair = "what can be read is copied to a new one; the damaged one is moved to lost+found"
    file = directory / FILE_NAME
    try:
        with closing(read_only(directory)) as connection:
            found = [text for (text,) in connection.execute("PRAGMA integrity_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        yield Fault(f"{file}: {error}", repair)
        return
    except StoreError as error:
        yield Fault(str(error), repair)
        return
    if found != ["ok"]:
        yield Fault(f"{file}: {'; '.join(found[:_MOST_TOLD])}", repair)
    if orphans:
        yield Fault(f"{file}: {len(orphans)} rows belong to no session", repair)


def places(
    connection: sqlite3.Connection, directory: Path
) -> Iterator[tuple[RawPlace, list[SegmentRow]]]:
    """Each signal of each session that has ended, with its finished segments in order."""
    sessions = connection.execute(
        "SELECT id, name, stream, started_utc_ns FROM session"
        " WHERE ended_utc_ns NOT NULL AND NOT going ORDER BY id"
    ).fetchall()
    for number, name, stream, started_utc_ns in sessions:
        for signal in signals_of(stream):
            rows = connection.execute(
                "SELECT signal, first, name, fmt, n_samples FROM segment WHERE session = ?"
                " AND signal = ? AND n_samples NOT NULL AND NOT going ORDER BY first",
                (number, signal.id),
            )
            place = RawPlace(directory / RAW_FOLDER / name, signal, started_utc_ns)
            yield place, [SegmentRow(*row) for row in rows]


def strangers(directory: Path, known: set[Path]) -> Iterator[Path]:
    """Data files that no row knows."""
    for file in sorted((directory / RAW_FOLDER).glob("*/*.dat")):
        if file not in known:
            yield file


def _unfinished(connection: sqlite3.Connection, directory: Path) -> Iterator[Path]:
    """Files of what is being recorded, or is on its way out."""
    rows = connection.execute(
        "SELECT session.name, segment.name FROM segment JOIN session"
        " ON session.id = segment.session WHERE n_samples IS NULL OR segment.going"
        " OR session.going OR ended_utc_ns IS NULL"
    )
    for session, segment in rows:
        yield directory / RAW_FOLDER / session / f"{segment}.dat"


def _segment_faults(place: RawPlace, row: SegmentRow, *, deep: bool) -> Iterator[Fault]:
    file = place.data_file(row.name)
    assert row.n_samples is not None
    wanted = row.n_samples * place.frame_bytes(row.fmt)
    try:
        found = file.stat().st_size
    except FileNotFoundError:
        yield Fault(f"{file}: is not there", "its row goes, and a hole is left")
        return
    if found < wanted:
        yield Fault(f"{file}: {found} bytes of {wanted}", "it ends where it ends")
    elif not file.with_suffix(".hea").exists():
        yield Fault(f"{file}: has no header", "it is written anew")
    elif deep:
        yield from _record_faults(file.with_suffix(""))


def _header_faults(place: RawPlace, rows: list[SegmentRow]) -> Iterator[Fault]:
    file = place.folder / place.record
    wanted = [row.name for row in rows if row.n_samples]
    try:
        found = [one.name for one in read_header(file).segments[1:] if one.name != "~"]
    except RecordError as error:
        found = []
        if wanted:
            yield Fault(str(error), "the header is written anew")
            return
    if found != wanted:
        yield Fault(f"{file}.hea: joins other segments than are stored", "it is written anew")


def _record_faults(record: Path) -> Iterator[Fault]:
    try:
        verify_record(record)
    except RecordError as error:
        yield Fault(str(error).splitlines()[0])
