"""Events for tests of what leaves the machine."""

from edge_runtime.events import (
    AlarmCleared,
    AlarmKind,
    AlarmRaised,
    BeatDetected,
    Explanation,
    Priority,
)
from edge_runtime.publication import Published, Session
from tests.synthetic import opened

START_NS = 1_790_000_000_000_000_000


def session(source: str = "chest", at_ns: int = START_NS) -> Session:
    return Session(opened(source=source), at_ns, 0)


def raised(number: int = 1, priority: Priority = Priority.HIGH, at: int = 1000) -> AlarmRaised:
    return AlarmRaised(
        at=at,
        decided=at + 100,
        alarm=number,
        rule="asystole",
        kind=AlarmKind.PHYSIOLOGICAL,
        priority=priority,
        text="Asystole",
        latched=False,
        explanation=Explanation(rule="asystole", source="IEC", sentence="none", values={"s": 4.0}),
    )


def cleared(number: int = 1, at: int = 3000) -> AlarmCleared:
    return AlarmCleared(at=at, decided=at, alarm=number, rule="asystole", reason="a beat")


def beat(at: int, bpm: float = 75.0) -> BeatDetected:
    return BeatDetected(at=at, decided=at + 100, lead="II", rr_s=0.8, heart_rate_bpm=bpm)


def alarms(n: int, of: Session | None = None) -> list[Published]:
    """`n` alarms that were raised, one after the other."""
    of = of or session()
    return [of.publish(raised(k + 1, at=1000 * (k + 1))) for k in range(n)]
