"""From a beat's scores to the class that is emitted.

F, which even cardiologists call with hesitation, is emitted only at or above the bundle's
threshold for it; below, the best of the other classes is taken. A beat whose best score is below
that class's threshold, or that has no scores because its window cannot be read, is refused: Q.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from edge_runtime.events import BeatClass


@dataclass(frozen=True, slots=True)
class Decision:
    """`label` is emitted; `best` is the class of the best score even of a refused beat."""

    label: BeatClass
    best: BeatClass | None
    reason: str


class LabelPolicy:
    """The thresholds of one bundle. Classes are in the order of the score columns."""

    def __init__(self, classes: Sequence[str], thresholds: Mapping[str, float]) -> None:
        self.classes = tuple(BeatClass(name) for name in classes)
        self._thresholds = tuple(thresholds.get(name, 0.0) for name in classes)
        self._accepted = tuple(Decision(label, label, "") for label in self.classes)

    def decide(self, scores: Sequence[float]) -> Decision:
        """One row of scores, one per class; NaN means that the beat was not looked at."""
        if isnan(scores[0]):
            return Decision(BeatClass.UNKNOWN, None, "the beat's window cannot be read")
        best = scores.index(max(scores))
        if self.classes[best] is BeatClass.FUSION and scores[best] < self._thresholds[best]:
            best = max((k for k in range(len(scores)) if k != best), key=scores.__getitem__)
        if scores[best] < self._thresholds[best]:
            label = self.classes[best]
            reason = f"{label} scores {scores[best]:.2f}, below {self._thresholds[best]:.2f}"
            return Decision(BeatClass.UNKNOWN, label, reason)
        return self._accepted[best]
