"""After a crash: what the last run left open becomes complete and readable."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge_runtime.store.database import Database, SessionRow
from edge_runtime.store.raw import RawPlace, finish_segment_file, write_record_header
from firmware_bridge.stream import SignalInfo


class _StoredStream(msgspec.Struct):
    """The part of a stored StreamOpened that is needed here."""

    signals: tuple[SignalInfo, ...]


def recover(database: Database, raw_folder: Path) -> list[str]:
    """Finish every session that has no end; the names of those sessions.

    Each step may be interrupted and repeated: the session's row is closed last.
    """
    names = []
    for row in database.unfinished_sessions():
        database.resume(row)
        for place in _places(row, raw_folder):
            _finish(database, row.name, place)
        ended = database.last_known_utc_ns(row.name)
        database.end_session(row.name, ended or 0, "the daemon was killed or lost its power")
        database.commit()
        names.append(row.name)
    return names


def _places(row: SessionRow, raw_folder: Path) -> Iterator[RawPlace]:
    stored = msgspec.json.decode(row.stream, type=_StoredStream, dec_hook=lambda kind, x: kind(x))
    for signal in stored.signals:
        folder = raw_folder / row.name
        if folder.is_dir():
            yield RawPlace(folder, signal, row.started_utc_ns)


def _finish(database: Database, session: str, place: RawPlace) -> None:
    for segment in database.segments(session, place.signal.id):
        if segment.n_samples is None:
            n_samples = finish_segment_file(place, segment)
            database.finish_segment(session, segment.signal, segment.first, n_samples)
    write_record_header(place, database.segments(session, place.signal.id))
