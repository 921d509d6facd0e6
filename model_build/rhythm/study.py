"""The rhythm study: the recipe and its switches, each cross-validated; a committed ledger."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model_build import recipe_study
from model_build.jobs.job import Job
from model_build.recipe_study import BASE, Switch, read_ledger, read_switches
from model_build.rhythm.recipe import read_rhythm_recipe
from model_build.rhythm.stages import MEASURED, rhythm_jobs

HERE: Final = Path(__file__).parent
RECIPE: Final = "rhythm-first"
STUDY: Final = HERE / "study.toml"
LEDGER: Final = HERE / "results.jsonl"
_NOT_CROSS_VALIDATED: Final = "rhythm-student"
_FIGURES: Final = {
    "cinc2017_af_f1": ("AF F1", 1.0, 3),
    "cinc2017_mean_nao_f1": ("mean F1 of N, A, O", 1.0, 3),
    "false_af_minutes_per_24_h": ("false AF, min/24 h", 1.0, 1),
    "af_seconds_found": ("AF found, %", 100.0, 1),
}


def switches(only: Sequence[str] = ()) -> dict[str, Switch]:
    """The study's switches by name, the base first. Raises `RecipeError` for an unknown one."""
    return read_switches(STUDY, only)


def jobs(switch: Switch, recipe: Path, data: Path, work: Path) -> list[Job]:
    """What cross-validates the recipe with a switch; the last one measures."""
    planned = rhythm_jobs(recipe, data, work, None, "", switch.change)
    return [job for job in planned if job.name != _NOT_CROSS_VALIDATED]


def append(ledger: Path, name: str, switch: Switch, recipe: Path, measuring: Job) -> None:
    """Write down what a switch's jobs have measured, unless it is there already."""
    entry = {
        "switch": name,
        "recipe": read_rhythm_recipe(recipe, switch.change).digest,
        "measured": json.loads((measuring.folder / MEASURED).read_text()),
    }
    recipe_study.append(ledger, measuring.folder.name, entry)


def newest(ledger: Path = LEDGER) -> dict[str, Mapping[str, Any]]:
    """What was measured last, by switch."""
    return {entry["switch"]: entry["measured"] for entry in read_ledger(ledger)}


def markdown(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each switch: the network's figures and, behind them, its teachers'."""
    titles = [title for title, _, _ in _FIGURES.values()]
    lines = [f"| switch | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}"]
    for name, switch in switches().items():
        if name not in measured:
            continue
        cells = [
            f"{of_network} ({of_trees})"
            for of_network, of_trees in zip(
                *(_figures(measured[name][way]["scores"]) for way in ("student", "trees")),
                strict=True,
            )
        ]
        words = "the recipe" if name == BASE else f"`{name}`: {switch.why}"
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _figures(scores: Mapping[str, float]) -> list[str]:
    return [f"{factor * scores[key]:.{digits}f}" for key, (_, factor, digits) in _FIGURES.items()]
