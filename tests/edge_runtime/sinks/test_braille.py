"""A curve as text: every cell where it belongs, and no peak lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.sinks.braille import curve

EMPTY = "\u2800"


def dots(lines: list[str]) -> np.ndarray:
    """The picture as booleans (4 * rows, 2 * columns), read by Unicode's own numbering."""
    order = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1))
    grid = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            for bit, (down, right) in enumerate(order):
                value = (ord(character) - 0x2800) >> bit & 1
                grid[4 * row + down, 2 * column + right] = bool(value)
    return grid


def test_a_ramp_rises_from_the_lower_left_to_the_upper_right() -> None:
    lit = dots(curve(np.linspace(-1, 1, 800, dtype=np.float32), 40, 8))
    assert lit[-1, 0]
    assert lit[0, -1]
    assert not lit[0, 0]
    assert not lit[-1, -1]
    assert lit.any(axis=0).all()


def test_a_single_sample_is_not_lost() -> None:
    signal = np.zeros(4000, np.float32)
    signal[1234] = 2.0
    lit = dots(curve(signal, 40, 8))
    assert lit[0].sum() >= 1
    assert np.flatnonzero(lit[0])[0] in (24, 25)


def test_small_noise_looks_like_noise() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 4000).astype(np.float32)
    assert dots(curve(noise, 40, 8)).any(axis=1).sum() <= 5


def test_a_hole_is_blank() -> None:
    signal = np.zeros(4000, np.float32)
    signal[1000:3000] = np.nan
    lit = dots(curve(signal, 40, 8)).any(axis=0)
    assert not lit[22:58].any()
    assert lit[:19].all()
    assert lit[61:].all()


@pytest.mark.parametrize("signal", [np.full(100, np.nan, np.float32), np.empty(0, np.float32)])
def test_nothing_to_draw_is_a_blank_of_the_same_size(signal: np.ndarray) -> None:
    lines = curve(signal, 10, 3)
    assert [len(line) for line in lines] == [10] * 3
    assert set("".join(lines)) <= {" ", EMPTY}


@given(
    st.lists(st.floats(width=32), max_size=300),
    st.integers(1, 60),
    st.integers(1, 12),
)
def test_any_signal_fits_its_place(values: list[float], columns: int, rows: int) -> None:
    lines = curve(np.array(values, np.float32), columns, rows)
    assert [len(line) for line in lines] == [columns] * rows
