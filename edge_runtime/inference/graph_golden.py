"""Golden vectors of a bundle of one graph: INT8 tensors in to INT8 tensors out, and what they mean.

Tier (b) as for beats. Tier (c): windows in QRS heights to places in seconds, which pass through
the bundle's own scales and thresholds; exact where the arithmetic is.
"""

import io
import zipfile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.inference.bundle import GraphBundle
from edge_runtime.inference.delineation import Delineator
from edge_runtime.inference.interpreter import Runtime

Vectors = dict[str, NDArray[Any]]

_VECTORS: Final = ("windows", "places", "present", "seconds")
INEXACT_AGREEMENT: Final = 0.95
INEXACT_APART_S: Final = 0.016
"""On other arithmetic: so many of the places lie within two window samples of those stored."""
_DEEPER: Final = 2
"""A graph as deep as this adds up the roundings of twice as many layers as those for beats; the
places that are read from it (tier c) are what counts."""


def record(delineator: Delineator, windows: NDArray[np.float32]) -> Vectors:
    """What `check` compares, of windows (n, 160) in QRS heights."""
    places, present = delineator.run(delineator.steps(windows))
    seconds = delineator.read(places, present).seconds
    return {"windows": windows, "places": places, "present": present, "seconds": seconds}


def check(bundle: GraphBundle, runtime: Runtime) -> tuple[tuple[str, bool, str], ...]:
    """Tier, whether it passed, and what was compared. Raises BundleError for a damaged bundle."""
    stored = _read(bundle)
    found = record(Delineator(bundle, runtime), stored["windows"])
    allowed = _DEEPER * runtime.tolerance_lsb(bundle.manifest.golden.kernels)
    worst = {role: _steps_apart(found[role], stored[role]) for role in ("places", "present")}
    told = ", ".join(f"{role} {steps}" for role, steps in worst.items())
    detail = f"{len(found['windows'])} beats, INT8 steps apart: {told} (allowed {allowed})"
    same = _agreement(found["seconds"], stored["seconds"], 0.0 if not allowed else INEXACT_APART_S)
    needed = 1.0 if not allowed else INEXACT_AGREEMENT
    return (
        ("b", max(worst.values()) <= allowed, detail),
        ("c", same >= needed, f"{same:.2%} of {stored['seconds'].size} places agree"),
    )


def _agreement(found: NDArray[Any], stored: NDArray[Any], apart_s: float) -> float:
    absent = np.isnan(found) & np.isnan(stored)
    return float(np.mean(absent | (np.abs(found - stored) <= apart_s)))


def _steps_apart(a: NDArray[np.int8], b: NDArray[np.int8]) -> int:
    return int(np.abs(a.astype(np.int16) - b.astype(np.int16)).max())


def _read(bundle: GraphBundle) -> Vectors:
    where = bundle.where / bundle.manifest.golden.file
    try:
        with np.load(io.BytesIO(bundle.golden)) as stored:
            return {key: stored[key] for key in _VECTORS}
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{where} holds no golden vectors: {error}") from error
