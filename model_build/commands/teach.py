"""`model-build teach`: the teachers of a recipe, cross-fitted, and their out-of-fold score."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    load_training,
    progress,
    recipe_option,
    reporter,
    work_option,
)
from model_build.commands.train import score_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress

    from model_build.recipe import Recipe
    from model_build.teacher.beats import WholeBeats
    from model_build.teacher.members import Membership
    from model_build.training.beats import PreparedBeats


@click.command("teach")
@recipe_option
@data_option
@work_option
@click.option(
    "--without", multiple=True, metavar="LIST",
    help="Train without the subjects of these folds, like 0 or 0,1. May be given several times. "
    "Default: without each fold once, which a student that ships learns from.",
)  # fmt: skip
@click.option(
    "--pairs", is_flag=True,
    help="Train without each pair of folds, which students that are scored learn from.",
)  # fmt: skip
@click.option(
    "--seed", "seeds", type=int, multiple=True, metavar="N",
    help="Only this member of the ensemble. May be given several times.",
)  # fmt: skip
@click.option(
    "--cross-validate", is_flag=True,
    help="Afterwards score the ensemble out-of-fold, as students are scored.",
)  # fmt: skip
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    without: tuple[str, ...],
    pairs: bool,
    seeds: tuple[int, ...],
    cross_validate: bool,
    as_json: bool,
) -> None:
    """Train teachers on the subjects of some folds, for students to learn from about the others.

    Every member of the recipe's ensemble is trained for every set of folds left out, unless it
    lies in the work directory already: members are named by recipe, code and data. A checkpoint
    is written after every epoch; started again, a training goes on and ends with the same weights.
    With KERAS_BACKEND=jax, and jax for an accelerator installed, all of them train side by side on
    it in minutes; broken off, they start anew.

    With --cross-validate the ensembles trained without one fold are scored on its subjects: VEB
    and SVEB by EC57, false S in atrial fibrillation, J. The test half of mitdb is never read.
    """
    from model_build.teacher.crossfit import pairs as all_pairs  # noqa: PLC0415 - loads TensorFlow
    from model_build.teacher.crossfit import singles  # noqa: PLC0415
    from model_build.teacher.members import rule_of  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    chosen = [_folds(words) for words in without] or (all_pairs() if pairs else singles())
    if cross_validate and any(len(folds) != 1 for folds in chosen):
        raise click.UsageError("--cross-validate scores teachers trained without one fold each")
    ensemble = rule_of(recipe).seeds
    for seed in seeds:
        if seed not in ensemble:
            raise click.BadParameter(f"the recipe has no member {seed}", param_hint="--seed")
    if _on_tensorflow():
        from model_build.training.loop import one_thread  # noqa: PLC0415

        one_thread()
    recordings, prepared = load_training(recipe, data, work)
    folders = _train(recipe, prepared, chosen, seeds or ensemble, work)
    if not cross_validate:
        click.echo(json.dumps({"teachers": folders}) if as_json else "\n".join(folders))
        return
    from model_build.teacher.crossfit import Ensembles, cross_validate_teachers  # noqa: PLC0415
    from model_build.teacher.members import roll_of  # noqa: PLC0415

    ensembles = Ensembles(recipe, roll_of(recordings, recipe), work)
    folds = [fold for without_one in chosen for fold in without_one]
    result = cross_validate_teachers(recordings, prepared, ensembles, folds)
    path = work / "teachers" / f"{recipe.name}-{recipe.short}-cross-validation.json"
    path.write_text(json.dumps(result.as_json()))
    click.echo(json.dumps(result.as_json()) if as_json else score_lines(result))


def _folds(words: str) -> frozenset[int]:
    from model_build.datasets.splits import FOLDS  # noqa: PLC0415 - quick help

    try:
        found = frozenset(int(word) for word in words.split(","))
    except ValueError as error:
        raise click.BadParameter("a list like 0,1", param_hint="--without") from error
    if not found <= set(range(FOLDS)):
        raise click.BadParameter(f"folds are 0 to {FOLDS - 1}", param_hint="--without")
    return found


def _train(
    recipe: "Recipe",
    prepared: "Sequence[PreparedBeats]",
    chosen: "Sequence[frozenset[int]]",
    seeds: "Sequence[int]",
    work: Path,
) -> list[str]:
    """Folders of the members, trained one after the other."""
    from model_build.teacher.beats import whole_beats  # noqa: PLC0415 - loads numpy
    from model_build.teacher.members import (  # noqa: PLC0415
        Membership,
        folder_of,
        is_trained,
        roll_of_beats,
    )

    roll = roll_of_beats(prepared)
    wanted = [Membership(recipe, folds, seed) for folds in chosen for seed in seeds]
    missing = [which for which in wanted if not is_trained(which, roll, work)]
    if missing:
        with progress() as shown:
            _train_missing(missing, [whole_beats(item) for item in prepared], work, shown)
    return [str(folder_of(which, roll, work)) for which in wanted]


def _train_missing(
    missing: "Sequence[Membership]", items: "Sequence[WholeBeats]", work: Path, shown: "Progress"
) -> None:
    """On JAX all of them side by side, else one after the other."""
    epochs = missing[0].recipe.optimizer.epochs
    if not _on_tensorflow():
        from model_build.teacher.side_by_side import train_side_by_side  # noqa: PLC0415

        name = f"{len(missing)} members of {missing[0].recipe.name}"
        train_side_by_side(missing, items, work, reporter(shown, name, epochs))
        return
    from model_build.teacher.training import train_member  # noqa: PLC0415

    for which in missing:
        train_member(which, items, work, reporter(shown, str(which), epochs))


def _on_tensorflow() -> bool:
    import keras  # noqa: PLC0415 - quick help

    return bool(keras.backend.backend() == "tensorflow")
