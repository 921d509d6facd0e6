"""Shapes of ventricular beats: alike, unlike, shifted, forgotten."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.shapes import ShapeBook
from edge_runtime.signal.windows import LENGTH, R_AT

Window = NDArray[np.float32]


def wave(*parts: tuple[float, float, float], shift: int = 0) -> Window:
    """Gaussians (centre and width in samples, height) around R."""
    t = np.arange(LENGTH) - R_AT - shift
    return sum(h * np.exp(-0.5 * ((t - c) / w) ** 2) for c, w, h in parts).astype(np.float32)  # type: ignore[union-attr]


RIGHT = ((0.0, 4.0, 1.4), (11.0, 4.0, -0.5))
LEFT = ((0.0, 4.0, -1.4), (11.0, 4.0, 0.9))


def test_beats_alike_have_one_number_whatever_their_height_and_noise() -> None:
    book, rng = ShapeBook(), np.random.default_rng(1)
    numbers = {
        book.number((height * wave(*RIGHT) + rng.normal(0, 0.05, LENGTH)).astype(np.float32))
        for height in (0.5, 1.0, 2.0)
    }
    assert numbers == {1}


def test_a_peak_found_a_little_off_is_the_same_shape() -> None:
    book = ShapeBook()
    assert {book.number(wave(*RIGHT, shift=s)) for s in (0, -2, 2, 1)} == {1}


def test_another_focus_is_another_shape() -> None:
    book = ShapeBook()
    assert [book.number(wave(*parts)) for parts in (RIGHT, LEFT, RIGHT, LEFT)] == [1, 2, 1, 2]


def test_a_flat_window_has_none() -> None:
    assert ShapeBook().number(np.zeros(LENGTH, np.float32)) is None


def test_numbers_are_never_used_twice_and_old_shapes_are_forgotten() -> None:
    book = ShapeBook()
    first = [book.number(wave((-8.0 + 3 * k, 1.0, 1.0))) for k in range(9)]
    assert first == list(range(1, 10))
    assert book.number(wave((-8.0, 1.0, 1.0))) == 10


def test_a_snapshot_goes_on_alike() -> None:
    book, other = ShapeBook(), ShapeBook()
    book.number(wave(*RIGHT))
    other.restore(book.snapshot())
    for parts in (LEFT, RIGHT):
        assert other.number(wave(*parts)) == book.number(wave(*parts))
