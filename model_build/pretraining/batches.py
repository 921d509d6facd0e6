"""What a step of pre-training sees: windows as another recorder had taken them, and masks."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_build.pretraining.beats import WaveBeats
from model_build.pretraining.targets import UNKNOWN
from model_build.recipe import Pretrain

Floats = NDArray[np.float32]

_STRETCH: Final = (8, 25)
"""Shortest and longest masked stretch, in samples of 8 ms: from a QRS's half to a T wave."""
_BOTH_SHARE: Final = 0.5
"""In so many beats the template is hidden where the window is: else it tells what to expect."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B beats: `window` and `template` (B, L) as seen, `true` (B, L, 2) as they were.

    `hidden` (B, L, 2) is 1 where a stretch was masked (seen as 0); `classes` (B, L) and
    `p_wave` (B,) as in `WaveBeats`.
    """

    window: Floats
    template: Floats
    true: Floats
    hidden: Floats
    classes: NDArray[np.uint8]
    p_wave: NDArray[np.uint8]


def plan_epoch(
    n_delineated: int, n_masked: int, rule: Pretrain, random: np.random.Generator
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows of each step: `rule.batch` of either, all the delineated once but for a rest."""
    order = random.permutation(n_delineated)
    steps = max(1, n_delineated // rule.batch)
    marked = np.resize(order, (steps, rule.batch))
    masked = random.integers(n_masked, size=(steps, rule.batch))
    return list(zip(marked, masked, strict=True))


def gather(
    delineated: WaveBeats, masked: WaveBeats, rule: Pretrain, random: np.random.Generator
) -> Batch:
    """One batch: the delineated beats whole, then the others with stretches hidden.

    The latter teach no classes, marked or not.
    """
    n, m = len(delineated), len(masked)
    pair = np.stack(
        [
            np.concatenate([delineated.window, masked.window]),
            np.concatenate([delineated.template, masked.template]),
        ],
        axis=-1,
    ).astype(np.float32)
    pair = _disturbed(pair, rule, random)
    size = pair.shape[1]
    hidden = np.zeros(pair.shape, np.float32)
    hidden[n:, :, 0] = _stretches(m, size, rule.masked_share, random)
    both = random.random((m, 1)) < _BOTH_SHARE
    hidden[n:, :, 1] = hidden[n:, :, 0] * both
    seen = pair * (1 - hidden)
    return Batch(
        window=seen[..., 0],
        template=seen[..., 1],
        true=pair,
        hidden=hidden,
        classes=np.concatenate([delineated.classes, np.full((m, size), UNKNOWN, np.uint8)]),
        p_wave=np.concatenate([delineated.p_wave, np.zeros(m, np.uint8)]),
    )


def _disturbed(pair: Floats, rule: Pretrain, random: np.random.Generator) -> Floats:
    """Gain and polarity by beat, alike for window and template; noise in the window."""
    n, size, _ = pair.shape
    gain = np.exp(random.normal(0.0, rule.gain_sd, (n, 1, 1)))
    gain = np.where(random.random((n, 1, 1)) < rule.inverted_share, -gain, gain)
    out = (pair * gain).astype(np.float32)
    loud = rule.noise_sd * random.random((n, 1), dtype=np.float32)
    out[..., 0] += loud * random.standard_normal((n, size), dtype=np.float32)
    return out


def _stretches(n: int, size: int, share: float, random: np.random.Generator) -> Floats:
    """Masks (n, size) of stretches that together hide about `share`; they may overlap."""
    mean = sum(_STRETCH) / 2
    at = np.arange(size)
    hidden = np.zeros((n, size), np.bool_)
    for _ in range(max(1, round(share * size / mean))):
        length = random.integers(_STRETCH[0], _STRETCH[1], (n, 1), endpoint=True)
        start = random.integers(-_STRETCH[0], size, (n, 1))
        hidden |= (at >= start) & (at < start + length)
    return hidden.astype(np.float32)
