"""`model-build export`: a bundle set that the device can load."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    recipe_option,
    work_option,
)

if TYPE_CHECKING:
    from edge_runtime.inference.manifest import Training
    from model_build.recipe import Recipe
    from model_build.student_files import StudentFile


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
    scores), conditioning, and golden vectors in three tiers. The set is loaded and checked as a
    device would before it takes the place of the old one.
    """
    from edge_runtime.inference.bundle import default_set  # noqa: PLC0415 - quick help
    from edge_runtime.signal.spec import DEFAULT_SPEC_FILE, read_spec  # noqa: PLC0415
    from model_build.calibration import calibration_hash  # noqa: PLC0415
    from model_build.datasets.locate import data_directory, ensure  # noqa: PLC0415
    from model_build.evaluate.beats import run_engine  # noqa: PLC0415
    from model_build.export import (  # noqa: PLC0415
        BundleDescription,
        GoldenSource,
        export_bundle_set,
        feature_scaling,
    )
    from model_build.golden_source import (  # noqa: PLC0415
        NOISE,
        RECORD,
        excerpt_beats,
        golden_excerpt,
    )
    from model_build.quantize import QuantizedStudent  # noqa: PLC0415
    from model_build.recipe import calibration_path  # noqa: PLC0415
    from model_build.student_files import load_student, student_folder  # noqa: PLC0415
    from model_build.training.scaling import CLIP  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    folder = student_folder(work, recipe)
    trained = load_student(folder, recipe)
    directory = data_directory(data)
    for name in (RECORD, NOISE):
        database, _, record = name.partition("/")
        ensure(directory, database, [record])
    excerpt = golden_excerpt(directory, trained.student.config.leads)
    beats = excerpt_beats(excerpt, read_spec())
    description = BundleDescription(
        version=version,
        features=feature_scaling(trained.scaling.centre, trained.scaling.scale, CLIP),
        training=_training(recipe, trained, calibration_hash(calibration_path(recipe_name))),
        scores=_scores(folder),
        thresholds=dict(recipe.thresholds),
    )
    written = export_bundle_set(
        out or default_set(),
        QuantizedStudent(folder / "encoder.tflite", folder / "context.tflite"),
        description,
        DEFAULT_SPEC_FILE,
        GoldenSource(
            excerpt=excerpt,
            beats=beats[0],
            run_engine=run_engine,
            companion=beats[1] if len(beats) > 1 else None,
        ),
    )
    if as_json:
        click.echo(json.dumps({"set": str(written.where), "sha256": written.fingerprint}))
    else:
        click.echo(f"{written.where}: {written.name} {written.version} ({written.fingerprint})")


def _training(recipe: "Recipe", trained: "StudentFile", calibration: str) -> "Training":
    from edge_runtime.inference.manifest import Training  # noqa: PLC0415 - quick help
    from model_build.datasets.catalogue import database  # noqa: PLC0415

    by_database: dict[str, list[str]] = {}
    for key in trained.trained_on.recordings:
        name, _, record = key.partition("/")
        by_database.setdefault(name, []).append(record)
    data = []
    for name, records in by_database.items():
        whole = len(records) == len(database(name).records)
        listed = f"all {len(records)} pinned records" if whole else " ".join(records)
        data.append(f"{database(name).title} ({database(name).licence}): {listed}")
    split = "inter-patient: DS1 of de Chazal 2004 without 201 trains, DS2 is never read"
    return Training(tuple(data), split, recipe.digest, calibration)


def _scores(folder: Path) -> dict[str, float]:
    """Out-of-fold scores, where `train --cross-validate` has left them."""
    path = folder / "cross-validation.json"
    if not path.is_file():
        return {}
    found = json.loads(path.read_text())
    total = found["total"]
    return {
        "cv_j": found["j"],
        "cv_veb_f1": total["veb"]["f1"],
        "cv_sveb_f1": total["sveb"]["f1"],
        "cv_false_s_per_1000_in_af": found["af"]["false_s_per_1000"],
    }
