"""`model-build train`: a student from a recipe, or its cross-validation."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    folds_option,
    json_option,
    load_recipe,
    load_training,
    progress,
    recipe_option,
    reporter,
    work_option,
)
from model_build.commands.pretrain import load_prior

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model_build.evaluate.out_of_fold import CrossValidation
    from model_build.recipe import Recipe
    from model_build.training.beats import PreparedBeats


@click.command("train")
@recipe_option
@data_option
@work_option
@click.option(
    "--cross-validate", is_flag=True,
    help="Train once per subject fold and score out-of-fold instead.",
)  # fmt: skip
@folds_option
@click.option(
    "--by-lead", is_flag=True,
    help="With --cross-validate: score each lead alone, lost and noisy, on records of two leads.",
)  # fmt: skip
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    cross_validate: bool,
    folds: tuple[int, ...],
    by_lead: bool,
    as_json: bool,
) -> None:
    """Train the student of a recipe on every training recording.

    The run is seeded and writes a checkpoint after every epoch: started again, it goes on where it
    stood and ends with the same weights. The student lies in the work directory under the recipe's
    name and digest, where `quantize` and `export` find it.

    With --cross-validate only scores are kept: VEB and SVEB by EC57 at the detector's own peaks,
    pooled over the left-out subjects, false S in atrial fibrillation, and the selection score J.
    That is a quick look with one seed; recipes are chosen, and manifests filled, by `study`. The
    test half of mitdb is never read. Loss, rate and recalls of every epoch are in WORK/runs, for
    TensorBoard.
    """
    recipe = load_recipe(recipe_name)
    if cross_validate:
        _cross_validate(recipe, data, work, folds, by_lead, as_json)
    else:
        _train(recipe, data, work, as_json)


def _train(recipe: "Recipe", data: Path | None, work: Path, as_json: bool) -> None:
    from model_build.crossval import fit  # noqa: PLC0415 - loads TensorFlow
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.prepare import code_digest  # noqa: PLC0415
    from model_build.pretraining.prior import records_of  # noqa: PLC0415
    from model_build.student_files import (  # noqa: PLC0415
        TrainedOn,
        save_student,
        student_folder,
    )
    from model_build.teacher.crossfit import advice, advisers  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    one_thread()
    prior = load_prior(recipe, data, work)
    recordings, prepared = load_training(recipe, data, work)
    folder = student_folder(work, recipe)
    with progress() as shown:
        heard = advice(advisers(recipe, data_directory(data), work), prepared, None)
        checkpoint = work / "runs" / f"{recipe.name}-{recipe.short}.npz"
        told = reporter(shown, "train", recipe.optimizer.epochs)
        fitted = fit(prepared, recipe, checkpoint, told, prior, heard)
    trained_on = TrainedOn(
        recordings=tuple(dict.fromkeys((*(r.key for r in recordings), *records_of(recipe)))),
        code=code_digest(),
        n_beats=sum(len(item) for item in prepared),
    )
    save_student(folder, fitted.student, fitted.scaling, trained_on)
    if as_json:
        losses = list(fitted.losses)
        click.echo(json.dumps({"student": str(folder), "losses": losses, "recipe": recipe.digest}))
    else:
        click.echo(f"{folder}: loss {fitted.losses[0]:.4f} to {fitted.losses[-1]:.4f}")


def _cross_validate(
    recipe: "Recipe",
    data: Path | None,
    work: Path,
    folds: tuple[int, ...],
    by_lead: bool,
    as_json: bool,
) -> None:
    import numpy as np  # noqa: PLC0415 - quick help

    from model_build.crossval import cross_validate  # noqa: PLC0415 - loads TensorFlow
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.datasets.recording import Group  # noqa: PLC0415
    from model_build.evaluate.lead_loss import (  # noqa: PLC0415
        cross_validate_conditions,
        table,
    )
    from model_build.head import fit_head_of  # noqa: PLC0415
    from model_build.student_files import student_folder  # noqa: PLC0415
    from model_build.teacher.crossfit import advice, advisers  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    one_thread()
    prior = load_prior(recipe, data, work)
    recordings, prepared = load_training(recipe, data, work)
    teachers = advisers(recipe, data_directory(data), work)
    left_out: list[tuple[NDArray[np.float32], NDArray[np.uint8]]] = []

    def hear(logits: "NDArray[np.float32]", outside: "Sequence[PreparedBeats]") -> None:
        target = np.concatenate([p.target * p.seen for p in outside if p.group == Group.BEATS])
        beats = np.concatenate([np.full(len(p), p.group == Group.BEATS) for p in outside])
        left_out.append((logits[beats], target))

    with progress() as shown:
        given = (
            recordings, prepared, recipe, work,
            lambda fold: reporter(shown, f"fold {fold}", recipe.optimizer.epochs), folds, prior,
            lambda inside, fold: advice(teachers, inside, fold),
        )  # fmt: skip
        if by_lead:
            results = cross_validate_conditions(*given)
            told: dict[str, object] = {name: one.as_json() for name, one in results.items()}
            file, lines = "by-lead.json", table(results)
        else:
            result = cross_validate(*given, hear)
            told, file, lines = result.as_json(), "cross-validation.json", score_lines(result)
    folder = student_folder(work, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.quantize.fit_head and not by_lead:
        fit_head_of(left_out).save(folder)
    (folder / file).write_text(json.dumps(told))
    click.echo(json.dumps(told) if as_json else lines)


def score_lines(result: "CrossValidation") -> str:
    """The scores as a table for people."""
    total = result.total
    rows = [
        (name, rates.se, rates.ppv, rates.f1)
        for name, rates in (
            ("QRS", total.qrs), ("VEB", total.veb), ("SVEB", total.sveb),
            ("SVEB without the richest record", result.without_richest.sveb),
        )
    ]  # fmt: skip
    shown = [
        f"{name:32}" + "".join("      -" if v is None else f"{100 * v:7.2f}" for v in values)
        for name, *values in rows
    ]
    head = f"{'out-of-fold':32}     Se     +P     F1"
    tail = f"false S per 1000 beats in AF {result.af.per_thousand:.1f}; J {result.j:.4f}"
    return "\n".join([head, *shown, tail])
