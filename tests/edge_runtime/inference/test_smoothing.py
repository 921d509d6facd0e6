"""The fixed-lag smoother against the plain forward-backward algorithm over everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.inference.rhythm_manifest import Smoothing
from edge_runtime.inference.smoothing import FixedLagSmoother

RULE = Smoothing(lag=4, stay=0.9, sharpness=0.5, bias=(1.0, 0.8, 1.2), suppress=0.9)
rows = st.lists(
    st.tuples(*(st.floats(0.001, 1.0) for _ in range(3))), min_size=6, max_size=12
)  # fmt: skip


def posterior(scores: np.ndarray, at: int) -> np.ndarray:
    """Chances of the state at `at`, by summing over every path: the definition."""
    n = len(RULE.bias)
    step = np.full((n, n), (1 - RULE.stay) / (n - 1)) + np.eye(n) * (
        RULE.stay - (1 - RULE.stay) / (n - 1)
    )
    said = np.array(RULE.bias) * scores**RULE.sharpness
    paths = np.full(n, 1 / n) @ step * said[0]
    # One axis of `paths` per hop so far: the joint weight of every sequence of states.
    for one in said[1:]:
        paths = paths[..., np.newaxis] * step * one
    axes = tuple(k for k in range(len(scores)) if k != at)
    weight = paths.sum(axis=axes)
    return weight / weight.sum()


@given(rows)
def test_it_is_the_posterior_given_what_came_within_the_lag(given_rows: list) -> None:
    scores = np.array(given_rows)
    smoother = FixedLagSmoother(RULE)
    for k, row in enumerate(scores[:8].tolist()):
        found = smoother.take(row)
        assert found.now == pytest.approx(posterior(scores[: k + 1], k))
        if k < RULE.lag:
            assert found.then is None
        else:
            assert found.then == pytest.approx(posterior(scores[: k + 1], k - RULE.lag))


def test_what_comes_later_moves_a_change_to_where_it_was() -> None:
    rule = Smoothing(lag=10, stay=0.99, sharpness=0.5, bias=(1.0, 1.0), suppress=0.9)
    smoother = FixedLagSmoother(rule)
    told = [smoother.take((0.9, 0.1) if k < 30 else (0.1, 0.9)) for k in range(60)]
    late = [then[1] > 0.5 for one in told if (then := one.then) is not None]
    assert late.index(True) == 30
    assert [one.now[1] > 0.5 for one in told].index(True) > 30


@given(rows, st.integers(0, 5))
def test_a_snapshot_changes_no_bit(given_rows: list, cut: int) -> None:
    whole, first = FixedLagSmoother(RULE), FixedLagSmoother(RULE)
    expected = [whole.take(row) for row in given_rows]
    found = [first.take(row) for row in given_rows[:cut]]
    second = FixedLagSmoother(RULE)
    second.restore(first.snapshot())
    assert found + [second.take(row) for row in given_rows[cut:]] == expected
