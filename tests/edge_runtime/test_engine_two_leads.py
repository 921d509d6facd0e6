"""The engine with a bundle of two leads: when it is used, what it tells, and what a loss costs."""

from collections.abc import Iterable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.engine import Engine, EngineSettings
from edge_runtime.events import BeatClass, BeatClassified, BeatDetected, Event, to_json
from firmware_bridge.stream import LeadStatus, SampleChunk, SampleIndex, StreamItem
from tests.synthetic import chunks, ecg, gap, opened, steady

pytestmark = pytest.mark.tensorflow

RATE = 500
OPENED = opened(RATE, ("II", "V1"))


def signal(seconds: int = 40) -> np.ndarray:
    return ecg(steady(75, 0.6, seconds), seconds, RATE, lead_gains=(1.0, 0.7))


def run(bundles, items: Iterable[StreamItem], **changed: object) -> list[Event]:
    engine = Engine.of_bundles(changed.pop("opened", OPENED), bundles, EngineSettings(**changed))
    return [event for item in items for event in engine.feed(item)] + engine.finish()


def beats(events: list[Event]) -> list[BeatClassified]:
    return [event for event in events if isinstance(event, BeatClassified)]


def test_both_leads_are_used_where_both_are_there(paired_set):
    said = beats(run(paired_set, chunks(signal())))
    assert len(said) > 45
    assert {beat.leads for beat in said[2:-1]} == {("II", "V1")}
    assert b'"leads":["II","V1"]' in to_json(said[5])


def test_one_lead_is_used_where_the_source_or_a_person_says_so(paired_set):
    x = signal()
    chosen = beats(run(paired_set, chunks(x), leads=1))
    single = beats(run(paired_set, chunks(x[:, :1]), opened=opened(RATE, ("II",))))
    assert {beat.leads for beat in chosen} == {msgspec.UNSET}
    assert chosen == single
    assert b"leads" not in to_json(single[5])


def test_the_shipped_set_without_the_bundle_takes_one_lead(paired_set):
    from dataclasses import replace

    alone = replace(paired_set, paired_beats=None)
    x = signal()
    assert run(alone, chunks(x)) == run(paired_set, chunks(x), leads=1)


@pytest.mark.parametrize("how", ["no numbers", "flat"])
def test_a_lost_companion_leaves_a_class_for_every_beat(paired_set, how):
    x = signal()
    x[20 * RATE :, 1] = np.nan if how == "no numbers" else 0.1
    said = beats(run(paired_set, chunks(x)))
    assert {beat.leads for beat in said if 3 * RATE < beat.at < 19 * RATE} == {("II", "V1")}
    late = [beat for beat in said if 23 * RATE < beat.at < 39 * RATE]
    assert {beat.leads for beat in late} == {("II",)}
    assert all(beat.scores for beat in late)


def test_a_lost_analysis_lead_hands_over(paired_set):
    x, at = signal(), 20 * RATE + 190
    x[at:, 0] = 5.0
    off = LeadStatus("ecg", SampleIndex(at), (True, False))
    items = [*chunks(x[:at]), off, *chunks(x[at:], first=at)]
    events = run(paired_set, items)
    late = [beat for beat in beats(events) if 22 * RATE < beat.at < 39 * RATE]
    assert len(late) > 15
    assert {beat.leads for beat in late} == {("V1",)}
    assert BeatClass.UNKNOWN not in {beat.label for beat in late}
    found = [e.lead for e in events if isinstance(e, BeatDetected) and e.at > 22 * RATE]
    assert set(found) == {"V1"}


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_chunking_and_no_restart_changes_anything(paired_set, seed):
    rng = np.random.default_rng(seed)
    x = signal(30)
    for lead in range(2):
        a = int(rng.integers(0, len(x)))
        x[a : a + int(RATE * rng.uniform(0.01, 6)), lead] = rng.choice([np.nan, 0.2])
    cut, off_at = sorted(int(n) for n in rng.integers(RATE, len(x), 2))

    def items(sizes: list[int]) -> Iterable[StreamItem]:
        yield from chunks(x[:cut], sizes)
        yield gap(cut, 300)
        yield from chunks(x[cut:off_at], sizes, first=cut + 300)
        yield LeadStatus("ecg", SampleIndex(off_at + 300), (True, False))
        yield from chunks(x[off_at:], sizes, first=off_at + 300)

    expected = run(paired_set, items([5000]))
    engine, said = Engine.of_bundles(OPENED, paired_set), []
    for item in items(rng.integers(1, 700, 7).tolist()):
        said += engine.feed(item)
        if isinstance(item, SampleChunk) and rng.random() < 0.05:
            state = engine.snapshot()
            engine = Engine.of_bundles(OPENED, paired_set)
            engine.restore(state)
    assert [*said, *engine.finish()] == expected
