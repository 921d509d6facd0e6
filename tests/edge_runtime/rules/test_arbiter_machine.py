"""The signal clock's machine in any order: begins, ends, time, and a restart anywhere."""

import json
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_runtime.events import AlarmCleared, AlarmRaised, Event, Priority
from edge_runtime.rules.arbiter import Arbiter
from edge_runtime.rules.facts import SignalClock
from edge_runtime.rules.precedence import PRECEDENCE, YIELDS_TO, rank
from edge_runtime.rules.rule import NEVER, Begin, Condition, End

CLOCK = SignalClock(Fraction(100), 10, 20)
QUIET_S = 5.0
NAMES = [*PRECEDENCE, *YIELDS_TO, "lead_off"]


def condition(name: str) -> Condition:
    place = rank(name) if name in PRECEDENCE else None
    quiet = QUIET_S if name in YIELDS_TO else 0.0
    return Condition(name, Priority.MEDIUM, "test", rank=place, refractory_s=quiet)


class AsHeartsDo(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.arbiter = Arbiter(CLOCK)
        self.now = 0
        self.holds: set[str] = set()
        self.alarms: dict[int, str] = {}
        self.quiet_until: dict[str, int] = {}
        self.last_number = 0

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, AlarmRaised):
                assert event.alarm > self.last_number
                assert self.now >= self.quiet_until.get(event.rule, 0)
                self.last_number = event.alarm
                self.alarms[event.alarm] = event.rule
            elif isinstance(event, AlarmCleared):
                assert self.alarms.pop(event.alarm) == event.rule

    @rule(name=st.sampled_from(NAMES))
    def turn(self, name: str) -> None:
        self.now += 1
        if name in self.holds:
            if name in self.alarms.values() and name in YIELDS_TO:
                self.quiet_until[name] = self.now + CLOCK.samples(QUIET_S)
            self.holds.discard(name)
            self.take(self.arbiter.apply([End(condition(name), self.now, self.now, "over")]))
        else:
            self.holds.add(name)
            begin = Begin(condition(name), self.now, self.now, name, name)
            self.take(self.arbiter.apply([begin]))

    @rule(samples=st.integers(1, 800))
    def wait(self, samples: int) -> None:
        until = self.now + samples
        while self.arbiter.deadline <= until:
            self.now = max(self.now, self.arbiter.deadline)
            self.take(self.arbiter.on_time(self.now))
        self.now = until

    @rule()
    def restart(self) -> None:
        saved = json.loads(json.dumps(self.arbiter.snapshot()))
        self.arbiter = Arbiter(CLOCK)
        self.arbiter.restore(saved)

    @invariant()
    def exactly_what_should_alarm_does(self) -> None:
        due = {name for name in self.holds if self.quiet_until.get(name, 0) <= self.now}
        winner = next((name for name in PRECEDENCE if name in self.holds), None)
        expected = {
            name
            for name in due
            if (name == winner or name not in PRECEDENCE)
            and not self.holds & set(YIELDS_TO.get(name, ()))
        }
        assert set(self.alarms.values()) == expected
        assert len(self.alarms) == len(expected)

    @invariant()
    def nothing_is_waited_for_without_a_reason(self) -> None:
        assert self.arbiter.deadline == NEVER or self.arbiter.deadline > self.now


AsHeartsDo.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_order_of_conditions_and_time = AsHeartsDo.TestCase
