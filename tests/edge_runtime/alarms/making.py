"""Alarms as an engine raises and clears them."""

from edge_runtime.events import AlarmCleared, AlarmKind, AlarmRaised, Explanation, Priority

WHY = Explanation(rule="r", source="s", sentence="t", values={})


def raised(alarm: int, priority: Priority = Priority.HIGH, text: str = "Alarm") -> AlarmRaised:
    return AlarmRaised(
        at=0,
        decided=0,
        alarm=alarm,
        rule="r",
        kind=AlarmKind.PHYSIOLOGICAL,
        priority=priority,
        text=text,
        latched=priority is Priority.HIGH,
        explanation=WHY,
    )


def cleared(alarm: int) -> AlarmCleared:
    return AlarmCleared(at=1, decided=1, alarm=alarm, rule="r", reason="over")
