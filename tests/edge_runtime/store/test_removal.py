"""What is deleted is gone, whatever interrupts it; what is not stays as it was."""

import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.errors import StoreError
from edge_runtime.events import UserMarked
from edge_runtime.integrations.outbox import Outbox
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.reading import events_of, read_only, session_names
from edge_runtime.store.reviews import Review, Subject, Verdict
from edge_runtime.store.store import Store, idle_store
from firmware_bridge.records import INVALID_COUNT, read_counts, verify_record
from tests.edge_runtime.store.making import PROVENANCE, RATE, Recording, alarm, beat, noise

SECRET = "fell on the stairs"
HOUR = 3600 * RATE


def recorded(directory: Path, text: str) -> Recording:
    run = Recording(directory)
    run.samples(noise(1, 500))
    run.gap(300)
    run.samples(noise(2, 500))
    for at in range(0, 4500 * 80, 80):
        run.events(*beat(at))
    run.events(alarm(50), UserMarked(at=60, decided=60, text=text))
    run.store.sync()
    run.store.review(
        Review(
            session=run.session.id,
            subject=Subject.ALARM,
            target=1,
            verdict=Verdict.FALSE,
            comment=text,
        )
    )
    strips = directory / "strips" / run.session.id
    strips.mkdir(parents=True)
    (strips / "alarm_000001.dat").write_text(text)
    run.store.close()
    return run


def remove(directory: Path, session: str) -> None:
    with idle_store(directory) as store:
        store.mark_for_removal(session)
        finish(store)


def finish(store: Store) -> int:
    steps = 1
    while store.remove_some():
        steps += 1
    return steps


def everything(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.rglob("*")) if file.is_file())


def dumped(directory: Path) -> list[str]:
    with closing(read_only(directory)) as connection:
        return list(connection.iterdump())


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A store with two sessions: one that goes, one that stays."""
    directory = tmp_path_factory.mktemp("two") / "store"
    gone, kept = recorded(directory, SECRET), recorded(directory, "all well")
    return directory, gone.session.id, kept.session.id


@pytest.fixture
def copied(two: tuple[Path, str, str], tmp_path: Path) -> tuple[Path, str, str]:
    directory = tmp_path / "store"
    shutil.copytree(two[0], directory)
    return directory, two[1], two[2]


def test_nothing_of_a_deleted_session_is_left(copied: tuple[Path, str, str]) -> None:
    directory, gone, kept = copied
    assert SECRET.encode() in everything(directory)
    with closing(read_only(directory)) as connection:
        before = list(events_of(connection, kept))
    remove(directory, gone)
    left = everything(directory)
    assert SECRET.encode() not in left
    assert gone.encode() not in left
    with closing(read_only(directory)) as connection:
        assert session_names(connection) == [kept]
        assert list(events_of(connection, kept)) == before
        tables = ("beat", "event", "alarm", "gap", "segment", "review", "session", "subject")
        for table in tables:
            column = "id" if table in {"session", "subject"} else "session"
            (n,) = connection.execute(f"SELECT count(DISTINCT {column}) FROM {table}").fetchone()
            assert n == 1, table
    assert [folder.name for folder in (directory / "raw").iterdir()] == [kept]
    assert [folder.name for folder in (directory / "strips").iterdir()] == [kept]
    verify_record(directory / "raw" / kept / "ecg")


def test_what_waits_to_be_sent_of_it_goes_too(copied: tuple[Path, str, str]) -> None:
    directory, gone, kept = copied
    outbox = Outbox(directory / "outbox" / "webhook-x.sqlite3")
    spoken = {}
    for name in (gone, kept):
        with closing(read_only(directory)) as connection:
            spoken[name] = [
                msgspec.json.encode(one) for one in events_of(connection, name, limit=5)
            ]
        outbox.put(spoken[name])
    remove(directory, gone)
    assert [one.payload for one in outbox.oldest(100)] == spoken[kept]
    outbox.close()
    assert gone.encode() not in everything(directory)


def test_the_database_becomes_smaller(copied: tuple[Path, str, str]) -> None:
    directory, gone, kept = copied
    before = (directory / FILE_NAME).stat().st_size
    remove(directory, gone)
    assert (directory / FILE_NAME).stat().st_size < 0.7 * before
    remove(directory, kept)


def test_a_deletion_that_is_cut_off_anywhere_is_finished_by_the_next_start(
    copied: tuple[Path, str, str], tmp_path: Path
) -> None:
    directory, gone, kept = copied
    whole = tmp_path / "whole"
    shutil.copytree(directory, whole)
    with idle_store(whole) as store:
        store.mark_for_removal(gone)
        n_steps = finish(store)
    assert n_steps > 5
    for n_before_the_cut in range(n_steps):
        cut = tmp_path / f"cut{n_before_the_cut}"
        shutil.copytree(directory, cut)
        store = Store(cut, PROVENANCE, {})
        store.mark_for_removal(gone)
        for _ in range(n_before_the_cut):
            store.remove_some()
        after = tmp_path / f"after{n_before_the_cut}"
        shutil.copytree(cut, after)  # as a killed process leaves it
        store.close()
        with closing(read_only(after)) as connection:
            assert session_names(connection) == [kept]
        with idle_store(after) as again:
            finish(again)
        assert dumped(after) == dumped(whole)
        assert not (after / "raw" / gone).exists()


def test_a_session_that_runs_or_is_not_there_is_refused(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    with pytest.raises(StoreError, match="still running"):
        run.store.mark_for_removal(run.session.id)
    with pytest.raises(StoreError, match="no session 'x'"):
        run.store.mark_for_removal("x")
    run.store.close()


def test_a_running_store_takes_it_out_by_its_ticks(copied: tuple[Path, str, str]) -> None:
    directory, gone, _ = copied
    run = Recording(directory)
    run.store.mark_for_removal(gone)
    while gone.encode() in everything(directory):
        run.samples(noise(run.end, 50))
        run.store.tick()
    run.store.close()
    assert np.array_equal(read_counts(run.record), np.concatenate(list(run.counts.values())))


def test_pieces_of_a_running_record_are_taken_out(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    for seed in range(3):
        for part in range(60):
            run.samples(noise(100 * seed + part, HOUR // 60))
            run.store.sync()
    run.samples(noise(7, 100))
    run.store.sync()
    run.store._removal.mark_segments(run.session.id, "ecg", [0, 2 * HOUR])
    finish(run.store)
    names = sorted(file.name for file in run.record.parent.glob("*.dat"))
    assert names == ["ecg_000002.dat", "ecg_000004.dat"]
    verify_record(run.record)
    run.samples(noise(8, 100))
    run.store.close()
    verify_record(run.record)
    counts = read_counts(run.record)
    whole = np.concatenate([run.counts[first] for first in sorted(run.counts)])
    assert (counts[:HOUR] == INVALID_COUNT).all()
    assert np.array_equal(counts[HOUR : 2 * HOUR], whole[HOUR : 2 * HOUR])
    assert (counts[2 * HOUR : 3 * HOUR] == INVALID_COUNT).all()
    assert np.array_equal(counts[3 * HOUR :], whole[3 * HOUR :])


def test_the_last_piece_takes_the_record_with_it_and_leaves_the_events(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(1, 100))
    run.events(*beat(10))
    run.store.close()
    with idle_store(tmp_path) as store:
        store._removal.mark_segments(run.session.id, "ecg", [0])
        finish(store)
    assert list(run.record.parent.iterdir()) == []
    with closing(read_only(tmp_path)) as connection:
        assert len(list(events_of(connection, run.session.id))) == 2
