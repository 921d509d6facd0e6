"""Reading what the store keeps, beside a daemon that is writing it.

Readers see the last commit. Keep queries short: while one is open the write-ahead log cannot be
emptied and grows (it is cut back afterwards).
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.events import BeatClass, BeatClassified, BeatDetected, Event, from_json
from edge_runtime.publication import Published, utc_text
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.raw import RawPlace, signals_of
from edge_runtime.store.schema import checked_version
from firmware_bridge.stream import SignalKind

EVERYWHERE: Final = (-(2**63), 2**63 - 1)
"""Any sample index: what SQLite counts with."""
_EVENTS = """SELECT * FROM (
    SELECT detected_number AS number, detected_utc_ms, 'detected', at, detected_decided,
           lead, rr_s, heart_rate_bpm
        FROM beat WHERE session = ?1 AND at >= ?4 AND at < ?5 AND detected_number IS NOT NULL
    UNION ALL
    SELECT classified_number, classified_utc_ms, 'classified', at, classified_decided,
           label, scores, reason
        FROM beat WHERE session = ?1 AND at >= ?4 AND at < ?5 AND classified_number IS NOT NULL
    UNION ALL
    SELECT number, utc_ms, 'event', at, 0, payload, NULL, NULL
        FROM event WHERE session = ?1 AND at >= ?4 AND at < ?5
) WHERE number > ?2 ORDER BY number LIMIT ?3
"""


def read_only(directory: Path) -> sqlite3.Connection:
    """A connection for readers. Raises StoreError when there is no store, or a newer one."""
    path = directory / FILE_NAME
    if not path.is_file():
        raise StoreError(f"{path}: there is no store here; check store.directory")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        checked_version(connection)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"{path}: cannot be read: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def session_names(connection: sqlite3.Connection) -> list[str]:
    """All sessions, oldest first."""
    query = "SELECT name FROM session WHERE NOT going ORDER BY id"
    return [name for (name,) in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session's row; `ended_utc_ns` is None while it runs, `wearer` where none was named.
    `judged`: the rhythms that were looked for."""

    name: str
    source: str
    started_utc_ns: int
    ended_utc_ns: int | None
    end_reason: str | None
    wearer: str | None
    judged: tuple[str, ...]


_SESSIONS: Final = (
    "SELECT name, source, started_utc_ns, ended_utc_ns, end_reason, label, judged FROM session"
    " LEFT JOIN subject ON subject.id = subject WHERE NOT going"
)


def session_rows(connection: sqlite3.Connection, limit: int = -1) -> Iterator[KeptSession]:
    """Sessions, newest first; at most `limit`, where that is not negative."""
    query = f"{_SESSIONS} ORDER BY session.id DESC LIMIT ?"
    return (_kept(row) for row in connection.execute(query, (limit,)))


def session_row(connection: sqlite3.Connection, session: str) -> KeptSession:
    """One session. Raises StoreError where there is none."""
    row = connection.execute(f"{_SESSIONS} AND name = ?", (session,)).fetchone()
    if row is None:
        raise unknown_session(connection, session)
    return _kept(row)


def unknown_session(connection: sqlite3.Connection, session: str) -> StoreError:
    """What to say of a session that the store has not."""
    return StoreError(f"no session {session!r}; the store has {session_names(connection)}")


def _kept(row: tuple[Any, ...]) -> KeptSession:
    *plain, judged = row
    return KeptSession(*(*plain, msgspec.json.decode(judged, type=tuple[str, ...])))


def signal_place(
    connection: sqlite3.Connection, session: str, raw_folder: Path, name: str | None = None
) -> RawPlace:
    """Where a raw signal of `session` lies: that called `name`, else the ECG, whose samples its
    events count.

    Raises StoreError for an unknown session, or one without such a signal.
    """
    query = "SELECT stream, started_utc_ns FROM session WHERE name = ? AND NOT going"
    row = connection.execute(query, (session,)).fetchone()
    if row is None:
        raise unknown_session(connection, session)
    stream, started_utc_ns = row
    signals = signals_of(stream)
    for signal in signals:
        if signal.id == name or (name is None and signal.kind is SignalKind.ECG):
            return RawPlace(raw_folder / session, signal, started_utc_ns)
    wanted = "ECG" if name is None else f"signal {name!r}"
    held = ", ".join(signal.id for signal in signals)
    raise StoreError(f"session {session} holds no {wanted}; it has {held}")


def alignment_of(
    connection: sqlite3.Connection, session: str, signal: str
) -> list[tuple[int, int]]:
    """Indices of `signal`, each with the index of the reference at the same moment, in order; none
    for the reference itself."""
    rows = connection.execute(
        "SELECT idx, alignment.at FROM alignment JOIN session ON session.id = alignment.session"
        " WHERE session.name = ? AND signal = ? ORDER BY idx",
        (session, signal),
    )
    return [(int(index), int(at)) for index, at in rows]


def events_of(
    connection: sqlite3.Connection,
    session: str,
    *,
    after: int = 0,
    limit: int = -1,
    span: tuple[int, int] = EVERYWHERE,
) -> Iterator[Published]:
    """The events of `session` in order of their number, as they were published.

    Those numbered above `after`, of samples [first, end) of `span`; at most `limit`, where that is
    not negative. Raises StoreError for an unknown session.
    """
    query = "SELECT id, source FROM session WHERE name = ? AND NOT going"
    row = connection.execute(query, (session,)).fetchone()
    if row is None:
        raise unknown_session(connection, session)
    session_id, source = row
    rows = connection.execute(_EVENTS, (session_id, after, limit, *span))
    for number, utc_ms, kind, at, decided, *values in rows:
        yield Published(
            id=f"{session}/{number}",
            source=source,
            session=session,
            number=number,
            time=utc_text(utc_ms * 1_000_000),
            event=_event(kind, at, decided, values),
        )


def _event(kind: str, at: int, decided: int, values: list[object]) -> Event:
    match kind, values:
        case "detected", [str(lead), rr_s, bpm]:
            return msgspec.convert(
                {"type": "beat_detected", "at": at, "decided": decided, "lead": lead}
                | {"rr_s": rr_s, "heart_rate_bpm": bpm},
                BeatDetected,
            )
        case "classified", [str(label), str(scores), str(reason)]:
            return BeatClassified(
                at=at,
                decided=decided,
                label=BeatClass(label),
                scores=msgspec.json.decode(scores, type=dict[str, float]),
                reason=reason,
            )
        case _, [str(payload), *_]:
            return from_json(payload)
        case _:
            raise StoreError(f"a row of kind {kind} holds {values}; the database is damaged")
