"""The rules look at what the model calls ventricular: is the beat wide, or early?

A ventricular beat begins outside the conduction system and before its time, so it is wider than the
patient's own beats or premature, mostly both. A claim that is neither is disputed: the dispute is
kept with both reasons, and rules of low and medium priority follow the policy. Rules of high
priority always take the claim: nothing here can silence them.

The limits were chosen on the training subjects of mitdb and svdb (`python -m
model_build.alarms.agreement` counts whom they dispute; docs/alarms.md has the table).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, isfinite, log
from typing import Final, Literal

from edge_runtime.events import BeatClass
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Label

Policy = Literal["or", "and", "weighted"]

WIDER_S: Final = 0.006
"""QRS area over height less that of the template: three of four V have more, 19 of 20 N less."""
EARLIER: Final = log(0.9)
"""RR over the median of the past 60."""
EVIDENCE: Final = ("width_to_template", "rr_to_q50_60", "shape_known", "rr_known")
"""The features (`signal/features.py`) that the opinion is taken from."""


@dataclass(frozen=True, slots=True)
class SecondOpinionSettings:
    """What rules of low and medium priority make of a ventricular beat that is neither wide nor
    early. `policy`: `or` counts it as the model says, `and` does not count it, `weighted` counts it
    where the model's score reaches `least_score`. Rules of high priority always count it."""

    policy: Policy = "or"
    least_score: float = bounded(0.9, 0.5, 1.0)

    def __post_init__(self) -> None:
        check_bounds(self)


def objection(evidence: Mapping[str, float]) -> str:
    """Why a beat with these `EVIDENCE` may not be ventricular; empty where nothing speaks against
    it, or its width or its interval is not known."""
    wider_s, early = evidence["width_to_template"], evidence["rr_to_q50_60"]
    known = evidence["shape_known"] > 0 and evidence["rr_known"] > 0
    if not known or not (isfinite(wider_s) and isfinite(early)):
        return ""
    if wider_s > WIDER_S or early < EARLIER:
        return ""
    return (
        f"QRS {1000 * wider_s:+.0f} ms against the usual one, RR {100 * exp(early):.0f} % of the "
        "usual one: neither wide nor early"
    )


def weighed(label: Label, settings: SecondOpinionSettings) -> Label:
    """The label as the policy has it: a claim that does not count is refused, its `best` stays."""
    if not label.disputed or settings.policy == "or":
        return label
    score = label.scores.get(BeatClass.VENTRICULAR.value, 0.0)
    if settings.policy == "weighted" and score >= settings.least_score:
        return label
    return replace(label, label=BeatClass.UNKNOWN)
