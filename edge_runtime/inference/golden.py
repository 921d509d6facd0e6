"""Golden vectors: does this machine compute what the bundle's maker saw?

Three tiers, because exactness has limits (exponentials change with the processor's vector unit):

a. raw signal to conditioned signal, bit for bit;
b. INT8 tensors in to INT8 tensors out, exact on runtimes of the same arithmetic (`Kernels`), one
   step between LiteRT's two, within 5 steps on the older tflite-runtime;
c. several minutes of raw signal with a gap, noise and ectopy to events: peaks exact, classes
   equal, scores within the manifest's tolerance; on another arithmetic nearly all peaks (a
   tentative one is a beat if the scores say so) and classes, scores within `INEXACT_SCORES_APART`.
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.events import BeatClassified, BeatDetected, Event
from edge_runtime.inference import graph_golden
from edge_runtime.inference.beats import FeatureScaler, encoder_steps
from edge_runtime.inference.bundle import BeatBundle, BundleSet, load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden_rhythm import (
    check_rhythm_graph,
    check_rhythms,
    read_rhythm_golden,
)
from edge_runtime.inference.interpreter import Graph, Runtime, find_runtime
from edge_runtime.inference.manifest import (
    BEATS,
    CONTEXT_INPUTS,
    CONTEXT_OUTPUTS,
    ENCODER_INPUTS,
    ENCODER_OUTPUTS,
)
from edge_runtime.inference.rhythm_manifest import RHYTHM
from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.spec import ConditioningSpec
from firmware_bridge.stream import StreamItem

Arrays = Mapping[str, NDArray[Any]]

RunEngine = Callable[[BundleSet, Iterable[StreamItem], int | None], Iterable[Event]]
"""A fresh engine over a bundle set and a mains frequency, fed with the items: its events.
`edge_runtime.golden_engine.run_engine` is the shipped one; inference cannot import it."""

CONDITIONED_S: Final = 10
"""Seconds of the excerpt that tier (a) replays; the filters' longest memory is a few."""

INEXACT_AGREEMENT: Final = 0.98
"""Share of classes, and of peaks, that must agree in tier (c) on a runtime that is not exact: five
steps of INT8 turn a beat that lies on the border."""

INEXACT_SCORES_APART: Final = 0.1
"""Largest difference of a class score in tier (c) between runtimes of different arithmetic. On the
shipped set, recorded with ai-edge-litert 1.2, it is 0.035 on 2.3 and on tflite-runtime 2.14
(`edge-runtime doctor` under each); the bound leaves a bundle to come twice to thrice that."""

_REQUIRED: Final = {
    "counts",
    "conditioned",
    "mains_hz",
    *ENCODER_INPUTS,
    *ENCODER_OUTPUTS,
    *CONTEXT_INPUTS,
    *CONTEXT_OUTPUTS,
}


class Status(StrEnum):
    """Outcome of one tier."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class TierResult:
    """One tier of one bundle: `a`, `b` or `c`, what was compared, and the bundle's role."""

    tier: str
    status: Status
    detail: str
    bundle: str = BEATS

    @property
    def name(self) -> str:
        """The tier, with the bundle's role where it is not `beats`."""
        return self.tier if self.bundle == BEATS else f"{self.bundle} {self.tier}"


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """What a bundle set is, and whether this machine reproduces its golden vectors."""

    name: str
    version: str
    fingerprint: str
    runtime: str
    tiers: tuple[TierResult, ...]

    @property
    def passed(self) -> bool:
        """No tier failed."""
        return all(tier.status is not Status.FAILED for tier in self.tiers)


