"""The beat encoder's trunk under three heads that are dropped afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from model_build.errors import RecipeError
from model_build.models.student import StudentConfig, StudentModels, beat_trunk
from model_build.pretraining.targets import SEGMENTS

TrunkWeights = Mapping[str, NDArray[np.float32]]
"""Arrays of the trunk by "layer/number"."""


@dataclass(frozen=True, slots=True)
class PretrainingModels:
    """Two models over one set of weights.

    model: `window` and `template` (B, L) -> `segments` (B, L, len(SEGMENTS)) logits by sample,
        `masked` (B, L, 2), the window and the template as they were, `p_wave` (B,) logit.
    trunk: the part that the student shares, (B, 1, L, 1) twice -> (B, 1, T, C).
    """

    model: keras.Model
    trunk: keras.Model


def build_pretraining(config: StudentConfig) -> PretrainingModels:
    """Fresh models; seed with `keras.utils.set_random_seed` before.

    Raises `RecipeError` if the trunk's strides do not divide the window: the heads give every
    position of the map the same number of samples.
    """
    size = config.window
    trunk = _trunk(config)
    positions = int(trunk.output.shape[2])
    if size % positions:
        raise RecipeError(f"a window of {size} samples does not divide into {positions} positions")
    window = keras.Input((size,), name="window")
    template = keras.Input((size,), name="template")
    ops = keras.ops
    x = trunk([ops.reshape(window, (-1, 1, size, 1)), ops.reshape(template, (-1, 1, size, 1))])

    def by_sample(channels: int, name: str) -> Any:
        y = layers.Conv2D(size // positions * channels, 1, name=name)(x)
        return ops.reshape(y, (-1, size, channels))

    p_wave = layers.Dense(1, name="p_wave")(layers.GlobalAveragePooling2D(name="pool")(x))
    outputs = {
        "segments": by_sample(len(SEGMENTS), "segments"),
        "masked": by_sample(2, "masked"),
        "p_wave": p_wave[:, 0],
    }
    return PretrainingModels(keras.Model([window, template], outputs, name="pretraining"), trunk)


def _trunk(config: StudentConfig) -> keras.Model:
    window = keras.Input((1, config.window, 1), name="window")
    template = keras.Input((1, config.window, 1), name="template")
    return keras.Model([window, template], beat_trunk(config, window, template), name="trunk")


def trunk_weights(models: PretrainingModels) -> TrunkWeights:
    """The trunk's weights, normalization statistics included."""
    return {
        f"{layer.name}/{k}": np.asarray(array)
        for layer in models.trunk.layers
        for k, array in enumerate(layer.get_weights())
    }


def start_from(student: StudentModels, weights: TrunkWeights) -> None:
    """Put the trunk's weights into the student's beat encoder; nothing else of it changes.

    Raises `RecipeError` unless each layer is there with its shapes.
    """
    beat = student.training_model.get_layer("beat")
    by_layer: dict[str, list[NDArray[np.float32]]] = {}
    for name in weights:
        by_layer.setdefault(name.partition("/")[0], []).append(weights[name])
    shared = {layer.name for layer in _trunk(student.config).layers if layer.weights}
    if shared != set(by_layer):
        raise RecipeError(f"another trunk was pre-trained; layers {shared ^ set(by_layer)} differ")
    for name, arrays in by_layer.items():
        try:
            beat.get_layer(name).set_weights(arrays)
        except ValueError as error:
            raise RecipeError(f"another trunk was pre-trained: layer {name}: {error}") from error
