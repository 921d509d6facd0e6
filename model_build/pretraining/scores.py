"""How well the waves of people held out are found: by sample, and P or no P by beat."""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_build.pretraining.targets import SEGMENTS, UNKNOWN, PWave

HELD_OUT_EVERY: Final = 10
"""Every tenth record of ludb is never trained on here."""


def held_out(key: str) -> bool:
    """Whether the lead "database/record:channel" is one that only judges."""
    database, _, record = key.partition(":")[0].partition("/")
    return database == "ludb" and int(record) % HELD_OUT_EVERY == 0


@dataclass(frozen=True, slots=True)
class Scores:
    """F1 by sample of each class of `SEGMENTS`, and of "P present" by beat; None: none there."""

    samples: int
    beats: int
    segments: dict[str, float | None]
    p_present: float | None
    p_absent: float | None

    def as_json(self) -> dict[str, object]:
        """Ready for `json`."""
        return asdict(self)


def score(
    segments: NDArray[np.float32],
    p_wave: NDArray[np.float32],
    classes: NDArray[np.uint8],
    p_known: NDArray[np.uint8],
) -> Scores:
    """Scores of logits (n, L, K) and (n,) against classes (n, L) and `PWave` (n,)."""
    known = classes != UNKNOWN
    said, true = segments.argmax(axis=-1)[known], classes[known]
    of_p = p_known != PWave.UNKNOWN
    has_p, says_p = p_known[of_p] == PWave.PRESENT, p_wave[of_p] > 0
    return Scores(
        samples=len(true),
        beats=len(has_p),
        segments={name: _f1(said == k, true == k) for k, name in enumerate(SEGMENTS)},
        p_present=_f1(says_p, has_p),
        p_absent=_f1(~says_p, ~has_p),
    )


def _f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float | None:
    both = int(said.sum()) + int(true.sum())
    return 2 * int((said & true).sum()) / both if both else None
