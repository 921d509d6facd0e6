"""A ventricular claim needs width or prematurity; what happens where it has neither."""

import msgspec
import pytest

from edge_runtime.events import AlarmRaised, BeatClass
from edge_runtime.rules.bounds import OutOfBoundsError
from edge_runtime.rules.facts import Beat, Label
from edge_runtime.rules.second_opinion import (
    EARLIER,
    EVIDENCE,
    WIDER_S,
    Policy,
    SecondOpinionSettings,
    objection,
)
from edge_runtime.rules.settings import RuleSettings
from tests.edge_runtime.rules.ward import LABEL, LATENCY, Ward

DISPUTE = "neither wide nor early"


def evidence(wider_s: float, early: float, shape: float = 1.0, rr: float = 1.0) -> dict[str, float]:
    return dict(zip(EVIDENCE, (wider_s, early, shape, rr), strict=True))


def test_a_beat_that_is_neither_wide_nor_early_is_disputed_with_its_values() -> None:
    assert objection(evidence(0.002, -0.02)) == (
        "QRS +2 ms against the usual one, RR 98 % of the usual one: neither wide nor early"
    )


@pytest.mark.parametrize(
    "known",
    [
        evidence(WIDER_S + 1e-4, 0.0),
        evidence(0.0, EARLIER - 1e-3),
        evidence(0.0, 0.0, shape=0.0),
        evidence(0.0, 0.0, rr=0.0),
        evidence(float("nan"), 0.0),
    ],
    ids=["wide", "early", "shape unknown", "interval unknown", "width undefined"],
)
def test_nothing_is_said_against_what_is_wide_early_or_unknown(known: dict[str, float]) -> None:
    assert objection(known) == ""


@pytest.mark.parametrize("at", [evidence(WIDER_S, 0.0), evidence(0.0, EARLIER)])
def test_the_limits_themselves_are_not_enough(at: dict[str, float]) -> None:
    assert objection(at)


def seen(policy: Policy, labels: str, rr: int, score: float = 0.6) -> Ward:
    """Every V of `labels` is disputed, with this score."""
    settings = RuleSettings(second_opinion=SecondOpinionSettings(policy))
    ward = Ward(settings)
    for letter in labels:
        ward.at += rr
        kind = BeatClass(letter)
        is_v = kind is BeatClass.VENTRICULAR
        scores, disputed = ({"V": score}, DISPUTE) if is_v else ({}, "")
        ward.events += ward.book.tell(Beat(ward.at, ward.at + LATENCY, rr))
        label = Label(ward.at, ward.at + LABEL, kind, kind, scores, disputed=disputed)
        ward.events += ward.book.tell(label)
    return ward


@pytest.mark.parametrize(
    ("policy", "score", "raised"),
    [
        ("or", 0.6, ["couplet"]),
        ("and", 0.99, []),
        ("weighted", 0.89, []),
        ("weighted", 0.9, ["couplet"]),
    ],
)
def test_low_priority_follows_the_policy(policy: Policy, score: float, raised: list[str]) -> None:
    assert seen(policy, "NNNNVVNN", 400, score).raised == raised


@pytest.mark.parametrize("policy", ["or", "and", "weighted"])
def test_no_policy_silences_high_priority(policy: Policy) -> None:
    assert "ventricular_tachycardia" in seen(policy, "NNNNVVVVVVVV", 200).raised


def test_the_alarm_holds_both_reasons() -> None:
    ward = seen("or", "NNNNVVNN", 400)
    (alarm,) = (event for event in ward.events if isinstance(event, AlarmRaised))
    disputed = [beat.disputed for beat in alarm.trace.beats if beat.label is BeatClass.VENTRICULAR]
    assert disputed == [DISPUTE, DISPUTE]
    assert alarm.trace.beats[0].disputed is msgspec.UNSET
    assert alarm.trace.beats[-2].scores == {"V": 0.6}


def test_the_score_has_bounds() -> None:
    with pytest.raises(OutOfBoundsError):
        SecondOpinionSettings("weighted", 0.4)
