"""What the store says to the API. Each call opens, reads and closes: short, and off the loop."""

from contextlib import closing
from pathlib import Path

from edge_runtime.errors import StoreError
from edge_runtime.publication import utc_text
from edge_runtime.store.reading import events_of, read_only, session_rows
from edge_runtime.web.endpoints import RefusedError
from edge_runtime.web.shapes import EventPage, StoredSession, StoredSessions


def stored_sessions(directory: Path, limit: int) -> StoredSessions:
    """The newest sessions. Raises StoreError."""
    with closing(read_only(directory)) as connection:
        rows = list(session_rows(connection, limit))
    return StoredSessions(
        sessions=[
            StoredSession(
                session=row.name,
                source=row.source,
                started=utc_text(row.started_utc_ns),
                ended=None if row.ended_utc_ns is None else utc_text(row.ended_utc_ns),
                end_reason=row.end_reason,
            )
            for row in rows
        ]
    )


def stored_events(directory: Path, session: str, after: int, limit: int) -> EventPage:
    """Events of `session` whose number is above `after`. Raises StoreError, RefusedError (404)."""
    with closing(read_only(directory)) as connection:
        try:
            events = list(events_of(connection, session, after=after, limit=limit))
        except StoreError as error:
            raise RefusedError(404, str(error)) from error
    return EventPage(events=events, next=events[-1].number if len(events) == limit else None)
