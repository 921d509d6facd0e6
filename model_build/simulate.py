"""The INT8 graphs as a Keras student: same steps, same ranges, but with gradients.

Normalization is folded into kernels; kernels are rounded as the file stores them (one scale per
output channel, dense layers one in all, symmetric); every tensor that the file quantizes is
rounded to that tensor's own scale and zero point, read from a converted file. Roundings pass
gradients on as if they were not there, within the range. What is trained this way is written
back by `write_graphs`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from edge_runtime.inference.interpreter import Quantization
from model_build.errors import QuantizeError
from model_build.models.student import StudentModels, assemble
from model_build.models.wiring import WEIGHTED, chains, copied, folded, rebuilt
from model_build.quantize import QuantizedStudent
from model_build.tflite_file import Operator, TfliteFile

_LARGEST: Final = 127.0

_ONE_STEP: Final = 1.01
"""By as many steps a converted weight may differ from its kernel: rounding, and float folding."""

_KINDS: Final = (
    (layers.Conv2D, ("CONV_2D",)),
    (layers.DepthwiseConv2D, ("DEPTHWISE_CONV_2D",)),
    (layers.Dense, ("FULLY_CONNECTED",)),
    (layers.Concatenate, ("CONCATENATION",)),
    ((layers.GlobalAveragePooling2D, layers.AveragePooling2D), ("MEAN", "AVERAGE_POOL_2D")),
    (layers.MaxPooling2D, ("MAX_POOL_2D", "REDUCE_MAX")),
    (layers.Add, ("ADD",)),
    (layers.Multiply, ("MUL",)),
)  # fmt: skip
"""Layers by the operators that the converter makes of them; both keep their order."""


class _Rounded(layers.Layer):  # type: ignore[misc]
    """Kernel and bias in the file's steps; gradients pass as if they were not rounded.

    `input_scale` is that of the tensor coming in: the bias counts in its product with the
    kernel's.
    """

    reduced: tuple[int, ...]
    """Axes of the kernel that share a scale."""

    def __init__(self, input_scale: float = 1.0, **settings: Any) -> None:
        super().__init__(**settings)
        self._input_scale = input_scale

    def rounded(self) -> tuple[Any, Any]:
        """Kernel and bias as the file will hold them."""
        peak = ops.max(ops.abs(self.kernel), axis=self.reduced, keepdims=True)
        scale = ops.maximum(peak, 1e-30) / _LARGEST
        kernel = _straight(self.kernel, ops.round(self.kernel / scale) * scale)
        step = ops.reshape(scale, (-1,)) * self._input_scale
        return kernel, _straight(self.bias, ops.round(self.bias / step) * step)


def _straight(value: Any, rounded: Any) -> Any:
    return value + ops.stop_gradient(rounded - value)


class _RoundedConv2D(_Rounded, layers.Conv2D):  # type: ignore[misc]
    reduced = (0, 1, 2)

    def call(self, inputs: Any) -> Any:
        kernel, bias = self.rounded()
        return self.convolution_op(inputs, kernel) + bias


class _RoundedDepthwise(_Rounded, layers.DepthwiseConv2D):  # type: ignore[misc]
    reduced = (0, 1, 3)

    def call(self, inputs: Any) -> Any:
        kernel, bias = self.rounded()
        out = ops.depthwise_conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return out + bias


class _RoundedDense(_Rounded, layers.Dense):  # type: ignore[misc]
    reduced = (0, 1)

    def call(self, inputs: Any, training: Any = None) -> Any:
        kernel, bias = self.rounded()
        return ops.matmul(inputs, kernel) + bias


_ROUNDED: Final = (
    (layers.DepthwiseConv2D, _RoundedDepthwise),
    (layers.Conv2D, _RoundedConv2D),
    (layers.Dense, _RoundedDense),
)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _to_steps(x: Any, scale: float, zero_point: int) -> tuple[Any, Any]:
    """What `Quantization.to_int8` and `to_real` make of x; no gradient beyond the range."""
    steps = tf.round(x * (1.0 / scale)) + zero_point
    inside = tf.logical_and(steps >= -128.0, steps <= _LARGEST)
    kept = (tf.clip_by_value(steps, -128.0, _LARGEST) - zero_point) * scale

    def gradient(upstream: Any) -> tuple[Any, None, None]:
        return tf.where(inside, upstream, 0.0), None, None

    return kept, gradient


class _Steps(layers.Layer):  # type: ignore[misc]
    """Rounds to the steps of an INT8 tensor."""

    def __init__(self, steps: Quantization, name: str) -> None:
        super().__init__(name=name)
        self._quantization = steps

    def call(self, x: Any) -> Any:
        return _to_steps(x, self._quantization.scale, float(self._quantization.zero_point))


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A student that rounds as the files do. `encoder` and `context` are the files it follows."""

    student: StudentModels
    encoder: TfliteFile
    context: TfliteFile


