"""Other limits for an engine that runs: the promise of chunks holds, and the change is an event."""

from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.events import AlarmCleared, AlarmRaised, Event, Notice
from edge_runtime.rules.rate import FastRateSettings
from edge_runtime.rules.settings import RuleSettings
from firmware_bridge.stream import SampleChunk, SampleIndex
from tests.edge_runtime.real_path import real_engine
from tests.synthetic import ecg, opened, steady

RATE = 500
BEATS = steady(100, 0.6, 29)
SIGNAL = ecg(BEATS, 30)
CHANGED_AT = 12 * RATE
STRICTER = replace(RuleSettings(), tachycardia=FastRateSettings(above_bpm=85.0))
WORDS = ("rules.tachycardia.above_bpm none -> 85 (at once)",)


def run(*cuts: int) -> list[Event]:
    """The limit falls below the rate after 12 s; chunks end there and at `cuts`."""
    engine = real_engine(opened(RATE), BEATS)
    events = [*engine.feed(opened(RATE))]
    ends = sorted({*cuts, CHANGED_AT, len(SIGNAL)})
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        events += engine.feed(SampleChunk("ecg", SampleIndex(first), SIGNAL[first:end]))
        if end == CHANGED_AT:
            events += engine.change_rules(STRICTER, WORDS)
    return events + engine.finish()


@cache
def whole() -> list[Event]:
    return run()


def test_the_new_limit_alarms_and_the_change_is_told() -> None:
    (notice,) = (e for e in whole() if isinstance(e, Notice) and e.code == "rules_changed")
    assert (notice.at, notice.message) == (CHANGED_AT, WORDS[0])
    (alarm,) = (e for e in whole() if isinstance(e, AlarmRaised))
    assert alarm.rule == "tachycardia"
    # It goes by beats that came before, and alarms with the first one after.
    assert CHANGED_AT <= alarm.decided <= CHANGED_AT + RATE
    assert not any(isinstance(e, AlarmCleared) for e in whole())
    decided = [event.decided for event in whole()]
    assert decided == sorted(decided)


@given(st.lists(st.integers(1, len(SIGNAL) - 1), max_size=20))
@settings(max_examples=20, deadline=None)
def test_any_chunks_say_the_same(cuts: list[int]) -> None:
    assert run(*cuts) == whole()
