"""While the heart fibrillates no beat is supraventricular."""

import pytest

from edge_runtime.events import BeatClass
from edge_runtime.rules.beat_label import LabelPolicy
from edge_runtime.rules.requirements import not_in_force

POLICY = LabelPolicy(("N", "S", "V", "F", "X"), {"F": 0.8})


@pytest.mark.parametrize(
    ("scores", "plain", "in_af"),
    [
        ((0.3, 0.6, 0.1, 0.0, 0.0), "S", "N"),
        ((0.1, 0.6, 0.3, 0.0, 0.0), "S", "V"),
        ((0.1, 0.2, 0.7, 0.0, 0.0), "V", "V"),
        ((0.9, 0.1, 0.0, 0.0, 0.0), "N", "N"),
        ((0.1, 0.5, 0.0, 0.0, 0.4), "S", "Q"),
    ],
)
def test_the_best_of_the_others_is_taken(scores: tuple[float, ...], plain: str, in_af: str) -> None:
    assert POLICY.decide(scores).label == plain
    decision = POLICY.decide(scores, fibrillates=True)
    assert decision.label == in_af
    assert bool(decision.reason) == (plain != in_af)


def test_a_beat_that_was_not_looked_at_stays_unknown() -> None:
    nothing = (float("nan"),) * 5
    assert POLICY.decide(nothing, fibrillates=True).label is BeatClass.UNKNOWN


def test_without_a_rhythm_bundle_the_rule_is_said_to_be_silent() -> None:
    assert [one.rule for one in not_in_force(rhythm=False)] == ["atrial_fibrillation"]
    assert not_in_force(rhythm=True) == ()
