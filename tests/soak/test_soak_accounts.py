"""The soak's accounts find what they look for."""

import numpy as np

from tests.firmware_bridge.simulated import MODULUS
from tests.soak.accounts import Hole, misplaced, unmarked

TOLD = np.arange(MODULUS - 50, MODULUS + 50) % MODULUS


def test_a_whole_stream_has_nothing_wrong() -> None:
    assert (unmarked(TOLD, []), misplaced(TOLD, [])) == (0, 0)


def test_a_marked_hole_is_accounted_for_and_an_unmarked_one_is_not() -> None:
    told = TOLD.copy()
    told[20:30] = -1
    assert unmarked(told, [Hole(20, 10, True)]) == 0
    assert unmarked(told, [Hole(20, 9, True)]) == 1
    assert unmarked(told, [Hole(20, 11, True)]) == 1
    assert misplaced(told, [Hole(20, 10, True)]) == 0


def test_a_hole_of_the_wrong_length_moves_what_follows() -> None:
    told = np.concatenate([TOLD[:20], np.full(9, -1), TOLD[30:]])  # ten were lost
    assert misplaced(told, [Hole(20, 9, True)]) == 70
    assert misplaced(told, [Hole(20, 9, False)]) == 0  # it says that it is an estimate


def test_a_sample_that_is_made_up_or_sent_twice_is_found() -> None:
    again = np.concatenate([TOLD[:50], TOLD[49:]])
    assert misplaced(again, []) == 51
