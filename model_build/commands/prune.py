"""`model-build prune`: the trained student with fewer channels."""

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


@click.command("prune")
@recipe_option
@data_option
@work_option
@json_option
def command(recipe_name: str, data: Path | None, work: Path, as_json: bool) -> None:
    """Take channels from the recipe's trained student, and train it on, as [prune] says.

    Whole channels go, across every layer that shares them: those whose loss changes the training
    loss least for the bytes they free, measured on training beats. The result is an ordinary
    student; it lies in the student's folder under `pruned`, and `quantize` takes it from there.
    Started again, the run goes on at its last epoch.
    """
    from model_build.channels import payload_bytes  # noqa: PLC0415 - loads TensorFlow
    from model_build.crossval import Fitted  # noqa: PLC0415
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.errors import RecipeError  # noqa: PLC0415
    from model_build.prune import prune  # noqa: PLC0415
    from model_build.student_files import (  # noqa: PLC0415
        load_student,
        pruned_folder,
        save_student,
        student_folder,
    )
    from model_build.teacher.crossfit import advice, advisers  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    if recipe.prune is None:
        raise RecipeError(f"{recipe_name} has no [prune]; nothing is pruned")
    one_thread()
    folder = student_folder(work, recipe)
    trained = load_student(folder, recipe)
    _, prepared = load_training(recipe, data, work)
    fitted = Fitted(trained.student, trained.scaling, ())
    into = pruned_folder(folder)
    with progress() as shown:
        report = reporter(shown, "prune", recipe.prune.epochs)
        heard = advice(advisers(recipe, data_directory(data), work), prepared, None)
        pruned, steps = prune(fitted, prepared, recipe, recipe.prune, into, report, heard)
    save_student(into, pruned.student, pruned.scaling, trained.trained_on)
    sizes = [payload_bytes(trained.student.config), *(step.payload for step in steps)]
    if as_json:
        widths = [step.widths for step in steps]
        click.echo(json.dumps({"student": str(into), "payload": sizes, "channels": widths}))
    else:
        click.echo(f"{into}: weights, biases and scales {' to '.join(map(str, sizes))} bytes")
