"""The class of each beat as a device would emit it, from a float student's logits."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.rules.beat_label import LabelPolicy


def device_labels(
    policy: LabelPolicy, logits: NDArray[np.float32], valid: NDArray[np.bool_]
) -> list[str]:
    """Labels of logits (k, classes) by the engine's own policy; Q where `valid` (k,) is false.

    Scores are the plain softmax: bundles are exported with temperature 1 and no class bias.
    """
    top = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)
    scores = np.exp(top) / np.exp(top).sum(axis=1, keepdims=True)
    scores[~valid] = np.nan
    return [policy.decide(row).label.value for row in scores.tolist()]
