"""Training on from a fitted student: the ordinary loop, fewer epochs, a lower rate."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np

from model_build.distil import cleaned, distillation
from model_build.models.student import StudentModels
from model_build.recipe import Recipe
from model_build.teacher.predict import Advice
from model_build.training.beats import PreparedBeats, pool
from model_build.training.loop import Report, train
from model_build.training.scaling import Scaling


def finetune(
    student: StudentModels,
    prepared: Sequence[PreparedBeats],
    scaling: Scaling,
    recipe: Recipe,
    checkpoint: Path,
    report: Report,
    advice: Advice = MappingProxyType({}),
) -> tuple[float, ...]:
    """Train `student` on from its present weights by `recipe`; the mean loss of each epoch.

    Loss and data are the recipe's own, what its teachers say (`advice`, as in `crossval.fit`)
    among them; `shortened` gives its epochs and rate. A checkpoint is resumed if it began from the
    same weights.
    """
    begun = hashlib.sha256(recipe.digest.encode())
    for weight in student.training_model.get_weights():
        begun.update(np.ascontiguousarray(weight).data)
    # What only guides an encoder in the making is no part of this.
    p_wave = replace(recipe.p_wave, weight=0.0)
    own = replace(recipe, digest=begun.hexdigest(), p_wave=p_wave)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    beats = cleaned(pool(prepared, recipe.weight), prepared, own, advice)
    more = distillation(student, beats, prepared, own, advice)
    return train(student, beats, scaling, own, checkpoint, report, more=more).losses


def shortened(recipe: Recipe, epochs: int, learning_rate: float) -> Recipe:
    """The recipe with another length and rate of training."""
    rule = replace(recipe.optimizer, epochs=epochs, learning_rate=learning_rate)
    return replace(recipe, optimizer=rule)
