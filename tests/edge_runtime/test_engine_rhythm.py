"""The shipped set's rhythm bundle through the engine: on made-up hearts and on a person's own."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from edge_runtime.engine import Engine, EngineSettings
from edge_runtime.events import (
    AlarmRaised,
    BeatClass,
    BeatClassified,
    Event,
    Rhythm,
    RhythmClassified,
)
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden_rhythm import read_rhythm_golden
from firmware_bridge.records import iter_record
from firmware_bridge.stream import StreamItem
from tests.synthetic import chunks, ecg, opened, steady


@pytest.fixture(scope="module")
def bundles():
    loaded = load_bundle_set()
    assert loaded.rhythm is not None
    return loaded


@pytest.fixture(scope="module")
def excerpt(bundles) -> Excerpt:
    """Two minutes of a person whose AF comes and goes, from the golden vectors."""
    return Excerpt.from_arrays(read_rhythm_golden(bundles.rhythm))


def play(bundles, items: Iterable[StreamItem], restart_every: int = 0) -> list[Event]:
    stream = iter(items)
    first = next(stream)
    settings = EngineSettings(mains_hz=50)
    engine = Engine.of_bundles(first, bundles, settings)
    events = engine.feed(first)
    for number, item in enumerate(stream, 1):
        if restart_every and number % restart_every == 0:
            state, engine = engine.snapshot(), Engine.of_bundles(first, bundles, settings)
            engine.restore(state)
        events += engine.feed(item)
    return events + engine.finish()


@pytest.fixture(scope="module")
def events(bundles, excerpt: Excerpt) -> list[Event]:
    return play(bundles, excerpt.items(chunk=2000))


def test_rhythms_are_told_half_a_minute_late_and_dated_back(
    events: list[Event], excerpt: Excerpt
) -> None:
    told = [event for event in events if isinstance(event, RhythmClassified)]
    assert told
    rate = float(excerpt.rate_hz)
    for one in told[1:]:
        assert 29.5 < (one.decided - one.at) / rate < 30.5
        assert sum(one.scores.values()) == pytest.approx(1.0, abs=0.01)
        assert max(one.scores, key=one.scores.__getitem__) == one.rhythm
    assert Rhythm.ATRIAL_FIBRILLATION in {one.rhythm for one in told}
    assert len({one.at for one in told}) == len(told)


@pytest.mark.parametrize(("chunk", "restart_every"), [(97, 0), (250, 9)])
def test_neither_chunks_nor_restarts_change_an_event(
    bundles, excerpt: Excerpt, events: list[Event], chunk: int, restart_every: int
) -> None:
    assert play(bundles, excerpt.items(chunk), restart_every) == events


def test_no_beat_is_supraventricular_while_the_heart_surely_fibrillates(
    events: list[Event],
) -> None:
    """The reason says so where the scores alone would have."""
    looked = [event for event in events if isinstance(event, BeatClassified)]
    spared = [beat for beat in looked if "fibrillation" in beat.reason]
    assert all(beat.label is not BeatClass.SUPRAVENTRICULAR for beat in spared)
    assert all(max(beat.scores, key=beat.scores.__getitem__) == "S" for beat in spared)


@pytest.mark.data
def test_a_minute_and_more_of_fibrillation_alarms(bundles, data_dir: Path) -> None:
    """Persistent AF, so from the first half minute on; and never in a heart without."""

    def alarms(record: str) -> list[AlarmRaised]:
        items = iter_record(data_dir / "cpsc2021" / record, channels=[0])
        found = [event for event in play(bundles, items) if isinstance(event, AlarmRaised)]
        return [alarm for alarm in found if alarm.rule == "atrial_fibrillation"]

    (alarm,) = alarms("data_84_3")
    assert alarm.at / 200 < 20
    assert alarm.explanation.values["seconds"] == pytest.approx(30.0, abs=1.0)
    assert not alarms("data_35_4")


def test_a_regular_heart_is_in_no_fibrillation(bundles) -> None:
    items = [opened(250), *chunks(ecg(steady(75.0, 0.5, 90.0), 90.0, 250), 5000)]
    told = [e for e in play(bundles, items) if isinstance(e, RhythmClassified)]
    assert Rhythm.ATRIAL_FIBRILLATION not in {event.rhythm for event in told}
