"""`model-build rhythm`: what a rhythm recipe reaches, out of fold and on the test half."""

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


@click.command("rhythm")
@click.option(
    "--recipe", "recipe_name", default="rhythm", show_default=True, metavar="NAME|FILE",
    help="A shipped rhythm recipe by name, or a .toml file.",
)  # fmt: skip
@data_option
@work_option
@click.option(
    "--open-test", is_flag=True,
    help="Score the shipped set's AF on DS2 too; goes into model_build/openings.jsonl.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="BASE",
    help="Write the tables to BASE.md behind its line of dashes, BASE.json and BASE.svg.",
)  # fmt: skip
@jobs_option
@stop_after_option
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    open_test: bool,
    report: Path | None,
    jobs: int,
    stop_after_s: float | None,
    as_json: bool,
) -> None:
    """Cross-validate a rhythm recipe over five folds of people, and score the shipped bundle.

    Three ways side by side: the network that ships, before INT8, the boosted trees that teach it,
    and such trees on RR intervals alone. Folds are jobs of `model-build all --recipe rhythm`: what
    that has made is not made again. DS2 opens on a committed recipe only (see `evaluate`).
    """
    from edge_runtime.inference.bundle import load_bundle_set  # noqa: PLC0415 - quick help
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.jobs.display import display  # noqa: PLC0415
    from model_build.jobs.runner import run_all  # noqa: PLC0415
    from model_build.recipe_files import recipe_path  # noqa: PLC0415
    from model_build.rhythm import report as reports  # noqa: PLC0415
    from model_build.rhythm.on_records import open_af_test  # noqa: PLC0415
    from model_build.rhythm.stages import MEASURED, rhythm_jobs  # noqa: PLC0415

    deadline = None if stop_after_s is None else time.monotonic() + stop_after_s
    directory, file = data_directory(data), recipe_path(recipe_name).resolve()
    planned = rhythm_jobs(file, directory, work, None, "")
    planned = [job for job in planned if job.name != "rhythm-student"]
    with display("rhythm", len(planned), sum(job.is_done for job in planned)) as shown:
        run_all(planned, jobs, deadline, shown)
    found = {"out_of_fold": json.loads((planned[-1].folder / MEASURED).read_text())}
    if open_test:
        found["test"] = open_af_test(load_bundle_set(), file, directory)
    if report is not None:
        reports.write(found, report)
    click.echo(json.dumps(found) if as_json else reports.markdown(found))
