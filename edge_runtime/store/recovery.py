"""After a crash: what the last run left open becomes complete and readable."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.store.database import Database, SessionRow
from edge_runtime.store.raw import RawPlace, signals_of, write_record_header
from edge_runtime.store.segment import finish_segment_file


@dataclass(frozen=True, slots=True)
class Recovery:
    """Names of the sessions that were finished, and why others could not be (yet)."""

    sessions: tuple[str, ...]
    problems: tuple[str, ...]


def recover(database: Database, raw_folder: Path) -> Recovery:
    """Finish every session that has no end.

    Each step may be interrupted and repeated: the session's row is closed last. One session that
    cannot be finished (a full disk) is left to the next start and stops nothing.
    """
    names, problems = [], []
    try:
        unfinished = database.unfinished_sessions()
    except StoreError as error:
        return Recovery((), (str(error),))
    for row in unfinished:
        try:
            for place in _places(row, raw_folder):
                _finish(database, row.name, place)
            ended = database.last_known_utc_ns(row.name) or row.started_utc_ns
            database.end_session(row.name, ended, "the daemon was killed or lost its power")
            database.commit()
            names.append(row.name)
        except (StoreError, msgspec.MsgspecError) as error:
            problems.append(f"session {row.name} is not finished: {error}")
    return Recovery(tuple(names), tuple(problems))


def _places(row: SessionRow, raw_folder: Path) -> Iterator[RawPlace]:
    for signal in signals_of(row.stream):
        yield RawPlace(raw_folder / row.name, signal, row.started_utc_ns)


def _finish(database: Database, session: str, place: RawPlace) -> None:
    rows = []
    for row in database.segments(session, place.signal.id):
        finished = row
        if row.n_samples is None:
            n_samples = finish_segment_file(place, row)
            database.finish_segment(session, row, n_samples)
            finished = replace(row, n_samples=n_samples)
        rows.append(finished)
    write_record_header(place, rows)
