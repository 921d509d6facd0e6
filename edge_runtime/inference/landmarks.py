"""The places in a beat window that a delineation network finds: nine, three to a wave."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LANDMARKS: Final = (
    "p_onset", "p_peak", "p_end", "qrs_onset", "qrs_peak", "qrs_end", "t_onset", "t_peak", "t_end",
)  # fmt: skip
"""Order of the network's channels."""
PRESENT: Final = ("p", "t")
"""Waves of which the network says whether they are there; a QRS always is."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """k beats: `seconds` float64 (k, len(LANDMARKS)) from R, NaN for a wave that is not there;
    `present` (k, len(PRESENT)) scores, 0 to 1."""

    seconds: NDArray[np.float64]
    present: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.seconds)
