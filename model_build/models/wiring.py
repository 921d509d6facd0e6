"""How the layers of a Keras network hang together: what follows what, and what folds into what."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

WEIGHTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
"""Layers with a kernel; `DepthwiseConv2D` is no `Conv2D` in Keras 3."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A layer, the normalization folded into it and the activation fused with it, if any.

    On the device they are one operator.
    """

    layer: Any
    norm: layers.BatchNormalization | None
    end: Any
    """The last of them: what it yields is a tensor of the device's graph."""

    @property
    def linear(self) -> Any:
        """The one whose output is the sum before the activation."""
        return self.norm or self.layer


def chains(network: keras.Model) -> dict[str, Chain]:
    """Every layer that is an operator of its own on the device, by name, in order."""
    following = _consumers(network)
    found: dict[str, Chain] = {}
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer | layers.BatchNormalization | layers.ReLU):
            continue
        norm, end = None, layer
        while len(after := following.get(end.name, [])) == 1 and isinstance(
            after[0], layers.BatchNormalization | layers.ReLU
        ):
            end = after[0]
            norm = end if isinstance(end, layers.BatchNormalization) else norm
        found[layer.name] = Chain(layer, norm, end)
    return found


def _consumers(network: keras.Model) -> dict[str, list[Any]]:
    following: dict[str, list[Any]] = {}
    for operation in network.operations:
        if not isinstance(operation, layers.InputLayer):
            for tensor in keras.tree.flatten(operation.input):
                following.setdefault(tensor._keras_history.operation.name, []).append(operation)
    return following


def folded(chain: Chain) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel and bias of a layer with the normalization after it folded in."""
    kernel = np.asarray(chain.layer.kernel.numpy(), np.float64)
    depthwise = isinstance(chain.layer, layers.DepthwiseConv2D)
    width = kernel.shape[-2] if depthwise else kernel.shape[-1]
    bias = np.zeros(width) if chain.layer.bias is None else chain.layer.bias.numpy()
    if chain.norm is not None:
        gamma, beta, mean, variance = (w.numpy().astype(np.float64) for w in _statistics(chain))
        gain = gamma / np.sqrt(variance + chain.norm.epsilon)
        kernel *= gain[:, np.newaxis] if depthwise else gain
        bias = (bias - mean) * gain + beta
    return kernel.astype(np.float32), np.asarray(bias, np.float32)


def _statistics(chain: Chain) -> tuple[Any, Any, Any, Any]:
    norm: Any = chain.norm
    return norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance


def rebuilt(
    network: keras.Model,
    replace: Callable[[Any], Any],
    after: Callable[[Any], Any | None],
    before: Callable[[Any], Any | None] = lambda _: None,
) -> keras.Model:
    """The same network with other layers.

    `replace` gives the layer to stand in a layer's place; `after` one more to put behind it, or
    None; `before` one to put in front of a layer of one input. Weights are fresh: the caller
    fills them in.
    """

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("mask", None)  # none of these layers knows one
        first, last = before(layer), after(layer)
        out = layer(*args, **kwargs) if first is None else layer(first(args[0]), **kwargs)
        return out if last is None else last(out)

    return keras.models.clone_model(network, clone_function=replace, call_function=call)


def copied(layer: Any) -> Any:
    """A fresh layer of the same settings."""
    return layer.__class__.from_config(layer.get_config())
