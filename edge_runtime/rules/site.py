"""Rules that a site adds: expressions over what is known at each classified beat.

They stand beside all others: a site rule raises alarms of its own, of any priority, and has no
means to disable, delay or lower a built-in one. Where an expression comes from, how it is checked
and how long it may take is `edge_runtime.site_rules`; here it is a function. One that fails or
takes too long is out of force until the rules are loaded anew, with a technical alarm.
"""

# ruff: noqa: D102 - the handlers' contract is written once, at `Rule`.

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import msgspec

from edge_runtime.events import AlarmKind, BeatClass, Priority, QualityLevel
from edge_runtime.rules.facts import Label, Readability, SignalClock
from edge_runtime.rules.rule import Begin, Condition, End, Finding, Findings
from edge_runtime.rules.sequence import SequenceRule, SequenceState

Value = float | str | bool
VALUES: Final[dict[str, tuple[type, str]]] = {
    "heart_rate_bpm": (float, "60 / the mean of up to 8 last intervals"),
    "rr_s": (float, "the interval that this beat ends"),
    "mean_rr_s": (float, "the mean of up to 8 last intervals"),
    "beat": (str, "class of this beat: N, S, V, F or Q"),
    "v_in_a_row": (float, "ventricular beats up to this one without another between"),
    "s_in_a_row": (float, "supraventricular beats likewise"),
    "pvcs_per_minute": (float, "ventricular beats within the last 60 s"),
    "svebs_per_minute": (float, "supraventricular beats within the last 60 s"),
    "quality": (str, "of the analysis lead: good, usable, unusable or lead off"),
    "readable": (bool, "the analysis lead is good or usable"),
}
"""The context of an expression. A rule is not asked while a value it uses is not known."""


class SiteRuleFailedError(Exception):
    """The expression could not be evaluated, or took too long; the message says which."""


@dataclass(frozen=True, slots=True)
class SiteRule:
    """`holds` takes the values and says whether the condition holds; `for_s`: that long.

    `needs` are the names it uses. `holds` raises SiteRuleFailedError.
    """

    name: str
    text: str
    priority: Priority
    when: str
    needs: frozenset[str]
    holds: Callable[[Mapping[str, Value]], bool]
    for_s: float = 0.0
    refractory_s: float = 60.0

    @property
    def condition(self) -> Condition:
        """What it is an alarm of."""
        source = f"site rule: {self.when}"
        return Condition(f"site.{self.name}", self.priority, source, refractory_s=self.refractory_s)


@dataclass(frozen=True, slots=True)
class SiteSet:
    """The rules in force; `version` tells one set from the next."""

    version: int
    rules: tuple[SiteRule, ...]


class SiteSource(Protocol):
    """Where the rules in force come from; they may change between two beats."""

    def current(self) -> SiteSet:
        """The last good set. Called for each beat, so it only looks it up."""
        ...


class _State(SequenceState):
    version: int = -1
    since: dict[str, int] = msgspec.field(default_factory=dict)  # rule -> it holds since
    active: list[str] = msgspec.field(default_factory=list)
    failed: list[str] = msgspec.field(default_factory=list)
    v_at: list[int] = msgspec.field(default_factory=list)
    s_at: list[int] = msgspec.field(default_factory=list)
    v_run: int = 0
    s_run: int = 0
    quality: QualityLevel = QualityLevel.GOOD


