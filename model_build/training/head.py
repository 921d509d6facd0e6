"""The last layer once more, on embeddings whose classes are balanced (imbalanced-learn).

The student is trained at the real distribution first; what it says of a beat just before its last
layer is the embedding. New beats are made there (SMOTE, Chawla 2002), where a mean of two is a
plausible beat, or common ones left out; then only the last layer is fitted again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_build.datasets.recording import CLASSES
from model_build.errors import RecipeError
from model_build.models.student import StudentModels
from model_build.recipe import Recipe
from model_build.training.beats import Pool
from model_build.training.predict import Predictor
from model_build.training.scaling import Scaling

RESAMPLERS: Final = ("smote", "undersample")
"""The methods of `recipe.Imbalance` that this module carries out."""

_NEIGHBOURS: Final = 5
_NEVER: Final = -20.0
"""Bias of a class that has too few beats to be learnt."""

Rows = NDArray[np.float32]
Numbers = NDArray[np.int64]


def embeddings(student: StudentModels, scaling: Scaling, pool: Pool) -> Rows:
    """What the last layer is given for every beat, (beats, context channels)."""
    sequence = student.training_model.get_layer("sequence")
    trunk = keras.Model(sequence.inputs, sequence.get_layer("head").input)

    def instead(layer: keras.Layer, *args: object, **kwargs: object) -> object:
        return (trunk if layer is sequence else layer)(*args, **kwargs)

    cut = keras.models.clone_model(
        student.training_model, clone_function=lambda layer: layer, call_function=instead
    )
    config = replace(student.config, n_classes=trunk.output_shape[-1])
    return Predictor(replace(student, training_model=cut, config=config), scaling)(pool)


def smote(rows: Rows, classes: Numbers, most: int, seed: int) -> tuple[Rows, Numbers]:
    """Common classes cut to `most`, then every class raised to the largest.

    Classes of no more beats than SMOTE asks of neighbours are left out.
    """
    from imblearn.over_sampling import SMOTE  # noqa: PLC0415 - only this switch needs it

    enough = {k: n for k, n in _sizes(classes).items() if n > _NEIGHBOURS}
    rows, classes = _cut(rows, classes, {k: min(n, most) for k, n in enough.items()}, seed)
    made: tuple[Rows, Numbers] = SMOTE(k_neighbors=_NEIGHBOURS, random_state=seed).fit_resample(
        rows, classes
    )
    return made


def undersample(rows: Rows, classes: Numbers, most: int, seed: int) -> tuple[Rows, Numbers]:
    """Every class cut to the median of their sizes, and to `most`: F, the rarest, must not rule."""
    sizes = _sizes(classes)
    limit = min(most, int(np.median(list(sizes.values()))))
    return _cut(rows, classes, {k: min(n, limit) for k, n in sizes.items()}, seed)


def _cut(rows: Rows, classes: Numbers, sizes: Mapping[int, int], seed: int) -> tuple[Rows, Numbers]:
    """`sizes` beats of each class drawn at random; a class that is not in `sizes` is left out."""
    from imblearn.under_sampling import RandomUnderSampler  # noqa: PLC0415

    kept = np.isin(classes, list(sizes))
    drawn: tuple[Rows, Numbers] = RandomUnderSampler(
        sampling_strategy=dict(sizes), random_state=seed
    ).fit_resample(rows[kept], classes[kept])
    return drawn


def _sizes(classes: Numbers) -> dict[int, int]:
    found, counts = np.unique(classes, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def fit_head(rows: Rows, classes: Numbers) -> tuple[Rows, Rows]:
    """Kernel (channels, K) and bias (K,) of a logistic regression on these beats.

    Raises `RecipeError` where there is but one class.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    present = np.unique(classes)
    if len(present) < 2:
        raise RecipeError("a head needs beats of two classes at least")
    fitted = LogisticRegression(max_iter=500).fit(rows, classes)
    kernel = np.zeros((rows.shape[1], len(CLASSES)), np.float32)
    bias = np.full(len(CLASSES), _NEVER, np.float32)
    # Of two classes it fits one row: the second's against the first, whose logit is 0.
    weights, offsets = fitted.coef_, fitted.intercept_
    learnt = present if len(weights) > 1 else present[1:]
    bias[present] = 0.0
    kernel[:, learnt], bias[learnt] = weights.T, offsets
    return kernel, bias


def retrain_head(student: StudentModels, pool: Pool, scaling: Scaling, recipe: Recipe) -> None:
    """Replace the last layer's weights by those fitted on resampled embeddings."""
    rule = recipe.imbalance
    resample = {"smote": smote, "undersample": undersample}[rule.method]
    numbers = np.full(1 << len(CLASSES), -1)
    numbers[1 << np.arange(len(CLASSES))] = np.arange(len(CLASSES))
    number = numbers[pool.target]
    used = (number >= 0) & (pool.weight > 0)
    rows, classes = resample(
        embeddings(student, scaling, pool)[used], number[used], rule.most_beats, recipe.seed
    )
    kernel, bias = fit_head(rows, classes)
    head = student.training_model.get_layer("sequence").get_layer("head")
    head.kernel.assign(tf.reshape(kernel, head.kernel.shape))
    head.bias.assign(bias)
