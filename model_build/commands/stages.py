"""`model-build stages`: what pruning and INT8 cost, fold by fold, as a table and a plot."""

import json
from functools import partial
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

if TYPE_CHECKING:
    from rich.progress import Progress

    from model_build.recipe import Recipe
    from model_build.stages import FoldInputs
    from model_build.training.loop import Report


@click.command("stages")
@recipe_option
@data_option
@work_option
@folds_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("docs/beats-stages"),
    show_default=True, metavar="BASE",
    help="Where BASE.json, BASE.md and BASE.svg are written.",
)  # fmt: skip
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    folds: tuple[int, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Measure the recipe's student after every stage: trained, pruned, PTQ, QAT.

    For each fold all stages are made from the other folds' subjects and scored on its own, with
    the size, multiply-adds and latency of the graphs. A fold that has been measured with this
    recipe is not measured again, and one that was interrupted goes on at its last epoch, so
    folds may be run one at a time; the table pools those of --folds. Pruning takes part if the
    recipe has [prune]. PTQ or QAT is chosen by this table.
    """
    from edge_runtime.inference.interpreter import find_runtime  # noqa: PLC0415 - quick help
    from model_build.evaluate.stage_report import Measured, write  # noqa: PLC0415
    from model_build.stages import load_fold, over_folds, save_fold, stages_of_fold  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    paths = [work / "stages" / f"{recipe.short}-fold{fold}.json" for fold in folds]
    missing = [(fold, p) for fold, p in zip(folds, paths, strict=True) if not p.is_file()]
    if missing:
        one_thread()
        inputs = _inputs(recipe, recipe_name, data, work)
        with progress() as shown:
            for fold, path in missing:
                report = partial(_report_of, shown, recipe, fold)
                save_fold(path, stages_of_fold(inputs, recipe, fold, work, report))
    runtime = find_runtime()
    measured = Measured(recipe.name, recipe.digest, folds, f"{runtime.name} {runtime.version}")
    written = write(out, measured, over_folds([load_fold(path) for path in paths]))
    if as_json:
        click.echo(json.dumps({"files": [str(path) for path in written]}))
    else:
        click.echo(written[1].read_text(), nl=False)


def _report_of(shown: "Progress", recipe: "Recipe", fold: int, stage: str) -> "Report":
    epochs = {"QAT": recipe.qat.epochs, "prune": recipe.prune.epochs if recipe.prune else 0}
    return reporter(shown, f"fold {fold} {stage}", epochs.get(stage, recipe.optimizer.epochs))


def _inputs(recipe: "Recipe", name: str, data: Path | None, work: Path) -> "FoldInputs":
    from model_build.calibrate import rates_of  # noqa: PLC0415 - quick help
    from model_build.calibration import read_calibration_list  # noqa: PLC0415
    from model_build.commands.pretrain import load_prior  # noqa: PLC0415
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.recipe_files import calibration_path  # noqa: PLC0415
    from model_build.stages import FoldInputs  # noqa: PLC0415
    from model_build.teacher.crossfit import advice, advisers  # noqa: PLC0415

    listed = read_calibration_list(calibration_path(name))
    recordings, prepared = load_training(recipe, data, work)
    prior = load_prior(recipe, data, work)
    teachers = advisers(recipe, data_directory(data), work)
    return FoldInputs(
        recordings, prepared, listed, rates_of(recordings), prior,
        lambda inside, fold: advice(teachers, inside, fold),
    )  # fmt: skip
