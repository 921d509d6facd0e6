"""nstdb's noise, the part that may train, mixed into a record as WFDB's `nst` does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import read_physical

Floats = NDArray[np.float64]

NOISE_FS: Final = 360
EM_S: Final = ((0, 300), *((420 + 240 * k, 540 + 240 * k) for k in range(6)))
"""Where `em` is not part of a test record (118e*, 119e* hold it at the same sample index)."""
OTHER_S: Final = ((0, 900),)
"""The first half of `bw` and `ma`; the second is a test of its own."""

SNRS_DB: Final = (24, 18, 12, 12, 6, 6, 0, 0, -6, -12)
"""Beyond the stress test's -6 dB, because a record's noise is at times far louder than on average,
and least so where it may train."""
KINDS: Final = ("em", "em", "em", "ma", "bw")
"""Drawn with equal chance each, as the ratios are: electrode motion is what looks like beats."""


class NoisePool:
    """Allowed stretches of both channels of `em`, `bw` and `ma`, at 360 Hz."""

    def __init__(self, nstdb: Path) -> None:
        self._stretches: dict[str, list[Floats]] = {}
        self.power: dict[str, float] = {}
        for kind in ("em", "bw", "ma"):
            raw = np.asarray(read_physical(nstdb / kind), dtype=np.float64)
            spans = EM_S if kind == "em" else OTHER_S
            parts = [raw[a * NOISE_FS : b * NOISE_FS, c] for a, b in spans for c in (0, 1)]
            self._stretches[kind] = parts
            self.power[kind] = noise_power(np.concatenate(parts))

    def joined(self, kind: str) -> Floats:
        """All of a kind, each stretch beginning where the one before ends: a step would be an
        artefact of its own."""
        parts: list[Floats] = []
        for stretch in self._stretches[kind]:
            parts.append(stretch - stretch[0] + (parts[-1][-1] if parts else 0.0))
        return np.concatenate(parts)

    def draw(
        self,
        rng: np.random.Generator,
        seconds: float,
        fs: float,
        kinds: Sequence[str] = KINDS,
    ) -> tuple[Floats, float]:
        """Up to `seconds` of noise of a drawn kind at `fs`, beginning at 0, and its power (mV²)."""
        kind = kinds[int(rng.integers(len(kinds)))]
        stretch = self._stretches[kind][rng.integers(len(self._stretches[kind]))]
        length = min(int(seconds * NOISE_FS), len(stretch))
        first = int(rng.integers(0, len(stretch) - length + 1))
        part = stretch[first : first + length] * rng.choice((-1.0, 1.0))
        at = np.arange(int(length * fs / NOISE_FS)) * (NOISE_FS / fs)
        return np.interp(at, np.arange(length), part - part[0]), self.power[kind]


def noise_power(noise: Floats) -> float:
    """Squared typical RMS (mV²) of one-second pieces, their means removed, extremes left out."""
    pieces = noise[: len(noise) // NOISE_FS * NOISE_FS].reshape(-1, NOISE_FS)
    rms = np.sqrt(((pieces - pieces.mean(axis=1, keepdims=True)) ** 2).mean(axis=1))
    return float(_trimmed_mean(rms) ** 2)


def signal_power(raw: Floats, beats: NDArray[np.int64], fs: float) -> float:
    """`nst`'s S (mV²): an eighth of the squared typical QRS height, extremes left out."""
    half = int(0.05 * fs)
    inside = beats[(beats > half) & (beats < len(raw) - half)]
    around = raw[inside[:, None] + np.arange(-half, half)]
    return float(_trimmed_mean(np.ptp(around, axis=1)) ** 2 / 8)


def _trimmed_mean(values: Floats) -> float:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(values[(values >= low) & (values <= high)].mean())


def add_noise(
    raw: Floats, beats: NDArray[np.int64], fs: float, pool: NoisePool, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """A copy of `raw` (n,) mV with noisy stretches of 40 to 120 s between clean ones.

    Also the SNR in dB around each beat (k,), infinite in between.
    """
    mixed = raw.copy()
    snr_db = np.full(len(beats), np.inf)
    power = signal_power(raw, beats, fs)
    at = int(rng.uniform(20, 60) * fs)
    while at < len(raw) - int(10 * fs):
        noise, noise_mv2 = pool.draw(rng, rng.uniform(40, 120), fs)
        drawn_db = SNRS_DB[rng.integers(len(SNRS_DB))]
        noise = noise[: len(raw) - at] * np.sqrt(power / noise_mv2 * 10 ** (-drawn_db / 10))
        mixed[at : at + len(noise)] += noise
        snr_db[(beats >= at) & (beats < at + len(noise))] = drawn_db
        at += len(noise) + int(rng.uniform(20, 90) * fs)
    return mixed, snr_db
