"""`model-build quantize`: the trained student as two INT8 graphs."""

import json
from pathlib import Path

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


@click.command("quantize")
@recipe_option
@data_option
@work_option
@click.option(
    "--draw-calibration", "draw_calibration_list", is_flag=True,
    help="Draw a new calibration list from the training recordings and write it first.",
)  # fmt: skip
@json_option
def command(
    recipe_name: str, data: Path | None, work: Path, draw_calibration_list: bool, as_json: bool
) -> None:
    """Quantize the recipe's student to INT8, weights and activations.

    Ranges are measured on the beats listed beside the recipe (NAME.calibration.txt, committed):
    training subjects only, half of them ectopic, some early in their recording, untouched by any
    view. The same student and list give the same bytes. encoder.tflite and context.tflite lie in
    the student's folder afterwards, where `export` finds them.

    With `method = "qat"` in the recipe's [quantize] the student is then trained on with the
    roundings of INT8, as [qat] says; `bias_correction` takes mean errors back before that.
    Temperature and class biases that `train --cross-validate` has fitted (head.json) are folded
    into the last layer first.
    """
    from model_build.calibration import calibration_hash, read_calibration_list  # noqa: PLC0415
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.head import head_of  # noqa: PLC0415
    from model_build.pipeline.quantize import draw_calibration, quantize_by  # noqa: PLC0415
    from model_build.recipe_files import calibration_path  # noqa: PLC0415
    from model_build.student_files import load_final_student, student_folder  # noqa: PLC0415
    from model_build.teacher.crossfit import advisers  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    one_thread()
    folder = student_folder(work, recipe)
    trained = load_final_student(folder, recipe)
    recordings, prepared = load_training(recipe, data, work)
    path = calibration_path(recipe_name)
    if draw_calibration_list:
        draw_calibration(path, prepared, recipe, trained.student.config.history)
    with progress() as shown:
        graphs = quantize_by(
            path, trained, recordings, prepared, recipe, folder,
            reporter(shown, "quantize", recipe.qat.epochs), head_of(folder, recipe),
            advisers(recipe, data_directory(data), work),
        )  # fmt: skip
    sizes = {p.name: p.stat().st_size for p in (graphs.encoder, graphs.context)}
    if as_json:
        n = len(read_calibration_list(path))
        listing = {"file": str(path), "sha256": calibration_hash(path), "beats": n}
        click.echo(json.dumps({"folder": str(folder), "bytes": sizes, "calibration": listing}))
    else:
        click.echo(f"{folder}: " + ", ".join(f"{n} {size} bytes" for n, size in sizes.items()))
