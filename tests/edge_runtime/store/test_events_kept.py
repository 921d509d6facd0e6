"""Events, gaps and anchors: what is stored comes back as it was published."""

import sqlite3
import typing
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import StoreError
from edge_runtime.events import Event
from edge_runtime.publication import Published, Session
from edge_runtime.store import schema
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.reading import events_of, read_only, session_names
from edge_runtime.store.store import Store
from firmware_bridge.stream import ClockAnchor, Gap, GapReason, SampleIndex
from tests.edge_runtime.store.making import (
    PROVENANCE,
    RATE,
    START_NS,
    Recording,
    alarm,
    beat,
    every_event,
    opened,
)


def stored(directory: Path, session: Session) -> list[Published]:
    with closing(read_only(directory)) as connection:
        return list(events_of(connection, session.id))


def query(directory: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(read_only(directory)) as connection:
        return connection.execute(sql).fetchall()


def test_the_list_of_events_used_here_is_complete() -> None:
    assert {type(event) for event in every_event()} == set(typing.get_args(Event))


def test_every_event_comes_back_as_it_was_published(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    published = [run.session.publish(event) for event in every_event()]
    run.store.record_events(published)
    run.store.close()
    assert stored(tmp_path, run.session) == published


def test_the_events_of_a_stretch_are_those_that_happened_in_it(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.events(*every_event())
    recording.store.close()
    with closing(read_only(tmp_path)) as connection:
        found = events_of(connection, recording.session.id, span=(300, 900))
        told = [one.event for one in found]
    assert told == [event for event in every_event() if 300 <= event.at < 900]


def test_an_event_keeps_the_time_it_was_published_with(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    published = run.session.publish(beat(1000)[0])
    for second in range(60):  # the clock's fit moves on, as it does between the two threads
        host_ns = 5_000_000_000 + second * 1_010_000_000
        run.session.see_anchor(ClockAnchor(SampleIndex(second * RATE), None, host_ns))
    run.store.record_events([published])
    run.store.close()
    assert stored(tmp_path, run.session) == [published]


def test_overviews_of_alarms_and_episodes(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.events(*every_event())
    run.store.close()
    (row,) = query(tmp_path, "SELECT rule, priority, raised_at, cleared_at FROM alarm")
    assert row == ("asystole", "high", 300, 800)
    assert query(tmp_path, "SELECT rhythm, onset, ended FROM episode") == [("ASYS", 300, 800)]


def test_a_session_tells_what_made_it(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.store.close()
    (row,) = query(
        tmp_path,
        "SELECT session.name, label, source, started_utc_ns, bundle_set, configuration, rules,"
        " end_reason FROM session JOIN subject ON subject.id = subject",
    )
    assert row == (
        run.session.id,
        "wearer 7",
        "chest",
        START_NS,
        PROVENANCE.bundle_set,
        PROVENANCE.configuration,
        PROVENANCE.rules,
        "stopped",
    )


def test_an_unknown_wearer_stays_unknown(tmp_path: Path) -> None:
    store = Store(tmp_path, PROVENANCE, {})
    store.begin(Session(opened(), START_NS, 0))
    store.close()
    assert query(tmp_path, "SELECT subject FROM session") == [(None,)]


def test_gaps_are_kept_one_by_one(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    gap = Gap("ecg", SampleIndex(10), 5, False, GapReason.RECONNECT)
    run.store.record(run.session.id, gap)
    run.store.close()
    rows = query(tmp_path, "SELECT signal, first, n_missing, exact, reason FROM gap")
    assert rows == [("ecg", 10, 5, 0, "reconnect")]


def test_an_anchor_in_ten_seconds_is_enough_but_one_after_each_gap(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    for second in range(40):
        if second == 25:
            run.gap(1)
        anchor = ClockAnchor(SampleIndex(second * RATE), second, second * 10**9)
        run.store.record(run.session.id, anchor)
    run.store.close()
    kept = query(tmp_path, "SELECT at FROM anchor ORDER BY at")
    assert [at // RATE for (at,) in kept if isinstance(at, int)] == [0, 10, 20, 25, 35]


def test_an_alarm_is_on_disk_at_once_and_beats_within_the_interval(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.events(*beat(100))
    assert stored(tmp_path, run.session) == []
    run.events(alarm(300))
    assert [one.number for one in stored(tmp_path, run.session)] == [1, 2, 3]
    run.events(*beat(200))
    run.clock.now_s = 1.0
    run.store.tick()
    assert len(stored(tmp_path, run.session)) == 3
    run.clock.now_s = 5.0
    run.store.tick()
    assert len(stored(tmp_path, run.session)) == 5
    run.store.close()


def test_a_row_that_cannot_be_written_is_told_and_holds_up_no_other(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    twice = run.session.publish(every_event()[-1])
    run.store.record_events([twice, twice])
    run.events(*beat(100))
    with pytest.raises(StoreError, match="1 rows were refused"):
        run.store.sync()
    run.store.close()
    assert len(stored(tmp_path, run.session)) == 3


def test_sessions_in_their_order_and_an_unknown_one(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        run = Recording(tmp_path)
        names.append(run.session.id)
        run.store.close()
    with closing(read_only(tmp_path)) as connection:
        assert session_names(connection) == names
        with pytest.raises(StoreError, match="no session 'x'"):
            list(events_of(connection, "x"))


def test_the_first_schema_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Recording(tmp_path)
    run.events(*every_event())
    run.store.close()
    before = stored(tmp_path, run.session)
    added = "ALTER TABLE session ADD COLUMN note TEXT"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, added))
    Recording(tmp_path).store.close()
    assert stored(tmp_path, run.session) == before
    assert query(tmp_path, "SELECT DISTINCT note FROM session") == [(None,)]
    assert query(tmp_path, "PRAGMA user_version") == [(len(schema.MIGRATIONS),)]


def test_a_migration_that_fails_leaves_the_old_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recording(tmp_path).store.close()
    broken = "ALTER TABLE session ADD COLUMN note TEXT; SELECT * FROM nothing"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(StoreError, match="nothing"):
        Store(tmp_path, PROVENANCE, {})
    monkeypatch.undo()
    Recording(tmp_path).store.close()


def test_a_newer_schema_is_refused_by_writer_and_reader(tmp_path: Path) -> None:
    Recording(tmp_path).store.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for open_it in (lambda: Store(tmp_path, PROVENANCE, {}), lambda: read_only(tmp_path)):
        with pytest.raises(StoreError, match=r"schema 99.*install a newer ecg-edge"):
            open_it()


def test_stored_payloads_are_the_published_form(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.events(alarm(300))
    run.store.close()
    ((payload,),) = query(tmp_path, "SELECT payload FROM event")
    assert isinstance(payload, str)
    assert msgspec.json.decode(payload)["type"] == "alarm_raised"
