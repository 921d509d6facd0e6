"""`model-build all`: from archives to a bundle set in one go."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    jobs_option,
    json_option,
    recipe_option,
    stop_after_option,
    work_option,
)

if TYPE_CHECKING:
    pass


@click.command("all")
@recipe_option
@data_option
@work_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The bundle set's folder. Default: the shipped one.",
)  # fmt: skip
@click.option("--version", default="0.1.0", show_default=True, help="Version of the set.")
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

    Each stage's outputs lie in WORK/stages in a folder named by everything they depend on: recipe,
    code, data, the stages before. What is there is not made again, and an interrupted stage goes
    on where it stood: with --stop-after the command ends (exit status 3) after the
    present epoch, and the same command later ends with the same bytes as an unbroken run.

    Stages that do not need each other run side by side. `evaluate` finds the float student and
    what was measured on it in the work directory. The test is not part of this: it is opened by
    hand. Archives lie in ECG_DATA_DIR.
    """
