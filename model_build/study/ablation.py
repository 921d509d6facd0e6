"""What each switch does to J, and whether that is more than chance: the ablation table."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_build.evaluate.document import Document as _Document
from model_build.evaluate.document import Table, Text, to_markdown
from model_build.evaluate.out_of_fold import AF_COST, OutOfFold, join
from model_build.study.plan import Cell, Study
from model_build.study.results import BASE, CellResult

KEEP_SHARE: Final = 0.8
"""A switch is kept if so many draws of the bootstrap gain; otherwise the simpler recipe stays."""
DRAWS: Final = 2000

Floats = NDArray[np.float64]
Results = Mapping[tuple[int, int | str], CellResult]
"""By seed and fold."""


@dataclass(frozen=True, slots=True)
class Gain:
    """A difference of J to the base: mean over seeds, and how a bootstrap by subject spreads it.

    `share` of draws are above zero; `low` and `high` bound 80 % of them.
    """

    j: float
    share: float
    low: float
    high: float

    @property
    def keep(self) -> bool:
        """The protocol's rule."""
        return self.share >= KEEP_SHARE


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One switch. `gain` is None for the base, and where no seed and fold are common to both."""

    switch: str
    why: str
    scores: OutOfFold
    gain: Gain | None
    compared: tuple[tuple[int, int | str], ...]
    minutes: float

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        gain = self.gain
        return {
            "switch": self.switch,
            "why": self.why,
            "folds": list(self.scores.folds),
            "seeds": sorted(self.scores.by_seed),
            "mean_and_deviation": {k: list(v) for k, v in self.scores.spread().items()},
            "gain": None
            if gain is None
            else {
                "j": gain.j,
                "share_above_zero": gain.share,
                "interval_80": [gain.low, gain.high],
                "keep": gain.keep,
                "cells": [list(pair) for pair in self.compared],
            },
            "minutes_a_cell": round(self.minutes, 1),
        }


def rows(
    study: Study, planned: Sequence[Cell], results: Iterable[CellResult], any_code: bool = False
) -> list[Row]:
    """A row for each switch that has a whole seed, the base first.

    Results count that the present code made; with `any_code` the newest of each cell, whatever
    made it (then a difference may be the code's).
    """
    found = _found(planned, results, any_code)
    base = found.get(BASE, {})
    table = []
    for name, cells in found.items():
        whole = _whole_seeds(cells, [cell for cell in planned if cell.switch == name])
        if not whole:
            continue
        common = tuple(sorted(set(whole) & set(base), key=str)) if name != BASE else ()
        gain = _gain(base, whole, common) if common else None
        why = study.switch[name].why if name != BASE else "the recipe as it is"
        minutes = fmean(result.wall_s for result in whole.values()) / 60
        table.append(Row(name, why, _pooled(whole), gain, common, minutes))
    return table


def newest(
    planned: Sequence[Cell], results: Iterable[CellResult], any_code: bool
) -> list[tuple[Cell, CellResult | None]]:
    """Each cell with its newest result, of the present code or of any; None where it has none."""

    def key(recipe: str, stage: str, seed: int, fold: int | str, code: str) -> tuple[Any, ...]:
        return (recipe, stage, seed, fold) if any_code else (recipe, stage, seed, fold, code)

    last = {key(r.recipe, r.stage, r.seed, r.fold, r.code): r for r in results}
    return [(c, last.get(key(c.recipe.digest, c.stage, c.seed, c.fold, c.code))) for c in planned]


def _found(
    planned: Sequence[Cell], results: Iterable[CellResult], any_code: bool
) -> dict[str, dict[tuple[int, int | str], CellResult]]:
    found: dict[str, dict[tuple[int, int | str], CellResult]] = {}
    for cell, result in newest(planned, results, any_code):
        if result is not None:
            found.setdefault(cell.switch, {})[cell.seed, cell.fold] = result
    return found


def _whole_seeds(
    cells: Results, planned: Sequence[Cell]
) -> dict[tuple[int, int | str], CellResult]:
    folds: dict[int, set[int | str]] = {}
    for cell in planned:
        folds.setdefault(cell.seed, set()).add(cell.fold)
    whole = {s for s, wanted in folds.items() if all((s, fold) in cells for fold in wanted)}
    return {pair: result for pair, result in cells.items() if pair[0] in whole}


def _pooled(cells: Results) -> OutOfFold:
    seeds = sorted({seed for seed, _ in cells})
    folds = sorted({fold for _, fold in cells}, key=str)
    by_seed = {
        seed: join([cells[seed, fold].scores for fold in folds if (seed, fold) in cells])
        for seed in seeds
    }
    return OutOfFold(by_seed, tuple(folds))


def _gain(base: Results, other: Results, common: Sequence[tuple[int, int | str]]) -> Gain:
    sides = [_counts([side[pair] for pair in common], common) for side in (base, other)]
    names = sorted(set(sides[0].names) | set(sides[1].names))
    tables = [side.table(names) for side in sides]
    j = [float(_j(table.sum(axis=1)).mean()) for table in tables]
    draws = _draws(names)
    drawn = [_j(np.einsum("bn,snk->bsk", draws, table)).mean(axis=1) for table in tables]
    difference = drawn[1] - drawn[0]
    low, high = np.quantile(difference, (0.1, 0.9))
    return Gain(j[1] - j[0], float((difference > 0).mean()), float(low), float(high))


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Counts of each seed and subject: VEB and SVEB TP, FN, FP, then AF beats and false S."""

    seeds: tuple[int, ...]
    by_subject: Mapping[tuple[int, str], Floats]

    @property
    def names(self) -> set[str]:
        return {subject for _, subject in self.by_subject}

    def table(self, names: Sequence[str]) -> Floats:
        """(seeds, subjects, 8)."""
        none = np.zeros(8)
        rows = [[self.by_subject.get((s, name), none) for name in names] for s in self.seeds]
        return np.array(rows)


def _counts(results: Sequence[CellResult], pairs: Sequence[tuple[int, int | str]]) -> _Counts:
    found: dict[tuple[int, str], Floats] = {}
    for result, (seed, _) in zip(results, pairs, strict=True):
        scores = result.scores
        for key, subject in scores.subjects.items():
            row = found.setdefault((seed, subject), np.zeros(8))
            matrix, af = scores.matrices.get(key), scores.af.get(key)
            if matrix is not None:
                veb, sveb = matrix.veb, matrix.sveb
                row[:6] += (veb.tp, veb.fn, veb.fp, sveb.tp, sveb.fn, sveb.fp)
            if af is not None:
                row[6:] += (af.beats, af.false_s)
    return _Counts(tuple(sorted({seed for seed, _ in pairs})), found)


def _j(counts: Floats) -> Floats:
    """J of counts (..., 8)."""
    f1 = [
        2 * counts[..., k] / np.maximum(2 * counts[..., k] + counts[..., k + 1 : k + 3].sum(-1), 1)
        for k in (0, 3)
    ]
    per_thousand = 1000 * counts[..., 7] / np.maximum(counts[..., 6], 1)
    found: Floats = (f1[0] + f1[1]) / 2 - AF_COST * per_thousand
    return found


def _draws(names: Sequence[str]) -> Floats:
    """How often each subject is drawn, (DRAWS, n): with replacement, archive by archive."""
    random = np.random.default_rng(0)
    archives = np.array([name.partition("/")[0] for name in names])
    draws = np.zeros((DRAWS, len(names)))
    for archive in np.unique(archives):
        where = np.flatnonzero(archives == archive)
        draws[:, where] = random.multinomial(len(where), np.full(len(where), 1 / len(where)), DRAWS)
    return draws


def as_json(study: Study, table: Sequence[Row]) -> dict[str, Any]:
    """Ready for `json`."""
    return {"study": study.name, "base": study.base, "rows": [row.as_json() for row in table]}


_HEAD: Final = (
    "switch", "J", "gain in J (80 %)", "draws > 0", "kept", "VEB F1", "SVEB F1",
    "SVEB F1 without the richest record", "false S per 1,000 AF beats", "QRS Se / +P %",
    "seeds x folds", "min a cell", "what",
)  # fmt: skip


def markdown(study: Study, table: Sequence[Row]) -> str:
    """The table for a person."""
    words = (
        f"Recipe `{study.base}`, float students out-of-fold at the detector's own peaks, as `bxb` "
        "counts. J = mean of VEB and SVEB F1, less 0.002 for each false S per 1,000 beats in AF. "
        "Mean and deviation over seeds; the gain is paired with the base by seed, fold and "
        f"subject, its interval and share are of {DRAWS} bootstrap draws of subjects. Kept from "
        f"{KEEP_SHARE:.0%} of draws above zero on."
    )
    cells = tuple(_cells(row) for row in table)
    title = f"Study {study.name}"
    return to_markdown(_Document(title, (Text(words), Table(_HEAD, cells)), ()))


def _cells(row: Row) -> tuple[str, ...]:
    spread = row.scores.spread()

    def both(name: str, digits: int = 3) -> str:
        mean, deviation = spread[name]
        alone = len(row.scores.by_seed) == 1
        return f"{mean:.{digits}f}" + ("" if alone else f" ± {deviation:.{digits}f}")

    gain = row.gain
    compared = ("-", "-", "-")
    if gain is not None:
        interval = f"{gain.j:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        compared = (interval, f"{gain.share:.0%}", "yes" if gain.keep else "no")
    qrs = f"{100 * spread['qrs_se'][0]:.2f} / {100 * spread['qrs_ppv'][0]:.2f}"
    return (
        row.switch, both("j", 4), *compared, both("veb_f1"), both("sveb_f1"),
        both("sveb_f1_without_richest"), both("false_s_per_1000_in_af", 1), qrs,
        f"{len(row.scores.by_seed)} x {len(row.scores.folds)}", f"{row.minutes:.0f}", row.why,
    )  # fmt: skip


def dumps(study: Study, table: Sequence[Row]) -> str:
    """The table as a JSON text."""
    return json.dumps(as_json(study, table), indent=1) + "\n"