def check_bundle_set(
    path: Path | str | None = None,
    run_engine: RunEngine | None = None,
    runtime: Runtime | None = None,
) -> GoldenReport:
    """Verify the set at `path` (None: the shipped one) and replay its golden vectors.

    Without `run_engine` tier (c) is not run. Raises BundleError where the set itself is damaged
    or not acceptable, InterpreterError where no TFLite runtime works.
    """
    runtime = runtime or find_runtime()
    loaded = load_bundle_set(path)
    return GoldenReport(
        name=loaded.name,
        version=loaded.version,
        fingerprint=loaded.fingerprint,
        runtime=f"{runtime.name} {runtime.version}",
        tiers=tuple(
            replace(tier, bundle=role)
            for role, bundle in loaded.bundles.items()
            for tier in _check_bundle(loaded, bundle, run_engine, runtime)
        )
        + tuple(
            TierResult(tier, Status.PASSED if passed else Status.FAILED, detail, role)
            for role, graph in loaded.graph_bundles.items()
            for tier, passed, detail in graph_golden.check(graph, runtime)
        )
        + _check_rhythm(loaded, run_engine, runtime),
    )


def _check_rhythm(
    loaded: BundleSet, run_engine: RunEngine | None, runtime: Runtime
) -> tuple[TierResult, ...]:
    bundle = loaded.rhythm
    if bundle is None:
        return ()
    stored = read_rhythm_golden(bundle)
    passed, detail = check_rhythm_graph(bundle, stored, runtime)
    graph = TierResult("b", _status(passed), detail, RHYTHM)
    if run_engine is None or "rhythms" not in stored:
        return graph, TierResult("c", Status.NOT_RUN, "no engine was given, or no events", RHYTHM)
    run = run_engine
    passed, detail = check_rhythms(
        bundle, stored, lambda excerpt: run(loaded, excerpt.items(), excerpt.mains_hz), runtime
    )
    return graph, TierResult("c", _status(passed), detail, RHYTHM)


def _status(passed: bool) -> Status:
    return Status.PASSED if passed else Status.FAILED


def _check_bundle(
    loaded: BundleSet, bundle: BeatBundle, run_engine: RunEngine | None, runtime: Runtime
) -> tuple[TierResult, ...]:
    stored = read_golden(bundle)
    return (
        check_conditioning(loaded.conditioning, stored),
        check_graphs(bundle, stored, runtime),
        check_events(loaded, bundle, stored, run_engine, runtime),
    )


def require_golden(report: GoldenReport) -> None:
    """Raise BundleError naming the tiers that failed, if any did."""
    failed = [f"({t.name}) {t.detail}" for t in report.tiers if t.status is Status.FAILED]
    if failed:
        raise BundleError(
            f"bundle set {report.name} {report.version} does not reproduce its golden vectors "
            f"with {report.runtime}: {'; '.join(failed)}. Do not use it on this machine; "
            "reinstall, and report the processor and versions if it stays"
        )


def read_golden(bundle: BeatBundle) -> dict[str, NDArray[Any]]:
    """The arrays of `golden.npz`. Raises BundleError if it is none."""
    where = bundle.where / bundle.manifest.golden.file
    try:
        with np.load(io.BytesIO(bundle.golden)) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{where} holds no golden vectors: {error}") from error
    missing = sorted(_REQUIRED - set(arrays))
    if missing:
        raise BundleError(f"{where} lacks the golden vectors {', '.join(missing)}")
    return arrays


# --- (a) raw to conditioned


def condition(spec: ConditioningSpec, excerpt: Excerpt) -> NDArray[np.float64]:
    """The first seconds of the excerpt, conditioned; they lie before its first gap."""
    n = int(CONDITIONED_S * excerpt.rate_hz)
    conditioner = Conditioner(spec, excerpt.rate_hz, len(excerpt.leads), excerpt.mains_hz)
    return conditioner.process(excerpt.physical(0, n))


