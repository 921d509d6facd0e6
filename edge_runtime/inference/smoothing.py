"""Scores of hops to rhythms: a hidden Markov model smoothed at a fixed lag.

Each class is a state; a state goes on with the chance `stay`, and changes to any other with equal
chances. What a hop says enters as its scores to a power. The state so many hops ago is told with
what came since, so onset and end stand where they were, not where they became certain (forward and
backward pass, Rabiner, Proc IEEE 1989;77:257, over the lag).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_runtime.inference.rhythm_manifest import Smoothing

_LEAST: float = 1e-6
"""Below what a score is believed: INT8 scores are not that certain."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Chances of every class: `then` of the hop `lag` hops ago, None while there is none; `now` of
    this hop, by what came until now."""

    now: tuple[float, ...]
    then: tuple[float, ...] | None


class FixedLagSmoother:
    """Takes hops in order."""

    def __init__(self, settings: Smoothing) -> None:
        self._settings = settings
        n = len(settings.bias)
        self._leave = (1.0 - settings.stay) / (n - 1)
        self._keep = settings.stay - self._leave
        self.reset()

    def reset(self) -> None:
        """What comes does not follow what was."""
        n = len(self._settings.bias)
        self._forward: list[tuple[float, ...]] = []  # of the last hops, at most lag + 1
        self._said: list[tuple[float, ...]] = []  # what each of them said
        self._belief: tuple[float, ...] = (1.0 / n,) * n

    def take(self, scores: Sequence[float]) -> Smoothed:
        """The next hop's scores, one for each class."""
        rule = self._settings
        said = tuple(
            bias * max(score, _LEAST) ** rule.sharpness
            for bias, score in zip(rule.bias, scores, strict=True)
        )
        stepped = self._step(self._belief)
        self._belief = _normal([a * b for a, b in zip(stepped, said, strict=True)])
        self._forward = [*self._forward[-rule.lag :], self._belief]
        self._said = [*self._said[-rule.lag :], said]
        then = self._back() if len(self._forward) > rule.lag else None
        return Smoothed(self._belief, then)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"forward": self._forward, "said": self._said, "belief": self._belief}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken."""
        self._forward = [tuple(row) for row in state["forward"]]
        self._said = [tuple(row) for row in state["said"]]
        self._belief = tuple(state["belief"])

    def _back(self) -> tuple[float, ...]:
        """Chances of the oldest hop that is kept."""
        later = [1.0] * len(self._belief)
        for said in reversed(self._said[1:]):
            later = self._step(_normal([a * b for a, b in zip(later, said, strict=True)]))
        return _normal([a * b for a, b in zip(self._forward[0], later, strict=True)])

    def _step(self, chances: Sequence[float]) -> list[float]:
        """One hop on; the chances change in the same way looking back."""
        shared = self._leave * sum(chances)
        return [self._keep * chance + shared for chance in chances]


def _normal(weights: Sequence[float]) -> tuple[float, ...]:
    whole = sum(weights)
    return tuple(weight / whole for weight in weights)
