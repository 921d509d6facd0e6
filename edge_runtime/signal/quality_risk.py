"""How likely the detector goes wrong about R peaks: a small network over a lead's last seconds.

It sees the measures of a second (`quality_measures.py`) and their mean over the last five, as
logarithms, so that an amplifier's gain is one offset and a QRS beside its noise one difference.
Numbers in `quality_constants.toml`, made by `model-build quality-study --write`.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PathError
from edge_runtime.signal.quality_measures import MEASURES

Array = NDArray[np.float64]

SECONDS: Final = 5
INPUTS: Final = 2 * len(MEASURES)
_LEAST_MV: Final = 1e-3


@dataclass(frozen=True, slots=True)
class QualityConstants:
    """`hidden` (h, INPUTS + 1) and `output` (h + 1,) are weights, the last column and entry being
    the bias; `usable` and `unusable` are the scores (log odds) from which a second is called so.
    """

    hidden: Array
    output: Array
    usable: float
    unusable: float

    def __post_init__(self) -> None:
        if self.hidden.ndim != 2 or self.hidden.shape[1] != INPUTS + 1:
            raise PathError(f"quality constants: `hidden` needs {INPUTS + 1} columns")
        if self.output.shape != (len(self.hidden) + 1,):
            raise PathError("quality constants: `output` needs one weight a hidden row and a bias")
        if self.usable > self.unusable:
            raise PathError("quality constants: `usable` lies above `unusable`")

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read what `to_toml` wrote."""
        table: dict[str, Any] = tomllib.loads(text)
        if tuple(table["measures"]) != MEASURES:
            raise PathError("quality constants were made for other measures; fit them again")
        hidden, output = (np.array(table[name], np.float64) for name in ("hidden", "output"))
        return cls(hidden, output, float(table["usable"]), float(table["unusable"]))

    def to_toml(self) -> str:
        """The constants as TOML, numbers in their shortest exact form."""
        rows = ",\n".join("  " + repr(row) for row in self.hidden.tolist())
        return (
            "measures = [" + ", ".join(f'"{name}"' for name in MEASURES) + "]\n"
            f"usable = {self.usable!r}\nunusable = {self.unusable!r}\n"
            f"hidden = [\n{rows},\n]\noutput = {self.output.tolist()!r}\n"
        )

    def scores(self, inputs: Array) -> Array:
        """Log odds (n,) of inputs (n, INPUTS)."""
        active = np.maximum(inputs @ self.hidden[:, :-1].T + self.hidden[:, -1], 0.0)
        scores: Array = active @ self.output[:-1] + self.output[-1]
        return scores


@cache
def shipped_constants() -> QualityConstants:
    """The constants that lie beside this module."""
    text = files("edge_runtime.signal").joinpath("quality_constants.toml").read_text("utf-8")
    return QualityConstants.from_toml(text)


class RecentSeconds:
    """The last seconds of each lead that could be measured, as the network sees them."""

    def __init__(self, n_leads: int) -> None:
        self._past: list[list[Array]] = [[] for _ in range(n_leads)]

    def inputs(self, measures: Array, measurable: NDArray[np.bool_]) -> Array:
        """(n_leads, b, INPUTS) for the next seconds (n_leads, b, len(MEASURES)).

        Seconds that are not `measurable` (n_leads, b) are not remembered, and their rows are zero.
        """
        logs = np.log(np.maximum(measures, _LEAST_MV))
        out = np.zeros((*measures.shape[:2], INPUTS))
        for lead, past in enumerate(self._past):
            for second in measurable[lead].nonzero()[0]:
                past.append(logs[lead, second])
                del past[:-SECONDS]
                out[lead, second, : len(MEASURES)] = past[-1]
                out[lead, second, len(MEASURES) :] = sum(past) / len(past)
        return out

    def forget(self, lead: int) -> None:
        """The electrode was off: what it shows afterwards may be of another size."""
        self._past[lead].clear()

    def snapshot(self) -> list[list[list[float]]]:
        """Everything `restore` needs."""
        return [[one.tolist() for one in past] for past in self._past]

    def restore(self, state: Any) -> None:
        """Continue where `snapshot` was taken."""
        self._past = [[np.array(one, np.float64) for one in past] for past in state]
