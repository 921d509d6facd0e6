"""The numbers of the R-peak detector, as `qrs_constants.toml` gives them."""

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self

import numpy as np

from edge_runtime.errors import PathError
from edge_runtime.signal.qrs_features import Floats

FEATURES: Final = (
    "size",
    "size_of_recent",
    "size_of_noise",
    "sharpness",
    "width",
    "sharpness_change",
    "width_change",
    "before_max",
    "after_max",
    "before_mean",
    "after_mean",
    "hum",
    "step",
    "likeness",
    "likeness_of_next",
    "amplitude",
    "due",
    "elapsed",
    "irregularity",
    "trust",
    "cold",
    "next_sharpness",
    "next_due",
    "refused",
)
"""Inputs of the score, in order; see `qrs_memory.Memory.compare`."""


@dataclass(frozen=True, slots=True)
class QrsConstants:
    """Numbers of the detector. Lengths in samples at 250 Hz, sizes in mV of energy amplitude.

    A place that scores `threshold` is a firm peak, one that scores `tentative_threshold` a
    tentative one; where both are equal there are no tentative peaks.
    `hidden` (h, len(FEATURES) + 1) and `output` (h + 1,) are the network's weights, the last
    column and entry being the bias; features enter as they are, scales are folded in.
    """

    hidden: Floats
    output: Floats
    threshold: float = 0.0
    tentative_threshold: float = 0.0
    floor_mv: float = 0.05
    refractory: int = 50
    patience_s: float = 2.5
    halving_s: float = 1.0
    deepest: float = 0.15

    def __post_init__(self) -> None:
        if self.hidden.ndim != 2 or self.hidden.shape[1] != len(FEATURES) + 1:
            raise PathError(f"detector constants: `hidden` needs {len(FEATURES) + 1} columns")
        if self.output.shape != (len(self.hidden) + 1,):
            raise PathError("detector constants: `output` needs one weight a hidden row and a bias")
        if self.tentative_threshold > self.threshold:
            raise PathError("detector constants: `tentative_threshold` lies above `threshold`")

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read what `to_toml` wrote."""
        table: dict[str, Any] = tomllib.loads(text)
        names = tuple(table.pop("features"))
        if names != FEATURES:
            raise PathError("detector constants were made for other features; run the tuning again")
        for name in ("hidden", "output"):
            table[name] = np.array(table[name], dtype=np.float64)
            table[name].flags.writeable = False
        return cls(**table)

    def to_toml(self) -> str:
        """The constants as TOML, numbers in their shortest exact form."""
        lines = ["features = [" + ", ".join(f'"{name}"' for name in FEATURES) + "]"]
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "hidden":
                rows = ",\n".join("  " + repr(row) for row in value.tolist())
                lines.append(f"hidden = [\n{rows},\n]")
            elif item.name == "output":
                lines.append(f"output = {value.tolist()!r}")
            else:
                lines.append(f"{item.name} = {value!r}")
        return "\n".join(lines) + "\n"


@cache
def shipped_constants() -> QrsConstants:
    """The constants that lie beside this module."""
    text = files("edge_runtime.signal").joinpath("qrs_constants.toml").read_text("utf-8")
    return QrsConstants.from_toml(text)
