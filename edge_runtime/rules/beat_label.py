"""From a beat's scores to the class that is emitted.

F, which even cardiologists call with hesitation, is emitted only at or above the bundle's
threshold for it, and a peak is called an artefact only at or above the threshold for that; below,
the best of the other classes is taken. A beat whose best score is below that class's threshold,
that has no scores because its window cannot be read, or that is called an artefact is refused: Q.

While the heart fibrillates no beat is supraventricular: each comes when chance has it, and one that
looks premature is what the others are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

from edge_runtime.events import BeatClass

ARTEFACT: Final = "X"
"""Name of the class that says: this peak is no beat. It is never emitted as a label."""
TENTATIVE: Final = "tentative"
"""Among the thresholds: the least joint score of all classes of beats that makes a tentative peak
one, beside the best score being theirs."""
_FIBRILLATES: Final = "looks premature, but in atrial fibrillation nothing is"
_HESITANT: Final = (BeatClass.FUSION.value, ARTEFACT)


@dataclass(frozen=True, slots=True)
class Decision:
    """`label` is emitted; `best` is the class of the best score even of a refused beat.

    `best` is None where nothing was scored, and of an artefact, which is no beat of any class.
    """

    label: BeatClass
    best: BeatClass | None
    reason: str


class LabelPolicy:
    """The thresholds of one bundle. `names` are its classes in the order of the score columns."""

    def __init__(self, classes: Sequence[str], thresholds: Mapping[str, float]) -> None:
        self.names = tuple(classes)
        self._classes = {name: BeatClass(name) for name in classes if name != ARTEFACT}
        self._least_beat = thresholds.get(TENTATIVE, 0.0)
        self._thresholds = tuple(thresholds.get(name, 0.0) for name in classes)
        self._accepted = {name: Decision(label, label, "") for name, label in self._classes.items()}

    def decide(self, scores: Sequence[float], *, fibrillates: bool = False) -> Decision:
        """One row of scores, one per class; NaN means that the beat was not looked at."""
        if isnan(scores[0]):
            return Decision(BeatClass.UNKNOWN, None, "the beat's window cannot be read")
        best = self._best(scores)
        if fibrillates and self.names[best] == BeatClass.SUPRAVENTRICULAR:
            others = [0.0 if k == best else score for k, score in enumerate(scores)]
            told = self.decide(others)
            return Decision(told.label, told.best, told.reason or _FIBRILLATES)
        name, score = self.names[best], scores[best]
        if name == ARTEFACT:
            return Decision(BeatClass.UNKNOWN, None, f"artefact scores {score:.2f}")
        if score < self._thresholds[best]:
            reason = f"{name} scores {score:.2f}, below {self._thresholds[best]:.2f}"
            return Decision(BeatClass.UNKNOWN, self._classes[name], reason)
        return self._accepted[name]

    def is_beat(self, scores: Sequence[float]) -> bool:
        """Whether a tentative peak with these scores is a beat; not if it was not looked at."""
        if self.decide(scores).best is None:
            return False
        beats = sum(s for n, s in zip(self.names, scores, strict=True) if n != ARTEFACT)
        return beats >= self._least_beat

    def _best(self, scores: Sequence[float]) -> int:
        """The class of the best score, but for those that are only called with certainty."""
        ranked = sorted(range(len(scores)), key=lambda k: -scores[k])
        for k in ranked:
            if self.names[k] not in _HESITANT or scores[k] >= self._thresholds[k]:
                return k
        return ranked[0]
