"""A witness from elsewhere: which records of cinc2017 people called too noisy.

None of them trains the network, which knows of missed R peaks in mitdb alone.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_runtime.signal.quality_risk import QualityConstants
from firmware_bridge.records import read_header, read_physical
from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.lead_quality.corpus import Case
from model_build.lead_quality.fit import inputs
from model_build.lead_quality.study import auc, levels_of

NOISY: Final = "noisy"
_SETTLED_S: Final = 5
"""Levels begin as good, and seconds look back so far."""


@dataclass(frozen=True, slots=True)
class Witness:
    """`levels`: seconds (good, usable, unusable) of the records of each label; `auc`: chance that a
    noisy record has a greater mean score than another one."""

    records: dict[str, int]
    levels: dict[str, tuple[int, int, int]]
    auc: float

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        return asdict(self)


def ask(directory: Path, constants: QualityConstants, report: Callable[[str], None]) -> Witness:
    """Grade every pinned record."""
    groups = database("cinc2017").groups
    folder = ensure(directory, "cinc2017", [r for group in groups.values() for r in group])
    scores: list[float] = []
    noisy: list[bool] = []
    levels = {label: np.zeros(3, np.int64) for label in groups}
    for label, records in groups.items():
        report(f"cinc2017, {label}")
        for record in records:
            fs = Fraction(read_header(folder / record).fs_fraction)
            samples = np.asarray(read_physical(folder / record))[:, 0].astype(np.float32)
            case = Case(record, "", samples, fs, np.zeros(0))
            scores.append(float(constants.scores(inputs(case))[_SETTLED_S - 1 :].mean()))
            noisy.append(label == NOISY)
            levels[label] += np.bincount(levels_of(case, constants)[_SETTLED_S:], minlength=3)[:3]
    found = auc(np.array(scores), np.array(noisy))
    assert found is not None, "there are noisy records, and others"
    return Witness(
        {label: len(records) for label, records in groups.items()},
        {label: (int(n[0]), int(n[1]), int(n[2])) for label, n in levels.items()},
        found,
    )
