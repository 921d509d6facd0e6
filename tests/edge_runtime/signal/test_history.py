"""BeatHistory: the same bits in any blocks, and features that mean what they say."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import CLIP, BeatBlock, BeatHistory
from edge_runtime.signal.windows import LENGTH, WINDOW

COLUMN = {spec.name: i for i, spec in enumerate(FEATURES)}
PARTS = ("at", "window", "template", "features", "valid")


def beat(qrs=1.0, p=0.12, t=0.25, width=5.0):
    """A plain beat (320,) in mV: P 0.16 s before R, T 0.28 s after it."""
    time = np.arange(WINDOW) - 176.0
    waves = ((p, -40, 8.0), (qrs, 0, width), (t, 70, 15.0))
    return sum(a * np.exp(-0.5 * ((time - c) / w) ** 2) for a, c, w in waves)


def premature_ventricular():
    return beat(qrs=-1.6, p=0.0, t=0.5, width=16.0)


def feed(history, windows, at, sizes=None):
    windows, at = np.asarray(windows), np.asarray(at, dtype=np.int64)
    if sizes is None:
        return history.observe_block(windows, at)
    blocks, start = [], 0
    for size in sizes:
        blocks.append(history.observe_block(windows[start : start + size], at[start : start + size]))
        start += size
    blocks.append(history.observe_block(windows[start:], at[start:]))
    return BeatBlock.join(blocks)


def assert_same(one, other):
    for part in PARTS:
        assert getattr(one, part).tobytes() == getattr(other, part).tobytes(), part


def column(block, name):
    return block.features[:, COLUMN[name]]


@st.composite
def recordings(draw):
    """Beats of two morphologies with noise, unreadable windows and odd intervals, and breaks."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k = draw(st.integers(1, 90))
    kinds = np.stack([beat(), premature_ventricular(), beat(qrs=0.1, p=0, t=0)])
    windows = kinds[rng.choice(3, size=k, p=[0.8, 0.15, 0.05])]
    windows = windows + rng.normal(size=windows.shape) * draw(st.sampled_from([0.0, 0.03, 1.0]))
    windows[rng.random(k) < 0.05] = np.nan
    windows[rng.random(k) < 0.02] = 0.0
    at = 200 + np.cumsum(rng.integers(40, 500, k))
    breaks = np.sort(at[rng.random(k) < 0.05] - rng.integers(0, 30))
    return windows, at, [int(b) for b in breaks]


def play(history, recording, cuts, restart_after=()):
    """Feed a recording cut before the beats `cuts`; breaks are told as late as allowed."""
    windows, at, breaks = recording
    pending, blocks = list(breaks), []
    starts = {0, *(c for c in cuts if c < len(at))}
    starts |= {int(np.searchsorted(at, b)) for b in breaks if b <= at[-1]}
    bounds = [*sorted(starts), len(at)]
    for start, stop in zip(bounds, bounds[1:], strict=False):
        while pending and pending[0] <= at[start]:
            history.break_at(pending.pop(0))
        blocks.append(history.observe_block(windows[start:stop], at[start:stop]))
        if start in restart_after:
            state = history.snapshot()
            history = BeatHistory()
            history.restore(state)
    return BeatBlock.join(blocks)


@settings(max_examples=40, deadline=None)
@given(recordings(), st.data())
def test_blocks_and_restarts_do_not_matter(recording, data):
    k = len(recording[1])
    whole = play(BeatHistory(), recording, ())
    single = play(BeatHistory(), recording, range(k))
    cuts = data.draw(st.lists(st.integers(0, k - 1), max_size=8))
    torn = play(BeatHistory(), recording, cuts, restart_after=cuts)
    assert_same(whole, single)
    assert_same(whole, torn)
    assert np.isfinite(whole.features).all()
    assert np.abs(whole.window).max() <= CLIP


@settings(max_examples=10, deadline=None)
@given(recordings())
def test_breaks_may_be_told_ahead(recording):
    windows, at, breaks = recording
    ahead = BeatHistory()
    for index in breaks:
        ahead.break_at(index)
    assert_same(feed(ahead, windows, at), play(BeatHistory(), recording, range(len(at))))
