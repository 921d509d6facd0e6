"""Beats of given classes, told to a rule book with a hand on its clock."""

from fractions import Fraction

from edge_runtime.events import AlarmCleared, AlarmRaised, BeatClass, Event
from edge_runtime.rules.facts import Beat, Hole, Label, SignalClock
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings

RATE, LATENCY, LABEL = 500, 180, 330
CLOCK = SignalClock(Fraction(RATE), LATENCY, LABEL)


class Ward:
    """Labels come `LABEL` after R. Small letters are refused beats, ? ones without a score."""

    def __init__(self, settings: RuleSettings | None = None) -> None:
        self.book = RuleBook(settings or RuleSettings(), CLOCK)
        self.book.begin(0)
        self.at = 0
        self.events: list[Event] = []

    def see(self, labels: str, rr: int) -> "Ward":
        """Beats `rr` apart."""
        for letter in labels:
            self.at += rr
            self.events += self.book.tell(Beat(self.at, self.at + LATENCY, rr))
            best = None if letter == "?" else BeatClass(letter.upper())
            label = BeatClass.UNKNOWN if best is None or letter.islower() else best
            self.events += self.book.tell(Label(self.at, self.at + LABEL, label, best))
        return self

    def hole(self, samples: int = 50) -> "Ward":
        """The next samples never come."""
        first = self.at + LABEL
        self.at = first + samples
        self.events += self.book.tell(Hole(first, self.at - 1, self.at))
        return self

    def wait(self, seconds: float) -> "Ward":
        """So much signal without a beat; the next beat counts from the last one."""
        self.events += self.book.advance(self.at + LABEL + round(seconds * RATE))
        return self

    @property
    def raised(self) -> list[str]:
        """Rules that alarmed, in order."""
        return [e.rule for e in self.events if isinstance(e, AlarmRaised)]

    @property
    def active(self) -> list[str]:
        """Alarms that hold now."""
        held: dict[int, str] = {}
        for event in self.events:
            if isinstance(event, AlarmRaised):
                held[event.alarm] = event.rule
            elif isinstance(event, AlarmCleared):
                del held[event.alarm]
        return list(held.values())

    def alarm(self, rule: str) -> AlarmRaised:
        """The only alarm of `rule`."""
        (alarm,) = (e for e in self.events if isinstance(e, AlarmRaised) and e.rule == rule)
        return alarm
