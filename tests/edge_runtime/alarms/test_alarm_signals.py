"""The people's clock: each state alone, then all of them in any order as a state machine."""

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_runtime.alarms.signals import NOBODY, AlarmSettings, AlarmSignals, Change
from edge_runtime.events import Priority
from tests.edge_runtime.alarms.making import cleared, raised

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
S = "session"


def signals(*alarms: Priority) -> AlarmSignals:
    machine = AlarmSignals()
    for number, priority in enumerate(alarms, 1):
        machine.see("chest", S, raised(number, priority), 0.0)
    return machine


def test_the_most_urgent_burst_sounds() -> None:
    assert signals().sounding(0) is None
    assert signals(LOW, HIGH, MEDIUM).sounding(0) is HIGH
    assert signals(LOW, MEDIUM).sounding(0) is MEDIUM


def test_a_latched_alarm_is_shown_and_heard_until_reset() -> None:
    machine = signals(HIGH)
    machine.see("chest", S, cleared(1), 1.0)
    (shown,) = machine.shown
    assert (shown.holds, machine.sounding(1)) == (False, HIGH)
    assert machine.reset("nurse") == [Change("reset", "nurse", S, 1)]
    assert machine.shown == ()


def test_a_non_latching_alarm_goes_with_its_condition() -> None:
    machine = signals(MEDIUM)
    machine.see("chest", S, cleared(1), 1.0)
    assert machine.shown == ()


def test_acknowledging_silences_until_the_condition_ends() -> None:
    machine = signals(HIGH, MEDIUM)
    assert machine.acknowledge(S, 1, "nurse", 1.0) == [Change("acknowledged", "nurse", S, 1)]
    assert machine.sounding(1) is MEDIUM
    assert machine.acknowledge(S, 1, "nurse", 2.0) == []
    machine.see("chest", S, cleared(1), 3.0)
    assert [alarm.raised.alarm for alarm in machine.shown] == [2]


def test_what_still_holds_is_not_reset() -> None:
    machine = signals(HIGH)
    assert machine.reset("nurse") == []
    assert machine.acknowledge(S, 99, "nurse", 0.0) == []
    assert len(machine.shown) == 1


def test_a_pause_lasts_at_most_two_minutes_and_ends_by_itself() -> None:
    machine = signals(HIGH)
    with pytest.raises(ValueError, match="up to 120 s"):
        machine.pause_audio("nurse", 0.0, 121.0)
    assert machine.pause_audio("nurse", 0.0) == [Change("audio_paused", "nurse")]
    assert machine.sounding(119.9) is None
    assert machine.tick(119.9) == []
    assert machine.tick(120.0)[0] == Change("audio_resumed", NOBODY)
    assert machine.sounding(120.0) is HIGH


def test_only_a_new_high_priority_alarm_breaks_a_pause() -> None:
    machine = signals(HIGH)
    machine.pause_audio("nurse", 0.0)
    assert machine.see("chest", S, raised(2, MEDIUM), 5.0) == []
    assert machine.sounding(5.0) is None
    (change,) = machine.see("chest", S, raised(3, HIGH, "Asystole"), 6.0)
    assert (change.state, change.by) == ("audio_resumed", "new alarm: Asystole")
    assert machine.sounding(6.0) is HIGH


def test_alarm_off_is_told_all_the_time_and_reminds() -> None:
    machine = signals()
    assert machine.switch_off("nurse", 0.0) == [Change("alarm_off", "nurse")]
    assert machine.switch_off("nurse", 1.0) == []
    machine.see("chest", S, raised(1), 5.0)
    assert (machine.off, machine.sounding(5.0), len(machine.shown)) == (True, None, 1)
    assert machine.tick(179.0) == []
    assert machine.tick(180.0) == [Change("reminder", NOBODY)]
    assert machine.tick(181.0) == []
    assert machine.tick(360.0) == [Change("reminder", NOBODY)]
    assert machine.switch_on("nurse") == [Change("alarm_on", "nurse")]
    assert machine.sounding(361.0) is HIGH


def test_an_acknowledged_condition_that_holds_is_reminded_of() -> None:
    machine = signals(HIGH)
    machine.acknowledge(S, 1, "nurse", 10.0)
    assert machine.tick(189.0) == []
    assert machine.tick(190.0) == [Change("reminder", NOBODY, S, 1)]


def test_what_nobody_acknowledges_escalates_once() -> None:
    machine = signals(MEDIUM, LOW)
    assert machine.tick(59.9) == []
    assert machine.tick(60.0) == [Change("escalated", NOBODY, S, 1)]
    assert machine.sounding(60.0) is HIGH
    assert machine.tick(120.0) == []


def test_a_pause_puts_escalation_off() -> None:
    machine = signals(HIGH)
    machine.pause_audio("nurse", 10.0)
    assert machine.tick(129.0) == []
    assert [c.state for c in machine.tick(130.0)] == ["audio_resumed"]
    assert machine.tick(189.0) == []
    assert [c.state for c in machine.tick(190.0)] == ["escalated"]


