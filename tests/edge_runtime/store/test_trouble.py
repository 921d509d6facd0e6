"""A disk that is full, damaged, taken or not ours: said in words, and nothing durable is lost."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.dropped import Drop
from edge_runtime.errors import StoreError
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.reading import events_of, read_only
from edge_runtime.store.store import Store
from firmware_bridge.records import INVALID_COUNT, read_counts
from tests.edge_runtime.store.making import PROVENANCE, RATE, Recording, alarm, beat, noise


@contextmanager
def files_end_at(n_bytes: int) -> Iterator[None]:
    """As on a full disk, no file grows beyond `n_bytes`: the kernel refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def n_stored(run: Recording) -> int:
    with closing(read_only(run.directory)) as connection:
        return len(list(events_of(connection, run.session.id)))


def feed_long(run: Recording) -> None:
    for _ in range(200):
        run.samples(noise(2, 10 * RATE))


def test_a_full_disk_delays_and_loses_nothing(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(1, 1000))
    run.events(*beat(100))
    run.store.sync()
    with files_end_at(4500):  # the data file takes a part, ending inside a frame
        for seed in range(5):
            run.samples(noise(seed, 333))
            run.events(*beat(200 + seed))
            with pytest.raises(StoreError, match=r"ulimit|df -h"):
                run.store.sync()
        with pytest.raises(StoreError, match=r"df -h"):
            run.events(alarm(250))
    run.samples(noise(9, 100))
    run.store.sync()
    assert n_stored(run) == 13
    run.store.close()
    whole = np.concatenate([run.counts[first] for first in sorted(run.counts)])
    assert np.array_equal(read_counts(run.record), whole)


def test_a_session_that_begins_on_a_full_disk_is_kept_when_there_is_space(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    with files_end_at(100), pytest.raises(StoreError):
        run.store.end(run.session.id, "unplugged")
    with files_end_at(100):
        second = Recording(tmp_path, store=run.store, begun=False)
        with pytest.raises(StoreError):
            second.store.begin(second.session)
    second.samples(noise(1, 50))
    second.events(*beat(10))
    second.store.close()
    assert np.array_equal(read_counts(second.record), second.counts[0])
    assert n_stored(second) == 2


def test_signal_is_given_up_after_ten_minutes_and_goes_on_with_the_disk(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(1, 100))
    run.store.sync()
    with files_end_at(100):
        with pytest.raises(StoreError, match="600 s"):
            feed_long(run)
        with pytest.raises(StoreError):
            run.store.sync()
    given_up = run.store.dropped()[Drop.STORE_SAMPLES]
    assert given_up > 600 * RATE
    first = run.end = run.end + 10 * RATE  # the chunk that was refused
    assert given_up == first - 100
    run.samples(noise(3, 100))
    run.store.sync()
    run.store.close()
    assert run.store.dropped()[Drop.STORE_SAMPLES] == given_up  # also once its signal is over
    kept = read_counts(run.record)
    assert np.array_equal(kept[:100], run.counts[0])
    assert (kept[100:first] == INVALID_COUNT).all()
    assert np.array_equal(kept[first:], run.counts[first])


def test_rows_are_dropped_and_that_is_said_when_the_disk_stays_full(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    with files_end_at(100), pytest.raises(StoreError, match="dropped"):
        run.events(*(one for at in range(20_000) for one in beat(at)))
    assert run.store.dropped()[Drop.STORE_ROWS] >= 1
    run.store.close()
    assert n_stored(run) == 20_000


def test_alarms_are_kept_when_the_disk_stays_full_for_hours(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    with files_end_at(100):
        with pytest.raises(StoreError, match="dropped"):
            run.events(*(one for at in range(20_000) for one in beat(at)))
        with pytest.raises(StoreError, match="dropped"):
            run.events(*beat(20_001), alarm(20_001))
    run.store.close()
    with closing(read_only(tmp_path)) as connection:
        assert connection.execute("SELECT alarm FROM alarm").fetchall() == [(1,)]
    assert n_stored(run) == 20_001


def test_a_store_that_cannot_end_its_session_leaves_it_to_the_next_start(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(1, 1000))
    run.store.sync()
    run.samples(noise(2, 1000))
    obstacle = run.record.with_name("ecg_000001.hea")
    obstacle.mkdir()
    with pytest.raises(StoreError, match=r"ecg_000001.hea"):
        run.store.close()
    again = Store(tmp_path, PROVENANCE, {})
    assert again.recovery.sessions == ()
    assert run.session.id in again.recovery.problems[0]
    again.close()
    obstacle.rmdir()
    again = Store(tmp_path, PROVENANCE, {})
    assert again.recovery.sessions == (run.session.id,)
    again.close()
    assert np.array_equal(read_counts(run.record), np.concatenate(list(run.counts.values())))


def test_a_second_daemon_is_refused_by_name_and_the_first_goes_on(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    with pytest.raises(StoreError, match=rf"process {os.getpid()}\) records there; stop it"):
        Store(tmp_path, PROVENANCE, {})
    run.events(alarm(1))
    run.store.close()
    Store(tmp_path, PROVENANCE, {}).close()


def test_a_disk_that_is_full_from_the_start_refuses_it_and_frees_the_directory(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        with files_end_at(100), pytest.raises(StoreError, match=r"events.sqlite3.*df -h"):
            Store(tmp_path, PROVENANCE, {})
    Store(tmp_path, PROVENANCE, {}).close()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file.*set store.directory"):
        Store(tmp_path / "file" / "store", PROVENANCE, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_rights(tmp_path: Path) -> None:
    Store(tmp_path, PROVENANCE, {}).close()
    tmp_path.chmod(0o500)
    (tmp_path / "lock").chmod(0o400)
    with pytest.raises(StoreError, match="rights"):
        Store(tmp_path, PROVENANCE, {})


def test_a_damaged_database_is_named_and_the_directory_is_free_again(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"events.sqlite3.*move it away"):
            Store(tmp_path, PROVENANCE, {})


def test_reading_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        read_only(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        read_only(tmp_path)


def test_another_writer_holds_it_up_only_for_a_while(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        run.store._database._connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(StoreError, match="another program is writing"):
            run.events(alarm(1))
        other.execute("ROLLBACK")
    run.store.close()
    assert n_stored(run) == 1


def test_a_long_reader_makes_the_log_grow_only_while_it_reads(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    log = tmp_path / f"{FILE_NAME}-wal"
    with closing(read_only(tmp_path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM beat").fetchone()
        at = 0
        while log.stat().st_size < 9 << 20:
            for _ in range(2000):
                at += 100
                run.events(*beat(at))
            run.store.sync()
        assert reader.execute("SELECT count(*) FROM beat").fetchone() == (0,)
    for _ in range(10):
        at += 100
        run.events(*beat(at))
        run.store.sync()
    assert log.stat().st_size <= 4 << 20
    run.store.close()
    assert not log.exists()
