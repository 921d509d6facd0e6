"""`model-build study`: what each switch of a recipe does, in cells that can be left and gone on."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    jobs_option,
    json_option,
    stop_after_option,
    work_option,
)

if TYPE_CHECKING:
    from model_build.jobs.job import Job
    from model_build.study.plan import Cell


@click.command("study")
@click.argument("name", default="beats", metavar="[NAME|FILE]")
@data_option
@work_option
@click.option(
    "--only", multiple=True, metavar="SWITCH",
    help="This switch (may be repeated) and the base; default: all.",
)  # fmt: skip
@jobs_option
@stop_after_option
@click.option("--list", "listing", is_flag=True, help="Say what is done and what is not; run none.")
@click.option("--table", is_flag=True, help="Only make the table of what is done; run nothing.")
@click.option(
    "--any-code", is_flag=True,
    help="Take results that older code made where the present code has none, and do not make them.",
)  # fmt: skip
@click.option(
    "--ledger", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where results are appended. Default: model_build/studies/results/NAME.jsonl.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="BASE",
    help="Write the table to BASE.md and BASE.json.",
)  # fmt: skip
@json_option
def command(
    name: str,
    data: Path | None,
    work: Path,
    only: tuple[str, ...],
    jobs: int,
    stop_after_s: float | None,
    listing: bool,
    table: bool,
    any_code: bool,
    ledger: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Train and score a recipe and each of its switches, over folds and seeds; compare by J.

    A study file lists a base recipe, switches (each sets, drops or adds keys of the recipe), folds
    and seeds. One training is a cell: a process with one thread and a folder in WORK/study that is
    named by recipe, code, seed and fold, so that nothing is trained twice and an interrupted study
    goes on where it stood, in the middle of a cell too. Its log is log.txt there; what TensorBoard
    shows is in WORK/runs. A cell that takes more than 45 minutes at a stretch makes room for the
    others and goes on later.

    Results (counts by record) are appended to the study's ledger, to be committed. The table holds
    J, VEB and SVEB F1, false S in atrial fibrillation and QRS with their deviation over seeds, and
    the gain over the base with a bootstrap paired by subject: a switch is kept if at least 80 % of
    the draws gain. The test half of mitdb is never read.
    """
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.jobs.display import display  # noqa: PLC0415
    from model_build.jobs.runner import run_all  # noqa: PLC0415
    from model_build.study import ablation, results  # noqa: PLC0415
    from model_build.study.cell import jobs_of_cells, result_of  # noqa: PLC0415
    from model_build.study.plan import cells, read_study, study_path  # noqa: PLC0415

    deadline = None if stop_after_s is None else time.monotonic() + stop_after_s
    study = read_study(study_path(name))
    planned = cells(study, only)
    where = ledger or results.RESULTS / f"{study.name}.jsonl"
    done_before = ablation.newest(planned, results.read(where), any_code)
    known = {cell.identity for cell, result in done_before if result is not None}
    missing = [cell for cell in planned if cell.identity not in known]
    by_name = {cell.name: cell for cell in missing}
    waiting = jobs_of_cells(missing, data_directory(data), work)
    if listing:
        _list(planned, known, as_json)
        return

    def keep(job: "Job") -> None:
        if job.name in by_name:
            results.append(where, [result_of(by_name[job.name], job)])

    if not table:
        for job in waiting:
            # It ended, and this command was killed before the ledger knew.
            if job.is_done:
                keep(job)
        done = sum(job.is_done for job in waiting)
        with display(f"study {study.name}", len(waiting), done) as shown:
            run_all(waiting, jobs, deadline, shown, keep)
    found = ablation.rows(study, planned, results.read(where), any_code)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.with_suffix(".md").write_text(ablation.markdown(study, found))
        report.with_suffix(".json").write_text(ablation.dumps(study, found))
    shown_table = ablation.markdown(study, found)
    click.echo(json.dumps(ablation.as_json(study, found)) if as_json else shown_table)


def _list(planned: "list[Cell]", known: set[str], as_json: bool) -> None:
    rows = [
        {"cell": cell.identity[:16], "name": cell.name, "done": cell.identity in known}
        for cell in planned
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['cell']}  {'done' if row['done'] else 'to do':6}  {row['name']}")
