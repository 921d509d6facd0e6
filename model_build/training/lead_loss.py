"""Taking a lead away from segments of two: so one model learns to do with either."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_build.recipe import Leads
from model_build.training.segments import Batch

BOTH: Final = (True, True)


def lose_leads(batch: Batch, rule: Leads, random: np.random.Generator) -> Batch:
    """Mask a lead of some segments, from their start or from a random beat on.

    Only segments that show something on both leads; batches of one lead are left as they are.
    """
    if batch.valid.ndim == 2:
        return batch
    n_segments, n_leads, n_beats = batch.valid.shape
    shown: NDArray[np.bool_] = np.logical_or.reduce(batch.valid > 0, axis=2)
    both: NDArray[np.bool_] = np.logical_and.reduce(shown, axis=1)
    draw, lead = random.random(n_segments), random.integers(n_leads, size=(n_segments, 1, 1))
    late = random.integers(n_beats, size=n_segments)
    dropped = both & (draw < rule.dropout_share)
    lost = both & ~dropped & (draw < rule.dropout_share + rule.loss_share)
    since: NDArray[np.int64] = np.where(dropped, 0, np.where(lost, late, n_beats))
    gone = (np.arange(n_leads)[:, None] == lead) & (np.arange(n_beats) >= since[:, None, None])
    return replace(batch, valid=np.where(gone, np.float32(0), batch.valid))


def keep_leads(batch: Batch, kept: tuple[bool, bool]) -> Batch:
    """The batch as a student sees it to whom only the `kept` leads are left."""
    if batch.valid.ndim == 2:
        return batch
    mask = np.array(kept, np.float32)[:, None]
    return replace(batch, valid=batch.valid * mask)
