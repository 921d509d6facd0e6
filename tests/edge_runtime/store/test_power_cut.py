"""The power goes at any sync, also during the recovery: what was synced is there, and readable."""

import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge_runtime.publication import Published
from edge_runtime.store.reading import events_of, read_only
from edge_runtime.store.store import Store
from firmware_bridge.records import INVALID_COUNT, read_counts, read_header, verify_record
from tests.edge_runtime.store.making import PROVENANCE, Recording, alarm, beat, noise
from tests.edge_runtime.store.power_cut import Disk


@dataclass
class Safe:
    """What the store said was on disk."""

    end: int = 0
    n_events: int = 0


Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("samples"), st.integers(1, 250)),
        st.tuples(st.just("large"), st.integers(1, 40)),
        st.tuples(st.just("gap"), st.integers(1, 250)),
        st.tuples(st.sampled_from(("beat", "alarm", "sync")), st.just(0)),
    ),
    min_size=1,
    max_size=30,
)


def perform(run: Recording, steps: list[Step], safe: Safe, told: list[Published]) -> None:
    for seed, (kind, n) in enumerate(steps):
        match kind:
            case "samples":
                run.samples(noise(seed, n))
            case "large":
                run.samples(noise(seed, n, largest=1 << 20))
            case "gap":
                run.gap(n)
            case "sync":
                run.store.sync()
                safe.end, safe.n_events = run.end, len(told)
            case _:
                events = beat(100 * seed) if kind == "beat" else [alarm(100 * seed, seed)]
                published = [run.session.publish(event) for event in events]
                told += published
                run.store.record_events(published)
                if kind == "alarm":
                    safe.n_events = len(told)
    run.store.close()
    safe.end, safe.n_events = run.end, len(told)


def assert_sound(directory: Path, run: Recording, safe: Safe, told: list[Published]) -> None:
    with closing(read_only(directory)) as connection:
        kept = list(events_of(connection, run.session.id))
        (ended,) = connection.execute("SELECT ended_utc_ns FROM session").fetchone()
        open_segments = "SELECT count(*) FROM segment WHERE n_samples IS NULL"
        assert connection.execute(open_segments).fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert kept == told[: len(kept)]
    assert len(kept) >= safe.n_events
    assert ended >= run.session.started_utc_ns
    whole = np.full((run.end, 2), INVALID_COUNT, np.int32)
    for first, counts in run.counts.items():
        whole[first : first + len(counts)] = counts
    record = directory / "raw" / run.session.id / "ecg"
    n_due = max((at + len(c) for at, c in run.counts.items() if at + len(c) <= safe.end), default=0)
    if not record.with_suffix(".hea").exists():
        assert n_due == 0
        return
    found = read_counts(record)
    assert len(found) >= n_due
    assert np.array_equal(found[:n_due], whole[:n_due])
    missing = found == INVALID_COUNT  # after the last sync, segments may have shrunk
    assert np.array_equal(found[~missing], whole[: len(found)][~missing])
    for part in read_header(record).segments[1:]:
        if part.name != "~":
            verify_record(record.with_name(part.name))


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(STEPS, st.integers(0, 60), st.lists(st.integers(0, 12), max_size=3), st.integers(0, 999))
def test_power_cuts(steps: list[Step], cut_at: int, more_cuts: list[int], seed: int) -> None:
    chance = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "store"
        safe, told = Safe(), list[Published]()
        run = Recording(directory)
        disk = Disk(directory, cut_at)
        with disk.in_use():
            perform(run, steps, safe, told)
        for number, cut in enumerate(more_cuts):
            directory = next_copy(disk, directory, number, chance)
            disk = Disk(directory, cut)
            with disk.in_use():
                Store(directory, PROVENANCE, {}).close()
        directory = next_copy(disk, directory, len(more_cuts), chance)
        run.store.close()
        Store(directory, PROVENANCE, {}).close()
        assert_sound(directory, run, safe, told)
        with closing(read_only(directory)) as connection:
            before = list(connection.iterdump())
        again = Store(directory, PROVENANCE, {})
        assert again.recovery.sessions == again.recovery.problems == ()
        again.close()
        with closing(read_only(directory)) as connection:
            assert list(connection.iterdump()) == before


def next_copy(disk: Disk, directory: Path, number: int, chance: Random) -> Path:
    copy = directory.with_name(f"copy{number}")
    disk.after_the_cut(copy, chance)
    return copy