class SiteRules(SequenceRule):
    """All rules of the site."""

    name: ClassVar[str] = "site"
    State = _State
    state: _State

    def __init__(self, source: SiteSource, clock: SignalClock) -> None:
        super().__init__(clock)
        self._source = source
        self._set = source.current()
        self._minute = clock.samples(60.0)

    def on_quality(self, quality: Readability) -> Findings:
        self.state.quality = quality.level
        return super().on_quality(quality)

    def _see(self, label: Label, rr: int | None) -> Findings:
        if rr is not None:
            self._remember(rr)
        self._count(label)
        found = self._change_set(label)
        values = self._values(label, rr)
        for rule in self._set.rules:
            if rule.name not in self.state.failed:
                found += self._ask(rule, values, label)
        return found

    def _count(self, label: Label) -> None:
        state = self.state
        is_v, is_s = (
            label.label is kind for kind in (BeatClass.VENTRICULAR, BeatClass.SUPRAVENTRICULAR)
        )
        state.v_run = state.v_run + 1 if is_v else 0
        state.s_run = state.s_run + 1 if is_s else 0
        for counted, seen in ((is_v, state.v_at), (is_s, state.s_at)):
            while seen and seen[0] <= label.at - self._minute:
                del seen[0]
            if counted:
                seen.append(label.at)

    def _values(self, label: Label, rr: int | None) -> dict[str, Value]:
        state, recent = self.state, self.state.recent
        values: dict[str, Value] = {
            "beat": label.label.value,
            "v_in_a_row": float(state.v_run),
            "s_in_a_row": float(state.s_run),
            "pvcs_per_minute": float(len(state.v_at)),
            "svebs_per_minute": float(len(state.s_at)),
            "quality": state.quality.value,
            "readable": state.quality in {QualityLevel.GOOD, QualityLevel.USABLE},
        }
        if rr is not None:
            mean_s = self._clock.seconds(sum(recent)) / len(recent)
            values["rr_s"] = self._clock.seconds(rr)
            values["mean_rr_s"], values["heart_rate_bpm"] = mean_s, 60.0 / mean_s
        return values

    def _ask(self, rule: SiteRule, values: Mapping[str, Value], label: Label) -> list[Finding]:
        state = self.state
        if not rule.needs <= values.keys():
            return []
        try:
            holds = rule.holds(values)
        except SiteRuleFailedError as error:
            return self._fail(rule, str(error), label)
        if not holds:
            state.since.pop(rule.name, None)
            return self._end(rule, label, "it no longer holds")
        since = state.since.setdefault(rule.name, label.at)
        if rule.name in state.active or label.at - since < self._clock.samples(rule.for_s):
            return []
        state.active.append(rule.name)
        numbers = {
            name: round(value, 3)
            for name in sorted(rule.needs)
            if isinstance(value := values[name], float)
        }
        sentence = f"Site rule: {rule.when}"
        return [Begin(rule.condition, since, label.decided, rule.text, sentence, numbers)]

    def _end(self, rule: SiteRule, label: Label, reason: str) -> list[Finding]:
        if rule.name not in self.state.active:
            return []
        self.state.active.remove(rule.name)
        return [End(rule.condition, label.at, label.decided, reason)]

    def _fail(self, rule: SiteRule, problem: str, label: Label) -> list[Finding]:
        self.state.failed.append(rule.name)
        text = f"Site rule {rule.name} is out of force: {problem}"
        return [
            *self._end(rule, label, "the rule is out of force"),
            Begin(_FAILED, label.at, label.decided, text, text, key=rule.name),
        ]

    def _change_set(self, label: Label) -> list[Finding]:
        """Take over a set that was loaded since the beat before; a changed rule begins anew."""
        current, state = self._source.current(), self.state
        if current.version == state.version:
            return []
        kept = {rule.name: rule for rule in current.rules}
        found: list[Finding] = []
        for rule in self._set.rules:
            if not _same(rule, kept.get(rule.name)):
                found += self._end(rule, label, "the site's rules were changed")
                state.since.pop(rule.name, None)
        found += [
            End(_FAILED, label.at, label.decided, "the site's rules were loaded anew", key=name)
            for name in state.failed
        ]
        state.failed, state.version, self._set = [], current.version, current
        # After a restart: what alarmed then and is no longer known.
        state.active = [name for name in state.active if name in kept]
        return found

    def _lose(self) -> None:
        self.state.v_run = self.state.s_run = 0


_FAILED: Final = Condition(
    "site_rule_failed",
    Priority.LOW,
    "site rules: an expression has 1 ms",
    kind=AlarmKind.TECHNICAL,
)


def _same(rule: SiteRule, other: SiteRule | None) -> bool:
    return other is not None and (
        (rule.when, rule.priority, rule.for_s, rule.text)
        == (other.when, other.priority, other.for_s, other.text)
    )
