"""What goes by itself, in which order, and what never does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import ClockJumpError, StoreError
from edge_runtime.store.reading import events_of, read_only, session_names
from edge_runtime.store.retention import (
    ClockWatch,
    Ended,
    Kept,
    Piece,
    RetentionSettings,
    due,
)
from edge_runtime.store.store import Store
from firmware_bridge.records import INVALID_COUNT, read_counts, verify_record
from tests.edge_runtime.store.making import (
    PROVENANCE,
    RATE,
    START_NS,
    Hand,
    Recording,
    beat,
    noise,
)

ROOT = Path(__file__).parents[3]

DAY_NS = 86_400 * 10**9
NOW = 100 * DAY_NS
GB = 10**9
PLENTY = 10**15


def kept(
    days_old: Iterable[float], *, n_bytes: int = GB, free: int = PLENTY, others: int = 0
) -> Kept:
    """Pieces of 1 GB that ended so many days ago, each the whole of a session."""
    ages = sorted(days_old, reverse=True)
    ends = [NOW - int(age * DAY_NS) for age in ages]
    pieces = [Piece(f"s{n}", "ecg", 0, end, n_bytes) for n, end in enumerate(ends)]
    sessions = [Ended(f"s{n}", end) for n, end in enumerate(ends)]
    return Kept(pieces, sessions, n_bytes * len(pieces) + others, free)


def gone(plan_of: Kept, trusted: bool = True, **limits: float) -> tuple[list[str], list[str]]:
    settings = RetentionSettings(**{"least_free_gb": 0.0, **limits})
    plan = due(plan_of, settings, NOW, trusted=trusted)
    return [piece.session for piece in plan.pieces], list(plan.sessions)


def test_without_limits_nothing_goes() -> None:
    assert gone(kept([1, 1000])) == ([], [])


def test_signal_goes_by_age_just_above_the_limit_and_not_on_it() -> None:
    assert gone(kept([29, 30, 30.001, 40]), raw_days=30) == (["s0", "s1"], [])


def test_sessions_go_by_age_with_all_they_hold() -> None:
    assert gone(kept([10, 50, 90]), raw_days=30, event_days=80) == (["s1"], ["s0"])


def test_nothing_goes_by_age_while_the_clock_is_not_trusted() -> None:
    assert gone(kept([50, 90]), trusted=False, raw_days=1, event_days=1) == ([], [])
    assert gone(kept([50, 90]), trusted=False, raw_days=1, most_gb=1) == (["s0"], [])


def test_the_oldest_signal_goes_until_the_store_is_small_enough() -> None:
    assert gone(kept([1, 2, 3, 4]), most_gb=4) == ([], [])
    assert gone(kept([1, 2, 3, 4]), most_gb=2.5) == (["s0", "s1"], [])
    assert gone(kept([1, 2], others=3 * GB), most_gb=4) == (["s0"], [])


def test_what_goes_by_age_counts_as_room() -> None:
    assert gone(kept([1, 2, 30, 40]), most_gb=2, raw_days=20) == (["s0", "s1"], [])


def test_a_disk_that_is_nearly_full_takes_signal_first_then_sessions_one_by_one() -> None:
    short = kept([1, 2, 3], free=GB)
    assert gone(short, least_free_gb=2) == (["s0"], [])
    bare = Kept([], short.sessions, 0, GB)
    assert gone(bare, least_free_gb=2) == ([], ["s0"])
    plan = due(Kept([], [], 0, GB), RetentionSettings(least_free_gb=2), NOW, trusted=True)
    assert (plan.short, plan.enough) == (True, False)


limits = st.fixed_dictionaries(
    {
        "raw_days": st.sampled_from([0.0, 1.0, 20.0]),
        "event_days": st.sampled_from([0.0, 5.0, 50.0]),
        "most_gb": st.sampled_from([0.0, 0.5, 2.0]),
        "least_free_gb": st.sampled_from([0.0, 1.0, 3.0]),
    }
)


@given(st.lists(st.floats(0, 90), max_size=8), limits, st.integers(0, 5 * GB), st.booleans())
def test_always_the_oldest_signal_first_and_no_session_for_room_while_there_is_signal(
    ages: list[float], wanted: dict[str, float], free: int, trusted: bool
) -> None:
    held = kept(ages, free=free)
    plan = due(held, RetentionSettings(**wanted), NOW, trusted=trusted)
    left = [piece for piece in held.pieces if piece.session not in plan.sessions]
    assert list(plan.pieces) == left[: len(plan.pieces)]
    for one in held.sessions:
        if one.session in plan.sessions:
            by_age = trusted and wanted["event_days"] and one.ended_utc_ns < NOW
            assert by_age or not held.pieces
    if not any(wanted.values()):
        assert not plan.pieces
        assert not plan.sessions


@dataclass
class House:
    """A store whose clocks and free room the test sets."""

    directory: Path
    limits: RetentionSettings
    clock: Hand = field(default_factory=Hand)
    utc_ns: int = START_NS
    free: int = PLENTY

    def __post_init__(self) -> None:
        self.store = Store(
            self.directory,
            PROVENANCE,
            {},
            retention=self.limits,
            now_s=self.clock,
            utc_ns=lambda: self.utc_ns,
            free=lambda _directory: self.free,
        )
        self.store.tick()  # sees that nothing was left to remove

    def passes(self, seconds: float, clock_jumps_s: float = 0.0) -> list[StoreError]:
        """So much time goes by, a minute at a time; what was wrong meanwhile."""
        wrong = []
        self.utc_ns += int(clock_jumps_s * 1e9)
        for _ in range(max(1, int(seconds / 60))):
            self.clock.now_s += 60
            self.utc_ns += 60 * 10**9
            for _ in range(8):
                try:
                    self.store.tick()
                except StoreError as error:
                    wrong.append(error)
        return wrong

    def recording(self) -> Recording:
        run = Recording(self.directory, store=self.store, begun=False)
        run.store.begin(run.session)
        return run


def short_session(house: House, n_samples: int = 500) -> Recording:
    run = house.recording()
    run.samples(noise(1, n_samples))
    run.events(*beat(100))
    house.store.end(run.session.id, "unplugged")
    return run


def hours(run: Recording, n: int) -> None:
    for number in range(n * 60):
        run.samples(noise(number, 60 * RATE))
        run.store.sync()


def names(house: House) -> list[str]:
    with closing(read_only(house.directory)) as connection:
        return session_names(connection)


def data_files(run: Recording) -> list[str]:
    return sorted(file.name for file in run.record.parent.glob("*.dat"))


def test_old_signal_goes_while_its_session_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path, RetentionSettings(raw_days=1))
    run = house.recording()
    hours(run, 2)
    run.samples(noise(9, 100))
    run.store.sync()
    house.passes(23 * 3600)
    assert len(data_files(run)) == 3
    house.passes(2.5 * 3600)  # the first hour ended more than a day ago
    assert data_files(run) == ["ecg_000002.dat", "ecg_000003.dat"]
    run.samples(noise(9, 100))
    house.store.close()
    verify_record(run.record)


def test_other_limits_are_kept_to_within_a_minute(tmp_path: Path) -> None:
    house = House(tmp_path, RetentionSettings())
    run = house.recording()
    hours(run, 2)
    run.samples(noise(9, 100))
    run.store.sync()
    house.passes(30 * 3600)
    assert len(data_files(run)) == 3
    house.store.housekeeping.configure(RetentionSettings(raw_days=1))
    house.passes(60)
    assert data_files(run) == ["ecg_000003.dat"]
    house.store.close()


def test_old_sessions_go_with_their_events(tmp_path: Path) -> None:
    house = House(tmp_path, RetentionSettings(event_days=2))
    short_session(house)
    house.utc_ns = START_NS + 60 * 365 * DAY_NS  # `end` takes the real time
    house.passes(59 * 60)
    assert len(names(house)) == 1  # a start counts as a clock that nobody knows yet
    house.passes(3600)
    assert names(house) == []
    house.store.close()


def test_a_clock_that_jumps_is_told_and_takes_nothing_with_it(tmp_path: Path) -> None:
    house = House(tmp_path, RetentionSettings(raw_days=30))
    run = short_session(house)
    assert house.passes(2 * 3600) == []
    (told,) = house.passes(60, clock_jumps_s=3 * 365 * 86_400)
    assert isinstance(told, ClockJumpError)
    assert told.part == "clock"
    assert "jumped by +94608000 s" in str(told)
    assert house.passes(3000) == []
    assert len(data_files(run)) == 1
    (back,) = house.passes(60, clock_jumps_s=-3 * 365 * 86_400)
    assert "jumped by -94608000 s" in str(back)
    assert house.passes(3 * 3600) == []
    assert len(data_files(run)) == 1
    house.store.close()


def test_a_clock_that_is_slewed_is_not_one_that_jumps() -> None:
    watch = ClockWatch(0.0, 0)
    assert all(watch.look(60.0 * n, int(60.03 * n * 1e9)) == 0.0 for n in range(1, 100))
    assert watch.trusted(3600.0)
    assert not watch.trusted(3599.0)


def test_a_nearly_full_disk_takes_signal_then_events_and_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, RetentionSettings(least_free_gb=1))
    first, second = short_session(house), short_session(house, 600)
    running = house.recording()
    running.samples(noise(1, 500))
    running.events(*beat(100))
    house.free = GB - 2000  # one piece is 2000 bytes
    told = house.passes(60)
    words = "the disk is nearly full; the oldest signal goes, so that recording goes on"
    assert [words in str(one) for one in told] == [True]
    assert (data_files(first), len(data_files(second))) == ([], 1)
    house.passes(60)
    assert data_files(second) == []
    assert len(names(house)) == 3
    (told_last, *_) = house.passes(60)
    assert "the oldest sessions go" in str(told_last)
    house.passes(60)
    assert names(house) == [running.session.id]
    (told_none, *_) = house.passes(60)
    assert "nothing is left that could go" in str(told_none)
    house.free = PLENTY
    assert house.passes(60) == []
    house.store.close()
    with closing(read_only(tmp_path)) as connection:
        assert len(list(events_of(connection, running.session.id))) == 2
    verify_record(running.record)


def test_a_reserve_is_given_up_when_there_is_no_room_at_all(tmp_path: Path) -> None:
    house = House(tmp_path, RetentionSettings(least_free_gb=1))
    house.passes(60)
    assert (tmp_path / "reserve").stat().st_size == 2 << 20
    house.free = 4096
    house.passes(60)
    assert not (tmp_path / "reserve").exists()
    house.free = PLENTY
    house.passes(60)
    assert (tmp_path / "reserve").exists()
    house.store.close()


SMALL_DISK = (
    "mount -t tmpfs -o size=24m tmpfs {0} && exec {1} -m tests.edge_runtime.store.full_disk {0} {2}"
)


def test_a_real_disk_that_others_fill_to_the_last_byte(tmp_path: Path) -> None:
    """24 h of signal on a disk that holds 15, full for two hours in the middle."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    script = SMALL_DISK.format(disk, sys.executable, copy)
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no disk of one's own here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["free"] == 0
    assert answer["told"]["the disk is nearly full"] > 0
    with closing(read_only(copy)) as connection:
        assert len(list(events_of(connection, answer["session"]))) == 2 * 24 * 60 * 2
    record = copy / "raw" / answer["session"] / "ecg"
    verify_record(record)
    counts = read_counts(record)
    assert len(counts) == answer["n_samples"] == 24 * 3600 * RATE
    there = counts[:, 0] != INVALID_COUNT
    first = int(np.argmax(there))
    assert there[first:].all(), "what is newer than the oldest that is kept is whole"
    assert 5 < (len(counts) - first) / RATE / 3600 < 20
    last = 24 * 60 - 1
    assert np.array_equal(counts[-60 * RATE :], noise(last, 60 * RATE))


@pytest.mark.parametrize("key", ["raw_days", "least_free_gb"])
def test_limits_have_bounds(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        RetentionSettings(**{key: -1.0})
