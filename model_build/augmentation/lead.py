"""What is altered: one lead, its rate and its annotations."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57.classes import ESCAPES_AS_N

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Lead:
    """One lead: `x` (n,) mV at `fs` Hz, `annotations` counted in its samples, if it has any."""

    x: Floats
    fs: Fraction
    annotations: Annotations | None

    @property
    def beats(self) -> Indices:
        """Samples of the annotated beats, in order of time; none without annotations."""
        if self.annotations is None:
            return np.zeros(0, np.int64)
        return self.annotations.sample[is_beat(self.annotations)]


def drawn(span: tuple[float, ...], random: np.random.Generator) -> float:
    """A number drawn evenly from a recipe's range (low, high)."""
    low, high = span
    return float(random.uniform(low, high))


def is_beat(annotations: Annotations) -> NDArray[np.bool_]:
    """Which annotations are beats."""
    return np.array([symbol in ESCAPES_AS_N.codes for symbol in annotations.symbol], dtype=bool)


def chosen(annotations: Annotations, which: NDArray[np.bool_], at: Indices) -> Annotations:
    """The annotations `which` (k,) allows, at the samples `at` (k,) instead of their own."""
    kept = np.flatnonzero(which)
    return Annotations.of(
        at[kept],
        [annotations.symbol[k] for k in kept],
        [annotations.aux[k] for k in kept],
        subtype=annotations.subtype[kept],
        chan=annotations.chan[kept],
        num=annotations.num[kept],
    )
