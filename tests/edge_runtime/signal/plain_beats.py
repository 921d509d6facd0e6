"""Beats of plain shape for `BeatHistory`, and what it says of them."""

from itertools import pairwise

import numpy as np

from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.windows import WINDOW

COLUMN = {spec.name: i for i, spec in enumerate(FEATURES)}


def beat(qrs=1.0, p=0.12, t=0.25, width=5.0):
    """A plain beat (320,) in mV: P 0.16 s before R, T 0.28 s after it."""
    time = np.arange(WINDOW) - 176.0
    waves = ((p, -40, 8.0), (qrs, 0, width), (t, 70, 15.0))
    return sum(a * np.exp(-0.5 * ((time - c) / w) ** 2) for a, c, w in waves)


def feed(history, windows, at, sizes=None, tentative=()):
    """Feed beats in blocks of `sizes`; those numbered in `tentative` are tentative peaks."""
    windows, at = np.asarray(windows), np.asarray(at, dtype=np.int64)
    flags = np.isin(np.arange(len(at)), np.array(tentative))
    if sizes is None:
        return history.observe_block(windows, at, flags)
    bounds = np.cumsum([0, *sizes]).tolist()
    blocks = [
        history.observe_block(windows[a:b], at[a:b], flags[a:b])
        for a, b in pairwise([*bounds, len(at)])
    ]
    return BeatBlock.join(blocks)


def column(block, name):
    return block.features[:, COLUMN[name]]


def rhythm(intervals, windows=None, seed=1):
    """Beats at the given intervals in contract samples, of plain shape with a little noise."""
    at = 300 + np.concatenate(([0], np.cumsum(intervals)))
    if windows is None:
        windows = np.repeat(beat()[None], len(at), axis=0)
    noise = np.random.default_rng(seed).normal(size=windows.shape) * 0.01
    return windows + noise, at
