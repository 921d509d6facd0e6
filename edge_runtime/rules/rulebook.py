"""All rules of one source, run in decided order.

`tell` hands a fact to every rule that listens to its kind; before it, every deadline that lies
before the fact's `decided` is served, in order of time. The end of a ranked condition is told to
the rules as well, before the arbiter decides what alarms next. So what comes out depends on the
facts and on how far the samples have come, never on how they were cut into chunks.
"""

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edge_runtime.events import Event
from edge_runtime.rules.arbiter import Arbiter
from edge_runtime.rules.facts import (
    Battery,
    Beat,
    Episode,
    Fact,
    Hole,
    Label,
    LeadsOff,
    Pace,
    Readability,
    Return,
    RhythmSeen,
    SignalClock,
    Silence,
    Waveform,
)
from edge_runtime.rules.rule import NEVER, End, Finding, Findings, Rule
from edge_runtime.rules.second_opinion import weighed
from edge_runtime.rules.settings import RuleSettings, make_rules
from edge_runtime.rules.site import SiteRules, SiteSource
from edge_runtime.rules.trace import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable

_HANDLERS: Final = {
    Beat: "on_beat",
    Label: "on_label",
    Waveform: "on_waveform",
    RhythmSeen: "on_rhythm",
    Pace: "on_pace",
    Battery: "on_battery",
    Hole: "on_hole",
    LeadsOff: "on_leads",
    Readability: "on_quality",
    Silence: "on_silence",
    Return: "on_return",
    Episode: "on_episode",
}


_ABSENCE: Final = (Silence, Hole)
_DEADLINE: Final = attrgetter("deadline")
_STANDING: Final[tuple[type[LeadsOff | Readability | Battery], ...]] = (
    LeadsOff,
    Readability,
    Battery,
)
"""Facts that hold until the next of their kind: told again to a rule that is switched on later."""


class RuleBook:
    """The rules, the arbiter between them, and the sample clock they run on."""

    def __init__(
        self, settings: RuleSettings, clock: SignalClock, site: SiteSource | None = None
    ) -> None:
        self.clock = clock
        self._site = site
        self._arbiter = Arbiter(clock)
        self._tracer = Tracer(clock)
        self._now = 0
        self._deadline = NEVER
        self._standing: dict[type, Fact] = {}
        self._make_rules(settings)

    def _make_rules(self, settings: RuleSettings) -> None:
        self._rules = make_rules(settings, self.clock)
        self._second_opinion = settings.second_opinion
        if self._site is not None:
            self._rules += (SiteRules(self._site, self.clock),)
        self._listeners: dict[type, tuple[Callable[[Any], Findings], ...]] = {
            kind: tuple(
                getattr(rule, name)
                for rule in self._rules
                if getattr(type(rule), name) is not getattr(Rule, name)
            )
            for kind, name in _HANDLERS.items()
        }

    def begin(self, at: int) -> None:
        """The stream's first sample has index `at`."""
        self._now = at
        for rule in self._rules:
            rule.begin(at)
        self._find_deadline()

    def tell(self, fact: Fact) -> list[Event]:
        """The events that follow from `fact`, deadlines before it included."""
        # Neither silence nor a gap is signal: deadlines in them wait for what the rules say.
        events = [] if isinstance(fact, _ABSENCE) else self.advance(fact.decided)
        if fact.decided > self._now and not isinstance(fact, Silence):
            self._now = fact.decided
        self._tracer.see(fact)
        if isinstance(fact, Label):
            fact = weighed(fact, self._second_opinion)
        kind = type(fact)
        if kind in _STANDING:
            self._standing[kind] = fact
        for handler in self._listeners[kind]:
            findings = handler(fact)
            if findings:
                events += self._apply(findings)
        self._find_deadline()
        return events

    def advance(self, before: int) -> list[Event]:
        """Serve every deadline before index `before`: so many samples have been taken in."""
        events: list[Event] = []
        while self._deadline < before:
            due = self._deadline
            self._now = max(self._now, due)
            for rule in self._rules:
                if rule.deadline == due:
                    events += self._apply(rule.on_time(self._now))
            if self._arbiter.deadline == due:
                events += self._tracer.traced(self._arbiter.on_time(self._now))
            self._find_deadline()
        return events

    def change(self, settings: RuleSettings) -> list[Event]:
        """Other limits from now on. What a rule remembers stays; what was found by one that is
        switched off ends; one that is switched on begins, and hears what has been so before."""
        before = {rule.name: rule for rule in self._rules}
        self._make_rules(settings)
        events: list[Event] = []
        for rule in self._rules:
            old = before.pop(rule.name, None)
            if old is not None:
                rule.restore(old.snapshot())
                rule.retuned()
            else:
                events += self._switch_on(rule)
        gone = {name for rule in before.values() for name in rule.conditions}
        events += self._apply(self._arbiter.ends(gone, self._now, "the rule was switched off"))
        self._find_deadline()
        return events

    def _switch_on(self, rule: Rule) -> list[Event]:
        rule.begin(self._now)
        events: list[Event] = []
        for kind, fact in self._standing.items():
            again = replace(fact, at=self._now, decided=self._now)
            events += self._apply(getattr(rule, _HANDLERS[kind])(again))
        return events

    def snapshot(self) -> dict[str, Any]:
        """The memory of all rules and alarms, as plain data."""
        return {
            "now": self._now,
            "rules": {rule.name: rule.snapshot() for rule in self._rules},
            "arbiter": self._arbiter.snapshot(),
            "tracer": self._tracer.snapshot(),
            "standing": {
                kind.__name__: msgspec.to_builtins(fact) for kind, fact in self._standing.items()
            },
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`; a rule that was not switched on then starts cold."""
        self._now = int(snapshot["now"])
        for rule in self._rules:
            if rule.name in snapshot["rules"]:
                rule.restore(snapshot["rules"][rule.name])
        self._arbiter.restore(snapshot["arbiter"])
        self._tracer.restore(snapshot["tracer"])
        standing = snapshot["standing"]
        for kind in _STANDING:
            if kind.__name__ in standing:
                self._standing[kind] = msgspec.convert(standing[kind.__name__], type=kind)
        self._find_deadline()

    def _apply(self, findings: Findings) -> list[Event]:
        """The events that follow from `findings` and from what other rules make of their ends."""
        followed: list[Finding] = list(findings)
        for finding in findings:
            episode = self._arbiter.episode(finding) if isinstance(finding, End) else None
            if episode is not None:
                for handler in self._listeners[Episode]:
                    followed += handler(episode)
        return self._tracer.traced(self._arbiter.apply(followed))

    def _find_deadline(self) -> None:
        self._deadline = min(map(_DEADLINE, (self._arbiter, *self._rules)))
