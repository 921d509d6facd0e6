"""The delineation network: a small U-Net over one beat window, layout [1, 1, L, C].

Down by strided depthwise-separable convolutions, up by repeating samples and adding what was seen
at that step on the way down. Everything converts to operators that an Edge TPU takes.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from edge_runtime.inference.landmarks import LANDMARKS, PRESENT
from edge_runtime.signal.windows import LENGTH
from model_build.models.student import layer_multiply_adds

_MOMENTUM = 0.98


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes. `levels` are channels at 160, 80, 40, ... samples; each has `depth` blocks on the way
    down (the first of which halves the length) and one on the way up."""

    stem_kernel: int = 9
    kernel: int = 7
    levels: tuple[int, ...] = (16, 24, 40, 64)
    depth: int = 2


def build_network(config: NetworkConfig, batch: int | None = None) -> keras.Model:
    """`window` (B, 1, 160, 1) -> `places` (B, 1, 160, 9) and `present` (B, 2), logits.

    Seed with `keras.utils.set_random_seed` before.
    """
    window = keras.Input((1, LENGTH, 1), batch_size=batch, name="window")
    x = layers.Conv2D(
        config.levels[0], (1, config.stem_kernel), padding="same", use_bias=False, name="stem"
    )(window)
    x = _activated(x, "stem")
    seen = [x]
    for level, channels in enumerate(config.levels[1:], start=1):
        for number in range(config.depth):
            x = _block(x, f"down{level}_{number}", channels, config.kernel, 1 if number else 2)
        seen.append(x)
    pooled = layers.GlobalAveragePooling2D(name="pool")(x)
    present = layers.Dense(len(PRESENT), name="present")(pooled)
    for level in reversed(range(len(config.levels) - 1)):
        name, channels = f"up{level}", config.levels[level]
        x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_narrow")(x)
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_narrow_norm")(x)
        # Each sample twice; UpSampling2D would become TILE, which no Edge TPU takes.
        x = layers.Concatenate(name=f"{name}_twice")([x, x])
        x = layers.Reshape((1, LENGTH >> level, channels), name=f"{name}_longer")(x)
        x = layers.ReLU(6.0, name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, seen[level]]))
        x = _block(x, f"{name}_block", channels, config.kernel, 1)
    places = layers.Conv2D(len(LANDMARKS), 1, name="places")(x)
    return keras.Model(window, {"places": places, "present": present}, name="delineation")


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one window."""
    return sum(map(layer_multiply_adds, model.layers))


def _block(x: Any, name: str, channels: int, kernel: int, stride: int) -> Any:
    x = layers.DepthwiseConv2D(
        (1, kernel), strides=(stride, stride), padding="same", use_bias=False, name=f"{name}_depth"
    )(x)
    x = _activated(x, f"{name}_depth")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_point")(x)
    return _activated(x, f"{name}_point")


def _activated(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
