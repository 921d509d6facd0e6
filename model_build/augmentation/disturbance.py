"""Signals disturbed: noise at a drawn ratio, wandering baseline and gain, leads that drop out."""

from dataclasses import replace
from typing import Final

import numpy as np

from model_build.augmentation.lead import Floats, Lead, chosen, drawn, is_beat
from model_build.detector_tuning.noise import NoisePool, signal_power

GAUSSIAN: Final = "gaussian"
"""The kind of noise that is none of nstdb's."""
_STRETCH_S: Final = (20.0, 120.0)
_WANDER_HZ: Final = (0.05, 0.45)
"""Breathing and slow electrode drift; nearly all of it lies below the path's 0.5 Hz corner."""
_DROPOUT_S: Final = (0.3, 6.0)
_RAIL_MV: Final = 5.0
"""Where common recorders saturate (10 mV peak to peak)."""
_TOUCHED_S: Final = 0.02
"""A beat whose R is this near to a lost stretch is lost with it."""


def noisy(
    lead: Lead,
    kinds: tuple[str, ...],
    snr_db: tuple[float, ...],
    share: float,
    pool: NoisePool | None,
    random: np.random.Generator,
) -> Lead:
    """The lead with noise in `share` of the time, in stretches of one kind and one ratio each.

    The ratio is WFDB `nst`'s: signal power an eighth of the squared typical QRS height, noise
    power that of typical one-second pieces.
    """
    fs = float(lead.fs)
    x = lead.x.copy()
    power = _power_mv2(lead)
    for first, last in stretches(len(x), fs, share, _STRETCH_S, random):
        kind = kinds[random.integers(len(kinds))]
        noise, noise_mv2 = _noise(kind, (last - first) / fs, fs, pool, random)
        noise = noise[: last - first]
        gain = np.sqrt(power / noise_mv2 * 10 ** (-drawn(snr_db, random) / 10))
        x[first : first + len(noise)] += gain * noise
    return replace(lead, x=x)


def _noise(
    kind: str, seconds: float, fs: float, pool: NoisePool | None, random: np.random.Generator
) -> tuple[Floats, float]:
    if kind == GAUSSIAN:
        return random.standard_normal(int(seconds * fs)), 1.0
    if pool is None:
        raise ValueError(f"noise {kind!r} needs nstdb's pool")
    return pool.draw(random, seconds, fs, (kind,))


def stretches(
    n: int, fs: float, share: float, seconds: tuple[float, float], random: np.random.Generator
) -> list[tuple[int, int]]:
    """Spans of samples that together make about `share` of `n`, lengths drawn from `seconds`."""
    spans: list[tuple[int, int]] = []
    at = 0.0
    while share > 0:
        length = random.uniform(*seconds)
        at += 2 * random.random() * length * (1 - share) / share
        first, last = int(at * fs), min(int((at + length) * fs), n)
        if first >= n:
            break
        spans.append((first, last))
        at += length
    return spans


def wandering(lead: Lead, height: tuple[float, ...], random: np.random.Generator) -> Lead:
    """The lead on a baseline that wanders by `height` (drawn) times the QRS height, peak to peak.

    Three slow sines under a slow envelope: breathing, and electrodes that settle.
    """
    t = np.arange(len(lead.x)) / float(lead.fs)
    wave = np.zeros(len(t))
    for _ in range(3):
        hz = np.exp(random.uniform(*np.log(_WANDER_HZ)))
        wave += random.random() * np.sin(2 * np.pi * hz * t + random.uniform(0, 2 * np.pi))
    wave *= 1 + 0.5 * np.sin(2 * np.pi * random.uniform(0.002, 0.02) * t)
    size = drawn(height, random) * (8 * _power_mv2(lead)) ** 0.5
    return replace(lead, x=lead.x + size * wave / max(float(np.ptp(wave)), 1e-9))


def _power_mv2(lead: Lead) -> float:
    """`nst`'s signal power; without annotated beats, the height is that of typical 1.5 s pieces."""
    fs = float(lead.fs)
    if len(lead.beats):
        return signal_power(lead.x, lead.beats, fs)
    size = int(1.5 * fs)
    pieces = lead.x[: max(len(lead.x) // size, 1) * size].reshape(-1, min(size, len(lead.x)))
    return float(np.median(np.ptp(pieces, axis=1)) ** 2 / 8)


def drifting(lead: Lead, sd: float, random: np.random.Generator) -> Lead:
    """The lead with an amplitude that drifts smoothly; `sd` of its logarithm, nodes each minute."""
    fs = float(lead.fs)
    level = float(np.median(lead.x))
    nodes = np.arange(0, len(lead.x) + 60 * fs, 60 * fs)
    gain = np.exp(np.interp(np.arange(len(lead.x)), nodes, random.normal(0, sd, len(nodes))))
    return replace(lead, x=level + (lead.x - level) * gain)


def dropping_out(lead: Lead, per_minute: float, random: np.random.Generator) -> Lead:
    """The lead lost for 0.3 to 6 s now and then: held flat, or driven into the recorder's rail.

    Beats in a lost stretch lose their annotation.
    """
    fs = float(lead.fs)
    x = lead.x.copy()
    lost = np.zeros(len(x), dtype=bool)
    for first in random.integers(0, len(x), random.poisson(per_minute * len(x) / fs / 60)):
        length = int(np.exp(random.uniform(*np.log(_DROPOUT_S))) * fs)
        part = slice(int(first), int(first) + length)
        rail = random.choice((-_RAIL_MV, _RAIL_MV))
        x[part] = rail if random.random() < 0.5 else x[first]
        near = int(_TOUCHED_S * fs)
        lost[max(part.start - near, 0) : part.stop + near] = True
    marks = lead.annotations
    if marks is None:
        return replace(lead, x=x)
    at = np.clip(marks.sample, 0, len(x) - 1)
    return Lead(x, lead.fs, chosen(marks, ~(is_beat(marks) & lost[at]), marks.sample))
