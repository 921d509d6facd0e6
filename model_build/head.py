"""Scores that mean what they say: temperature and class biases, fitted out-of-fold.

They are fitted on logits of beats that the student did not see, and folded into its last layer,
so that a bundle's manifest has temperature 1 and no bias.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from model_build.errors import BuildError
from model_build.models.student import StudentModels, build_student
from model_build.recipe import Recipe

HEAD: Final = "head.json"


@dataclass(frozen=True, slots=True)
class HeadFit:
    """Scores are softmax(logits / temperature + log_bias); the first class has bias 0."""

    temperature: float
    log_bias: tuple[float, ...]

    def save(self, folder: Path) -> None:
        """Write into `folder`, where `load` finds it."""
        (folder / HEAD).write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> "HeadFit | None":
        """What `save` wrote; None where there is nothing."""
        path = folder / HEAD
        if not path.is_file():
            return None
        entries = json.loads(path.read_text())
        return cls(float(entries["temperature"]), tuple(map(float, entries["log_bias"])))


def head_of(folder: Path, recipe: Recipe) -> HeadFit | None:
    """What a cross-validation has left in the student's folder, if the recipe wants it.

    Raises `BuildError` if it wants what is not there.
    """
    if not recipe.quantize.fit_head:
        return None
    found = HeadFit.load(folder)
    if found is None:
        raise BuildError(
            f"{folder / HEAD} is not there, and [quantize] has fit_head; run "
            "`model-build train --cross-validate` with this recipe first"
        )
    return found


def fit_head(logits: NDArray[np.float32], target: NDArray[np.uint8]) -> HeadFit:
    """The temperature and biases under which the targets are likeliest.

    `logits` (k, K), `target` (k,) sets of classes (`Target`); beats without a target do not
    count.
    """
    known = target > 0
    said = logits[known].astype(np.float64)
    classes = np.arange(logits.shape[1])
    possible = (target[known][:, np.newaxis] >> classes & 1).astype(bool)

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scaled = said * np.exp(-x[0]) + np.concatenate(([0.0], x[1:]))
        allowed = np.where(possible, scaled, -np.inf)
        whole, inside = logsumexp(scaled, axis=1), logsumexp(allowed, axis=1)
        slope = np.exp(scaled - whole[:, np.newaxis]) - np.exp(allowed - inside[:, np.newaxis])
        slope /= len(said)
        by_temperature = -np.sum(slope * said) * np.exp(-x[0])
        by_bias = slope.sum(axis=0)[1:]
        return float(np.mean(whole - inside)), np.concatenate(([by_temperature], by_bias))

    found = minimize(loss, np.zeros(len(classes)), jac=True, method="L-BFGS-B").x
    return HeadFit(float(np.exp(found[0])), (0.0, *map(float, found[1:])))


def fit_head_of(parts: Sequence[tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> HeadFit:
    """`fit_head` over recordings: logits (k, K) and targets (k,) of each."""
    return fit_head(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def folded_into_head(student: StudentModels, fit: HeadFit) -> StudentModels:
    """A copy of the student whose plain softmax gives the fitted scores."""
    copy = build_student(student.config)
    copy.training_model.set_weights(student.training_model.get_weights())
    head = copy.sequence.get_layer("head")
    kernel, bias = head.get_weights()
    head.set_weights([kernel / fit.temperature, bias / fit.temperature + np.array(fit.log_bias)])
    return copy
