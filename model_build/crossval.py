"""Choosing without peeking: five folds by subject over the training recordings, scored by EC57."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
from numpy.typing import NDArray

from model_build.datasets.recording import Recording
from model_build.datasets.splits import FOLDS
from model_build.distil import cleaned, distillation
from model_build.evaluate.fold_scores import (
    Fibrillates,
    Fold,
    held_out,
    is_held_out,
    score_logits,
)
from model_build.evaluate.out_of_fold import CrossValidation, FoldScores, join
from model_build.models.student import StudentConfig, StudentModels, build_student
from model_build.pretraining.prior import NOTHING, Prior, begin, with_p_waves
from model_build.recipe import Recipe, sizes
from model_build.teacher.predict import Advice
from model_build.training.beats import PreparedBeats, pool
from model_build.training.head import RESAMPLERS, retrain_head
from model_build.training.loop import Report, train
from model_build.training.predict import Predictor
from model_build.training.scaling import Scaling, fit_scaling


def fresh_student(recipe: Recipe, n_features: int, seed: int) -> StudentModels:
    """The recipe's student with random weights drawn from `seed`."""
    keras.utils.set_random_seed(seed)
    return build_student(student_config(recipe, n_features))


def student_config(recipe: Recipe, n_features: int) -> StudentConfig:
    """Sizes of the recipe's student."""
    return StudentConfig(
        n_features=n_features,
        outputs=recipe.segments.beats,
        p_wave=recipe.p_wave.weight > 0,
        **sizes(recipe.student),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A student with the feature scaling it was trained with, and the mean loss of each epoch."""

    student: StudentModels
    scaling: Scaling
    losses: tuple[float, ...]


def fit(
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    checkpoint: Path,
    report: Report,
    prior: Prior = NOTHING,
    advice: Advice = MappingProxyType({}),
) -> Fitted:
    """Train a student on these recordings, resuming from `checkpoint` if it is of the same run.

    `prior` holds what the recipe's sections `pretrain` and `p_wave` ask for; of the P waves only
    those of these recordings are used. `advice` holds what the teachers that the recipe names say
    about every one of `prepared`.
    """
    beats = with_p_waves(pool(prepared, recipe.weight), prepared, recipe, prior)
    beats = cleaned(beats, prepared, recipe, advice)
    scaling = fit_scaling(beats.features[beats.weight > 0])
    student = fresh_student(recipe, beats.features.shape[1], recipe.seed)
    begin(student, recipe, prior)
    more = distillation(student, beats, prepared, recipe, advice)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    trained = train(student, beats, scaling, recipe, checkpoint, report, more=more)
    if recipe.imbalance.method in RESAMPLERS:
        retrain_head(student, beats, scaling, recipe)
    return Fitted(student, scaling, trained.losses)


Advise = Callable[[Sequence[PreparedBeats], Fold], Advice]
"""What teachers say about beats that train while a fold is scored: teachers that have seen neither
the beats' subjects nor the fold's."""


def unadvised(training: Sequence[PreparedBeats], scored: Fold) -> Advice:
    """Of a recipe that has no teacher."""
    del training, scored
    return MappingProxyType({})


Hear = Callable[[NDArray[np.float32], Sequence[PreparedBeats]], None]
"""Takes logits (k, K) and the recordings, end to end, that they are of."""


def unheard(logits: NDArray[np.float32], outside: Sequence[PreparedBeats]) -> None:
    """Logits that nobody but the scorer wants."""
    del logits, outside


def cross_validate(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    work: Path,
    report: Callable[[int], Report],
    folds: Sequence[int] = tuple(range(FOLDS)),
    prior: Prior = NOTHING,
    advise: Advise = unadvised,
    heard: Hear = unheard,
) -> CrossValidation:
    """Train once for each fold on the others; score it on its own subjects, and pool.

    `heard` is told the logits (k, K) of each fold's left-out recordings, end to end.
    """
    return join(
        [
            score_fold(
                recordings, prepared, recipe, fold,
                work / "runs" / f"{recipe.short}-fold{fold}.npz", report(fold), prior,
                advise, heard,
            )
            for fold in folds
        ]
    )  # fmt: skip


def score_fold(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    fold: Fold,
    checkpoint: Path,
    report: Report,
    prior: Prior = NOTHING,
    advise: Advise = unadvised,
    heard: Hear = unheard,
    fibrillates: Fibrillates | None = None,
    view: str | None = None,
) -> FoldScores:
    """Train on all but one fold, score that one: its recordings through the recipe's first view or
    that named `view`; with `fibrillates` as beside a rhythm model."""
    outside = held_out(prepared, recipe, fold, view)
    fitted = fit_fold(prepared, recipe, fold, checkpoint, report, prior, advise)
    said = Predictor(fitted.student, fitted.scaling)(pool(outside, recipe.weight))
    heard(said, outside)
    return score_logits(recordings, outside, said, recipe, fibrillates)


def fit_fold(
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    fold: Fold,
    checkpoint: Path,
    report: Report,
    prior: Prior = NOTHING,
    advise: Advise = unadvised,
) -> Fitted:
    """A student that never saw the fold, from its checkpoint where that is done."""
    inside = [p for p in prepared if not is_held_out(p, fold)]
    return fit(inside, recipe, checkpoint, report, prior, advise(inside, fold))
