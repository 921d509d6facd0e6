"""`kill -9` at random moments, again and again on the same directory: while it records,
while old signal goes, in a migration. (Cuts inside a recovery: test_power_cut.py.)"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from edge_runtime.events import AlarmRaised
from edge_runtime.store.integrity import database_faults, faults
from edge_runtime.store.reading import events_of, read_only, session_names
from edge_runtime.store.store import Store
from firmware_bridge.records import INVALID_COUNT, read_counts
from tests.edge_runtime.store.feeder import counts_at
from tests.edge_runtime.store.making import ECG, PROVENANCE
from tests.edge_runtime.store.test_migrations import old_store
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb

DURABILITY_S = 0.5
SLACK_S = 2.0
"""For a machine that is busy with other tests: the disk, the queue and the scheduler."""


@dataclass
class Life:
    """What a feeder told until it was killed."""

    session: str = ""
    synced: int = 0
    last_event: int = 0
    put_in_time: int = 0


def live_and_die(directory: Path, lives_s: float, most_bytes: int = 0) -> Life:
    """Run a feeder until `lives_s` seconds after its first word."""
    command = [sys.executable, "-m", "tests.edge_runtime.store.feeder"]
    command += [str(directory), str(DURABILITY_S), str(most_bytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as feeder:
        assert feeder.stdout is not None
        lines = [feeder.stdout.readline()]
        began = time.monotonic()
        for line in feeder.stdout:  # it speaks all the time, so this needs no timeout
            lines.append(line)
            if time.monotonic() - began >= lives_s:
                break
        killed_s = time.monotonic()
        feeder.kill()
        lines += feeder.stdout.readlines()
    return told(lines, killed_s)


def told(
    lines: list[str],
    killed_s: float,
    durability_s: float = DURABILITY_S,
    slack_s: float = SLACK_S,
) -> Life:
    """What a feeder said until `killed_s` by its clock; `put_in_time`: what must be there then."""
    life = Life()
    for line in lines:
        match line.split():
            case ["session", name]:
                life.session = name
            case ["synced", index]:
                life.synced = int(index)
            case ["events", number]:
                life.last_event = int(number)
            case ["put", index, at_s] if float(at_s) <= killed_s - durability_s - slack_s:
                life.put_in_time = int(index)
            case ["trouble", *_]:
                raise AssertionError(line)
            case _:
                pass
    return life


def assert_events_kept(directory: Path, life: Life) -> None:
    """Every event that was confirmed, and the database whole."""
    with closing(read_only(directory)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = list(events_of(connection, life.session))
    assert [one.number for one in kept] == list(range(1, len(kept) + 1))
    assert len(kept) >= life.last_event
    assert all(isinstance(one.event, AlarmRaised) for one in kept[2::3])


def assert_kept(directory: Path, life: Life) -> int:
    """Everything that was confirmed is there and right; the number of samples beyond it."""
    assert_events_kept(directory, life)
    due = max(life.synced, life.put_in_time)
    record = directory / "raw" / life.session / "ecg"
    if not due and not record.with_suffix(".hea").exists():
        return 0
    counts = read_counts(record)
    expected = counts_at(0, max(due, len(counts)))
    # A record ends with its last sample; a long gap at the end is known from the gap table.
    assert (expected[len(counts) : due] == INVALID_COUNT).all()
    assert np.array_equal(counts, expected[: len(counts)])
    physical = ask_wfdb("rdrecord", str(record)).p_signal
    assert np.array_equal(np.isnan(physical), counts == INVALID_COUNT)
    back = np.round(np.nan_to_num(physical) * ECG.counts_per_unit + ECG.baseline)
    assert np.array_equal(back[~np.isnan(physical)], counts[~np.isnan(physical)])
    return len(counts) - due


def kill_often(directory: Path, times: int, longest_s: float, seed: int) -> None:
    chance = Random(seed)
    lives = []
    for number in range(times):
        # Some die as soon as they have recovered from the death before.
        lives_s = 0.0 if number % 4 == 3 else chance.uniform(0.0, longest_s)
        life = live_and_die(directory, lives_s)
        if not life.session:
            continue
        lives.append(life)
        # Looked at in a copy, so that the next feeder has to recover by itself.
        copy = directory.with_name("copy")
        shutil.copytree(directory, copy)
        Store(copy, PROVENANCE, {}).close()
        assert_kept(copy, life)
        shutil.rmtree(copy)
    store = Store(directory, PROVENANCE, {})
    assert store.recovery.problems == ()
    store.close()
    assert any(life.synced for life in lives)
    for life in lives:
        assert_kept(directory, life)


def test_killed_a_few_times(tmp_path: Path) -> None:
    kill_often(tmp_path / "store", times=5, longest_s=2.0, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_a_hundred_times(tmp_path: Path) -> None:
    kill_often(tmp_path / "store", times=100, longest_s=5.0, seed=int.from_bytes(os.urandom(4)))


def assert_newest_kept(directory: Path, life: Life) -> None:
    """Events are all there; of the signal the newest, whole, and nothing that is wrong."""
    assert_events_kept(directory, life)
    record = directory / "raw" / life.session / "ecg"
    if not record.with_suffix(".hea").exists():
        return
    counts = read_counts(record)
    expected = counts_at(0, len(counts))
    there = (counts != INVALID_COUNT).all(axis=1)
    oldest = int(np.argmax(there))
    assert there.any()
    assert np.array_equal(counts[oldest:], expected[oldest:]), "only the oldest may be gone"


def kill_often_while_signal_goes(directory: Path, times: int, longest_s: float, seed: int) -> None:
    chance, most_bytes = Random(seed), 20_000
    lives, gone = [], 0
    for number in range(times):
        lives_s = 0.0 if number % 4 == 3 else chance.uniform(0.2, longest_s)
        life = live_and_die(directory, lives_s, most_bytes)
        if not life.session:
            continue
        lives.append(life)
        copy = directory.with_name("copy")
        shutil.copytree(directory, copy)
        store = Store(copy, PROVENANCE, {})
        while store.remove_some():
            pass
        store.close()
        assert [fault.words for fault in faults(copy, deep=True)] == []
        assert_newest_kept(copy, life)
        first = copy / "raw" / life.session / "ecg_000001.dat"
        gone += first.parent.is_dir() and not first.exists()
        shutil.rmtree(copy)
    assert gone > 0, "no signal went: nothing was tried"
    store = Store(directory, PROVENANCE, {})
    assert store.recovery.problems == ()
    store.close()
    for life in lives:
        assert_events_kept(directory, life)


def test_killed_a_few_times_while_signal_goes(tmp_path: Path) -> None:
    kill_often_while_signal_goes(tmp_path / "store", times=3, longest_s=3.0, seed=2)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_a_hundred_times_while_signal_goes(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4))
    kill_often_while_signal_goes(tmp_path / "store", times=100, longest_s=3.0, seed=seed)


MIGRATING = """
import sys
from pathlib import Path
from edge_runtime.store.store import Store
from tests.edge_runtime.store.making import PROVENANCE
print("now", flush=True)
Store(Path(sys.argv[1]), PROVENANCE, {})
print("done", flush=True)
sys.stdin.read()
"""


def kill_in_migrations(folder: Path, times: int, seed: int) -> None:
    """An old store is opened and the opener is killed, within the first milliseconds."""
    chance = Random(seed)
    cut_off = 0
    for number in range(times):
        directory = folder / str(number)
        published = old_store(directory, 1)
        with subprocess.Popen(
            [sys.executable, "-c", MIGRATING, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as opener:
            assert opener.stdout is not None
            assert opener.stdout.readline() == b"now\n"
            time.sleep(chance.uniform(0.0, 0.02))
            opener.kill()
            cut_off += opener.stdout.read() != b"done\n"
        Store(directory, PROVENANCE, {}).close()
        assert [fault.words for fault in database_faults(directory)] == []
        with closing(read_only(directory)) as connection:
            (name,) = session_names(connection)
            assert list(events_of(connection, name)) == published
        shutil.rmtree(directory)
    assert cut_off > 0, "it was always too late"


def test_killed_a_few_times_in_a_migration(tmp_path: Path) -> None:
    kill_in_migrations(tmp_path, times=3, seed=4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_a_hundred_times_in_a_migration(tmp_path: Path) -> None:
    kill_in_migrations(tmp_path, times=100, seed=int.from_bytes(os.urandom(4)))
