"""The stages of a rhythm recipe as jobs: prepare, five folds, student, measure, export."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_build.code_digest import digest_of
from model_build.datasets.splits import FOLDS
from model_build.jobs.job import Job, Tell
from model_build.prepare import code_digest as preparation_digest
from model_build.recipe_arguments import recipe_arguments
from model_build.recipe_changes import NO_CHANGE, Change
from model_build.rhythm.export import export_rhythm
from model_build.rhythm.learn import GRAPH, PREPARE, SCALING, SCORES, given
from model_build.rhythm.measure import measure
from model_build.rhythm.recipe import read_rhythm_recipe
from model_build.rhythm.recordings import training
from model_build.rhythm.student import RhythmScaling
from model_build.rhythm.tensors import RhythmPool

MEASURED: Final = "measured.json"
SET: Final = "set"
WAYS: Final = ("student", "trees", "baseline")
"""Out-of-fold scores that are kept: the float student, its teacher, trees on RR alone."""

_LEARN: Final = "model_build.rhythm.learn"
_HERE: Final = "model_build.rhythm.stages"


def rhythm_jobs(
    recipe_file: Path,
    data: Path,
    work: Path,
    out: Path | None,
    version: str,
    change: Change = NO_CHANGE,
) -> list[Job]:
    """A job for each stage; `out`: the set that the bundle joins, None to stop at the measures."""
    recipe = read_rhythm_recipe(recipe_file, change)
    # What trains does not depend on how hops become rhythms.
    learns = repr((recipe.seed, recipe.per_recording, recipe.boosting, recipe.student))
    prepares = repr((recipe.seed, recipe.synthetic))
    codes = {module: digest_of([module]) for module in (_LEARN, _HERE)}
    about = {_LEARN: learns, _HERE: recipe.digest}
    arguments = {**recipe_arguments(recipe_file, change), "data": str(data), "work": str(work)}
    folds = [f"rhythm-fold-{k}" for k in range(FOLDS)]
    jobs: list[Job] = []
    inputs: dict[str, str] = {}

    def add(module: str, name: str, needs: tuple[str, ...] = (), **more: Any) -> None:
        task = "run_" + name.split("-")[1]
        content = [
            name, codes[module], preparation_digest(), about[module] if needs else prepares,
            repr(sorted(more.items())), *(inputs[need] for need in needs),
        ]  # fmt: skip
        digest = hashlib.sha256("\n".join(content).encode()).hexdigest()
        folder = work / "stages" / f"{name}-{digest[:16]}"
        every = {**arguments, "inputs": dict(inputs), **more}
        jobs.append(Job(name, folder, f"{module}:{task}", every, needs))
        inputs[name] = str(folder)

    add(_LEARN, PREPARE)
    for k, name in enumerate(folds):
        add(_LEARN, name, (PREPARE,), fold=k)
    add(_LEARN, "rhythm-student", (PREPARE,))
    add(_HERE, "rhythm-measure", (PREPARE, *folds))
    if out is not None:
        beneath = hashlib.sha256((out / "beats" / "manifest.toml").read_bytes()).hexdigest()
        needs = (PREPARE, "rhythm-student", "rhythm-measure")
        add(_HERE, "rhythm-export", needs, out=str(out), version=version, beneath=beneath)
    return jobs


def run_measure(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """What the folds reach, pooled."""
    recipe, pool = given(arguments)
    found = {way: measure(pool, out_of_fold(arguments, way, pool), recipe) for way in WAYS}
    (folder / MEASURED).write_text(json.dumps(found, indent=1) + "\n")
    tell("done", 1.0)


def run_export(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """The set, with the bundle in it."""
    recipe, pool = given(arguments)
    made = Path(arguments["inputs"]["rhythm-student"])
    measured = json.loads((Path(arguments["inputs"]["rhythm-measure"]) / MEASURED).read_text())
    shutil.rmtree(folder / SET, ignore_errors=True)
    shutil.copytree(arguments["out"], folder / SET)
    with np.load(made / SCALING) as stored:
        scaling = RhythmScaling(stored["centre"], stored["scale"], float(stored["clip"]))
    data = Path(arguments["data"])
    export_rhythm(
        folder / SET,
        (made / GRAPH).read_bytes(),
        scaling,
        recipe,
        pool.features[np.flatnonzero(pool.target)[:: max(1, np.count_nonzero(pool.target) // 64)]],
        training(data),
        measured["student"]["scores"],
        data,
        arguments["version"],
    )
    tell("done", 1.0)


def out_of_fold(arguments: Mapping[str, Any], way: str, pool: RhythmPool) -> NDArray[np.float64]:
    """Scores (n, K) of every hop by who has not seen its fold; NaN where nobody is left out."""
    scores: NDArray[np.float64] | None = None
    for name, folder in arguments["inputs"].items():
        if not name.startswith("rhythm-fold-"):
            continue
        with np.load(Path(folder) / SCORES) as stored:
            if scores is None:
                scores = np.full((len(pool), stored[way].shape[1]), np.nan)
            scores[stored["rows"]] = stored[way]
    assert scores is not None
    return scores
