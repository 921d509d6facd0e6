"""`model-build card`: write a bundle's model card again, with what is known by now."""

import json
from pathlib import Path

import click

from model_build.command_options import load_recipe, recipe_option, work_option


@click.command("card")
@recipe_option
@work_option
@click.option(
    "--bundles", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The bundle set. Default: the shipped one.",
)  # fmt: skip
def command(recipe_name: str, work: Path, bundles: Path | None) -> None:
    """Write CARD.md beside the manifest of a bundle.

    `export` and `all` do it as well; this is for later, when a study has cross-validated the
    recipe or `evaluate --open-test` has scored the set. Scores come from the studies' ledgers and
    the ledger of openings, size and latency from what `all` has measured, where it has.
    """
    from edge_runtime.inference.bundle import load_bundle_set  # noqa: PLC0415 - quick help
    from model_build.card import write_card  # noqa: PLC0415
    from model_build.student_files import student_folder  # noqa: PLC0415
    from model_build.study.results import own_results  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    loaded = load_bundle_set(bundles)
    if loaded.for_leads(recipe.n_leads).manifest.training.recipe != recipe.digest:
        raise click.UsageError(f"{loaded.where} was made by another recipe than {recipe.name}")
    measured = student_folder(work, recipe) / "model.json"
    model = json.loads(measured.read_text()) if measured.is_file() else None
    click.echo(write_card(loaded, recipe, own_results(recipe), model))
