"""`model-build quantize`: the trained student as two INT8 graphs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    load_training,
    recipe_option,
    work_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_build.datasets.recording import Recording


@click.command("quantize")
@recipe_option
@data_option
@work_option
@click.option(
    "--draw-calibration", is_flag=True,
    help="Draw a new calibration list from the training recordings and write it first.",
)  # fmt: skip
@json_option
def command(
    recipe_name: str, data: Path | None, work: Path, draw_calibration: bool, as_json: bool
) -> None:
    """Quantize the recipe's student to INT8, weights and activations.

    Ranges are measured on the beats listed beside the recipe (NAME.calibration.txt, committed):
    training subjects only, half of them ectopic, some early in their recording, untouched by any
    view. The same student and list give the same bytes. encoder.tflite and context.tflite lie in
    the student's folder afterwards, where `export` finds them.
    """
    from model_build.calibrate import calibration_items, choose_beats  # noqa: PLC0415
    from model_build.calibration import (  # noqa: PLC0415
        calibration_hash,
        read_calibration_list,
        write_calibration_list,
    )
    from model_build.quantize import quantize_student  # noqa: PLC0415
    from model_build.recipe import calibration_path  # noqa: PLC0415
    from model_build.student_files import load_student, student_folder  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    folder = student_folder(work, recipe)
    trained = load_student(folder, recipe)
    config = trained.student.config
    recordings, prepared = load_training(recipe, data, work)
    untouched = [item for item in prepared if item.view == recipe.view[0].name]
    path = calibration_path(recipe_name)
    if draw_calibration:
        n = recipe.quantize.calibration_beats
        drawn = choose_beats(untouched, n, config.history, recipe.seed)
        write_calibration_list(path, drawn, _COMMENT)
    listed = read_calibration_list(path)
    rates = rates_of(recordings)
    items = list(
        calibration_items(untouched, listed, trained.scaling, config.history, rates, config.leads)
    )
    graphs = quantize_student(trained.student.encoder, trained.student.context, items, folder)
    sizes = {p.name: p.stat().st_size for p in (graphs.encoder, graphs.context)}
    if as_json:
        listing = {"file": str(path), "sha256": calibration_hash(path), "beats": len(listed)}
        click.echo(json.dumps({"folder": str(folder), "bytes": sizes, "calibration": listing}))
    else:
        click.echo(f"{folder}: " + ", ".join(f"{n} {size} bytes" for n, size in sizes.items()))


_COMMENT = """\
Beats that INT8 ranges are measured on: training subjects, first channel, first view.
Half are S, V or F; a tenth have less than a full history before them.
Drawn by `model-build quantize --draw-calibration`; the sample is the detected peak's."""


def rates_of(recordings: "Sequence[Recording]") -> dict[str, float]:
    """Sampling rate in Hz of each recording."""
    from firmware_bridge.records import read_header  # noqa: PLC0415 - quick help

    return {r.key: float(read_header(r.path).fs_fraction) for r in recordings}
