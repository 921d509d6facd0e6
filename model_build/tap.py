"""What the shipped signal path says about a lead or two: the only preprocessing there is."""

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
    """Beats in context, and where their R peaks lie in source samples, int64 (k,).

    `companion`: the same beats on the second lead, where there is one.
    """

    beats: BeatBlock
    at: NDArray[np.int64]
    companion: BeatBlock | None = None


def stream_of(rate_hz: Fraction, n_leads: int = 1, counts_per_mv: float = 200.0) -> StreamOpened:
    """What a device that sends one lead or two in mV would say of itself."""
    names = ("ECG", "second")[:n_leads]
    gains, baselines = (counts_per_mv,) * n_leads, (0,) * n_leads
    signal = SignalInfo(SIGNAL, SignalKind.ECG, "mV", rate_hz, names, gains, baselines)
    return StreamOpened("archive", "file", "record", "", NoLossDetection(), (signal,))


def chunks(samples: NDArray[np.float32], rate_hz: Fraction) -> list[SampleChunk]:
    """One lead (n,), or several (n, n_leads), in mV as the stream of a device."""
    size = round(_CHUNK_S * rate_hz)
    leads = samples.reshape(len(samples), -1)
    return [
        SampleChunk(SIGNAL, SampleIndex(first), leads[first : first + size])
        for first in range(0, len(leads), size)
    ]


def tap(samples: NDArray[np.float32], rate_hz: Fraction, mains_hz: int | None) -> Tapped:
    """Run one lead (n,), or two (n, 2), in mV through a path that knows nothing yet.

    Beats are found on the first lead; the second is its companion.
    """
    n_leads = 1 if samples.ndim == 1 else samples.shape[1]
    paired = n_leads > 1
    config = PathConfig(mains_hz=mains_hz, lead=0, ring_minutes=2.0, companion=paired)
    path = SignalPath(stream_of(rate_hz, n_leads), read_spec(), config)
    found: list[Observation] = []
    for chunk in chunks(samples, rate_hz):
        found += path.feed(chunk)
    found += path.finish()
    ready = [observation for observation in found if isinstance(observation, BeatsReady)]
    at = [np.zeros(0, np.int64), *(r.at for r in ready)]
    second = [r.companion.block for r in ready if r.companion is not None]
    return Tapped(
        BeatBlock.join([r.block for r in ready]),
        np.concatenate(at),
        BeatBlock.join(second) if paired else None,
    )
