"""Who runs the networks of a bundle set: the processor, or an accelerator that does them right and
faster. Tried once for each set, at the start."""

import functools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_runtime.errors import EdgeRuntimeError, InterpreterError
from edge_runtime.gathering import Gathering
from edge_runtime.inference.accelerator import Accelerator, AcceleratorConfig
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.inference.golden import Status, check_bundle_set
from edge_runtime.inference.interpreter import Graph, Int8Array, Runtime, find_runtime
from edge_runtime.inference.manifest import GraphManifest

_log = logging.getLogger(__name__)

_ROWS: Final = (1, 8, 64)
"""One patient's beat as it comes; what waits where there are many patients; a replay."""
_PATIENTS: Final = 8
"""So many are gathered for the trial: fewer than a machine has that is ever behind."""
_AT_LEAST: Final = 0.9
"""The accelerator takes over for a tenth less time, not for less: the processor never vanishes."""
_TURNS: Final = 5
_KEPT: Final = 2
"""Sets whose trial is remembered: the one in use, and the one that it may give way to again."""


class Accelerating:
    """Tries the configured accelerator once for each set; without one it costs nothing. The set
    that was asked for last is the one in use."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._runtimes: dict[str, Runtime] = {}

    def runtime_for(self, bundles: BundleSet) -> Runtime:
        """What to open the set's graphs with. Raises InterpreterError where none is installed."""
        known = self._runtimes.pop(bundles.fingerprint, None)
        if known is None:
            known, trial = accelerated(bundles, self._config, find_runtime())
            if trial is not None:
                level = logging.WARNING if trial.problem else logging.INFO
                _log.log(level, "accelerator %s: %s", trial.library, trial.words)
        self._runtimes[bundles.fingerprint] = known  # behind the others: it is in use
        for old in list(self._runtimes)[:-_KEPT]:
            del self._runtimes[old]
        return known

    def gathering(self) -> Gathering | None:
        """Of the accelerator of the set in use, where engines are to work together; else None."""
        in_use = next(reversed(self._runtimes.values()), None)
        accelerator = None if in_use is None else in_use.accelerator
        if accelerator is None or accelerator.is_lost:
            return None
        gathering = accelerator.gathering
        if isinstance(gathering, Gathering) and gathering.from_patients is not None:
            return gathering
        return None


@dataclass(frozen=True, slots=True)
class Timed:
    """Microseconds that every network of the set together takes for a row, in calls of `rows`."""

    rows: int
    processor_us: float
    accelerator_us: float


@dataclass(frozen=True, slots=True)
class Trial:
    """`from_rows`: calls of so many rows or more go to the accelerator, None: none does.
    `gathered`: a row each of so many patients, on the processor one after the other, on the
    accelerator gathered, threads and all; `from_patients`: so many or more are gathered, None: none
    are. `problem`: why it cannot be used at all, empty where it can."""

    library: str
    timed: tuple[Timed, ...] = ()
    from_rows: int | None = None
    gathered: Timed | None = None
    from_patients: int | None = None
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
        if self.gathered is not None:
            both = f"{self.gathered.accelerator_us:.0f} against {self.gathered.processor_us:.0f}"
            told = f"{told}; of {self.gathered.rows} patients gathered: {both}"
        if self.from_rows is None:
            return f"{told}; the processor is faster and does everything"
        part = "everything" if self.from_rows <= 1 else f"calls of {self.from_rows} rows or more"
        if self.from_patients is not None:
            part = f"{part}, gathered from {self.from_patients} patients on"
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
    gathering = accelerator.gathering = Gathering()
    gathered = _gathered(bundles, plain, fast, gathering)
    if words := accelerator.take_loss():
        raise InterpreterError(words)
    from_rows = 1 if config.use == "always" else faster_from(timed)
    from_patients = gathered_from(timed, gathered, from_rows)
    trial = Trial(config.library, timed, from_rows, gathered, from_patients)
    if from_rows is None:
        return plain, trial
    accelerator.from_rows = from_rows
    gathering.from_patients = from_patients
    return fast, trial


def faster_from(timed: tuple[Timed, ...]) -> int | None:
    """The least rows from which on the accelerator is faster; None where it never is."""
    found = None
    for one in reversed(timed):
        if one.accelerator_us > _AT_LEAST * one.processor_us:
            break
        found = one.rows
    return found


def gathered_from(timed: tuple[Timed, ...], gathered: Timed, from_rows: int | None) -> int | None:
    """From how many patients on gathering pays: so many as were tried, or None. It must beat what
    is done otherwise: a row at a time, by whoever does one row."""
    if from_rows is None or from_rows > gathered.rows:
        return None
    singly_us = timed[0].accelerator_us if from_rows == 1 else gathered.processor_us
    return gathered.rows if gathered.accelerator_us <= _AT_LEAST * singly_us else None


def _timed(bundles: BundleSet, rows: int, plain: Runtime, fast: Runtime) -> Timed:
    us = (1e6 * _quickest_s(_networks(bundles, way, rows)) / rows for way in (plain, fast))
    return Timed(rows, *us)


def _gathered(bundles: BundleSet, plain: Runtime, fast: Runtime, gathering: Gathering) -> Timed:
    alone = [_networks(bundles, plain, 1) for _ in range(_PATIENTS)]
    ready = [_networks(bundles, fast, 1) for _ in range(_PATIENTS)]
    alone_s = _quickest_s(lambda: [one() for one in alone])
    together_s = _quickest_s(lambda: list(gathering.together(ready)))
    return Timed(_PATIENTS, 1e6 * alone_s / _PATIENTS, 1e6 * together_s / _PATIENTS)


def _networks(bundles: BundleSet, runtime: Runtime, rows: int) -> Callable[[], None]:
    """One patient's call of each network after the other, as an engine makes them: an accelerator
    that has to load one's weights first shows it here."""
    calls = [_call(opened(runtime), described, rows) for described, opened in _graphs(bundles)]

    def make() -> None:
        for call in calls:
            call()

    return make


def _graphs(bundles: BundleSet) -> Iterator[tuple[GraphManifest, Callable[[Runtime], Graph]]]:
    for beats in bundles.bundles.values():
        yield beats.manifest.encoder, beats.open_encoder
        yield beats.manifest.context, beats.open_context
    for graph in bundles.graph_bundles.values():
        yield graph.manifest.graph, graph.open
    if bundles.rhythm is not None:
        yield bundles.rhythm.manifest.graph, bundles.rhythm.open


def _call(graph: Graph, described: GraphManifest, rows: int) -> Callable[[], None]:
    inputs = {spec.role: _empty(graph, spec.role, rows) for spec in described.inputs}
    outputs = {spec.role: _empty(graph, spec.role, rows) for spec in described.outputs}
    return functools.partial(graph.run_all, inputs, outputs)


def _empty(graph: Graph, role: str, rows: int) -> Int8Array:
    return np.zeros((rows, *graph.shape(role)), np.int8)


def _quickest_s(work: Callable[[], object]) -> float:
    """Of some turns: what else the machine does only ever adds."""

    def turn() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(turn() for _ in range(_TURNS))
