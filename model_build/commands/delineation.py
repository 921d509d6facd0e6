"""`model-build delineation`: the study of the bundle that measures intervals, and its report."""

import json
import time
from pathlib import Path

import click

from model_build.command_options import (
    data_option,
    jobs_option,
    json_option,
    progress,
    stop_after_option,
    work_option,
)

_recipe = click.option(
    "--recipe", default="delineation", show_default=True, metavar="NAME|FILE",
    help="A shipped recipe by name, or a .toml file.",
)  # fmt: skip


@click.group("delineation")
def command() -> None:
    """Onset, peak and end of P, QRS and T: study and report.

    The bundle itself is made by `model-build all --recipe delineation`.
    """


@command.command("study")
@_recipe
@data_option
@work_option
@click.option(
    "--only", multiple=True, metavar="SWITCH",
    help="This switch (may be repeated) and the base; default: all.",
)  # fmt: skip
@jobs_option
@stop_after_option
@json_option
def study(
    recipe: str,
    data: Path | None,
    work: Path,
    only: tuple[str, ...],
    jobs: int,
    stop_after_s: float | None,
    as_json: bool,
) -> None:
    """Train without each of five folds of ludb and qtdb, and score the INT8 graph on it.

    F1 at 150 ms and the deviation of the errors, by landmark, subjects left out. Results are
    appended to the committed ledger beside the study file.
    """
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.delineation import study as cells  # noqa: PLC0415
    from model_build.delineation.report import markdown, rows  # noqa: PLC0415
    from model_build.jobs.display import display  # noqa: PLC0415
    from model_build.jobs.runner import run_all  # noqa: PLC0415
    from model_build.recipe_files import recipe_path  # noqa: PLC0415

    deadline = None if stop_after_s is None else time.monotonic() + stop_after_s
    directory = data_directory(data).resolve()
    planned = list(cells.jobs(recipe_path(recipe).resolve(), only, directory, work.resolve()))
    done = sum(job.is_done for _, job in planned)
    with display("delineation study", len(planned), done) as shown:
        run_all([job for _, job in planned], jobs, deadline, shown)
    for switch, job in planned:
        cells.append(cells.LEDGER, switch, job)
    found = cells.pooled()
    if as_json:
        click.echo(json.dumps({name: rows(tables) for name, tables in found.items()}))
        return
    for name, tables in found.items():
        click.echo(f"{name}\n\n{markdown(tables)}")


@command.command("peers")
@data_option
@json_option
def peers_command(data: Path | None, as_json: bool) -> None:
    """Score other people's delineators on the same leads: NeuroKit2's, by wavelets and prominence.

    They are not trained, so that nothing has to be left out. Results are written beside the
    study's, for `report`.
    """
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.delineation import peers  # noqa: PLC0415
    from model_build.delineation.crossval import Summary, leads_by_key  # noqa: PLC0415
    from model_build.delineation.report import markdown, rows  # noqa: PLC0415

    leads = list(leads_by_key(data_directory(data)).values())
    found = {}
    with progress() as shown:
        task = shown.add_task("peers", total=len(peers.METHODS) * len(leads), note="")
        for method in peers.METHODS:
            scored = peers.score_peer(
                method, leads, lambda key: shown.update(task, advance=1, note=key)
            )
            found[method] = Summary.of(scored).tables
    peers.write(found)
    if as_json:
        click.echo(json.dumps({method: rows(tables) for method, tables in found.items()}))
        return
    for method, tables in found.items():
        click.echo(f"{method}\n\n{markdown(tables)}")


@command.command("report")
@click.argument("base", type=click.Path(path_type=Path))
def report_command(base: Path) -> None:
    """Draw BASE.svg of the committed results, ours beside the peers', and print their table."""
    from model_build.delineation import peers, study  # noqa: PLC0415 - quick help
    from model_build.delineation.report import comparison, drawing  # noqa: PLC0415
    from model_build.recipe_study import BASE  # noqa: PLC0415

    ways = {"this bundle, people left out": study.pooled()[BASE]}
    ways |= {f"NeuroKit2, {peers.METHODS[name]}": one for name, one in peers.read().items()}
    base.with_suffix(".svg").write_text(drawing(ways), encoding="utf-8")
    click.echo(comparison(ways), nl=False)


@command.command("st-shift")
@data_option
@json_option
def st_shift_command(data: Path | None, as_json: bool) -> None:
    """By how much the signal path shifts ST, at the annotators' marks of ludb."""
    from dataclasses import asdict  # noqa: PLC0415 - quick help

    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.delineation.st_shift import st_shift  # noqa: PLC0415

    found = st_shift(data_directory(data))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        click.echo(
            f"{one.lead:>3}: {one.beats} beats, shift {one.mean_mv:+.3f} mV, SD {one.sd_mv:.3f}, "
            f"95 % within {one.p95_mv:.3f}; {100 * one.of_height:+.1f} % of the QRS height"
        )
