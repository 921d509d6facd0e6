"""The class of each beat as a device would emit it, from a float student's logits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.rules.beat_label import LabelPolicy
from firmware_bridge.records import Annotations

Bools = NDArray[np.bool_]


def device_labels(
    policy: LabelPolicy,
    logits: NDArray[np.float32],
    valid: Bools,
    tentative: Bools,
    fibrillates: Bools | None = None,
) -> list[str | None]:
    """Labels of logits (k, classes) by the engine's own policy, whatever the signal's quality.

    None where the device says nothing: a tentative peak that no class of beats claims. Q for a
    firm one that is refused, as where `valid` (k,) is false. `fibrillates` (k,): the rhythm model
    says so when the beat comes; None without one.
    """
    scores = class_scores(logits, valid).tolist()
    in_af = np.zeros(len(scores), bool) if fibrillates is None else fibrillates
    return [
        None
        if doubted and not policy.is_beat(row)
        else policy.decide(row, fibrillates=by_chance).label.value
        for row, doubted, by_chance in zip(scores, tentative.tolist(), in_af.tolist(), strict=True)
    ]


def class_scores(logits: NDArray[np.float32], valid: Bools) -> NDArray[np.float32]:
    """Scores (k, classes) as the device gives them; NaN where `valid` (k,) is false.

    The plain softmax: bundles are exported with temperature 1 and no class bias.
    """
    top = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)
    scores: NDArray[np.float32] = np.exp(top) / np.exp(top).sum(axis=1, keepdims=True)
    scores[~valid] = np.nan
    return scores


def emitted(at: NDArray[np.int64], labels: Sequence[str | None]) -> Annotations:
    """The beats at `at` (k,) that the device would emit, as `device_labels` names them."""
    pairs = [(place, label) for place, label in zip(at, labels, strict=True) if label is not None]
    places = np.array([place for place, _ in pairs], dtype=np.int64)
    return Annotations.of(places, [label for _, label in pairs])
