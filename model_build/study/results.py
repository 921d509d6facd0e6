"""Results of cells: one JSON line each in an append-only ledger that is committed."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model_build.datasets.splits import FOLDS
from model_build.evaluate.out_of_fold import FoldScores, OutOfFold, join
from model_build.recipe import Recipe

RESULTS: Final = Path(__file__).parents[1] / "studies" / "results"
"""Ledgers, one of each study: NAME.jsonl."""
IN_SET: Final = "student-in-set"
"""Name of the stage in which the rhythm model judges too."""
BASE: Final = "base"
"""Name of the switch that changes nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class CellResult:
    """One trained and scored cell. `cell` is its content's digest; `recipe` and `code` are too.

    `base` is the digest of the recipe before the switch. `wall_s` is the time it took, pauses left
    out.
    """

    cell: str
    study: str
    switch: str
    stage: str
    base: str
    recipe: str
    code: str
    seed: int
    fold: int | str
    wall_s: float
    scores: FoldScores

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        heads = [name for name in self.__slots__ if name != "scores"]
        return {name: getattr(self, name) for name in heads} | {"scores": self.scores.as_json()}

    @classmethod
    def of_json(cls, entries: dict[str, Any]) -> "CellResult":
        """What `as_json` wrote."""
        scores = FoldScores.of_json(entries["scores"])
        return cls(**{**entries, "scores": scores})


def read(ledger: Path) -> list[CellResult]:
    """All results, oldest first; none where there is no such file."""
    if not ledger.is_file():
        return []
    lines = ledger.read_text("utf-8").splitlines()
    return [CellResult.of_json(json.loads(line)) for line in lines]


def append(ledger: Path, results: Iterable[CellResult]) -> None:
    """Add those that are not in it yet."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    known = {result.cell for result in read(ledger)}
    with ledger.open("a", encoding="utf-8") as file:
        for result in results:
            if result.cell not in known:
                file.write(json.dumps(result.as_json(), separators=(",", ":")) + "\n")
                known.add(result.cell)
        file.flush()
        os.fsync(file.fileno())


def own_results(recipe: Recipe) -> OutOfFold | None:
    """The whole cross-validation (all folds) of a recipe in the committed ledgers, if any is: that
    of the set, where there is one, or of the student alone."""
    results = [result for ledger in sorted(RESULTS.glob("*.jsonl")) for result in read(ledger)]
    in_set = [result for result in results if result.stage == IN_SET]
    for some in (in_set, results):
        found = out_of_fold(some, recipe.digest)
        if found is not None and len(found.folds) == FOLDS:
            return found
    return None


def out_of_fold(results: Sequence[CellResult], recipe: str) -> OutOfFold | None:
    """Cross-validations of the recipe with that digest, by the code of its newest result.

    Only seeds that have as many folds as the one with most; None where there is nothing.
    """
    own = [r for r in results if r.recipe == recipe and isinstance(r.fold, int)]
    own = [r for r in own if r.stage == own[-1].stage and r.code == own[-1].code]
    by_seed: dict[int, dict[int | str, CellResult]] = {}
    for result in own:
        by_seed.setdefault(result.seed, {})[result.fold] = result
    if not by_seed:
        return None
    folds = max((tuple(sorted(cells)) for cells in by_seed.values()), key=len)
    whole = {s: cells for s, cells in by_seed.items() if tuple(sorted(cells)) == folds}
    shown = [whole[min(whole)][fold].scores for fold in folds]
    reliability = shown[0].reliability
    for one in shown[1:]:
        reliability += one.reliability
    worst = sorted((beat for one in shown for beat in one.worst), key=lambda beat: -beat.score)
    return OutOfFold(
        {seed: join([cells[fold].scores for fold in folds]) for seed, cells in whole.items()},
        folds,
        reliability,
        tuple(worst),
        in_set=own[-1].stage == IN_SET,
    )
