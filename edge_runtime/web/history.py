"""What the store says to the API. Each call opens, reads and closes: short, and off the loop."""

import re
from contextlib import closing
from pathlib import Path
from typing import Final

from edge_runtime.alarms.strips import FOLDER as STRIPS
from edge_runtime.alarms.strips import strip_name
from edge_runtime.errors import StoreError
from edge_runtime.publication import utc_text
from edge_runtime.store.reading import KeptSession as KeptRow
from edge_runtime.store.reading import events_of, read_only, session_rows
from edge_runtime.web.endpoints import SESSION_NAME, RefusedError
from edge_runtime.web.followed import listed
from edge_runtime.web.shapes import EventPage, StoredSession, StoredSessions, StoredStrip
from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records import open_record, read_header

_SPAN: Final = re.compile(r"samples (\d+) to (\d+) of session ")
"""What the strip's header says of itself."""


def stored_sessions(directory: Path, limit: int) -> StoredSessions:
    """The newest sessions. Raises StoreError."""
    with closing(read_only(directory)) as connection:
        rows = list(session_rows(connection, limit))
    return StoredSessions(sessions=[session_shown(row) for row in rows])


def session_shown(row: KeptRow) -> StoredSession:
    """A session's row as the API has it."""
    return StoredSession(
        session=row.name,
        source=row.source,
        wearer=row.wearer,
        started=utc_text(row.started_utc_ns),
        ended=None if row.ended_utc_ns is None else utc_text(row.ended_utc_ns),
        end_reason=row.end_reason,
        rhythms=list(row.judged),
    )


def stored_events(directory: Path, session: str, after: int, limit: int) -> EventPage:
    """Events of `session` whose number is above `after`. Raises StoreError, RefusedError (404)."""
    with closing(read_only(directory)) as connection:
        try:
            events = list(events_of(connection, session, after=after, limit=limit))
        except StoreError as error:
            raise RefusedError(404, str(error)) from error
    return EventPage(events=events, next=events[-1].number if len(events) == limit else None)


def stored_strip(directory: Path, session: str, alarm: int) -> StoredStrip:
    """The strip of an alarm. Raises RefusedError (404): it is not there, or not complete yet."""
    if not SESSION_NAME.fullmatch(session):
        raise RefusedError(404, "that is no session's name")
    try:
        record = directory / STRIPS / session / strip_name(alarm)
        played = open_record(record)
        span = next(filter(None, map(_SPAN.match, read_header(record).comments)))
        block = played.read(0, played.n_frames)
    except (RecordError, UsageError, StopIteration) as error:
        raise RefusedError(404, "no strip of this alarm is stored (yet)") from error
    signal = played.signal
    return StoredStrip(
        session=session,
        alarm=alarm,
        first=int(span[1]),
        rate_hz=float(signal.rate_hz),
        unit=signal.unit,
        leads=list(signal.leads),
        samples=listed(block),
    )
