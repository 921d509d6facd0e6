"""One adapter over the TFLite interpreters: ai-edge-litert, else tflite-runtime 2.14.

The only module that knows which of them is installed. TensorFlow's own interpreter is never
used: it costs half a gigabyte. A `Graph` addresses tensors by role; a converter orders inputs as
it likes. Real numbers become INT8 by each tensor's own scale and zero point, rounded and
saturated; a bare cast would turn 130.7 into -126.
"""

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError, InterpreterError
from edge_runtime.inference.accelerator import Accelerator
from edge_runtime.inference.calls import Call

Int8Array = NDArray[np.int8]

_LOWEST: Final = np.float32(-128.0)
_HIGHEST: Final = np.float32(127.0)

_INSTALL: Final = (
    "install one: pip install 'ecg-edge[litert]' "
    "(or, on Python 3.11 with numpy 1.26, pip install 'ecg-edge[tflite]')"
)


class Kernels(StrEnum):
    """Which arithmetic a runtime does: results of one kind agree bit for bit.

    Measured on the shipped bundle set with ai-edge-litert 1.2, 1.3, 1.4, 2.0, 2.1, 2.3 and
    tflite-runtime 2.14 (`edge-runtime doctor` under each).
    """

    LITERT_1 = "litert 1.0 to 2.0"
    LITERT_2 = "litert from 2.1"
    TFLITE = "tflite-runtime"
    ACCELERATOR = "an accelerator"


_FIRST_LITERT_2: Final = (2, 1)


@dataclass(frozen=True, slots=True)
class Runtime:
    """An installed TFLite runtime, and the accelerator that is to help it, if any."""

    name: str
    version: str
    kernels: Kernels
    interpreter: Callable[..., Any]
    load_delegate: Callable[..., Any]
    accelerator: Accelerator | None = None

    def tolerance_lsb(self, golden: Kernels) -> int:
        """Steps by which an INT8 output may differ from a vector recorded with `golden`: none
        with the same arithmetic, one between LiteRT's two, five to tflite-runtime or to an
        accelerator."""
        if self.kernels is golden:
            return 0
        far = (Kernels.TFLITE, Kernels.ACCELERATOR)
        return 5 if self.kernels in far or golden in far else 1

    def with_accelerator(self, accelerator: Accelerator) -> "Runtime":
        """This runtime with an accelerator."""
        return replace(self, kernels=Kernels.ACCELERATOR, accelerator=accelerator)


def _kernels(distribution: str, version: str) -> Kernels:
    if distribution == "tflite-runtime":
        return Kernels.TFLITE
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return Kernels.LITERT_1 if numbers and numbers < _FIRST_LITERT_2 else Kernels.LITERT_2


_RUNTIMES: Final = (("ai_edge_litert", "ai-edge-litert"), ("tflite_runtime", "tflite-runtime"))


