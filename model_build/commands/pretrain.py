"""`model-build pretrain`: the student's beat encoder, before it has seen a beat label."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    progress,
    recipe_option,
    work_option,
)

if TYPE_CHECKING:
    from model_build.pretraining.prior import Prior
    from model_build.pretraining.run import Pretrained
    from model_build.recipe import Recipe


@click.command("pretrain")
@recipe_option
@data_option
@work_option
@json_option
def command(recipe_name: str, data: Path | None, work: Path, as_json: bool) -> None:
    """Train the beat encoder of a recipe to delineate and to fill in.

    The trunk learns to tell P, QRS and T apart sample by sample (ludb, qtdb) and to restore masked
    stretches of windows of every archive that its [pretrain] section names; the heads are dropped.
    Nobody of mitdb or svdb is among them, so the same trunk begins every fold's student. `train`
    takes it from the work directory, and makes it by itself where it is missing.

    Printed are the F1 by sample of each wave, and by beat of P present, on the records of ludb
    that are held out (every tenth).
    """
    recipe = load_recipe(recipe_name)
    made = run(recipe, data, work)
    if as_json:
        entries = {"trunk": str(made.path), "losses": list(made.losses)}
        click.echo(json.dumps({**entries, "held_out": made.scores.as_json()}))
        return
    scores = made.scores
    rows = {
        **scores.segments, "P present (by beat)": scores.p_present,
        "P absent (by beat)": scores.p_absent,
    }  # fmt: skip
    click.echo(f"{made.path}: loss {made.losses[0]:.4f} to {made.losses[-1]:.4f}")
    for name, value in rows.items():
        click.echo(f"{name:20}" + ("      -" if value is None else f"{100 * value:7.2f}"))


def load_prior(recipe: "Recipe", data: Path | None, work: Path) -> "Prior":
    """What the recipe's training is given besides beats, made where it is missing."""
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.pretraining.prior import Prior, read_p_waves  # noqa: PLC0415 - TensorFlow

    trunk = run(recipe, data, work).weights if recipe.pretrain is not None else None
    marked = read_p_waves(data_directory(data)) if recipe.p_wave.weight else {}
    return Prior(trunk, marked)


def run(recipe: "Recipe", data: Path | None, work: Path) -> "Pretrained":
    """The recipe's pre-training, with progress; one thread. Loads TensorFlow."""
    from model_build.crossval import student_config  # noqa: PLC0415 - loads TensorFlow
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.pretraining.run import pretrain, rule_of  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    one_thread()
    epochs = rule_of(recipe).epochs
    with progress() as shown:
        reading = shown.add_task("prepare", total=None, note="")
        training = shown.add_task("pretrain", total=None, note="")

        def prepared(name: str, done: int, total: int) -> None:
            shown.update(reading, completed=done, total=total, note=name)

        def trained(epoch: int, done: float, total: float, loss: float) -> None:
            note = f"epoch {epoch + 1}/{epochs} loss {loss:.4f}"
            at = epoch * total + done
            shown.update(training, completed=at, total=epochs * total, note=note)

        config = student_config(recipe, n_features=1)
        return pretrain(data_directory(data), recipe, config, work, trained, prepared)
