"""What the shipped signal path says about a lead: the only preprocessing there is."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.observations import BeatsReady, Observation
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.spec import read_spec
from firmware_bridge.stream import (
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamOpened,
)

SIGNAL: Final = "ecg"
_CHUNK_S: Final = 60
"""No result depends on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Tapped:
    """Beats in context, and where their R peaks lie in source samples, int64 (k,)."""

    beats: BeatBlock
    at: NDArray[np.int64]


def stream_of(rate_hz: Fraction, counts_per_mv: float = 200.0) -> StreamOpened:
    """What a device that sends one lead in mV would say of itself."""
    signal = SignalInfo(SIGNAL, SignalKind.ECG, "mV", rate_hz, ("ECG",), (counts_per_mv,), (0,))
    return StreamOpened("archive", "file", "record", "", NoLossDetection(), (signal,))


def chunks(samples: NDArray[np.float32], rate_hz: Fraction) -> list[SampleChunk]:
    """One lead (n,) in mV as the stream of a device."""
    size = round(_CHUNK_S * rate_hz)
    return [
        SampleChunk(SIGNAL, SampleIndex(first), samples[first : first + size, None])
        for first in range(0, len(samples), size)
    ]


def tap(samples: NDArray[np.float32], rate_hz: Fraction, mains_hz: int | None) -> Tapped:
    """Run one lead (n,) in mV through a path that knows nothing yet."""
    config = PathConfig(mains_hz=mains_hz, lead=0, ring_minutes=2.0)
    path = SignalPath(stream_of(rate_hz), read_spec(), config)
    found: list[Observation] = []
    for chunk in chunks(samples, rate_hz):
        found += path.feed(chunk)
    found += path.finish()
    ready = [observation for observation in found if isinstance(observation, BeatsReady)]
    at = [np.zeros(0, np.int64), *(r.at for r in ready)]
    return Tapped(BeatBlock.join([r.block for r in ready]), np.concatenate(at))
