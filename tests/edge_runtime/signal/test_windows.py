"""Where a beat window lies, and what becomes of one that is not whole."""

import numpy as np
import pytest

from edge_runtime.signal.windows import (
    LENGTH,
    R_AT,
    WINDOW,
    WINDOW_AFTER,
    WINDOW_BEFORE,
    cut_windows,
    to_shapes,
)


def test_r_lies_where_the_contract_says():
    signal = np.zeros(2000)
    signal[[700, 1500]] = 1.0
    windows = cut_windows(signal, 100, np.array([800, 1600]))
    assert (windows.argmax(axis=1) == WINDOW_BEFORE).all()
    shapes, readable = to_shapes(windows)
    assert readable.all()
    assert (shapes.argmax(axis=1) == R_AT).all()


@pytest.mark.parametrize(
    ("at", "whole"),
    [
        (WINDOW_BEFORE, True),
        (WINDOW_BEFORE - 1, False),
        (1000 - WINDOW_AFTER, True),
        (1001 - WINDOW_AFTER, False),
    ],
)
def test_only_whole_windows_are_cut(at, whole):
    windows = cut_windows(np.arange(1000.0), 0, np.array([at]))
    assert windows.shape == (1, WINDOW)
    assert np.isfinite(windows).all() == whole
    assert np.isnan(windows).all() != whole


def test_a_short_stretch_holds_no_window():
    assert np.isnan(cut_windows(np.zeros(10), 0, np.array([5]))).all()
    assert cut_windows(np.zeros(10), 0, np.zeros(0, dtype=np.int64)).shape == (0, WINDOW)


def test_shapes_stand_on_their_median():
    windows = np.random.default_rng(0).normal(size=(3, WINDOW)) + 7
    shapes, _ = to_shapes(windows)
    below = (shapes < 0).sum(axis=1)
    assert (below == LENGTH // 2).all()
    np.testing.assert_allclose(to_shapes(windows + 1)[0], shapes, atol=1e-12)


def test_shapes_refuse_other_windows():
    with pytest.raises(ValueError, match="320"):
        to_shapes(np.zeros((2, 100)))
