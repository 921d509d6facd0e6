"""What the store holds of one session, counted."""

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.store.reading import KeptSession, session_row
from edge_runtime.store.removal import RAW_FOLDER, STRIPS_FOLDER

_COUNTS: Final = {
    "beats": "SELECT count(*) FROM beat WHERE session = ?",
    "alarms": "SELECT count(*) FROM alarm WHERE session = ?",
    "gaps": "SELECT count(*) FROM gap WHERE session = ?",
    "reviews": "SELECT count(*) FROM review WHERE session = ?",
}


class DiaryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote down, and when it was (UTC, ms since 1970)."""

    at: int
    utc_ms: int
    text: str


class SessionOverview(msgspec.Struct, frozen=True, kw_only=True):
    """A session in numbers; `raw_bytes` and `strip_bytes` are what lies on the disk."""

    session: KeptSession
    beats: int
    alarms: int
    gaps: int
    reviews: int
    raw_bytes: int
    strip_bytes: int
    rules: dict[str, int]
    diary: list[DiaryEntry]


def session_overview(
    connection: sqlite3.Connection, directory: Path, session: str
) -> SessionOverview:
    """Count what there is. Raises StoreError for an unknown session."""
    row = session_row(connection, session)
    (number,) = connection.execute("SELECT id FROM session WHERE name = ?", (session,)).fetchone()
    counts = {
        name: int(connection.execute(query, (number,)).fetchone()[0])
        for name, query in _COUNTS.items()
    }
    rules = connection.execute(
        "SELECT rule, count(*) FROM alarm WHERE session = ? GROUP BY rule ORDER BY rule", (number,)
    )
    marks = connection.execute(
        "SELECT at, utc_ms, payload ->> 'text' FROM event WHERE session = ?"
        " AND type = 'user_marked' ORDER BY at",
        (number,),
    )
    return SessionOverview(
        session=row,
        rules=dict(rules.fetchall()),
        diary=[DiaryEntry(at=at, utc_ms=utc_ms, text=text) for at, utc_ms, text in marks],
        raw_bytes=bytes_below(directory / RAW_FOLDER / session),
        strip_bytes=bytes_below(directory / STRIPS_FOLDER / session),
        **counts,
    )


def bytes_below(folder: Path) -> int:
    """Of all files in it; one that goes meanwhile counts nothing."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total
