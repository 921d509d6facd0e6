"""`model-build rhythm-study`: what each switch of the rhythm recipe does, over five folds."""

import json
import time
from pathlib import Path

import click

from model_build.command_options import (
    data_option,
    jobs_option,
    json_option,
    stop_after_option,
    work_option,
)


@click.command("rhythm-study")
@data_option
@work_option
@click.option(
    "--only", multiple=True, metavar="SWITCH",
    help="This switch (may be repeated) and the base; default: all.",
)  # fmt: skip
@click.option("--table", is_flag=True, help="Only show what the committed ledger holds.")
@jobs_option
@stop_after_option
@json_option
def command(
    data: Path | None,
    work: Path,
    only: tuple[str, ...],
    table: bool,
    jobs: int,
    stop_after_s: float | None,
    as_json: bool,
) -> None:
    """Cross-validate the recipe `rhythm-first` with each switch of model_build/rhythm/study.toml.

    Folds are jobs as those of `model-build rhythm`: what is there is not made again. Results are
    appended to the ledger beside the study. The table shows the network and, in parentheses, the
    trees that teach it. The test half of mitdb is never read.
    """
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.jobs.display import display  # noqa: PLC0415
    from model_build.jobs.runner import run_all  # noqa: PLC0415
    from model_build.recipe_files import recipe_path  # noqa: PLC0415
    from model_build.rhythm import study  # noqa: PLC0415

    if not table:
        deadline = None if stop_after_s is None else time.monotonic() + stop_after_s
        recipe, directory = recipe_path(study.RECIPE).resolve(), data_directory(data)
        for name, switch in study.switches(only).items():
            planned = study.jobs(switch, recipe, directory, work)
            with display(name, len(planned), sum(job.is_done for job in planned)) as shown:
                run_all(planned, jobs, deadline, shown)
            study.append(study.LEDGER, name, switch, recipe, planned[-1])
    found = study.newest()
    click.echo(json.dumps(found) if as_json else study.markdown(found), nl=as_json)