def test_the_end_of_a_session_ends_its_conditions_only() -> None:
    machine = signals(HIGH, MEDIUM)
    machine.see("wrist", "other", raised(1, MEDIUM), 0.0)
    machine.end_session(S)
    assert [(a.session, a.holds) for a in machine.shown] == [("other", True), (S, False)]


def test_a_restart_keeps_latches_pause_and_off() -> None:
    machine = signals(HIGH, MEDIUM, HIGH)
    machine.acknowledge(S, 3, "nurse", 1.0)
    machine.pause_audio("nurse", 10.0, 60.0)
    machine.switch_off("nurse", 10.0)
    saved = json.loads(json.dumps(machine.snapshot(30.0)))
    other = AlarmSignals()
    other.restore(saved, 1000.0)
    assert [(a.raised.alarm, a.holds) for a in other.shown] == [(1, False)]
    assert other.paused_for_s(1000.0) == 40.0
    assert other.off


class AsPeopleDo(RuleBasedStateMachine):
    """Against a model that keeps nothing but who raised, cleared, saw and silenced what, when."""

    @initialize()
    def begin(self) -> None:
        self.config = AlarmSettings(reminder_s=30.0, escalate_s=15.0)
        self.machine = AlarmSignals(self.config)
        self.now = 0.0
        self.number = 0
        self.holds: dict[int, Priority] = {}
        self.latched: set[int] = set()  # high, over, neither acknowledged nor reset
        self.acknowledged: set[int] = set()
        self.quiet_until = 0.0
        self.is_off = False

    @rule(priority=st.sampled_from(Priority))
    def raise_one(self, priority: Priority) -> None:
        self.number += 1
        self.holds[self.number] = priority
        self.machine.see("chest", S, raised(self.number, priority), self.now)
        if priority is HIGH:
            self.quiet_until = self.now

    @rule(data=st.data())
    def clear_one(self, data: st.DataObject) -> None:
        if not self.holds:
            return
        number = data.draw(st.sampled_from(sorted(self.holds)))
        priority = self.holds.pop(number)
        self.machine.see("chest", S, cleared(number), self.now)
        if priority is HIGH and number not in self.acknowledged:
            self.latched.add(number)
        self.acknowledged.discard(number)

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.number + 1))
        known = (number in self.holds and number not in self.acknowledged) or number in self.latched
        changes = self.machine.acknowledge(S, number, "nurse", self.now)
        assert bool(changes) == known
        if number in self.holds:
            self.acknowledged.add(number)
        self.latched.discard(number)

    @rule()
    def reset(self) -> None:
        changes = self.machine.reset("nurse")
        assert {c.alarm for c in changes} == self.latched
        self.latched.clear()

    @rule(seconds=st.floats(1.0, 120.0))
    def pause(self, seconds: float) -> None:
        self.machine.pause_audio("nurse", self.now, seconds)
        self.quiet_until = self.now + seconds

    @rule()
    def resume(self) -> None:
        self.machine.resume_audio("nurse", self.now)
        self.quiet_until = self.now

    @rule(off=st.booleans())
    def switch(self, off: bool) -> None:
        self.machine.switch_off("nurse", self.now) if off else self.machine.switch_on("nurse")
        self.is_off = off

    @rule(seconds=st.floats(0.1, 200.0))
    def wait(self, seconds: float) -> None:
        before = {a.raised.alarm for a in self.machine.shown if a.escalated}
        self.now += seconds
        for change in self.machine.tick(self.now):
            if change.state == "escalated":
                assert change.alarm not in before
                assert change.alarm not in self.acknowledged
                assert not self.is_off
        assert self.machine.tick(self.now) == []

    @rule()
    def restart(self) -> None:
        saved = json.loads(json.dumps(self.machine.snapshot(self.now)))
        self.machine = AlarmSignals(self.config)
        self.machine.restore(saved, self.now)
        waiting = {n for n, p in self.holds.items() if p is HIGH and n not in self.acknowledged}
        self.latched |= waiting
        self.holds.clear()
        self.acknowledged.clear()

    @invariant()
    def everything_that_holds_or_is_latched_is_shown(self) -> None:
        shown = {a.raised.alarm: a.holds for a in self.machine.shown}
        assert shown == {**dict.fromkeys(self.latched, False), **dict.fromkeys(self.holds, True)}

    @invariant()
    def it_sounds_exactly_when_someone_should_hear_it(self) -> None:
        waiting = (set(self.holds) - self.acknowledged) | self.latched
        quiet = self.is_off or self.now < self.quiet_until
        sounding = self.machine.sounding(self.now)
        assert (sounding is not None) == (bool(waiting) and not quiet)
        urgent = any(self.holds.get(n, HIGH) is HIGH for n in waiting)
        if urgent and not quiet:
            assert sounding is HIGH

    @invariant()
    def off_is_shown_and_no_pause_outlasts_two_minutes(self) -> None:
        assert self.machine.off == self.is_off
        assert self.machine.paused_for_s(self.now) <= 120.0


AsPeopleDo.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_order_of_what_people_and_hearts_do = AsPeopleDo.TestCase
