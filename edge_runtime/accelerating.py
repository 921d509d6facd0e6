"""Who runs the networks of a bundle set: the processor, or an accelerator that does them right and
faster. Tried once for each set, at the start."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_runtime.errors import EdgeRuntimeError, InterpreterError
from edge_runtime.inference.accelerator import Accelerator, AcceleratorConfig
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.inference.golden import Status, check_bundle_set
from edge_runtime.inference.interpreter import Graph, Int8Array, Runtime, find_runtime
from edge_runtime.inference.manifest import GraphManifest

_log = logging.getLogger(__name__)

_ROWS: Final = (1, 8, 64)
"""One patient's beat as it comes; what waits of a patient where there are many; a replay."""
_AT_LEAST: Final = 0.9
"""The accelerator takes over for a tenth less time, not for less: the processor never vanishes."""
_TURNS: Final = 5


class Accelerating:
    """Tries the configured accelerator once for each set; without one it costs nothing."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._runtimes: dict[str, Runtime] = {}

    def runtime_for(self, bundles: BundleSet) -> Runtime:
        """What to open the set's graphs with. Raises InterpreterError where none is installed."""
        known = self._runtimes.get(bundles.fingerprint)
        if known is None:
            known, trial = accelerated(bundles, self._config, find_runtime())
            if trial is not None:
                level = logging.WARNING if trial.problem else logging.INFO
                _log.log(level, "accelerator %s: %s", trial.library, trial.words)
            self._runtimes[bundles.fingerprint] = known
        return known


@dataclass(frozen=True, slots=True)
class Timed:
    """Microseconds that every network of the set together takes for a row, in calls of `rows`."""

    rows: int
    processor_us: float
    accelerator_us: float


@dataclass(frozen=True, slots=True)
class Trial:
    """`from_rows`: calls of so many rows or more go to the accelerator, None: none does. `problem`:
    why it cannot be used at all, empty where it can."""

    library: str
    timed: tuple[Timed, ...] = ()
    from_rows: int | None = None
    problem: str = ""

    @property
    def words(self) -> str:
        """For a person."""
        if self.problem:
            return f"{self.problem}; the processor does everything"
        times = ", ".join(
            f"{one.rows}: {one.accelerator_us:.0f} against {one.processor_us:.0f}"
            for one in self.timed
        )
        told = f"microseconds a row, accelerator against processor, by rows a call: {times}"
        if self.from_rows is None:
            return f"{told}; the processor is faster and does everything"
        part = "everything" if self.from_rows <= 1 else f"calls of {self.from_rows} rows or more"
        return f"{told}; the accelerator does {part}"


def accelerated(
    bundles: BundleSet, config: AcceleratorConfig, plain: Runtime
) -> tuple[Runtime, Trial | None]:
    """The runtime to open the set's graphs with, and what the trial said; None where there is no
    accelerator to try. Whatever is wrong with it leaves the processor."""
    if not config.library or config.use == "never":
        return plain, None
    try:
        return _tried(bundles, config, plain)
    except EdgeRuntimeError as error:
        return plain, Trial(config.library, problem=str(error))


def _tried(bundles: BundleSet, config: AcceleratorConfig, plain: Runtime) -> tuple[Runtime, Trial]:
    """Raises EdgeRuntimeError where the accelerator cannot be used."""
    accelerator = Accelerator(config, plain.load_delegate)
    fast = plain.with_accelerator(accelerator)
    report = check_bundle_set(bundles.where, None, fast)
    wrong = [tier.detail for tier in report.tiers if tier.status is Status.FAILED]
    if wrong:
        raise InterpreterError(f"{config.library} computes something else: {wrong[0]}")
    timed = tuple(_timed(bundles, rows, plain, fast) for rows in _ROWS)
    if words := accelerator.take_loss():
        raise InterpreterError(words)
    from_rows = 1 if config.use == "always" else faster_from(timed)
    trial = Trial(config.library, timed, from_rows)
    if from_rows is None:
        return plain, trial
    accelerator.from_rows = from_rows
    return fast, trial


def faster_from(timed: tuple[Timed, ...]) -> int | None:
    """The least rows from which on the accelerator is faster; None where it never is."""
    found = None
    for one in reversed(timed):
        if one.accelerator_us > _AT_LEAST * one.processor_us:
            break
        found = one.rows
    return found


def _timed(bundles: BundleSet, rows: int, plain: Runtime, fast: Runtime) -> Timed:
    total = {"plain": 0.0, "fast": 0.0}
    for described, opened in _graphs(bundles):
        for way, runtime in (("plain", plain), ("fast", fast)):
            total[way] += _seconds_a_row(opened(runtime), described, rows)
    return Timed(rows, 1e6 * total["plain"], 1e6 * total["fast"])


def _graphs(bundles: BundleSet) -> Iterator[tuple[GraphManifest, Callable[[Runtime], Graph]]]:
    for beats in bundles.bundles.values():
        yield beats.manifest.encoder, beats.open_encoder
        yield beats.manifest.context, beats.open_context
    for graph in bundles.graph_bundles.values():
        yield graph.manifest.graph, graph.open
    if bundles.rhythm is not None:
        yield bundles.rhythm.manifest.graph, bundles.rhythm.open


def _seconds_a_row(graph: Graph, described: GraphManifest, rows: int) -> float:
    """The quickest of some turns: what else the machine does only ever adds."""
    inputs = {spec.role: _empty(graph, spec.role, rows) for spec in described.inputs}
    outputs = {spec.role: _empty(graph, spec.role, rows) for spec in described.outputs}
    return min(_turn(graph, inputs, outputs) for _ in range(_TURNS)) / rows


def _empty(graph: Graph, role: str, rows: int) -> Int8Array:
    return np.zeros((rows, *graph.shape(role)), np.int8)


def _turn(
    graph: Graph,
    inputs: Mapping[str, Int8Array],
    outputs: Mapping[str, Int8Array],
) -> float:
    began = time.perf_counter()
    graph.run_all(inputs, outputs)
    return time.perf_counter() - began
