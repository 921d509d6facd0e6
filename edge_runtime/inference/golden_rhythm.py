"""Golden vectors of a rhythm bundle: tier (b), INT8 in to out, and (c), raw signal to rhythms."""

import io
import zipfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.events import Event, RhythmClassified
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.interpreter import Graph, Runtime
from edge_runtime.inference.rhythm_bundle import RhythmBundle

if TYPE_CHECKING:
    from collections.abc import Callable

Vectors = dict[str, NDArray[Any]]

_APART_S: Final = 3
"""On another arithmetic a change of rhythm may be told so many hops sooner or later."""


def read_rhythm_golden(bundle: RhythmBundle) -> Vectors:
    """The arrays of `golden.npz`. Raises BundleError if it is none."""
    where = bundle.where / bundle.manifest.golden.file
    try:
        with np.load(io.BytesIO(bundle.golden)) as stored:
            return {key: stored[key] for key in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{where} holds no golden vectors: {error}") from error


def replay_rhythm_graph(graph: Graph, features: NDArray[np.int8]) -> NDArray[np.int8]:
    """Logits (k, K) of features (k, F), both in INT8 steps."""
    logits = np.empty((len(features), *graph.shape("logits")), np.int8)
    graph.run({"features": features}, "logits", logits)
    return logits


def record_rhythms(events: Iterable[Event]) -> Vectors:
    """Where the rhythm changed and to what, as tier (c) stores it."""
    told = [event for event in events if isinstance(event, RhythmClassified)]
    return {
        "rhythm_at": np.array([event.at for event in told], np.int64),
        "rhythms": np.array([event.rhythm.value for event in told], np.str_),
    }


def check_rhythm_graph(bundle: RhythmBundle, stored: Vectors, runtime: Runtime) -> tuple[bool, str]:
    """Tier (b): whether it passed, and what was compared."""
    found = replay_rhythm_graph(bundle.open(runtime), stored["features"])
    apart = int(np.abs(found.astype(np.int16) - stored["logits"].astype(np.int16)).max())
    allowed = runtime.tolerance_lsb(bundle.manifest.golden.kernels)
    detail = f"{len(found)} hops, INT8 steps apart: logits {apart} (allowed {allowed})"
    return apart <= allowed, detail


def check_rhythms(
    bundle: RhythmBundle,
    stored: Vectors,
    run: "Callable[[Excerpt], Iterable[Event]]",
    runtime: Runtime,
) -> tuple[bool, str]:
    """Tier (c): whether it passed, and what was compared."""
    excerpt = Excerpt.from_arrays(stored)
    found = record_rhythms(run(excerpt))
    names, wanted = found["rhythms"].tolist(), stored["rhythms"].tolist()
    detail = f"{len(wanted)} changes of rhythm: {' '.join(wanted)}"
    if names != wanted:
        return False, f"{detail}, found {' '.join(names)}"
    apart = np.abs(found["rhythm_at"] - stored["rhythm_at"]).max(initial=0)
    exact = runtime.kernels is bundle.manifest.golden.kernels
    allowed = 0.0 if exact else float(_APART_S * excerpt.rate_hz)
    return float(apart) <= allowed, f"{detail}, at most {apart} samples apart"
