"""The stages of a recipe, in order. A new part of the pipeline is one more entry here.

Each is a module of this package with `run(folder, arguments, tell)`; `Context.of` makes of these
what it needs. A stage may be listed several times under names of its own with other arguments
(trainings that can run side by side). It must be resumable: a training by its checkpoint
(`Context.checkpoint`), anything else by being short, or by `check_stop` where all is on disk.
"""

from pathlib import Path
from typing import Final

from edge_runtime.inference.manifest import GRAPH_ROLES, LEADS_OF_ROLE
from model_build.datasets.splits import FOLDS
from model_build.pipeline.stage import Stage
from model_build.recipe import Recipe, read_recipe
from model_build.recipe_files import recipe_path
from model_build.study.results import RESULTS

_NOT_TRAINED: Final = frozenset({"name", "prune", "quantize", "qat", "thresholds"})
"""What training does not depend on."""

PREPARE: Final = Stage(
    "prepare",
    "model_build.pipeline.prepare:run",
    ignores=frozenset(Recipe.__slots__) - {"data", "view", "seed"},
)


PRETRAIN: Final = Stage(
    "pretrain",
    "model_build.pipeline.pretrain:run",
    ignores=frozenset(Recipe.__slots__) - {"pretrain", "p_wave", "student", "seed"},
)


def tensors_and_trunk(recipe: Recipe) -> list[Stage]:
    """What every training of the recipe, and each of its folds, begins with."""
    return [PREPARE] if recipe.pretrain is None else [PREPARE, PRETRAIN]


def teachers_of(recipe: Recipe) -> list[Stage]:
    """The ensembles that the recipe's student learns from or is cleaned by, fold by fold."""
    wanted = {part.teacher for part in (recipe.distil, recipe.cleaning) if part is not None}
    return [stage for name in sorted(wanted) for stage in _members(name)]


def _members(name: str) -> list[Stage]:
    rule = read_recipe(recipe_path(name)).teacher
    return [
        Stage(
            f"{name}-without-{fold}-seed-{seed}",
            "model_build.pipeline.teacher:run",
            needs=("prepare",),
            # What a member depends on is its own recipe, not the student's.
            ignores=frozenset(Recipe.__slots__),
            arguments={"teacher": name, "fold": fold, "seed": seed},
            files=(recipe_path(name),),
        )
        for seed in (rule.seeds if rule else ())
        for fold in range(FOLDS)
    ]


def stages_of(
    recipe: Recipe,
    calibration: Path,
    version: str,
    head: Path | None = None,
    joined: Path | None = None,
) -> list[Stage]:
    """From archives to a bundle set, measured.

    Args:
        recipe: What is made.
        calibration: The committed calibration list; where it is absent one is drawn.
        version: Of the set.
        head: What a cross-validation leaves for a recipe with `fit_head`.
        joined: The set that is to be replaced; its bundles for other leads stay.
    """
    first = [*tensors_and_trunk(recipe), *teachers_of(recipe)]
    student = Stage(
        "student", "model_build.pipeline.student:run", needs=tuple(stage.name for stage in first),
        ignores=_NOT_TRAINED,
    )  # fmt: skip
    prune = Stage(
        "prune", "model_build.pipeline.prune:run", needs=("prepare", "student"),
        ignores=frozenset({"name", "quantize", "qat", "thresholds"}),
    )  # fmt: skip
    floats = [student] if recipe.prune is None else [student, prune]
    final = floats[-1].name
    heads = (head,) if head is not None and recipe.quantize.fit_head else ()
    quantize = Stage(
        "quantize", "model_build.pipeline.quantize:run", needs=("prepare", final),
        ignores=frozenset({"name", "thresholds"}), files=(calibration, *heads),
    )  # fmt: skip
    measure = Stage(
        "measure", "model_build.pipeline.measure:run", needs=("prepare", final, "quantize")
    )
    export = Stage(
        "export", "model_build.pipeline.export:run", needs=(final, "quantize", "measure"),
        arguments={
            "version": version, "recipe": recipe.digest, "joined": joined and str(joined),
        },
        files=(*sorted(RESULTS.glob("*.jsonl")), *_others(joined, recipe.n_leads)),
    )  # fmt: skip
    return [*first, *floats, quantize, measure, export]


def _others(joined: Path | None, n_leads: int) -> list[Path]:
    """Manifests of the bundles that stay in the set."""
    roles = [*(role for role, n in LEADS_OF_ROLE.items() if n != n_leads), *GRAPH_ROLES]
    return [] if joined is None else [joined / role / "manifest.toml" for role in roles]
