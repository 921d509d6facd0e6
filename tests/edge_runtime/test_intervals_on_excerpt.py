"""The shipped delineation bundle in the engine, on the real signal of the golden vectors."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import pytest

from edge_runtime.engine import Engine, EngineSettings
from edge_runtime.events import BeatClassified, Event, IntervalsMeasured
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden import read_golden
from firmware_bridge.stream import StreamItem, StreamOpened

GAP_AT = 120 * 360
"""Sample of the excerpt at which its gap begins."""


@pytest.fixture(scope="module")
def bundles() -> BundleSet:
    found = load_bundle_set()
    assert found.delineation is not None
    return found


@pytest.fixture(scope="module")
def items(bundles: BundleSet) -> list[StreamItem]:
    """Three minutes of mitdb 223 with a gap, noise and ectopy."""
    excerpt = Excerpt.from_arrays(read_golden(bundles.beats))
    return list(excerpt.items())


def played(bundles: BundleSet, items: Sequence[StreamItem], restart: bool = False) -> list[Event]:
    opened = items[0]
    assert isinstance(opened, StreamOpened)
    settings = EngineSettings(mains_hz=60)
    engine = Engine.of_bundles(opened, bundles, settings)
    events: list[Event] = []
    for number, item in enumerate(items):
        events += engine.feed(item)
        if restart and number % 31 == 3:
            state = engine.snapshot()
            engine = Engine.of_bundles(opened, bundles, settings)
            engine.restore(state)
    return events + engine.finish()


@pytest.fixture(scope="module")
def events(bundles: BundleSet, items: list[StreamItem]) -> list[Event]:
    return played(bundles, items)


def spans(events: Sequence[Event]) -> list[IntervalsMeasured]:
    return [event for event in events if isinstance(event, IntervalsMeasured)]


def test_intervals_of_a_real_heart_are_those_of_one(events: list[Event]) -> None:
    """Sinus rhythm at 80/min with premature beats: nothing here is out of the ordinary."""
    # Two minutes without a gap; how much of the bigeminy behind it is told is the beat model's.
    told = [span for span in spans(events) if span.until <= GAP_AT and span.beats >= 10]
    assert len(told) == 12
    for name, low, high in (
        ("pr_s", 0.11, 0.22), ("qrs_s", 0.06, 0.13), ("qt_s", 0.30, 0.46), ("rr_s", 0.5, 1.1),
    ):  # fmt: skip
        values = [value for one in told if (value := getattr(one, name)) is not None]
        assert len(values) >= 10, name
        assert low < median(values) < high, name
    assert median([one.p_wave_share for one in told if one.p_wave_share is not None]) > 0.8


def test_nothing_else_that_is_said_changes(bundles: BundleSet, events: list[Event], items) -> None:
    silent = replace(bundles, graph_bundles={})
    rest = [event for event in events if not isinstance(event, IntervalsMeasured)]
    assert played(silent, items) == rest
    assert any(isinstance(event, BeatClassified) for event in rest)


def test_chunks_and_restarts_change_nothing(bundles: BundleSet, events: list[Event]) -> None:
    excerpt = Excerpt.from_arrays(read_golden(bundles.beats))
    assert played(bundles, list(excerpt.items(chunk=97)), restart=True) == events