def check_conditioning(spec: ConditioningSpec, stored: Arrays) -> TierResult:
    """Tier (a)."""
    expected = stored["conditioned"]
    found = condition(spec, Excerpt.from_arrays(stored))
    if found.shape != expected.shape:
        return TierResult("a", Status.FAILED, f"shape {found.shape}, stored {expected.shape}")
    different = int(np.count_nonzero(found != expected))
    if different:
        worst = float(np.abs(found - expected).max())
        detail = f"{different} of {expected.size} samples differ, by up to {worst:.3g} mV"
        return TierResult("a", Status.FAILED, detail)
    return TierResult("a", Status.PASSED, f"{expected.size} conditioned samples, bit for bit")


# --- (b) INT8 in to INT8 out


def record_graphs(
    bundle: BeatBundle, block: BeatBlock, companion: BeatBlock | None = None
) -> dict[str, NDArray[np.int8]]:
    """Inputs and outputs of both graphs over the valid beats, as tier (b) stores them.

    The history fills as in a stream from its start, so masked rows are covered. `companion`: the
    same beats on the second lead, for a bundle of two; in the last third the first lead is lost.
    """
    encoder, context = bundle.open_encoder(), bundle.open_context()
    blocks = [block] if companion is None else [block, companion]
    scale = FeatureScaler(bundle.manifest.features)
    found = [encoder_steps(encoder, scale, b, np.flatnonzero(b.valid)) for b in blocks]
    steps = (np.concatenate(parts) for parts in zip(*found, strict=True))
    inputs = dict(zip(ENCODER_INPUTS, steps, strict=True))
    vectors: dict[str, NDArray[np.int8]] = {**inputs, **replay_graph(encoder, inputs)}
    rows = encoder.quantization["embedding"].to_real(vectors["embedding"][:, 0])
    padded, used = _timelines(blocks, rows, bundle.manifest.history)
    n, k = bundle.manifest.history, len(block)
    windows = np.arange(1, n + 1) + np.arange(k)[:, np.newaxis]
    seen = np.flatnonzero(used[:, n:].any(axis=0))
    inputs = {
        "history": context.quantization["history"].to_int8(padded[:, windows[seen]].swapaxes(0, 1)),
        "valid": context.quantization["valid"].to_int8(
            used[:, windows[seen], np.newaxis].swapaxes(0, 1)
        ),
    }
    return {**vectors, **inputs, **replay_graph(context, inputs)}


