"""What trains of a rhythm recipe: tensors, folds, the student that ships."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_build.jobs.job import Tell
from model_build.recipe_arguments import change_from
from model_build.rhythm.boosting import fit_baseline, fit_trees
from model_build.rhythm.prepare import prepare
from model_build.rhythm.recipe import RhythmRecipe, read_rhythm_recipe
from model_build.rhythm.recordings import training
from model_build.rhythm.student import RhythmStudent, quantized, train_student
from model_build.rhythm.synthetic import with_synthetic
from model_build.rhythm.tensors import RhythmPool, pooled

POOL: Final = "pool.npz"
SCORES: Final = "scores.npz"
GRAPH: Final = "rhythm.tflite"
SCALING: Final = "scaling.npz"
PREPARE: Final = "rhythm-prepare"
"""Name of the stage that the others begin with."""


def run_prepare(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Tensors of every training recording, as one table."""
    recipe, data = recipe_of(arguments), Path(arguments["data"])
    recordings = with_synthetic(training(data), recipe.synthetic, recipe.seed, data)
    found = []
    prepared = prepare(recordings, Path(arguments["work"]), recipe.seed, data)
    for number, hops in enumerate(prepared):
        found.append(hops)
        tell(recordings[number].key, number / len(recordings))
    pool = pooled(recordings, found)
    np.savez(folder / POOL, **{name: getattr(pool, name) for name in RhythmPool.__slots__})


def run_fold(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Out-of-fold scores of the float student, its teacher and the baseline."""
    recipe, pool = given(arguments)
    fold = int(arguments["fold"])
    learnt, held = pool.without(fold), np.flatnonzero(pool.fold == fold)
    features = pool.features[held]
    tell("trees", 0.0)
    trees = fit_trees(learnt, recipe)
    tell("student", 0.4)
    student = train_student(learnt, trees, recipe)
    tell("baseline", 0.8)
    baseline = fit_baseline(learnt, recipe)
    np.savez(
        folder / SCORES,
        rows=held,
        student=student_scores(student, features),
        trees=trees.scores(features),
        baseline=baseline.scores(features),
    )


def run_student(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """The student that ships, trained on everybody."""
    recipe, pool = given(arguments)
    tell("trees", 0.0)
    trees = fit_trees(pool, recipe)
    tell("student", 0.5)
    student = train_student(pool, trees, recipe)
    (folder / GRAPH).write_bytes(quantized(student))
    scaling = student.scaling
    np.savez(folder / SCALING, centre=scaling.centre, scale=scaling.scale, clip=scaling.clip)


def student_scores(student: RhythmStudent, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores (k, K) of hops by the float network."""
    logits = student.logits(features).astype(np.float64)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return scores


def load_pool(folder: Path) -> RhythmPool:
    """What `run_prepare` wrote."""
    with np.load(folder / POOL) as stored:
        return RhythmPool(*(stored[name] for name in RhythmPool.__slots__))


def recipe_of(arguments: Mapping[str, Any]) -> RhythmRecipe:
    """The recipe that a stage is given."""
    return read_rhythm_recipe(Path(arguments["recipe"]), change_from(arguments))


def given(arguments: Mapping[str, Any]) -> tuple[RhythmRecipe, RhythmPool]:
    """The recipe and the table that a stage after `prepare` is given."""
    return recipe_of(arguments), load_pool(Path(arguments["inputs"][PREPARE]))
