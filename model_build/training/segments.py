"""Which runs of beats an epoch trains on, and their tensors."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.features import FEATURES
from model_build.datasets.recording import Target
from model_build.recipe import Augmentation, Segments
from model_build.training.beats import Pool
from model_build.training.scaling import CLIP, Scaling

_ECTOPIC: Final = (Target.S, Target.V, Target.F)
_SIGNED: Final = [spec.name for spec in FEATURES].index("polarity_to_template")
"""The only feature that turns its sign with the lead."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tensors of some segments: B segments of `history + outputs` beats, loss on the last.

    window, template float32 (B, n, 160); features float32 (B, n, F); valid float32 (B, n);
    target uint8 (B, outputs); weight float32 (B, outputs).
    """

    window: NDArray[np.float32]
    template: NDArray[np.float32]
    features: NDArray[np.float32]
    valid: NDArray[np.float32]
    target: NDArray[np.uint8]
    weight: NDArray[np.float32]

    @property
    def inputs(self) -> tuple[NDArray[np.float32], ...]:
        """What the training model takes, in its order."""
        return self.window, self.template, self.features, self.valid


def plan_epoch(pool: Pool, rule: Segments, random: np.random.Generator) -> NDArray[np.int64]:
    """Segments of one epoch in random order: (first beat with a loss, piece), (segments, 2).

    Of each recording one view is drawn. Pieces are cut into runs at a random offset; a run with
    S, V or F is always taken, another with probability `quiet_share`. The first run may begin
    before the piece does.
    """
    chosen = []
    for piece in _pieces_of_one_view(pool, random):
        first, last = pool.spans[piece]
        starts = np.arange(first - random.integers(rule.beats), last, rule.beats)
        draws = random.random(len(starts))
        for start, draw in zip(starts, draws, strict=True):
            run = slice(max(start, first), min(start + rule.beats, last))
            if not pool.weight[run].any():
                continue
            if draw < rule.quiet_share or np.isin(pool.target[run], _ECTOPIC).any():
                chosen.append((start, piece))
    plan = np.array(chosen, dtype=np.int64).reshape(-1, 2)
    return plan[random.permutation(len(plan))]


def _pieces_of_one_view(pool: Pool, random: np.random.Generator) -> NDArray[np.int64]:
    n_views = np.zeros(pool.recordings.max(initial=-1) + 1, dtype=np.int64)
    np.maximum.at(n_views, pool.recordings, pool.views + 1)
    drawn = random.integers(np.maximum(n_views, 1))
    return np.flatnonzero(pool.views == drawn[pool.recordings])


def gather(
    pool: Pool, plan: NDArray[np.int64], rule: Segments, history: int, scaling: Scaling
) -> Batch:
    """Tensors of the segments in `plan`; beats outside their piece are zero and weightless."""
    spans = pool.spans[plan[:, 1]]
    index = plan[:, :1] + np.arange(-history, rule.beats)
    inside = (index >= spans[:, :1]) & (index < spans[:, 1:])
    index = np.where(inside, index, spans[:, :1])
    mask = inside[..., None]
    outputs = slice(history, None)
    return Batch(
        window=np.where(mask, pool.window[index], 0).astype(np.float32),
        template=np.where(mask, pool.template[index], 0).astype(np.float32),
        features=scaling.apply(pool.features[index]) * mask,
        valid=(inside & pool.valid[index]).astype(np.float32),
        target=pool.target[index][:, outputs],
        weight=(pool.weight[index] * inside)[:, outputs],
    )


def augment(
    batch: Batch, rule: Augmentation, segments: Segments, random: np.random.Generator
) -> Batch:
    """Gain and polarity per segment, jitter per beat, noise, and some histories cut short."""
    n_segments, n_beats, n_samples = batch.window.shape
    gain = np.exp(random.normal(0.0, rule.gain_sd, (n_segments, 1, 1))).astype(np.float32)
    if rule.inverted_share:
        batch, gain = _inverted(batch, gain, rule.inverted_share, random)
    shift = random.integers(-rule.jitter_samples, rule.jitter_samples + 1, (n_segments, n_beats))
    window = _shifted(batch.window, shift) * gain
    # Noise is coloured by a two-sample mean: muscle noise that passed a 40 Hz filter.
    white = random.standard_normal((n_segments, n_beats, n_samples + 1), dtype=np.float32)
    loud = rule.noise_sd * random.random((n_segments, 1, 1), dtype=np.float32)
    window += loud * (white[..., 1:] + white[..., :-1]) * np.float32(0.5**0.5)
    drift = random.standard_normal(batch.features.shape, dtype=np.float32)
    features = np.clip(batch.features + rule.feature_noise_sd * drift, -CLIP, CLIP)
    return Batch(
        window=window,
        template=batch.template * gain,
        features=features.astype(np.float32),
        valid=_cold(batch.valid, segments, random),
        target=batch.target,
        weight=batch.weight,
    )


def _inverted(
    batch: Batch, gain: NDArray[np.float32], share: float, random: np.random.Generator
) -> tuple[Batch, NDArray[np.float32]]:
    """Negative gains for `share` of the segments, and the one feature that has a sign turned.

    Standardized features turn about their mean, which for a difference is next to zero.
    """
    sign = np.where(random.random(gain.shape) < share, -1.0, 1.0).astype(np.float32)
    features = batch.features.copy()
    features[..., _SIGNED] *= sign[..., 0]
    return replace(batch, features=features), gain * sign


def _shifted(window: NDArray[np.float32], shift: NDArray[np.int64]) -> NDArray[np.float32]:
    n = window.shape[-1]
    index = np.clip(np.arange(n) + shift[..., None], 0, n - 1)
    return np.take_along_axis(window, index, axis=-1)


def _cold(
    valid: NDArray[np.float32], rule: Segments, random: np.random.Generator
) -> NDArray[np.float32]:
    n_segments, n_beats = valid.shape
    cold = random.random(n_segments) < rule.cold_start_share
    cut: NDArray[np.int64] = np.where(cold, random.integers(0, n_beats, n_segments), 0)
    # Later beats keep the loss: only what they can look back on is taken away.
    return (valid * (np.arange(n_beats) >= cut[:, np.newaxis])).astype(np.float32)