def find_runtime() -> Runtime:
    """The installed runtime, the newer one first.

    Raises InterpreterError if there is none, or if it cannot work with the installed numpy.
    """
    for package, distribution in _RUNTIMES:
        try:
            module = importlib.import_module(f"{package}.interpreter")
            version = getattr(importlib.import_module(package), "__version__", "unknown")
        except ImportError:
            continue
        if package == "tflite_runtime" and not np.__version__.startswith("1."):
            raise InterpreterError(
                f"tflite-runtime needs numpy 1, numpy {np.__version__} is installed; {_INSTALL}"
            )
        kernels = _kernels(distribution, version)
        return Runtime(distribution, version, kernels, module.Interpreter, module.load_delegate)
    raise InterpreterError(f"no TFLite runtime is installed; {_INSTALL}")


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = (int8 - zero_point) * scale."""

    scale: float
    zero_point: int

    def to_int8(self, real: NDArray[np.float32]) -> Int8Array:
        """Rounded to the nearest step (ties to even) and saturated; NaN gives the lowest step."""
        steps: NDArray[np.float32] = real * np.float32(1.0 / self.scale)
        np.rint(steps, out=steps)
        steps += np.float32(self.zero_point)
        np.fmax(steps, _LOWEST, out=steps)
        np.fmin(steps, _HIGHEST, out=steps)
        return steps.astype(np.int8)

    def to_real(self, steps: NDArray[np.int8]) -> NDArray[np.float32]:
        """The real numbers that the steps stand for."""
        real = (steps.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)
        return real.astype(np.float32, copy=False)

    def table_to(self, other: "Quantization") -> Int8Array:
        """Length 256: entry `step + 128` is the same real number in `other`'s steps."""
        return other.to_int8(self.to_real(np.arange(-128, 128).astype(np.int8)))


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What the manifest says of one tensor: its role, its name in the graph and its shape."""

    role: str
    name: str
    shape: tuple[int, ...]


class _Bound:
    """An interpreter over one graph, its tensors by role."""

    __slots__ = ("invoke", "quantization", "shapes", "views")

    def __init__(
        self,
        interpreter: Any,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        what: str,
    ) -> None:
        self.quantization: dict[str, Quantization] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.views: dict[str, Callable[[], Int8Array]] = {}
        self._bind(interpreter, inputs, interpreter.get_input_details(), f"{what}: input")
        self._bind(interpreter, outputs, interpreter.get_output_details(), f"{what}: output")
        self.invoke: Callable[[], None] = interpreter.invoke

    def _bind(
        self,
        interpreter: Any,
        specs: tuple[TensorSpec, ...],
        details: list[dict[str, Any]],
        what: str,
    ) -> None:
        by_name: Mapping[str, dict[str, Any]] = {detail["name"]: detail for detail in details}
        wanted = {spec.name for spec in specs}
        if wanted != set(by_name):
            raise BundleError(
                f"{what} tensors are {sorted(by_name)}, the manifest names {sorted(wanted)}"
            )
        for spec in specs:
            detail = by_name[spec.name]
            shape = tuple(int(n) for n in detail["shape"])
            if shape != spec.shape or detail["dtype"] is not np.int8:
                raise BundleError(
                    f"{what} {spec.role} is {np.dtype(detail['dtype'])} {shape}, "
                    f"the manifest says int8 {spec.shape}"
                )
            scale, zero_point = detail["quantization"]
            if not scale > 0:
                raise BundleError(f"{what} {spec.role} has no quantization scale")
            self.shapes[spec.role] = shape
            self.quantization[spec.role] = Quantization(float(scale), int(zero_point))
            # A view is made anew at each use and never kept: the interpreter refuses to invoke
            # while one is alive. Making one costs a third of set_tensor.
            self.views[spec.role] = interpreter.tensor(detail["index"])


class Graph:
    """One INT8 TFLite graph, tensors addressed by role. One call at a time.

    With an accelerator in the runtime it does what is its part, until it fails.

    Raises BundleError where the graph is no TFLite model or is not what the manifest says, and
    InterpreterError where no runtime is installed.
    """

    __slots__ = ("_accelerated", "_plain", "model", "quantization", "runtime")

    def __init__(
        self,
        model: bytes,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        what: str,
        runtime: Runtime | None = None,
    ) -> None:
        self.model = model
        self.runtime = runtime or find_runtime()
        try:
            with _silent_stderr():
                interpreter = self._interpreter(model)
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{what}: {self.runtime.name} refuses the graph: {error}") from error
        self._plain = _Bound(interpreter, inputs, outputs, what)
        self.quantization = self._plain.quantization
        self._accelerated: _Bound | None = None
        accelerator = self.runtime.accelerator
        if accelerator is not None and not accelerator.is_lost:
            try:
                with _silent_stderr():
                    compiled, delegates = accelerator.options_for(Path(what))
                    interpreter = self._interpreter(
                        compiled or model, experimental_delegates=delegates
                    )
                self._accelerated = _Bound(interpreter, inputs, outputs, what)
            except (ValueError, OSError, RuntimeError, BundleError) as error:
                accelerator.lost(error)

    def _interpreter(self, model: bytes, **options: Any) -> Any:
        # More than one thread never helps a network of this size and can cost tenfold.
        made = self.runtime.interpreter(model_content=model, num_threads=1, **options)
        made.allocate_tensors()
        return made

    def _for(self, rows: int) -> _Bound:
        """Who runs a call of so many rows."""
        accelerator = self.runtime.accelerator
        if self._accelerated is None or accelerator is None or accelerator.is_lost:
            return self._plain
        return self._accelerated if rows >= accelerator.from_rows else self._plain

    def shape(self, role: str) -> tuple[int, ...]:
        """Of one row of that tensor, without the batch of one."""
        return self._plain.shapes[role][1:]

    def run(self, inputs: Mapping[str, Iterable[Int8Array]], output: str, into: Int8Array) -> None:
        """Invoke once for each row of `into` (k, *shape), which takes that output.

        `inputs` gives k arrays for each role, as `run_all` takes them.
        """
        self.run_all(inputs, {output: into})

    def run_all(
        self, inputs: Mapping[str, Iterable[Int8Array]], outputs: Mapping[str, Int8Array]
    ) -> None:
        """Invoke once for each row of every array of `outputs`, (k, *shape) by role.

        `inputs` gives k arrays in INT8 steps for each role, of the tensor's shape or
        broadcastable to it.
        """
        call = Call(self, {role: list(values) for role, values in inputs.items()}, outputs)
        accelerator = self.runtime.accelerator
        if accelerator is None or not accelerator.gathering.takes(call):
            self.make(call, call.rows)

    def make(self, call: Call, rows: int) -> None:
        """Make a call of this network, of this graph or another: part of a larger one of so many
        `rows`, which say whose part it is."""
        bound = self._for(rows)
        try:
            _run(bound, call)
        except (RuntimeError, ValueError) as error:
            if bound is self._plain or self.runtime.accelerator is None:
                raise
            self.runtime.accelerator.lost(error)
            _run(self._plain, call)


def _run(bound: _Bound, call: Call) -> None:
    inputs, outputs = call.inputs, call.outputs
    # A beat costs two of these turns: everything that can be is looked up before them.
    views, invoke = [bound.views[role] for role in inputs], bound.invoke
    results = [(bound.views[role], into) for role, into in outputs.items()]
    for row, steps in enumerate(zip(*inputs.values(), strict=True)):
        for view, values in zip(views, steps, strict=True):
            view()[...] = values
        invoke()
        for result, into in results:
            into[row] = result()[0]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Nothing reaches file descriptor 2 meanwhile.

    The first interpreter of a process writes "INFO: Created TensorFlow Lite XNNPACK delegate" to
    it from C++, past `sys.stderr`, into whatever screen the terminal shows; no setting stops it.
    What goes wrong comes as an exception all the same.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a daemon may run without one
        kept = -1
    if kept < 0:
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
