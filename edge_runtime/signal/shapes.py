"""Which ventricular beats look alike: a number for each shape met so far.

Two beats are of one shape where their QRS correlate at 0.85 or more within 16 ms of each other: as
bedside monitors tell uniform from multiform PVCs. A shape follows its beats slowly; of more than
eight the one unseen for longest is forgotten. Numbers are never used twice.
"""

from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.windows import QRST_START

_LIKE: Final = 0.85
_SHAPES: Final = 8
_FOLLOW: Final = 0.125
_SHIFT: Final = 2


class ShapeBook:
    """Shapes of one lead."""

    def __init__(self) -> None:
        self._shapes: dict[int, NDArray[np.float64]] = {}  # the one seen last comes last
        self._next = 1

    def number(self, window: NDArray[np.float32]) -> int | None:
        """The number of the shape of a beat's window (160,), None where it is flat."""
        shifted = _units(window)
        beat = shifted[_SHIFT]
        if not beat.any():
            return None
        likeness = {
            name: max([float(shape.dot(one)) for one in shifted])
            for name, shape in self._shapes.items()
        }
        best = max(likeness, key=likeness.__getitem__, default=0)
        if best == 0 or likeness[best] < _LIKE:
            best, self._next = self._next, self._next + 1
            self._shapes[best] = beat
            if len(self._shapes) > _SHAPES:
                del self._shapes[next(iter(self._shapes))]
            return best
        nearest = max(shifted, key=self._shapes[best].dot)
        followed = (1 - _FOLLOW) * self._shapes.pop(best) + _FOLLOW * nearest
        self._shapes[best] = followed / np.linalg.norm(followed)
        return best

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"shapes": {n: s.copy() for n, s in self._shapes.items()}, "next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken."""
        self._shapes = {int(n): np.array(s, np.float64) for n, s in state["shapes"].items()}
        self._next = int(state["next"])


def _units(window: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """The QRST at each shift, the least first, of mean 0 and norm 1; zeros where it is flat."""
    reach = window[QRST_START.start - _SHIFT : QRST_START.stop + _SHIFT].astype(np.float64)
    length = len(reach) - 2 * _SHIFT
    units = []
    for first in range(2 * _SHIFT + 1):
        part = reach[first : first + length]
        part = part - np.add.reduce(part) / length
        norm = sqrt(part.dot(part))
        units.append(part / norm if norm > 0.0 else np.zeros(length))
    return units
