"""Blocks of random beats, and runs of them."""

import numpy as np

from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import BeatBlock


def beats(k: int, seed: int = 0, masked: float = 0.0) -> BeatBlock:
    """k random beats, a share of them masked."""
    rng = np.random.default_rng(seed)
    valid = rng.uniform(size=k) >= masked
    return BeatBlock(
        np.arange(k, dtype=np.int64) * 200,
        (rng.normal(0, 0.5, (k, 160)) * valid[:, None]).astype(np.float32),
        rng.normal(0, 0.5, (k, 160)).astype(np.float32),
        rng.normal(0, 1.0, (k, len(FEATURES))).astype(np.float32),
        valid,
        np.zeros(k, dtype=np.bool_),
        np.ones(k, dtype=np.float32),
    )


def rows(block: BeatBlock, first: int, last: int) -> BeatBlock:
    """A run of the block's beats."""
    cut = slice(first, last)
    return BeatBlock(
        block.at[cut],
        block.window[cut],
        block.template[cut],
        block.features[cut],
        block.valid[cut],
        block.tentative[cut],
        block.unit_mv[cut],
    )
