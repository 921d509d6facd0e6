"""Out-of-fold scores: one fold by record, folds pooled, seeds side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Final

import numpy as np

from model_build.evaluate.ec57 import ESCAPES_AS_N, BeatMatrix
from model_build.evaluate.ec57 import pool as pooled
from model_build.evaluate.ec57.beats import LEARNING_S, WINDOW_S
from model_build.evaluate.ec57.classes import LABELS
from model_build.evaluate.fibrillation import AfErrors
from model_build.evaluate.reliability import Reliability

AF_COST: Final = 0.002
"""What one false S per 1,000 beats in AF costs in J."""


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Out-of-fold scores: by record ("database/record"), and in AF."""

    matrices: Mapping[str, BeatMatrix]
    af: AfErrors

    @property
    def total(self) -> BeatMatrix:
        """All records pooled."""
        return pooled(list(self.matrices.values()))

    @property
    def without_richest(self) -> BeatMatrix:
        """Pooled without the record that holds the most S."""
        richest = max(self.matrices, key=lambda k: self.matrices[k].reference_total(1))
        return pooled([m for k, m in self.matrices.items() if k != richest])

    @property
    def j(self) -> float:
        """The selection score: mean of VEB and SVEB F1, less the cost of false S in AF."""
        veb, sveb = self.total.veb.f1 or 0.0, self.total.sveb.f1 or 0.0
        return (veb + sveb) / 2 - AF_COST * self.af.per_thousand

    def as_json(self) -> dict[str, object]:
        """Ready for `json`."""
        return {
            "j": self.j,
            "total": self.total.as_json(),
            "sveb_without_richest": self.without_richest.sveb.as_json(),
            "af": {"beats": self.af.beats, "false_s_per_1000": self.af.per_thousand},
            "records": {
                key: {"veb": m.veb.as_json(), "sveb": m.sveb.as_json()}
                for key, m in self.matrices.items()
            },
        }


@dataclass(frozen=True, slots=True)
class WrongBeat:
    """A beat of a held-out record that was called something else: its sample, classes, score."""

    key: str
    at: int
    truth: str
    said: str
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class FoldScores:
    """One fold, scored by a model that has seen nobody in it.

    `matrices` and `af` by record; `subjects` tells whose each record is. `worst` are beats that
    the model was surest about and wrong.
    """

    matrices: Mapping[str, BeatMatrix]
    af: Mapping[str, AfErrors]
    subjects: Mapping[str, str]
    reliability: Reliability
    worst: tuple[WrongBeat, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`, small: of a matrix only the cells that are not zero."""
        return {
            "records": {key: _cells(matrix) for key, matrix in self.matrices.items()},
            "af": {key: [one.beats, one.false_s] for key, one in self.af.items()},
            "subjects": {key: who for key, who in self.subjects.items() if key != who},
            "reliability": self.reliability.as_json(),
            "worst": [[w.key, w.at, w.truth, w.said, round(w.score, 4)] for w in self.worst],
        }

    @classmethod
    def of_json(cls, entries: Mapping[str, Any]) -> "FoldScores":
        """What `as_json` wrote."""
        keys = [*entries["records"], *entries["af"]]
        return cls(
            {key: _matrix(cells) for key, cells in entries["records"].items()},
            {key: AfErrors(*counts) for key, counts in entries["af"].items()},
            {key: entries["subjects"].get(key, key) for key in keys},
            Reliability.of_json(entries["reliability"]),
            tuple(WrongBeat(*beat) for beat in entries["worst"]),
        )


def _cells(matrix: BeatMatrix) -> dict[str, int]:
    """Counts by reference and said class, such as "SN"; intervals are not kept."""
    where = np.argwhere(matrix.counts)
    return {LABELS[r] + LABELS[c]: int(matrix.counts[r, c]) for r, c in where}


def _matrix(cells: Mapping[str, int]) -> BeatMatrix:
    counts = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)
    for pair, count in cells.items():
        counts[LABELS.index(pair[0]), LABELS.index(pair[1])] = count
    counts.flags.writeable = False
    return BeatMatrix(counts, ESCAPES_AS_N, 0.0, 0, 0, LEARNING_S, WINDOW_S)


def join(folds: Sequence[FoldScores]) -> CrossValidation:
    """Pool folds of one recipe and seed."""
    matrices = {key: m for fold in folds for key, m in fold.matrices.items()}
    af = sum((one for fold in folds for one in fold.af.values()), AfErrors(0, 0))
    return CrossValidation(matrices, af)


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """A recipe's cross-validations by seed; calibration and worst beats are of the lowest seed.

    `in_set`: the rhythm model, out of fold as well, had its say, as on the device.
    """

    by_seed: Mapping[int, CrossValidation]
    folds: tuple[int | str, ...]
    reliability: Reliability | None = None
    worst: tuple[WrongBeat, ...] = ()
    in_set: bool = False

    @property
    def seed(self) -> int:
        """The lowest seed: the one that ships."""
        return min(self.by_seed)

    def spread(self) -> dict[str, tuple[float, float]]:
        """Mean and deviation over seeds (0 for a single one) of each figure."""
        columns: dict[str, list[float]] = {}
        for one in self.by_seed.values():
            for name, value in _figures(one).items():
                columns.setdefault(name, []).append(value)
        return {
            name: (fmean(values), stdev(values) if len(values) > 1 else 0.0)
            for name, values in columns.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        return {
            "folds": list(self.folds),
            "in_set": self.in_set,
            "seeds": {str(seed): _figures(one) for seed, one in sorted(self.by_seed.items())},
            "mean_and_deviation": {name: list(both) for name, both in self.spread().items()},
            "calibration": self.reliability.as_json() if self.reliability else None,
            "records_of_seed": self.seed,
            "records": self.by_seed[self.seed].as_json()["records"],
        }


def _figures(one: CrossValidation) -> dict[str, float]:
    total = one.total
    return {
        "j": one.j,
        "veb_f1": total.veb.f1 or 0.0,
        "sveb_f1": total.sveb.f1 or 0.0,
        "sveb_f1_without_richest": one.without_richest.sveb.f1 or 0.0,
        "false_s_per_1000_in_af": one.af.per_thousand,
        "qrs_se": total.qrs.se or 0.0,
        "qrs_ppv": total.qrs.ppv or 0.0,
    }
