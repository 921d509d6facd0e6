"""The study: the recipe and its switches over five folds; results in a committed ledger."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cattrs

from model_build.delineation import cell
from model_build.delineation.crossval import FOLDS
from model_build.delineation.recipe import read_recipe
from model_build.delineation.scoring import Tallies, Tally, pool
from model_build.jobs.job import Job

HERE: Final = Path(__file__).parent
STUDY: Final = HERE / "study.toml"
LEDGER: Final = HERE / "results.jsonl"
BASE: Final = "base"


@dataclass(frozen=True, slots=True)
class Switch:
    """Changes of the recipe, as `read_recipe` takes them, and what is asked by them."""

    why: str
    set: dict[str, Any] = field(default_factory=dict)


def switches() -> dict[str, Switch]:
    """The study's switches by name, the base first."""
    entries = tomllib.loads(STUDY.read_text("utf-8"))["switch"]
    converter = cattrs.Converter(forbid_extra_keys=True)
    found = {name: converter.structure(entry, Switch) for name, entry in entries.items()}
    return {BASE: Switch("The recipe as it is."), **found}


def jobs(recipe: str, only: Sequence[str], data: Path, work: Path) -> Iterator[tuple[str, Job]]:
    """The cells' jobs with the name of their switch."""
    for name, switch in switches().items():
        if only and name not in {BASE, *only}:
            continue
        arguments = {
            "data": str(data), "work": str(work), "recipe": recipe, "changes": switch.set,
        }  # fmt: skip
        for fold in range(FOLDS):
            yield name, cell.job_of(name, read_recipe(recipe, **switch.set), fold, arguments)


def append(ledger: Path, switch: str, job: Job) -> None:
    """Write down what a job has left, unless its cell is there already."""
    lines = ledger.read_text("utf-8").splitlines() if ledger.is_file() else []
    if any(json.loads(line)["cell"] == job.folder.name for line in lines):
        return
    tables = json.loads((job.folder / cell.RESULT).read_text())
    entry = {
        "cell": job.folder.name,
        "switch": switch,
        "fold": job.arguments["fold"],
        "tables": tables,
    }
    with ledger.open("a", encoding="utf-8") as out:
        out.write(json.dumps(entry) + "\n")


def pooled(ledger: Path = LEDGER) -> dict[str, Mapping[str, Tallies]]:
    """Out-of-fold tables by switch, of switches whose folds are all there; newest results."""
    newest: dict[str, dict[int, dict[str, Tallies]]] = {}
    for line in ledger.read_text("utf-8").splitlines() if ledger.is_file() else []:
        entry = json.loads(line)
        tables = {
            table: {name: Tally(**values) for name, values in tallies.items()}
            for table, tallies in entry["tables"].items()
        }
        newest.setdefault(entry["switch"], {})[entry["fold"]] = tables
    return {
        switch: {table: pool([fold[table] for fold in folds.values()]) for table in folds[0]}
        for switch, folds in newest.items()
        if len(folds) == FOLDS
    }
