"""Calibration: how often a class is right that the model scores at p.

Only beats count that are paired with a reference beat of one of the model's classes, from 5:00:
scores say which class a beat is of, not whether there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57 import pair_beats
from model_build.evaluate.ec57.classes import LABELS

BINS: Final = 10
"""Of equal width over 0 to 1."""
BEST: Final = "best class"
"""Name of the row for the score of whichever class scores highest."""


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Counts that add up over recordings and folds.

    `table` (K + 1, BINS, 3): for each class and then the best one, for each bin of its score:
    beats, sum of the score, beats that are of the class.
    """

    classes: tuple[str, ...]
    table: NDArray[np.float64]

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""
        return (*self.classes, BEST)

    def __add__(self, other: "Reliability") -> "Reliability":
        if self.classes != other.classes:
            raise ValueError("calibration of different classes cannot be pooled")
        return Reliability(self.classes, self.table + other.table)

    def ece(self, row: str) -> float | None:
        """Expected calibration error: mean distance of score and share, weighted by beats."""
        beats, score, hits = self.table[self.rows.index(row)].T
        return float(np.abs(score - hits).sum() / beats.sum()) if beats.sum() else None

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`; `of_json` reads it."""
        table = np.round(self.table, 4).tolist()
        ece = {row: self.ece(row) for row in self.rows}
        return {"classes": list(self.classes), "bins": table, "ece": ece}

    @classmethod
    def of_json(cls, entries: Mapping[str, Any]) -> "Reliability":
        """What `as_json` wrote."""
        return cls(tuple(entries["classes"]), np.array(entries["bins"], dtype=np.float64))


def measure(
    classes: Sequence[str], scores: NDArray[np.floating[Any]], truth: NDArray[np.int64]
) -> Reliability:
    """Bin `scores` (n, K) of beats whose class is column `truth` (n,). Rows of NaN are left out."""
    known = np.isfinite(scores).all(axis=1)
    scores, truth = scores[known], truth[known]
    table = np.zeros((len(classes) + 1, BINS, 3))
    for k in range(len(classes)):
        table[k] = _binned(scores[:, k], truth == k)
    if len(scores):
        table[-1] = _binned(scores.max(axis=1), scores.argmax(axis=1) == truth)
    return Reliability(tuple(classes), table)


def _binned(score: NDArray[np.floating[Any]], hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    which = np.clip((score * BINS).astype(np.int64), 0, BINS - 1)
    columns = [
        np.bincount(which, weights=weights, minlength=BINS)
        for weights in (np.ones(len(score)), score, hit)
    ]
    return np.stack(columns, axis=1)


def paired_truth(
    reference: Annotations,
    said: Annotations,
    classes: Sequence[str],
    fs: float,
    record_end: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions in `said` of the beats with a reference class among `classes`, and its column."""
    pairing = pair_beats(reference, said, fs, record_end)
    column = np.array([classes.index(c) if c in classes else -1 for c in (*LABELS[:5], "", "", "")])
    truth = column[pairing.reference_code]
    use = (pairing.test_at >= 0) & (pairing.reference_at >= 0) & (truth >= 0)
    return np.searchsorted(said.sample, pairing.test_at[use]), truth[use]
