"""Settings: bounds, profiles, what cannot be switched off; rules survive a restart as data."""

import json
from dataclasses import fields
from fractions import Fraction

import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config import structure
from edge_runtime.errors import ConfigError
from edge_runtime.events import BeatClass, Event
from edge_runtime.rules.bounds import bounds
from edge_runtime.rules.facts import Beat, Fact, Hole, Label, SignalClock, Waveform
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings, make_rules

CLOCK = SignalClock(Fraction(500), 180, 330)


def test_rules_are_configured_by_name() -> None:
    rules = structure({"rules": {"asystole": {"after_s": 5}, "profile": "active"}}).rules
    assert (rules.asystole.after_s, rules.profile) == (5.0, "active")


ALWAYS_ON = ("signal_lost", "asystole", "ventricular_fibrillation")


def test_asystole_fibrillation_and_signal_lost_cannot_be_switched_off() -> None:
    for name in ALWAYS_ON:
        with pytest.raises(ConfigError, match="enabled: unknown key"):
            structure({"rules": {name: {"enabled": False}}})


def test_every_other_rule_can_be_switched_off() -> None:
    groups = [f for f in fields(RuleSettings) if f.name not in ("profile", "second_opinion")]
    switchable = {f.name for f in groups if hasattr(getattr(RuleSettings(), f.name), "enabled")}
    assert {f.name for f in groups} - switchable == set(ALWAYS_ON)
    off = cattrs.structure({name: {"enabled": False} for name in switchable}, RuleSettings)
    assert tuple(rule.name for rule in make_rules(off, CLOCK)) == ALWAYS_ON


def test_every_number_has_bounds_that_hold_its_default_and_are_enforced() -> None:
    for group in fields(RuleSettings):
        settings = getattr(RuleSettings(), group.name)
        if group.name == "profile":
            continue
        for setting in fields(settings):
            if setting.name in ("enabled", "policy"):
                continue
            limits = bounds(setting)
            assert limits is not None, f"{group.name}.{setting.name}"
            low, high = limits
            for outside in (low - 1, high + 1):
                with pytest.raises(ValueError, match=setting.name):
                    type(settings)(**{setting.name: outside})
            type(settings)(**{setting.name: low})
            type(settings)(**{setting.name: high})


steps = st.lists(
    st.one_of(
        st.tuples(st.just("beat"), st.integers(120, 3000), st.sampled_from("NNVVSSSq")),
        st.tuples(st.just("hole"), st.integers(1, 4000), st.just("")),
        st.tuples(st.just("vf"), st.integers(1, 2000), st.sampled_from(["yes", "no"])),
    ),
    min_size=5,
    max_size=60,
)


def as_facts(walk: list[tuple[str, int, str]]) -> list[Fact]:
    at, facts, broken = 0, list[Fact](), True
    for kind, step, letter in walk:
        if kind == "hole":
            first = at + CLOCK.label_latency
            facts.append(Hole(first, first + step, first + step))
            at, broken = first + step, True
            continue
        if kind == "vf":
            facts.append(Waveform(at, at + 2000, at + 1999, letter == "yes", {}))
            continue
        at += step
        best = None if letter == "q" else BeatClass(letter)
        label = BeatClass.UNKNOWN if best is None else best
        facts.append(Beat(at, at + CLOCK.latency, None if broken else step))
        facts.append(Label(at, at + CLOCK.label_latency, label, best))
        broken = False
    return sorted(facts, key=lambda fact: fact.decided)


@given(walk=steps, cut=st.integers(0, 100))
def test_a_restart_between_two_facts_changes_nothing(
    walk: list[tuple[str, int, str]], cut: int
) -> None:
    def told(restart: int | None) -> list[Event]:
        book = RuleBook(RuleSettings(), CLOCK)
        book.begin(0)
        events: list[Event] = []
        for number, fact in enumerate(as_facts(walk)):
            if number == restart:
                saved = json.loads(json.dumps(book.snapshot()))
                book = RuleBook(RuleSettings(), CLOCK)
                book.restore(saved)
            events += book.tell(fact)
        return events + book.advance(400_000)

    assert told(cut) == told(None)
