"""Standardization of the context features: centre and scale, from training subjects only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLIP = 4.0
"""Standardized features are cut to +-4: beyond that lies noise, and INT8 steps stay fine."""

_NORMAL_IQR = 1.349
"""Interquartile range of a normal distribution of unit deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Per feature: float32 (F,) each. Undefined values (NaN) become 0, the centre."""

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardize float32 (..., F)."""
        scaled = (features - self.centre) / self.scale
        known = np.nan_to_num(np.clip(scaled, -CLIP, CLIP), nan=0.0)
        return np.asarray(known, dtype=np.float32)


def fit_scaling(features: NDArray[np.float32]) -> Scaling:
    """Median, and the larger of interquartile range (as a deviation) and a third of 1-99 %.

    The tails bear the ectopy, so a feature that rarely moves is scaled by its tails.
    """
    low, quarter, centre, three_quarters, high = np.nanpercentile(
        features, (1, 25, 50, 75, 99), axis=0
    )
    scale = np.maximum((three_quarters - quarter) / _NORMAL_IQR, (high - low) / 6.0)
    scale = np.where(scale > 1e-6, scale, 1.0)
    return Scaling(centre.astype(np.float32), scale.astype(np.float32))
