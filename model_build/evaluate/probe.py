"""Can the archive be told from what the model sees of normal beats? Then S could be guessed by it.

svdb has three times as many S as mitdb, and its recorder leaves traces. A linear probe on the
student's embeddings of N beats measures how well the two are told apart in people that the probe
has not seen.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

ARCHIVES: Final = ("mitdb", "svdb")
BEATS_OF_A_RECORD: Final = 200
_RIDGE: Final = 1e-2
"""Of the mean variance: embeddings have columns that are nearly constant."""

Floats = NDArray[np.float64]


def database_probe(
    embeddings: Floats, is_second: NDArray[np.bool_], subjects: Sequence[str], folds: Sequence[int]
) -> dict[str, float | int]:
    """Area under the ROC curve by beat and, of mean scores, by subject.

    Args:
        embeddings: Of N beats, (n, E).
        is_second: Whether the beat is of the second archive, (n,).
        subjects: Whose each beat is, n.
        folds: The subject's fold, n; a beat is scored by a probe made without its fold.
    """
    which, who = np.asarray(folds), np.asarray(subjects)
    score = np.zeros(len(embeddings))
    for fold in np.unique(which):
        inside = which != fold
        weights, offset = _discriminant(embeddings[inside], is_second[inside])
        score[~inside] = embeddings[~inside] @ weights + offset
    names = np.unique(who)
    mean = np.array([score[who == name].mean() for name in names])
    second = np.array([is_second[who == name].all() for name in names])
    return {
        "auc_beats": auc(score, is_second),
        "auc_subjects": auc(mean, second),
        "beats": len(score),
        "subjects": len(names),
    }


def _discriminant(rows: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Fisher's linear discriminant with a ridge: weights (E,) and offset."""
    means = [rows[positive == side].mean(axis=0) for side in (False, True)]
    centred = rows - np.where(positive[:, None], means[1], means[0])
    spread = centred.T @ centred / len(rows)
    spread += _RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    weights = np.linalg.solve(spread, means[1] - means[0])
    return weights, float(-weights @ (means[0] + means[1]) / 2)


def auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Chance that a positive scores above a negative; ties count half. NaN without both."""
    n_positive = int(positive.sum())
    n_negative = len(score) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, where, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[where]
    low = n_positive * (n_positive + 1) / 2
    return float((rank[positive].sum() - low) / (n_positive * n_negative))
