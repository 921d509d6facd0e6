"""`model-build all`: from archives to a bundle set in one go."""

from pathlib import Path

import click

from model_build.command_options import data_option, load_recipe, recipe_option, work_option
from model_build.commands import export, prune, quantize, train


@click.command("all")
@recipe_option
@data_option
@work_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The bundle set's folder. Default: the shipped one.",
)  # fmt: skip
@click.pass_context
def command(
    ctx: click.Context, recipe_name: str, data: Path | None, work: Path, out: Path | None
) -> None:
    """Prepare, train, prune (if the recipe does), quantize and export a recipe.

    Each step finds what the ones before it have left in the work directory, so an interrupted
    chain goes on where it stood. `evaluate` is not part of it: the test is opened by hand.
    """
    shared = {"recipe_name": recipe_name, "data": data, "work": work, "as_json": False}
    ctx.invoke(train.command, **shared)
    if load_recipe(recipe_name).prune is not None:
        ctx.invoke(prune.command, **shared)
    ctx.invoke(quantize.command, **shared)
    ctx.invoke(export.command, **shared, out=out)