def simulate(student: StudentModels, graphs: QuantizedStudent) -> Simulated:
    """The simulation of `graphs`, which were converted from `student`.

    Raises QuantizeError where a file's operators are not those of the student.
    """
    encoder = TfliteFile(graphs.encoder.read_bytes())
    context = TfliteFile(graphs.context.read_bytes())
    beat = _simulated(student.beat, encoder)
    sequence = _simulated(student.sequence, context)
    config = replace(student.config, p_wave=False)  # the files have no such output
    return Simulated(assemble(config, beat, sequence), encoder, context)


def write_graphs(simulated: Simulated, folder: Path) -> QuantizedStudent:
    """The simulated student's weights as `encoder.tflite` and `context.tflite` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    student = simulated.student
    parts = (
        ("encoder", student.beat, simulated.encoder),
        ("context", student.sequence, simulated.context),
    )
    for name, network, file in parts:
        for layer, operator in operators_of(network, file).items():
            if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
                weights = network.get_layer(layer).get_weights()
                file.set_weights(operator, *weights)
        (folder / f"{name}.tflite").write_bytes(file.packed())
    return QuantizedStudent(folder / "encoder.tflite", folder / "context.tflite")


def operators_of(network: keras.Model, file: TfliteFile) -> dict[str, Operator]:
    """The operator that each layer became, by the layer's name."""
    found: dict[str, Operator] = {}
    for kind, names in _KINDS:
        own = [layer for layer in network.layers if isinstance(layer, kind)]
        operators = file.operators(*names)
        if len(own) != len(operators):
            raise QuantizeError(
                f"{network.name}: {len(own)} layers became {len(operators)} {names[0]}"
            )
        found |= {layer.name: op for layer, op in zip(own, operators, strict=True)}
    return found


def _simulated(network: keras.Model, file: TfliteFile) -> keras.Model:
    operators, parts = operators_of(network, file), chains(network)
    entering = {
        name: file.quantization(operator.inputs[0])
        for name, operator in operators.items()
        if isinstance(parts[name].layer, WEIGHTED) and _takes_an_input(parts[name].layer)
    }
    leaving = {
        parts[name].end.name: file.quantization(operator.outputs[0])
        for name, operator in operators.items()
    }
    made = rebuilt(
        network,
        lambda layer: _rounding(layer, operators, file),
        lambda layer: _steps(leaving.get(layer.name), f"{layer.name}_steps"),
        lambda layer: _steps(entering.get(layer.name), f"{layer.name}_input_steps"),
    )
    for name, operator in operators.items():
        if isinstance(parts[name].layer, WEIGHTED):
            kernel, bias = folded(parts[name])
            _require_same(name, kernel, file.kernel(operator))
            made.get_layer(name).set_weights([kernel, bias])
    return made


def _rounding(layer: Any, operators: dict[str, Operator], file: TfliteFile) -> Any:
    if isinstance(layer, layers.BatchNormalization):
        return layers.Identity(name=layer.name)
    for kind, rounded in _ROUNDED:
        if isinstance(layer, kind):
            scale = file.quantization(operators[layer.name].inputs[0]).scale
            settings = {**layer.get_config(), "use_bias": True, "input_scale": scale}
            return rounded.from_config(settings)
    return copied(layer)


def _steps(quantization: Quantization | None, name: str) -> _Steps | None:
    return None if quantization is None else _Steps(quantization, name)


def _takes_an_input(layer: Any) -> bool:
    return isinstance(layer.input._keras_history.operation, layers.InputLayer)


def _require_same(name: str, kernel: Any, stored: Any) -> None:
    """The file's operators are told apart by their order only: their weights must agree."""
    if kernel.shape != stored.shape:
        raise QuantizeError(f"{name} has a kernel {kernel.shape}, the file {stored.shape}")
    step = np.abs(kernel).max() / _LARGEST
    if np.abs(kernel - stored).max() > _ONE_STEP * step:
        raise QuantizeError(f"the file's weights are not those of {name}")
