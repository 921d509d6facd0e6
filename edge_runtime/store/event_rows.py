"""From a published event to the rows that keep it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    BeatClassified,
    BeatDetected,
    Event,
    Phase,
    RhythmEpisode,
    to_json,
)
from edge_runtime.publication import Published

Statement = tuple[str, tuple[Any, ...]]
"""SQL and its values."""

_DETECTED: Final = """
    INSERT INTO beat (session, at, detected_number, detected_utc_ms, detected_decided,
        lead, rr_s, heart_rate_bpm) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_CLASSIFIED: Final = """
    INSERT INTO beat (session, at, classified_number, classified_utc_ms, classified_decided,
        label, scores, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET classified_number = excluded.classified_number,
        classified_utc_ms = excluded.classified_utc_ms,
        classified_decided = excluded.classified_decided, label = excluded.label,
        scores = excluded.scores, reason = excluded.reason"""
_EVENT: Final = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)"
_ALARM: Final = "INSERT OR REPLACE INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)"
_ALARM_CLEARED: Final = "UPDATE alarm SET cleared_at = ? WHERE session = ? AND alarm = ?"
_EPISODE: Final = "INSERT OR IGNORE INTO episode VALUES (?, ?, ?, NULL)"
_EPISODE_ENDED: Final = """
    UPDATE episode SET ended = ?1 WHERE session = ?2 AND rhythm = ?3 AND onset =
        (SELECT max(onset) FROM episode WHERE session = ?2 AND rhythm = ?3)"""


def event_statements(session: int, published: Published) -> Iterator[Statement]:
    """What keeps one event of the session with that number, in the tables that fit it."""
    number, utc_ms = published.number, _utc_ms(published.time)
    match event := published.event:
        case BeatDetected():
            key = (session, event.at, number, utc_ms, event.decided)
            yield _DETECTED, (*key, event.lead, event.rr_s, event.heart_rate_bpm)
        case BeatClassified():
            key = (session, event.at, number, utc_ms, event.decided)
            scores = msgspec.json.encode(event.scores).decode()
            yield _CLASSIFIED, (*key, event.label.value, scores, event.reason)
        case _:
            kind = type(event).__struct_config__.tag
            yield _EVENT, (session, number, event.at, utc_ms, kind, to_json(event).decode())
            yield from _overview(session, event, utc_ms)


def _overview(session: int, event: Event, utc_ms: int) -> Iterator[Statement]:
    match event:
        case AlarmRaised():
            what = (event.rule, event.kind.value, event.priority.value, event.text)
            yield _ALARM, (session, event.alarm, *what, event.at, utc_ms)
        case AlarmCleared():
            yield _ALARM_CLEARED, (event.at, session, event.alarm)
        case RhythmEpisode(phase=Phase.ONSET):
            yield _EPISODE, (session, event.rhythm.value, event.at)
        case RhythmEpisode():
            yield _EPISODE_ENDED, (event.at, session, event.rhythm.value)
        case _:
            pass


def _utc_ms(time: str) -> int:
    """Milliseconds since 1970 of `edge_runtime.publication.utc_text`."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)
