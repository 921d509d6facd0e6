"""Two sets over the same stored signal, with the engine that ships."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from edge_runtime.engine import EngineSettings
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.update.shadow import Agreement, compare, newest_signal
from tests.edge_runtime.update.stored import store_golden_signal

FINE = Agreement(3600.0, 4000, 0.999, 0.98, 0.0, 1.0, 2000.0)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    store_golden_signal(folder)
    return folder


def beside(new: BundleSet, directory: Path, longest_s: float = 3600.0) -> Agreement:
    ticks = count()  # each set costs one tick, whatever the machine does meanwhile
    found = compare(
        load_bundle_set(),
        new,
        directory,
        EngineSettings(),
        longest_s=longest_s,
        clock=lambda: float(next(ticks)),
    )
    assert found is not None
    return found


def test_a_set_agrees_with_itself(directory: Path) -> None:
    found = beside(load_bundle_set(), directory)
    assert found.signal_s > 120
    assert found.beats > 100
    assert (found.peaks_shared, found.classes_equal, found.unclassified_more) == (1.0, 1.0, 0.0)
    assert found.cost == 1.0
    assert found.problem == ""
    assert "100.00% found again" in found.words()


def test_a_set_that_names_beats_otherwise_does_not(directory: Path) -> None:
    shipped = load_bundle_set()
    swapped = replace(shipped.beats.manifest, classes=("V", "S", "N", "F", "X"))
    found = beside(replace(shipped, beats=replace(shipped.beats, manifest=swapped)), directory)
    assert found.peaks_shared > 0.98
    assert "of beats keep their class" in found.problem


def test_only_the_newest_signal_counts(directory: Path) -> None:
    (stretch,) = newest_signal(directory, 30.0)
    assert (stretch.last - stretch.first) / stretch.rate_hz == 30.0
    assert beside(load_bundle_set(), directory, 30.0).signal_s == 30.0


def test_without_a_store_there_is_nothing_to_compare(tmp_path: Path) -> None:
    shipped = load_bundle_set()
    assert compare(shipped, shipped, tmp_path, EngineSettings()) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"speed": 19.9}, "too slow here: 20 times real time"),
        ({"cost": 3.1}, "3.1 times the processor time"),
        ({"peaks_shared": 0.979}, "only 97.9% of the present set's beats"),
        ({"classes_equal": 0.849}, "only 84.9% of beats keep"),
        ({"unclassified_more": 0.051}, "5.1% more of the beats get no class"),
    ],
)
def test_what_speaks_against_a_set(changed: dict[str, float], words: str) -> None:
    assert words in replace(FINE, **changed).problem


def test_limits_themselves_are_allowed() -> None:
    edge = replace(
        FINE, speed=20.0, cost=3.0, peaks_shared=0.98, classes_equal=0.85, unclassified_more=0.05
    )
    assert edge.problem == ""


def test_few_beats_say_little() -> None:
    assert replace(FINE, beats=99, peaks_shared=0.1, classes_equal=0.1).problem == ""