def _timelines(
    blocks: Sequence[BeatBlock], rows: NDArray[np.float32], history: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings (leads, history + k, E) behind an empty history, and their valid flags.

    `rows` are those of each lead's valid beats, one lead after the other.
    """
    k = len(blocks[0])
    padded = np.zeros((len(blocks), history + k, rows.shape[1]), np.float32)
    used = np.zeros((len(blocks), history + k), np.float32)
    first = 0
    for lead, block in enumerate(blocks):
        which = np.flatnonzero(block.valid)
        padded[lead, history + which] = rows[first : first + len(which)]
        used[lead, history + which] = 1.0
        first += len(which)
    if len(blocks) > 1:
        lost = slice(history + 2 * k // 3, None)
        padded[0, lost], used[0, lost] = 0.0, 0.0
    return padded, used


def replay_graph(graph: Graph, inputs: Arrays) -> dict[str, NDArray[np.int8]]:
    """Outputs by role, (k, 1, *shape), for k rows of inputs by role."""
    roles = ENCODER_OUTPUTS if "window" in inputs else CONTEXT_OUTPUTS
    k = len(next(iter(inputs.values())))
    outputs = {role: np.empty((k, *graph.shape(role)), np.int8) for role in roles}
    graph.run_all(inputs, outputs)
    return {role: values[:, np.newaxis] for role, values in outputs.items()}


def check_graphs(bundle: BeatBundle, stored: Arrays, runtime: Runtime) -> TierResult:
    """Tier (b)."""
    found = {
        **replay_graph(bundle.open_encoder(runtime), {r: stored[r] for r in ENCODER_INPUTS}),
        **replay_graph(bundle.open_context(runtime), {r: stored[r] for r in CONTEXT_INPUTS}),
    }
    worst = {role: _steps_apart(values, stored[role]) for role, values in found.items()}
    told = ", ".join(f"{role} {steps}" for role, steps in worst.items())
    allowed = runtime.tolerance_lsb(bundle.manifest.golden.kernels)
    passed = max(worst.values()) <= allowed
    beats = len(stored["window"])
    detail = f"{beats} beats, INT8 steps apart: {told} (allowed {allowed})"
    return TierResult("b", Status.PASSED if passed else Status.FAILED, detail)


def _steps_apart(a: NDArray[np.int8], b: NDArray[np.int8]) -> int:
    return int(np.abs(a.astype(np.int16) - b.astype(np.int16)).max())


# --- (c) raw to events


def record_events(
    events: Iterable[Event], classes: tuple[str, ...]
) -> dict[str, NDArray[np.int64] | NDArray[np.float32] | NDArray[np.str_]]:
    """Peaks, labels and scores of the events, as tier (c) stores them."""
    events = list(events)
    beats = [event for event in events if isinstance(event, BeatClassified)]
    scores = [[beat.scores.get(name, np.nan) for name in classes] for beat in beats]
    return {
        "peaks": np.array([e.at for e in events if isinstance(e, BeatDetected)], np.int64),
        "beats": np.array([beat.at for beat in beats], np.int64),
        "labels": np.array([beat.label.value for beat in beats], np.str_),
        "scores": np.array(scores, np.float32).reshape(len(beats), len(classes)),
    }


def check_events(
    loaded: BundleSet,
    bundle: BeatBundle,
    stored: Arrays,
    run_engine: RunEngine | None,
    runtime: Runtime,
) -> TierResult:
    """Tier (c)."""
    if run_engine is None:
        return TierResult("c", Status.NOT_RUN, "no engine was given")
    if "peaks" not in stored:
        return TierResult("c", Status.NOT_RUN, "the set holds no events")
    manifest = bundle.manifest
    excerpt = Excerpt.from_arrays(stored)
    events = run_engine(loaded, excerpt.items(), excerpt.mains_hz)
    found = record_events(events, manifest.classes)
    exact = runtime.kernels is manifest.golden.kernels
    for key in ("peaks", "beats"):
        if not _same_places(found[key], stored[key], exact=exact):
            return TierResult("c", Status.FAILED, _first_difference(key, found[key], stored[key]))
    ours = np.isin(found["beats"], stored["beats"])
    theirs = np.isin(stored["beats"], found["beats"])
    same = float(np.mean(found["labels"][ours] == stored["labels"][theirs]))
    apart = _scores_apart(found["scores"][ours], stored["scores"][theirs])
    told = (
        f"{len(found['peaks'])} peaks{' exact' if exact else ''}, {same:.2%} of classes equal, "
        f"scores {apart:.2g} apart"
    )
    if exact:
        passed = same == 1.0 and apart <= manifest.golden.score_tolerance
    else:
        passed = same >= INEXACT_AGREEMENT and apart <= INEXACT_SCORES_APART
    return TierResult("c", Status.PASSED if passed else Status.FAILED, told)


def _same_places(found: NDArray[Any], expected: NDArray[Any], *, exact: bool) -> bool:
    if exact:
        return np.array_equal(found, expected)
    shared = len(np.intersect1d(found, expected))
    return shared >= INEXACT_AGREEMENT * max(len(found), len(expected))


def _scores_apart(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest difference; a beat that has scores on one side only is infinitely far."""
    if not np.array_equal(np.isnan(found), np.isnan(expected)):
        return float("inf")
    return float(np.max(np.nan_to_num(np.abs(found - expected)), initial=0.0))


def _first_difference(key: str, found: NDArray[Any], expected: NDArray[Any]) -> str:
    n = min(len(found), len(expected))
    differs = np.flatnonzero(found[:n] != expected[:n])
    where = f"first at number {differs[0]}" if len(differs) else f"after the first {n}"
    return f"{key} differ ({len(found)} found, {len(expected)} stored), {where}"
