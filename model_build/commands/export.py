"""`model-build export`: a bundle set that the device can load."""

import json
from pathlib import Path

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    recipe_option,
    work_option,
)


@click.command("export")
@recipe_option
@data_option
@work_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The bundle set's folder; a set that is there is replaced. Default: the shipped one.",
)  # fmt: skip
@click.option("--version", default="0.1.0", show_default=True, help="Version of the set.")
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    out: Path | None,
    version: str,
    as_json: bool,
) -> None:
    """Write the recipe's quantized student as a bundle of a set.

    A student of one lead makes the set (role `beats`), one of two leads joins it (`beats-2lead`).

    Graphs, manifest (tensors, classes, feature scaling, what it was trained on, out-of-fold
    scores of a study), model card, conditioning, and golden vectors in three tiers. The set is
    loaded and checked as a device would before it takes the place of the old one.
    """
    from edge_runtime.inference.bundle import default_set  # noqa: PLC0415 - quick help
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.pipeline.export import export_student  # noqa: PLC0415
    from model_build.quantize import QuantizedStudent  # noqa: PLC0415
    from model_build.recipe_files import calibration_path  # noqa: PLC0415
    from model_build.student_files import load_final_student, student_folder  # noqa: PLC0415
    from model_build.study.results import own_results  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    folder = student_folder(work, recipe)
    trained = load_final_student(folder, recipe)
    measured = folder / "model.json"
    written = export_student(
        out or default_set(),
        QuantizedStudent(folder / "encoder.tflite", folder / "context.tflite"),
        trained,
        recipe,
        calibration_path(recipe_name),
        data_directory(data),
        version,
        own_results(recipe),
        json.loads(measured.read_text()) if measured.is_file() else None,
    )
    if as_json:
        click.echo(json.dumps({"set": str(written.where), "sha256": written.fingerprint}))
    else:
        click.echo(f"{written.where}: {written.name} {written.version} ({written.fingerprint})")
