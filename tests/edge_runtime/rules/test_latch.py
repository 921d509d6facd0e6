"""What people do to alarms."""

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.events import (
    AlarmCleared,
    AlarmKind,
    AlarmRaised,
    AlarmStateChanged,
    Explanation,
    Priority,
)
from edge_runtime.rules.latch import Latch

WHY = Explanation(rule="r", source="s", sentence="t", values={})


def raised(alarm: int, *, latched: bool = True) -> AlarmRaised:
    return AlarmRaised(
        at=0,
        decided=0,
        alarm=alarm,
        rule="r",
        kind=AlarmKind.PHYSIOLOGICAL,
        priority=Priority.HIGH if latched else Priority.MEDIUM,
        text="Alarm",
        latched=latched,
        explanation=WHY,
    )


def cleared(alarm: int) -> AlarmCleared:
    return AlarmCleared(at=1, decided=1, alarm=alarm, rule="r", reason="over")


def test_a_latched_alarm_stays_until_reset() -> None:
    latch = Latch()
    latch.see(raised(1))
    latch.see(cleared(1))
    (shown,) = latch.shown
    assert (shown.holds, shown.audible) == (False, True)
    change = latch.reset(1, by="nurse", at=7)
    assert change == AlarmStateChanged(at=7, decided=7, alarm=1, state="reset", by="nurse")
    assert latch.shown == ()


def test_a_non_latching_alarm_goes_with_its_condition() -> None:
    latch = Latch()
    latch.see(raised(1, latched=False))
    latch.see(cleared(1))
    assert latch.shown == ()


def test_acknowledging_silences_until_the_condition_ends() -> None:
    latch = Latch()
    latch.see(raised(1))
    change = latch.acknowledge(1, by="nurse", at=3)
    assert change is not None
    assert change.state == "acknowledged"
    assert not latch.shown[0].audible
    assert latch.acknowledge(1, by="nurse", at=4) is None
    latch.see(cleared(1))
    assert latch.shown == ()


def test_what_still_holds_cannot_be_reset() -> None:
    latch = Latch()
    latch.see(raised(1))
    assert latch.reset(1, by="nurse", at=2) is None
    assert latch.reset(99, by="nurse", at=2) is None
    assert len(latch.shown) == 1


@given(st.lists(st.tuples(st.sampled_from("rcax"), st.integers(1, 4)), max_size=40))
def test_no_condition_that_holds_is_ever_hidden(steps: list[tuple[str, int]]) -> None:
    latch, holds = Latch(), set[int]()
    for step, alarm in steps:
        match step:
            case "r":
                latch.see(raised(alarm))
                holds.add(alarm)
            case "c":
                latch.see(cleared(alarm))
                holds.discard(alarm)
            case "a":
                latch.acknowledge(alarm, by="x", at=0)
            case _:
                latch.reset(alarm, by="x", at=0)
        assert holds <= {shown.raised.alarm for shown in latch.shown}
