"""Tensors of the teacher's segments: every pair of beat and lead once, and where it belongs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_build.recipe import Recipe
from model_build.teacher.beats import LEADS, TeacherPool
from model_build.training.scaling import Scaling
from model_build.training.segments import Batch, augment


@dataclass(frozen=True, slots=True, eq=False)
class TeacherBatch:
    """What `models.teacher.Teacher` takes, and targets uint8 and weights float32 (B, n)."""

    beats: NDArray[np.float32]
    features: NDArray[np.float32]
    index: NDArray[np.int32]
    inside: NDArray[np.float32]
    target: NDArray[np.uint8]
    weight: NDArray[np.float32]

    @property
    def inputs(self) -> list[NDArray[Any]]:
        """In the model's order."""
        return [self.beats, self.features, self.index, self.inside]


def gather(
    pool: TeacherPool, plan: NDArray[np.int64], n_beats: int, scaling: Scaling
) -> tuple[Batch, NDArray[np.bool_], NDArray[np.bool_]]:
    """Segments of `n_beats` from `plan` (first beat, span), (B, 2), both leads side by side.

    Returns a `Batch` over 2 n beats (the first lead's, then the other's; the template is followed
    by the record's median beat), which of them are there (B, 2, n), and which of the n beats lie
    in the span (B, n). Targets and weights are those of the first lead's n beats.
    """
    beats = pool.beats
    spans = beats.spans[plan[:, 1]]
    first = plan[:, :1] + np.arange(n_beats)
    inside = (first >= spans[:, :1]) & (first < spans[:, 1:])
    first = np.where(inside, first, spans[:, :1])
    other = pool.other[first]
    pairs = np.stack([first, np.maximum(other, 0)], axis=1)
    there = np.stack([inside, inside & (other >= 0)], axis=1) & beats.valid[pairs]
    index = pairs.reshape(len(plan), -1)
    template = np.concatenate([beats.template[index], pool.median[pool.span_of[index]]], axis=-1)
    batch = Batch(
        window=np.nan_to_num(beats.window[index].astype(np.float32)),
        template=np.nan_to_num(template.astype(np.float32)),
        features=scaling.apply(beats.features[index]),
        valid=there.reshape(index.shape).astype(np.float32),
        target=beats.target[first] * inside,
        weight=beats.weight[first] * inside,
    )
    return batch, there, inside


def packed(batch: Batch, there: NDArray[np.bool_], inside: NDArray[np.bool_]) -> TeacherBatch:
    """Leave out what is not there. At least one row stays, which nothing points at."""
    n_segments, leads, n_beats = there.shape
    rows = np.flatnonzero(there)
    index = np.full(there.size, -1, np.int32)
    index[rows] = np.arange(len(rows))
    rows = rows if len(rows) else np.zeros(1, np.int64)
    template = batch.template.reshape(len(batch.template), leads * n_beats, 2, -1)
    channels = np.concatenate([batch.window[:, :, None], template], axis=2)
    channels = channels.reshape(-1, *channels.shape[2:])[rows]
    return TeacherBatch(
        beats=np.ascontiguousarray(channels.transpose(0, 2, 1)),
        features=batch.features.reshape(-1, batch.features.shape[-1])[rows],
        index=np.moveaxis(index.reshape(n_segments, leads, n_beats), 1, 2),
        inside=inside.astype(np.float32),
        target=batch.target,
        weight=batch.weight,
    )


def training_batch(
    pool: TeacherPool,
    plan: NDArray[np.int64],
    recipe: Recipe,
    lead_dropout: float,
    scaling: Scaling,
    random: np.random.Generator,
) -> TeacherBatch:
    """Augmented segments; in a share of those with two leads one of them is taken away."""
    batch, there, inside = gather(pool, plan, recipe.segments.beats, scaling)
    there = there & _kept_leads(there, lead_dropout, random)
    return packed(augment(batch, recipe.augmentation, recipe.segments, random), there, inside)


def _kept_leads(
    there: NDArray[np.bool_], share: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """(B, 2, n): of a segment that has both leads, one is lost with probability `share`."""
    lost = random.random(len(there)) < share
    which = random.integers(LEADS, size=len(there))
    kept = np.ones(there.shape, bool)
    kept[np.flatnonzero(lost), which[lost]] = False
    # Where only one lead shows a beat it stays.
    alone: NDArray[np.bool_] = there.sum(axis=1, keepdims=True) < LEADS
    return kept | alone


def weightless(batch: TeacherBatch, size: int, rows: int | None = None) -> TeacherBatch:
    """Filled up with empty segments to `size`, and to `rows` rows that nothing points at."""
    segments = max(0, size - len(batch.inside))
    spare = 0 if rows is None else rows - len(batch.beats)

    def full(array: NDArray[Any], missing: int, value: int = 0) -> NDArray[Any]:
        shape = [(0, missing)] + [(0, 0)] * (array.ndim - 1)
        return np.pad(array, shape, constant_values=value)

    return TeacherBatch(
        beats=full(batch.beats, spare),
        features=full(batch.features, spare),
        index=full(batch.index, segments, -1),
        inside=full(batch.inside, segments),
        target=full(batch.target, segments),
        weight=full(batch.weight, segments),
    )
