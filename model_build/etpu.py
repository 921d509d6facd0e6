"""Would the Edge TPU take a graph? A static check; the vendor's compiler is not needed.

    python -m model_build.etpu FILE.tflite ...        status 1 if a file has problems

Rules from the vendor's model requirements (coral.ai/docs/edgetpu/models-intro): everything from
the first unsupported operator on runs on the processor. For graphs of this size the processor is
faster than the bus; the bundles promise it all the same, so `export` refuses a graph with problems.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from model_build.tflite_file import OPERATORS

_SUPPORTED: Final = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "L2_NORMALIZATION",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MUL",
        "PACK",
        "PAD",
        "PRELU",
        "QUANTIZE",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "RSQRT",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUB",
        "SUM",
        "SQUARED_DIFFERENCE",
        "TANH",
        "TRANSPOSE",
        "TRANSPOSE_CONV",
    }
)

_EIGHT_BIT: Final = (schema.TensorType.INT8, schema.TensorType.UINT8)
_INNER_DIMENSIONS: Final = 3


class _Graph:
    """A model's only subgraph, with what the rules ask of it."""

    def __init__(self, model: bytes) -> None:
        parsed = schema.ModelT.InitFromPackedBuf(model, 0)
        if len(parsed.subgraphs) != 1:
            raise ValueError(f"{len(parsed.subgraphs)} subgraphs; the Edge TPU takes one")
        self._buffers = parsed.buffers
        self.codes = [
            max(code.builtinCode, code.deprecatedBuiltinCode) for code in parsed.operatorCodes
        ]
        (self.graph,) = parsed.subgraphs
        self.tensors = self.graph.tensors

    def is_constant(self, tensor: int) -> bool:
        return self._data(tensor) is not None

    def _data(self, tensor: int) -> Any:
        data = self._buffers[self.tensors[tensor].buffer].data
        return None if data is None or len(data) == 0 else data

    def integers(self, tensor: int) -> list[int]:
        """Content of a constant int32 tensor."""
        return [int(v) for v in np.asarray(self._data(tensor), np.uint8).view(np.int32)]


def edge_tpu_problems(model: bytes) -> tuple[str, ...]:
    """Why the graph would not, or not whole, run on an Edge TPU; empty if it would.

    Raises ValueError for a model of several subgraphs.
    """
    graph = _Graph(model)
    return (*_tensor_problems(graph), *_operator_problems(graph))


def _tensor_problems(graph: _Graph) -> Iterator[str]:
    for number, tensor in enumerate(graph.tensors):
        if graph.is_constant(number):
            continue
        name = tensor.name.decode() if tensor.name else str(number)
        shape = [] if tensor.shape is None else [int(n) for n in tensor.shape]
        if tensor.type not in _EIGHT_BIT:
            yield f"tensor {name} is not 8 bit"
        if any(n > 1 for n in shape[:-_INNER_DIMENSIONS]):
            yield f"tensor {name} has more than three dimensions above 1: {shape}"
        if tensor.shapeSignature is not None and -1 in tensor.shapeSignature:
            yield f"tensor {name} has no constant size"


def _operator_problems(graph: _Graph) -> Iterator[str]:
    for number, operator in enumerate(graph.graph.operators):
        name = OPERATORS[graph.codes[operator.opcodeIndex]]
        where = f"operator {number} {name}"
        if name not in _SUPPORTED:
            yield f"{where} is not supported; it and all after it run on the processor"
        rule = _RULES.get(name)
        if rule is not None:
            yield from (f"{where} {problem}" for problem in rule(graph, operator))


def _convolution(graph: _Graph, operator: Any) -> Iterator[str]:
    options = operator.builtinOptions
    if options.dilationHFactor != options.dilationWFactor:
        yield f"has unequal dilations {options.dilationHFactor} x {options.dilationWFactor}"
    if not graph.is_constant(operator.inputs[1]):
        yield "has weights that are not constant"


def _fully_connected(graph: _Graph, operator: Any) -> Iterator[str]:
    if len(graph.tensors[operator.inputs[1]].quantization.scale) > 1:
        yield "has weights quantized per channel"
    if int(np.prod(graph.tensors[operator.outputs[0]].shape[:-1])) != 1:
        yield "has an output of more than one dimension"


def _strided_slice(graph: _Graph, operator: Any) -> Iterator[str]:
    options = operator.builtinOptions
    if any(step != 1 for step in graph.integers(operator.inputs[3])):
        yield "has strides other than 1"
    if options.ellipsisMask or options.newAxisMask:
        yield "uses an ellipsis or a new axis"


def _unfused(_graph: _Graph, operator: Any) -> Iterator[str]:
    if operator.builtinOptions.fusedActivationFunction:
        yield "has a fused activation"


_RULES: Final[dict[str, Callable[[_Graph, Any], Iterator[str]]]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _fully_connected,
    "STRIDED_SLICE": _strided_slice,
    "CONCATENATION": _unfused,
    "AVERAGE_POOL_2D": _unfused,
    "MAX_POOL_2D": _unfused,
}


def main(paths: list[str]) -> int:
    """Print each file's problems."""
    found = 0
    for path in paths:
        problems = edge_tpu_problems(Path(path).read_bytes())
        found += len(problems)
        print(f"{path}: {'; '.join(problems) or 'runs whole on an Edge TPU'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
