"""Class weights that follow what the recipe does about rare classes (`recipe.Imbalance`).

Weights depend on the data, the epoch and the model's state at the epoch's start, all of which a
checkpoint brings back: a resumed run goes on with the same weights.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_build.datasets.recording import CLASSES
from model_build.errors import RecipeError
from model_build.models.student import StudentModels
from model_build.recipe import Recipe
from model_build.training.beats import Pool
from model_build.training.losses import class_weights
from model_build.training.predict import Predictor
from model_build.training.scaling import Scaling

Floats = NDArray[np.float64]

_BITS: Final = 1 << np.arange(len(CLASSES))


def beats_of_each_class(pool: Pool) -> Floats:
    """Beats (K,) that bear weight and can only be of this class, each recording's first view."""
    first_view = np.zeros(len(pool.target), bool)
    for first, last in pool.spans[pool.views == 0]:
        first_view[first:last] = True
    counted = pool.target[first_view & (pool.weight > 0)]
    beats: Floats = (counted[:, None] == _BITS).sum(axis=0).astype(np.float64)
    return beats


def inverse_frequency(beats: Floats) -> Floats:
    """Weights (K,) that make every class count alike; the mean over all beats is 1."""
    return _scaled(1.0 / np.maximum(beats, 1.0), beats)


def effective_number(beats: Floats, beta: float) -> Floats:
    """Weights (K,) by the effective number of beats, (1 - beta ** n) / (1 - beta) (Cui 2019)."""
    effective = -np.expm1(np.maximum(beats, 1.0) * np.log(beta)) / (1.0 - beta)
    return _scaled(1.0 / effective, beats)


def _scaled(weights: Floats, beats: Floats) -> Floats:
    # A class without a beat shares sets with others, whose weight is the least of theirs.
    weights = np.where(beats > 0, weights, weights.max())
    scaled: Floats = weights * beats.sum() / max(float((weights * beats).sum()), 1e-12)
    return scaled


def recalls(logits: NDArray[np.float32], pool: Pool) -> Floats:
    """Share (K,) of the pool's weighted beats of each class that are called so.

    A class without such beats is given the mean of the others.
    """
    said = logits.argmax(axis=1)
    found = np.full(len(CLASSES), np.nan)
    for k, bit in enumerate(_BITS):
        own = (pool.target == bit) & (pool.weight > 0)
        if own.any():
            found[k] = (said[own] == k).mean()
    known = np.isfinite(found)
    found[~known] = found[known].mean() if known.any() else 0.0
    return found


def hold_out(pool: Pool, share: float, seed: int) -> tuple[Pool, Pool]:
    """Two pools of the same beats: one that trains, one of the left-out subjects' first views.

    Beats are weightless where they are not of the pool's own subjects. Raises `RecipeError` where
    one side would be empty.
    """
    names = sorted(set(pool.subjects))
    n = round(share * len(names))
    if not 0 < n < len(names):
        raise RecipeError(f"imbalance.validation_share {share} of {len(names)} subjects is no part")
    drawn = np.random.default_rng((seed, len(names))).permutation(len(names))[:n]
    left_out = np.isin(pool.subjects, [names[k] for k in drawn])
    inside = np.zeros(len(pool.target), bool)
    for first, last in pool.spans[left_out]:
        inside[first:last] = True
    pieces = np.flatnonzero(left_out & (pool.views == 0))
    validation = replace(
        pool,
        weight=np.where(inside, pool.weight, 0).astype(np.float32),
        spans=pool.spans[pieces],
        recordings=pool.recordings[pieces],
        views=pool.views[pieces],
        subjects=tuple(pool.subjects[k] for k in pieces),
    )
    training = replace(pool, weight=np.where(inside, 0, pool.weight).astype(np.float32))
    return training, validation


class Balance:
    """The weights of every epoch, and the pool that trains (less than all for `dynamic`)."""

    def __init__(
        self, recipe: Recipe, pool: Pool, student: StudentModels, scaling: Scaling
    ) -> None:
        rule = recipe.imbalance
        self.pool = pool
        self._rule = rule
        self._given = recipe.loss.class_weight
        self._balanced_epochs = round(rule.balanced_share * recipe.optimizer.epochs)
        if rule.method == "dynamic":
            self.pool, self._validation = hold_out(pool, rule.validation_share, recipe.seed)
            self._predict = Predictor(student, scaling)

    def weights(self, epoch: int) -> NDArray[np.float32]:
        """Weight of every `Target` value in this epoch, by the student as it is now."""
        match self._rule.method:
            case "weighted":
                return _table(inverse_frequency(beats_of_each_class(self.pool)))
            case "class_balanced":
                return _table(effective_number(beats_of_each_class(self.pool), self._rule.beta))
            case "two_stage" if epoch < self._balanced_epochs:
                return _table(inverse_frequency(beats_of_each_class(self.pool)))
            case "dynamic" if epoch > 0:
                return _table(self._by_misses())
            case _:
                return class_weights(self._given)

    def _by_misses(self) -> Floats:
        """The recipe's weights times the share of misses: recall loss (Tian 2022)."""
        given = np.array([self._given[name] for name in CLASSES])
        found = recalls(self._predict(self._validation), self._validation)
        weights: Floats = given * np.maximum(1.0 - found, self._rule.least)
        return weights


def _table(weights: Floats) -> NDArray[np.float32]:
    return class_weights(dict(zip(CLASSES, weights.tolist(), strict=True)))
