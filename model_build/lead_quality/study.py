"""Do the quality levels tell where R peaks go wrong? By subjects left out, on noise left out.

Training records of mitdb, first channel. Each fold's people are judged by a network that was fitted
to the others, clean and in the noise that may train; their noise is the second half of nstdb's `ma`
and `bw`. Each second from 5:00 on has the level that a person sees, and is bad if a firm R peak is
missed or made up within 5 s of it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import QualityLevel
from edge_runtime.signal.quality import LEVELS, QualityMeter
from edge_runtime.signal.quality_risk import QualityConstants
from model_build.datasets.locate import ensure
from model_build.datasets.splits import FOLDS, fold_of
from model_build.datasets.subjects import subject
from model_build.detector_tuning.network import Examples
from model_build.evaluate.ec57.beats import LEARNING_S
from model_build.evaluate.noise_levels import KINDS, held_out_noise
from model_build.lead_quality.corpus import (
    MAINS_HZ,
    RECORDS,
    Case,
    test_cases,
    training_cases,
    training_noise,
)
from model_build.lead_quality.fit import examples, fit, inputs

CLEAN: Final = "as recorded"
_STEP_MV: Final = 0.005

Ranks = NDArray[np.int64]
Bools = NDArray[np.bool_]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Seconds (n,): the level's rank, the network's score, and whether they are bad."""

    ranks: Ranks
    scores: Scores
    bad: Bools


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds of some signals: how many are `bad`, how many have each level (good, usable,
    unusable), and of how many of these R peaks go wrong; `auc` of the level for "bad", and of the
    score behind it."""

    noise: str
    seconds: int
    bad: int
    levels: tuple[int, int, int]
    bad_by_level: tuple[int, int, int]
    auc: float | None
    auc_of_score: float | None

    @classmethod
    def of(cls, noise: str, parts: Sequence[Judged]) -> "Row":
        """Count all of these seconds together."""
        ranks, scores, bad = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("ranks", "scores", "bad")
        )
        counts = np.bincount(ranks, minlength=3)[:3]
        wrong = np.bincount(ranks[bad], minlength=3)[:3]
        three, of_them = tuple(counts.tolist()), tuple(wrong.tolist())
        return cls(
            noise, len(ranks), int(bad.sum()), three, of_them, auc(ranks, bad), auc(scores, bad)
        )

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        return asdict(self)


def auc(values: NDArray[Any], bad: Bools) -> float | None:
    """Probability that a bad second has a greater value (n,) than one that is not, ties as one
    half. None where all or none are bad."""
    if bad.all() or not bad.any():
        return None
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    wrong = np.bincount(place[bad], minlength=len(counts)).astype(np.float64)
    fine = counts - wrong
    below = np.cumsum(fine) - fine
    return float((wrong * (below + 0.5 * fine)).sum() / (wrong.sum() * fine.sum()))


@dataclass(frozen=True, slots=True)
class Result:
    """A row for the records as they are, for each noise and level and for all noise together; and
    the constants fitted to all records."""

    rows: list[Row]
    constants: QualityConstants


def run(directory: Path, report: Callable[[str], None], records: Sequence[str] = RECORDS) -> Result:
    """Fit and judge."""
    mitdb, nstdb = ensure(directory, "mitdb", records), ensure(directory, "nstdb", ("em", *KINDS))
    training = training_noise(nstdb)
    held_out = {kind: held_out_noise(nstdb, kind) for kind in KINDS}
    learnt: dict[str, list[Examples]] = {}
    cases: dict[str, list[Case]] = {}
    for record in records:
        report(record)
        clean, *noisy = training_cases(mitdb, training, record)
        learnt[record] = [examples(case) for case in (clean, *noisy)]
        cases[record] = [clean, *test_cases(mitdb, held_out, record)]
    folds = {record: fold_of(subject("mitdb", record)) for record in records}
    found: dict[str, list[Judged]] = defaultdict(list)
    for fold in range(FOLDS):
        constants = fit([part for record in records if folds[record] != fold
                         for part in learnt[record]])  # fmt: skip
        for record in records:
            for case in cases[record] if folds[record] == fold else ():
                found[case.noise or CLEAN].append(judged(case, constants))
    rows = [Row.of(name, parts) for name, parts in found.items()]
    every = [part for name, parts in found.items() if name != CLEAN for part in parts]
    return Result(
        [*rows, Row.of("all noise", every)],
        fit([part for parts in learnt.values() for part in parts]),
    )


def judged(case: Case, constants: QualityConstants) -> Judged:
    """The level and score of each second from 5:00 on, and whether it is bad."""
    first = int(LEARNING_S)
    scores = constants.scores(inputs(case))
    return Judged(levels_of(case, constants)[first:], scores[first:], case.bad[first:])


def levels_of(case: Case, constants: QualityConstants) -> Ranks:
    """The rank of the level that a person sees in each second (n,)."""
    meter = QualityMeter(case.fs, (_STEP_MV,), MAINS_HZ, constants)
    ranks = np.zeros(int(len(case.samples) / case.fs), np.int64)
    for change in meter.feed(0, case.samples[:, None].astype(np.float64)).changes:
        if change.level is not QualityLevel.LEAD_OFF:
            ranks[int(change.decided / case.fs) :] = LEVELS.index(change.level)
    return ranks
