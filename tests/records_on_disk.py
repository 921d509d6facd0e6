"""Small WFDB records for tests that begin at a file."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import INVALID_COUNT, Header, SignalSpec, write_signals

GAIN = 1000.0
LEADS = ("I", "II", "V1", "V5")


def write_record(
    path: Path,
    millivolts: NDArray[np.floating],
    rate_hz: Fraction | int,
    leads: tuple[str, ...] = LEADS,
) -> Path:
    """`millivolts` (n, n_leads) as format 16 at `path`, NaN as invalid samples; `path` again."""
    names = leads[: millivolts.shape[1]]
    signals = tuple(SignalSpec(name, f"{path.name}.dat", 16, adc_gain=GAIN) for name in names)
    valid = np.isfinite(millivolts)
    counts = np.round(np.where(valid, millivolts, 0) * GAIN).astype(np.int32)
    counts[~valid] = INVALID_COUNT
    write_signals(path, counts, Header(path.name, Fraction(rate_hz), len(counts), signals))
    return path
