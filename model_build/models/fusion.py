"""Two leads' embeddings to one: alike in both leads, so their order cannot matter.

The leads lie along the height, [1, 2, L, C]: one convolution of width 1 serves both, a lead that is
not there is multiplied by zero, and the larger and the mean of both go on. A lead that is lost
leaves the larger as it was and halves the mean, which the means of `valid` tell.
"""

from typing import Any

from keras import layers

from model_build.models.normalization import FusedNormalization

Tensor = Any
"""A symbolic Keras tensor; Keras ships no type for it."""


def fuse_leads(history: Tensor, valid: Tensor, units: int, momentum: float) -> Tensor:
    """Embeddings (B, 2, n, E), masked rows zero, and `valid` (B, 2, n, 1) to
    (B, 1, n, 2 * units + 2)."""
    x = layers.Concatenate(axis=-1, name="lead_pair")([history, valid])
    x = layers.Conv2D(units, 1, use_bias=False, name="lead_in")(x)
    x = FusedNormalization(momentum=momentum, name="lead_in_norm")(x)
    x = layers.ReLU(6.0, name="lead_in_relu")(x)
    x = layers.Multiply(name="lead_mask")([x, valid])
    x = layers.Concatenate(axis=-1, name="lead_rows")([x, valid])
    most = layers.MaxPooling2D((2, 1), strides=(1, 1), name="lead_most")(x)
    mean = layers.AveragePooling2D((2, 1), strides=(1, 1), name="lead_mean")(x)
    return layers.Concatenate(axis=-1, name="leads")([most, mean])
