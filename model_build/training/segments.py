"""Which runs of beats an epoch trains on, and their tensors."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.features import FEATURES
from model_build.datasets.recording import Target
from model_build.recipe import Augmentation, Segments
from model_build.training.beats import LeadBeats, Pool
from model_build.training.scaling import CLIP, Scaling

_ECTOPIC: Final = (Target.S, Target.V, Target.F)
SIGNED: Final = [spec.name for spec in FEATURES].index("polarity_to_template")
"""The only feature that turns its sign with the lead."""


Floats = NDArray[np.float32]
Tensors = tuple[Floats, Floats, Floats, Floats]
"""Window, template, features, valid."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tensors of some segments: B segments of `history + outputs` beats, loss on the last.

    window, template float32 (B, n, 160); features float32 (B, n, F); valid float32 (B, n);
    target uint8 (B, outputs); weight float32 (B, outputs). For a student of two leads the first
    four have the leads as axis 1, the analysis lead first: (B, 2, n, ...).
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
    pool: Pool,
    plan: NDArray[np.int64],
    rule: Segments,
    history: int,
    scaling: Scaling,
    leads: int = 1,
) -> Batch:
    """Tensors of the segments in `plan`; beats outside their piece are zero and weightless."""
    spans = pool.spans[plan[:, 1]]
    index = plan[:, :1] + np.arange(-history, rule.beats)
    inside = (index >= spans[:, :1]) & (index < spans[:, 1:])
    index = np.where(inside, index, spans[:, :1])
    tensors = _tensors(pool, index, inside, scaling)
    if leads == 2:
        second = (
            None if pool.companion is None else _tensors(pool.companion, index, inside, scaling)
        )
        tensors = _joined(tensors, second)
    window, template, features, valid = tensors
    outputs = slice(history, None)
    return Batch(
        window=window,
        template=template,
        features=features,
        valid=valid,
        target=pool.target[index][:, outputs],
        weight=(pool.weight[index] * inside)[:, outputs],
    )


def _tensors(
    lead: Pool | LeadBeats, index: NDArray[np.int64], inside: NDArray[np.bool_], scaling: Scaling
) -> Tensors:
    """Tensors of the beats at `index` (B, n) on one lead."""
    mask = inside[..., None]
    return (
        np.where(mask, lead.window[index], 0).astype(np.float32),
        np.where(mask, lead.template[index], 0).astype(np.float32),
        scaling.apply(lead.features[index]) * mask,
        (inside & lead.valid[index]).astype(np.float32),
    )


def _joined(first: Tensors, second: Tensors | None) -> Tensors:
    """Both leads' tensors with the leads as axis 1.

    A masked beat of the second lead is filled with what the first shows: no result depends on it,
    and blank beats would shift the statistics of the normalizations.
    """
    *shown, valid = first
    *others, seen = first if second is None else second
    if second is None:
        seen = np.zeros_like(seen)
    there = seen[..., None] > 0
    window, template, features = (
        np.stack((a, np.where(there, b, a)), axis=1) for a, b in zip(shown, others, strict=True)
    )
    return window, template, features, np.stack((valid, seen), axis=1)


def augment(
    batch: Batch, rule: Augmentation, segments: Segments, random: np.random.Generator
) -> Batch:
    """Gain and polarity per segment, jitter per beat, noise, and some histories cut short.

    Of two leads each is altered on its own; the history is cut on both.
    """
    alike = batch.window.ndim - 2  # axes of segments, and of leads where there are two
    window, template, given = (
        array.reshape(-1, *array.shape[alike:]) for array in batch.inputs[:3]
    )
    n_segments, n_beats, n_samples = window.shape
    gain = np.exp(random.normal(0.0, rule.gain_sd, (n_segments, 1, 1))).astype(np.float32)
    if rule.inverted_share:
        given, gain = _inverted(given, gain, rule.inverted_share, random)
    shift = random.integers(-rule.jitter_samples, rule.jitter_samples + 1, (n_segments, n_beats))
    window = _shifted(window, shift) * gain
    # Noise is coloured by a two-sample mean: muscle noise that passed a 40 Hz filter.
    white = random.standard_normal((n_segments, n_beats, n_samples + 1), dtype=np.float32)
    loud = rule.noise_sd * random.random((n_segments, 1, 1), dtype=np.float32)
    window += loud * (white[..., 1:] + white[..., :-1]) * np.float32(0.5**0.5)
    drift = random.standard_normal(given.shape, dtype=np.float32)
    features = np.clip(given + rule.feature_noise_sd * drift, -CLIP, CLIP)
    return replace(
        batch,
        window=window.reshape(batch.window.shape),
        template=(template * gain).reshape(batch.template.shape),
        features=features.astype(np.float32).reshape(batch.features.shape),
        valid=_cold(batch.valid, segments, random),
    )


def _inverted(
    features: Floats, gain: Floats, share: float, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Negative gains for `share` of the segments, and the one feature that has a sign turned.

    Standardized features turn about their mean, which for a difference is next to zero.
    """
    sign = np.where(random.random(gain.shape) < share, -1.0, 1.0).astype(np.float32)
    turned = features.copy()
    turned[..., SIGNED] *= sign[..., 0]
    return turned, gain * sign


def _shifted(window: NDArray[np.float32], shift: NDArray[np.int64]) -> NDArray[np.float32]:
    n = window.shape[-1]
    index = np.clip(np.arange(n) + shift[..., None], 0, n - 1)
    return np.take_along_axis(window, index, axis=-1)


def _cold(
    valid: NDArray[np.float32], rule: Segments, random: np.random.Generator
) -> NDArray[np.float32]:
    n_segments, n_beats = len(valid), valid.shape[-1]
    cold = random.random(n_segments) < rule.cold_start_share
    cut: NDArray[np.int64] = np.where(cold, random.integers(0, n_beats, n_segments), 0)
    # Later beats keep the loss: only what they can look back on is taken away.
    kept = np.arange(n_beats) >= cut[:, np.newaxis]
    return (valid * kept.reshape(n_segments, *[1] * (valid.ndim - 2), n_beats)).astype(np.float32)
