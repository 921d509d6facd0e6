"""A TFLite file taken apart: operators with their quantization, weights put back, nothing spare.

The converter decides which tensors there are and how wide their steps are; this module reads
that, writes other weights into the same file, and packs it without what no runtime reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_runtime.inference.interpreter import Quantization
from model_build.errors import QuantizeError

OPERATORS: Final = {
    getattr(schema.BuiltinOperator, name): name
    for name in vars(schema.BuiltinOperator)
    if name.isupper()
}
"""Names of the built-in operators by code."""

_IDENTIFIER: Final = b"TFL3"
_ALIGNMENT: Final = 16
"""Of buffers, as the schema demands (`force_align: 16`)."""
_KEPT_METADATA: Final = (b"min_runtime_version",)
_LARGEST: Final = 127

_FROM_KERAS: Final[dict[str, tuple[int, ...]]] = {
    "CONV_2D": (3, 0, 1, 2),
    "DEPTHWISE_CONV_2D": (3, 0, 1, 2),
    "FULLY_CONNECTED": (1, 0),
}
"""Axes of a Keras kernel in the order the file keeps them."""

_CHANNELS: Final = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""Axis of the file's weights that has scales of its own; dense layers have one scale."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: its name, and its tensors by number (inputs, weights, biases first to last)."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class TfliteFile:
    """A file of one subgraph. Raises QuantizeError for any other."""

    def __init__(self, model: bytes) -> None:
        self._model = schema.ModelT.InitFromPackedBuf(model, 0)
        if len(self._model.subgraphs) != 1:
            raise QuantizeError(f"{len(self._model.subgraphs)} subgraphs where one is expected")
        (self._graph,) = self._model.subgraphs

    def operators(self, *names: str) -> list[Operator]:
        """The operators of these names (all, where none is given) in the order they run."""
        codes = [
            max(code.builtinCode, code.deprecatedBuiltinCode) for code in self._model.operatorCodes
        ]
        found = [
            Operator(
                OPERATORS[codes[o.opcodeIndex]],
                tuple(int(i) for i in o.inputs),
                tuple(int(i) for i in o.outputs),
            )
            for o in self._graph.operators
        ]
        return [o for o in found if not names or o.name in names]

    def quantization(self, tensor: int) -> Quantization:
        """Scale and zero point of a tensor that has one of each."""
        found = self._graph.tensors[tensor].quantization
        if found is None or found.scale is None or len(found.scale) != 1:
            raise QuantizeError(f"tensor {tensor} is not quantized as a whole")
        return Quantization(float(found.scale[0]), int(found.zeroPoint[0]))

    def kernel(self, operator: Operator) -> NDArray[np.float32]:
        """Weights as real numbers, in Keras's order of axes."""
        tensor = self._graph.tensors[operator.inputs[1]]
        steps = self._data(tensor.buffer).view(np.int8).reshape(tensor.shape)
        scale = np.asarray(tensor.quantization.scale, np.float32)
        if operator.name in _CHANNELS and _CHANNELS[operator.name] == 0:
            scale = scale.reshape(-1, *([1] * (steps.ndim - 1)))
        order = np.argsort(_FROM_KERAS[operator.name])
        real: NDArray[np.float32] = (steps * scale).astype(np.float32).transpose(order)
        return real

    def set_weights(
        self, operator: Operator, kernel: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> None:
        """Quantize a Keras kernel and its bias into the file, symmetric about zero.

        Convolutions get one scale per output channel, dense layers one in all; the bias gets
        the product of input and weight scales.
        """
        weights = np.transpose(kernel, _FROM_KERAS[operator.name]).astype(np.float32)
        axis = _CHANNELS.get(operator.name)
        others = tuple(k for k in range(weights.ndim) if k != axis)
        peak = np.max(np.abs(weights), axis=others, keepdims=True)
        scale = np.maximum(peak, np.finfo(np.float32).tiny) / np.float32(_LARGEST)
        steps = np.clip(np.rint(weights / scale), -_LARGEST, _LARGEST).astype(np.int8)
        self._store(operator.inputs[1], steps, scale.ravel())
        product = scale.ravel() * np.float32(self.quantization(operator.inputs[0]).scale)
        limits = np.iinfo(np.int32)
        sums = np.clip(np.rint(bias.astype(np.float64) / product), limits.min, limits.max)
        self._store(operator.inputs[2], sums.astype(np.int32), product)

    def _store(self, tensor: int, steps: NDArray[Any], scale: NDArray[np.float32]) -> None:
        kept = self._graph.tensors[tensor]
        if tuple(kept.shape) != steps.shape or len(kept.quantization.scale) != len(scale):
            raise QuantizeError(f"weights {steps.shape} do not fit a tensor {tuple(kept.shape)}")
        kept.quantization.scale = scale.astype(np.float32)
        kept.quantization.zeroPoint = np.zeros(len(scale), np.int64)
        self._model.buffers[kept.buffer].data = np.frombuffer(steps.tobytes(), np.uint8)

    def _data(self, buffer: int) -> NDArray[np.uint8]:
        return np.asarray(self._model.buffers[buffer].data, np.uint8)

    def packed(self) -> bytes:
        """The file, without names of inner tensors, notes of the converter and empty buffers.

        Equal vectors (zero points, shapes) are stored once. Results do not change by a bit.
        """
        self._drop_names()
        self._drop_buffers()
        builder = _SharingBuilder(4096)
        builder.Finish(self._model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def _drop_names(self) -> None:
        named = {*self._graph.inputs, *self._graph.outputs}
        for number, tensor in enumerate(self._graph.tensors):
            if number not in named:
                tensor.name = None
            if _equal(tensor.shapeSignature, tensor.shape):
                tensor.shapeSignature = None
        self._model.description = None
        self._model.metadata = [m for m in self._model.metadata if m.name in _KEPT_METADATA]

    def _drop_buffers(self) -> None:
        """Buffer 0 is the empty one by convention: every tensor without content shares it."""
        owners = [*self._graph.tensors, *self._model.metadata]
        kept, numbers = [self._model.buffers[0]], {0: 0}
        for owner in owners:
            buffer = self._model.buffers[owner.buffer]
            if owner.buffer not in numbers:
                empty = buffer.data is None or len(buffer.data) == 0
                numbers[owner.buffer] = 0 if empty else len(kept)
                kept += [] if empty else [buffer]
        for owner in owners:
            owner.buffer = numbers[owner.buffer]
        self._model.buffers = kept


def _equal(signature: Sequence[int] | None, shape: Sequence[int] | None) -> bool:
    return signature is not None and shape is not None and list(signature) == list(shape)


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes equal vectors once, bytes at the alignment that the schema asks for."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 - the base class's name
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            if x.dtype == np.uint8:
                self.Prep(_ALIGNMENT, len(x))
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]
