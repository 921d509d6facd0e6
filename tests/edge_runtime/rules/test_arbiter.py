"""Precedence, refractory time and numbering, whatever the rules are."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.events import AlarmCleared, AlarmRaised, Event, Priority, Rhythm, RhythmEpisode
from edge_runtime.rules.arbiter import Arbiter
from edge_runtime.rules.facts import SignalClock
from edge_runtime.rules.precedence import PRECEDENCE, rank
from edge_runtime.rules.rule import NEVER, Begin, Condition, End

CLOCK = SignalClock(Fraction(100), 10, 20)


def condition(name: str, refractory_s: float = 0.0) -> Condition:
    place = rank(name) if name in PRECEDENCE else None
    return Condition(
        name,
        Priority.MEDIUM,
        "test",
        rhythm=Rhythm.OTHER,
        rank=place,
        refractory_s=refractory_s,
    )


def begin(name: str, at: int, refractory_s: float = 0.0, key: str = "") -> Begin:
    return Begin(condition(name, refractory_s), at, at, name, name, key=key)


def end(name: str, at: int, refractory_s: float = 0.0, key: str = "") -> End:
    return End(condition(name, refractory_s), at, at, "over", key=key)


def said(events: list[Event]) -> list[tuple[str, str]]:
    return [(type(e).__name__, e.rule) for e in events if isinstance(e, AlarmRaised | AlarmCleared)]


def test_asystole_over_vf_over_vt_over_short_runs() -> None:
    order = [
        "asystole",
        "ventricular_fibrillation",
        "ventricular_tachycardia",
        "nonsustained_vt",
        "ventricular_run",
    ]
    assert sorted(order, key=rank) == order


def test_the_loser_is_recorded_and_alarms_when_the_winner_ends() -> None:
    arbiter = Arbiter(CLOCK)
    arbiter.apply([begin("ventricular_fibrillation", 10)])
    second = arbiter.apply([begin("ventricular_tachycardia", 20)])
    assert said(second) == []
    assert sum(isinstance(e, RhythmEpisode) for e in second) == 1
    assert said(arbiter.apply([end("ventricular_fibrillation", 30)])) == [
        ("AlarmCleared", "ventricular_fibrillation"),
        ("AlarmRaised", "ventricular_tachycardia"),
    ]


def test_conditions_outside_the_order_stand_beside() -> None:
    arbiter = Arbiter(CLOCK)
    arbiter.apply([begin("asystole", 10)])
    assert said(arbiter.apply([begin("lead_off", 20, key="I")])) == [("AlarmRaised", "lead_off")]
    assert said(arbiter.apply([begin("lead_off", 30, key="II")])) == [("AlarmRaised", "lead_off")]


def test_what_outlasts_its_refractory_time_alarms_after_it() -> None:
    arbiter = Arbiter(CLOCK)
    arbiter.apply([begin("lead_off", 100, 10.0)])
    arbiter.apply([end("lead_off", 200, 10.0)])
    assert said(arbiter.apply([begin("lead_off", 300, 10.0)])) == []
    assert arbiter.deadline == 200 + 1000
    (alarm,) = (e for e in arbiter.on_time(1200) if isinstance(e, AlarmRaised))
    assert (alarm.at, alarm.decided) == (300, 1200)
    assert arbiter.deadline == NEVER


names = st.sampled_from([*PRECEDENCE, "lead_off", "signal_lost"])


@given(st.lists(st.tuples(names, st.booleans()), max_size=60))
def test_at_most_one_ranked_alarm_and_it_is_the_first_that_holds(
    steps: list[tuple[str, bool]],
) -> None:
    arbiter = Arbiter(CLOCK)
    holds: set[str] = set()
    alarms: dict[int, str] = {}
    last_number = 0
    for at, (name, starts) in enumerate(steps):
        if starts == (name in holds):
            continue
        holds ^= {name}
        for event in arbiter.apply([begin(name, at) if starts else end(name, at)]):
            if isinstance(event, AlarmRaised):
                assert event.alarm > last_number
                last_number = event.alarm
                alarms[event.alarm] = event.rule
            elif isinstance(event, AlarmCleared):
                assert alarms.pop(event.alarm) == event.rule
        ranked = [name for name in PRECEDENCE if name in holds]
        expected = {*ranked[:1], *(holds - set(PRECEDENCE))}
        assert set(alarms.values()) == expected
        assert len(alarms) == len(expected)
