"""Other limits while the rules run: nothing is forgotten, nothing goes blind."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.events import AlarmCleared, AlarmRaised, QualityLevel
from edge_runtime.rules.facts import LeadsOff, Readability, SignalClock
from edge_runtime.rules.rate import SlowRateSettings, TachycardiaSettings
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.rules.supraventricular import SupraventricularSettings
from edge_runtime.rules.technical import LeadOffSettings, UnreadableSettings
from edge_runtime.rules.ventricular import VentricularSettings
from tests.edge_runtime.rules.ward import LABEL, LATENCY, RATE, Ward

USUAL = RuleSettings()
FAST, SLOW = 200, 700  # samples between beats: 150/min, 43/min

stretch = st.tuples(st.text("NVS", min_size=1, max_size=12), st.sampled_from([180, 250, 400, 800]))


@settings(deadline=None, max_examples=40)
@given(st.lists(stretch, min_size=1, max_size=4), st.lists(stretch, max_size=4))
def test_the_same_limits_change_nothing(
    before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    changed, left = Ward(), Ward()
    for labels, rr in before:
        changed.see(labels, rr)
        left.see(labels, rr)
    changed.events += changed.book.change(USUAL)
    for labels, rr in after:
        changed.see(labels, rr)
        left.see(labels, rr)
    assert changed.wait(10).events == left.wait(10).events


@pytest.mark.parametrize("beats", [(17, 5), (5, 17)])
def test_a_rate_over_fewer_or_more_beats_is_still_seen(beats: tuple[int, int]) -> None:
    few, many = (
        replace(USUAL, extreme_tachycardia=TachycardiaSettings(beats=number)) for number in beats
    )
    ward = Ward(few).see("N" * 20, 400)
    ward.events += ward.book.change(many)
    assert "extreme_tachycardia" in ward.see("N" * 20, FAST).raised


def test_a_slow_rate_over_more_beats_waits_for_them() -> None:
    ward = Ward(replace(USUAL, bradycardia=SlowRateSettings(beats=5))).see("N" * 4, SLOW)
    ward.events += ward.book.change(replace(USUAL, bradycardia=SlowRateSettings(beats=9)))
    assert ward.see("NN", SLOW).raised == []
    assert ward.see("N" * 5, SLOW).raised == ["bradycardia"]


def test_runs_are_counted_on_with_fewer_beats() -> None:
    long_v = replace(USUAL, ventricular=VentricularSettings(beats=15))
    ward = Ward(long_v).see("NNNN" + "V" * 12, 250)
    ward.events += ward.book.change(USUAL)
    assert "ventricular_tachycardia" in ward.see("V", 250).raised
    active = replace(USUAL, profile="active")
    long_s = replace(active, supraventricular=SupraventricularSettings(svt_beats=20))
    ward = Ward(long_s).see("NNNN" + "S" * 12, 190)
    ward.events += ward.book.change(active)
    assert "svt" in ward.see("S", 190).raised


def test_an_asystole_waits_as_long_as_the_limit_of_now() -> None:
    ward = Ward().see("NNNN", 500).wait(3.5)
    patient = replace(USUAL, asystole=replace(USUAL.asystole, after_s=8.0))
    ward.events += ward.book.change(patient)
    assert "asystole" not in ward.wait(7.9).raised
    assert "asystole" in ward.wait(8.2).raised


def test_what_holds_of_a_rule_that_is_switched_off_ends_with_its_reason() -> None:
    ward = Ward().see("NNNN" + "V" * 8, 250)
    assert ward.active == ["ventricular_tachycardia"]
    off = replace(USUAL, ventricular=VentricularSettings(enabled=False))
    ward.events += ward.book.change(off)
    cleared = ward.events[-1]
    assert isinstance(cleared, AlarmCleared)
    assert cleared.reason == "the rule was switched off"
    assert "ventricular_tachycardia" not in ward.see("V" * 8, 250).active


def test_a_rule_that_is_switched_on_hears_what_has_been_so_before() -> None:
    quiet = replace(
        USUAL, lead_off=LeadOffSettings(enabled=False), unreadable=UnreadableSettings(enabled=False)
    )
    ward = Ward(quiet).see("NNNN", 400)
    now = ward.at + LABEL
    ward.events += ward.book.tell(LeadsOff(now, now, frozenset({"V5"}), blind=False))
    ward.events += ward.book.tell(Readability(now, now, QualityLevel.UNUSABLE, False, "noise"))
    # Also behind a restart.
    again = RuleBook(quiet, SignalClock(Fraction(RATE), LATENCY, LABEL))
    again.restore(ward.book.snapshot())
    ward.book = again
    assert ward.raised == []
    ward.events += ward.book.change(USUAL)
    (raised,) = (event for event in ward.events if isinstance(event, AlarmRaised))
    assert (raised.rule, raised.text) == ("lead_off", "Lead off: V5")
    assert "unreadable" in ward.wait(12).raised
