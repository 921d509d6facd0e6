"""`model-build all`: from archives to a bundle set in one go."""

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    jobs_option,
    json_option,
    load_recipe,
    recipe_option,
    stop_after_option,
    work_option,
)

if TYPE_CHECKING:
    from edge_runtime.inference.bundle import BundleSet
    from model_build.jobs.job import Job


@click.command("all")
@recipe_option
@data_option
@work_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The bundle set's folder. Default: the shipped one.",
)  # fmt: skip
@click.option(
    "--version",
    default="0.1.0",
    show_default=True,
    help="Of the bundle, and of the set that it makes or joins.",
)
@jobs_option
@stop_after_option
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    out: Path | None,
    version: str,
    jobs: int,
    stop_after_s: float | None,
    as_json: bool,
) -> None:
    """Remake everything that ships of a recipe: prepare, train, prune, quantize, measure, export.

    A recipe of kind `rhythm` has stages of its own: prepare, five folds, student, measure, export.

    Each stage's outputs lie in WORK/stages in a folder named by everything they depend on: recipe,
    code, data, the stages before. What is there is not made again, and an interrupted stage goes
    on where it stood: with --stop-after the command ends (exit status 3) after the
    present epoch, and the same command later ends with the same bytes as an unbroken run.

    A recipe says what it makes by its `kind`; without one it is a student that classifies beats.
    A student of one lead makes the set, one of two leads joins it; a bundle for other leads that
    is there stays as far as it still holds. With `fit_head`, `train --cross-validate` comes first.

    Stages that do not need each other run side by side. `evaluate` finds the float student and
    what was measured on it in the work directory. The test is not part of this: it is opened by
    hand. Archives lie in ECG_DATA_DIR.
    """
    from edge_runtime.inference.bundle import default_set  # noqa: PLC0415 - quick help
    from edge_runtime.inference.manifest import DELINEATION  # noqa: PLC0415
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.delineation.pipeline import jobs_of as delineation_jobs  # noqa: PLC0415
    from model_build.export import install  # noqa: PLC0415
    from model_build.head import HEAD, head_of  # noqa: PLC0415
    from model_build.jobs.display import display  # noqa: PLC0415
    from model_build.jobs.runner import run_all  # noqa: PLC0415
    from model_build.pipeline.stage import jobs_of  # noqa: PLC0415
    from model_build.pipeline.stages import stages_of  # noqa: PLC0415
    from model_build.recipe_files import calibration_path, recipe_path  # noqa: PLC0415
    from model_build.recipe_kind import kind_of  # noqa: PLC0415
    from model_build.rhythm.recipe import KIND as RHYTHM  # noqa: PLC0415
    from model_build.rhythm.stages import rhythm_jobs  # noqa: PLC0415
    from model_build.student_files import student_folder  # noqa: PLC0415

    deadline = None if stop_after_s is None else time.monotonic() + stop_after_s
    into = out or default_set()
    if kind_of(recipe_name) == DELINEATION:
        file = recipe_path(recipe_name).resolve()
        planned = delineation_jobs(file, data_directory(data), work, version, into)
        with display(f"all {recipe_name}", len(planned), sum(j.is_done for j in planned)) as shown:
            run_all(planned, jobs, deadline, shown)
        _tell(install(planned[-1].folder / "set", into), planned, as_json=as_json)
        return
    if kind_of(recipe_name) == RHYTHM:
        file = recipe_path(recipe_name).resolve()
        planned = rhythm_jobs(file, data_directory(data), work, into, version)
        with display("all rhythm", len(planned), sum(job.is_done for job in planned)) as shown:
            run_all(planned, jobs, deadline, shown)
        _tell(install(planned[-1].folder / "set", into), planned, as_json=as_json)
        return
    recipe = load_recipe(recipe_name)
    student = student_folder(work, recipe)
    # What the INT8 graphs will want, before hours of training.
    head_of(student, recipe)
    stages = stages_of(recipe, calibration_path(recipe_name), version, student / HEAD, into)
    planned = jobs_of(stages, recipe_path(recipe_name).resolve(), data_directory(data), work)
    done = sum(job.is_done for job in planned)
    with display(f"all {recipe.name}", len(planned), done) as shown:
        run_all(planned, jobs, deadline, shown)
    _publish(planned, student)
    _tell(install(planned[-1].folder / "set", into), planned, as_json=as_json)


def _tell(loaded: "BundleSet", jobs: "list[Job]", *, as_json: bool) -> None:
    if as_json:
        where = {job.name: str(job.folder) for job in jobs}
        found = {"set": str(loaded.where), "sha256": loaded.fingerprint, "stages": where}
        click.echo(json.dumps(found))
    else:
        click.echo(f"{loaded.where}: {loaded.name} {loaded.version} ({loaded.fingerprint})")


def _publish(jobs: "list[Job]", folder: Path) -> None:
    """Put what `quantize`, `export`, `evaluate` and `card` look for where they look for it."""
    from model_build.student_files import pruned_folder  # noqa: PLC0415 - quick help

    for job in jobs:
        into = pruned_folder(folder) if job.name == "prune" else folder
        into.mkdir(parents=True, exist_ok=True)
        for file in sorted(job.folder.iterdir()):
            if file.name in _PUBLISHED:
                shutil.copyfile(file, into / file.name)


_PUBLISHED = ("student.npz", "encoder.tflite", "context.tflite", "probe.json", "model.json")
