"""What a Holter summary is made of, read from the store in order and row by row."""

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo

from edge_runtime.errors import StoreError
from edge_runtime.events import (
    AnalysisLeadChanged,
    GapRecorded,
    QualityLevel,
    SignalQuality,
    from_json,
)
from edge_runtime.holter import Holter, HolterBeat, HolterSession, Span, holter
from edge_runtime.store.raw import signals_of
from edge_runtime.store.reading import session_row
from firmware_bridge.stream import SignalInfo, SignalKind

_LOST_LEVELS = frozenset({QualityLevel.UNUSABLE, QualityLevel.LEAD_OFF})


def stored_holter(connection: sqlite3.Connection, session: str, zone: tzinfo = UTC) -> Holter:
    """The summary of a stored session, as far as it has come. Raises StoreError for an unknown
    one, or one whose events count no samples."""
    row = session_row(connection, session)
    number, stream = connection.execute(
        "SELECT id, stream FROM session WHERE name = ?", (session,)
    ).fetchone()
    signal = _reference(stream, session)
    rate_hz = signal.rate_hz
    end = _end(connection, number, signal.id)
    of = HolterSession(
        session=session,
        source=row.source,
        rate_hz=rate_hz,
        started_utc_ms=row.started_utc_ns // 1_000_000,
        end=end,
        rhythms=row.judged,
    )
    lost = heapq.merge(
        _gaps(connection, number),
        _unreadable(connection, number, end),
        key=lambda span: span.first,
    )
    beats = _beats(connection, number, float(rate_hz))
    return holter(of, beats, _joined(lost), _fibrillation(connection, of, number), zone)


def _reference(stream: str, session: str) -> SignalInfo:
    signals = signals_of(stream)
    for kind in (SignalKind.ECG, SignalKind.RR):
        for signal in signals:
            if signal.kind is kind:
                return signal
    raise StoreError(f"session {session} holds neither an ECG nor RR intervals")


def _end(connection: sqlite3.Connection, number: int, signal: str) -> int:
    """The index after the last sample: of the last segment, the last gap, or the last decision,
    whichever is latest."""
    found = connection.execute(
        "SELECT max(t) FROM ("
        "SELECT max(first + n_samples) AS t FROM segment"
        " WHERE session = ?1 AND signal = ?2 AND n_samples NOT NULL"
        " UNION ALL SELECT max(first + n_missing) FROM gap WHERE session = ?1 AND signal = ?2"
        " UNION ALL SELECT max(detected_decided) FROM beat WHERE session = ?1"
        " UNION ALL SELECT max(at) FROM anchor WHERE session = ?1)",
        (number, signal),
    ).fetchone()[0]
    return int(found or 0)


def _beats(connection: sqlite3.Connection, number: int, rate_hz: float) -> Iterator[HolterBeat]:
    """A beat that was found late lies in an interval that was told before: that one is shorter."""
    rows = connection.execute(
        "SELECT at, detected_utc_ms, rr_s, heart_rate_bpm, label FROM beat"
        " WHERE session = ? AND detected_number NOT NULL ORDER BY at",
        (number,),
    )
    before = None
    for at, utc_ms, told_s, bpm, label in rows:
        rr_s = None if told_s is None or before is None else min(told_s, (at - before) / rate_hz)
        before = at
        yield HolterBeat(at, utc_ms, rr_s, bpm, label or "")


def _gaps(connection: sqlite3.Connection, number: int) -> Iterator[Span]:
    for utc_ms, payload in _events(connection, number, "gap_recorded"):
        event = from_json(payload)
        if isinstance(event, GapRecorded):
            yield Span(event.at, event.at + event.n_missing, utc_ms)


def _unreadable(connection: sqlite3.Connection, number: int, end: int) -> Iterator[Span]:
    """Where the analysis lead could not be read."""
    first = connection.execute(
        "SELECT lead FROM beat WHERE session = ? AND lead NOT NULL ORDER BY at LIMIT 1", (number,)
    ).fetchone()
    lead = "" if first is None else str(first[0])
    levels: dict[str, QualityLevel] = {}
    since: tuple[int, int] | None = None
    for utc_ms, payload in _events(connection, number, "signal_quality", "analysis_lead_changed"):
        event = from_json(payload)
        if isinstance(event, SignalQuality):
            levels[event.lead] = event.level
            lead = lead or event.lead
        elif isinstance(event, AnalysisLeadChanged):
            lead = event.lead
        lost = levels.get(lead) in _LOST_LEVELS
        if lost and since is None:
            since = event.at, utc_ms
        elif not lost and since is not None:
            yield Span(since[0], event.at, since[1])
            since = None
    if since is not None:
        yield Span(since[0], end, since[1])


def _events(connection: sqlite3.Connection, number: int, *kinds: str) -> Iterator[tuple[int, str]]:
    places = ", ".join("?" * len(kinds))
    rows = connection.execute(
        f"SELECT utc_ms, payload FROM event WHERE session = ? AND type IN ({places})"
        " ORDER BY at, number",
        (number, *kinds),
    )
    yield from rows


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans that overlap become one."""
    held: Span | None = None
    for span in spans:
        if span.end <= span.first:
            continue
        if held is None:
            held = span
        elif span.first <= held.end:
            held = Span(held.first, max(held.end, span.end), held.utc_ms)
        else:
            yield held
            held = span
    if held is not None:
        yield held


def _fibrillation(connection: sqlite3.Connection, of: HolterSession, number: int) -> Iterator[Span]:
    rows = connection.execute(
        "SELECT onset, ended,"
        " (SELECT min(utc_ms) FROM event WHERE session = ?1 AND type = 'rhythm_episode'"
        "  AND at = onset) FROM episode WHERE session = ?1 AND rhythm = 'AFIB' ORDER BY onset",
        (number,),
    )
    for onset, ended, utc_ms in rows:
        nominal = of.started_utc_ms + int(onset * 1000 / of.rate_hz)
        yield Span(onset, of.end if ended is None else ended, utc_ms or nominal)
