"""The study: the recipe and its switches over five folds; results in a committed ledger."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from model_build import recipe_study
from model_build.delineation import cell
from model_build.delineation.crossval import FOLDS
from model_build.delineation.scoring import Tallies, pool, tables_of
from model_build.jobs.job import Job
from model_build.recipe_study import Switch, read_ledger, read_switches

HERE: Final = Path(__file__).parent
STUDY: Final = HERE / "study.toml"
LEDGER: Final = HERE / "results.jsonl"


def switches(only: Sequence[str] = ()) -> dict[str, Switch]:
    """The study's switches by name, the base first. Raises `RecipeError` for an unknown one."""
    return read_switches(STUDY, only)


def jobs(recipe: Path, only: Sequence[str], data: Path, work: Path) -> Iterator[tuple[str, Job]]:
    """The cells' jobs with the name of their switch."""
    for name, switch in switches(only).items():
        for fold in range(FOLDS):
            yield name, cell.job_of(name, recipe, switch.change, fold, data, work)


def append(ledger: Path, switch: str, job: Job) -> None:
    """Write down what a job has left, unless its cell is there already."""
    tables = json.loads((job.folder / cell.RESULT).read_text())
    entry = {"switch": switch, "fold": job.arguments["fold"], "tables": tables}
    recipe_study.append(ledger, job.folder.name, entry)


def pooled(ledger: Path = LEDGER) -> dict[str, Mapping[str, Tallies]]:
    """Out-of-fold tables by switch, of switches whose folds are all there; newest results."""
    newest: dict[str, dict[int, dict[str, Tallies]]] = {}
    for entry in read_ledger(ledger):
        newest.setdefault(entry["switch"], {})[entry["fold"]] = tables_of(entry["tables"])
    return {
        switch: {table: pool([fold[table] for fold in folds.values()]) for table in folds[0]}
        for switch, folds in newest.items()
        if len(folds) == FOLDS
    }
