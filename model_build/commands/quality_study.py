"""`model-build quality-study`: do the quality levels tell where R peaks go wrong?"""

import json
from pathlib import Path

import click

from model_build.command_options import data_option, json_option, progress

_HEADING = (
    "# Who is called good, usable and unusable; made by `model-build quality-study --write`.\n"
)


@click.command("quality-study")
@data_option
@json_option
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also fit the constants to all records, for edge_runtime/signal/quality_constants.toml.",
)
def command(data: Path | None, as_json: bool, write: Path | None) -> None:
    """Level of each second against missed and made-up R peaks within 5 s.

    Training records of mitdb, each judged by constants fitted to the other folds' people; as
    recorded and with the half of nstdb's muscle noise and baseline wander that has trained nothing,
    at 12 to -6 dB. Nothing of the test half is read. Then, as a witness from elsewhere, every
    record of cinc2017 by constants fitted to all: those that people called too noisy beside others.
    """
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.lead_quality.corpus import RECORDS  # noqa: PLC0415
    from model_build.lead_quality.noisy_records import ask  # noqa: PLC0415
    from model_build.lead_quality.study import run  # noqa: PLC0415

    with progress() as shown:
        task = shown.add_task("quality", total=len(RECORDS), note="")
        result = run(data_directory(data), lambda name: shown.update(task, advance=1, note=name))
        witness = ask(
            data_directory(data), result.constants, lambda name: shown.update(task, note=name)
        )
    if write is not None:
        write.write_text(_HEADING + result.constants.to_toml(), encoding="utf-8")
    if as_json:
        rows = [row.as_json() for row in result.rows]
        click.echo(json.dumps({"rows": rows, "cinc2017": witness.as_json()}))
        return
    for row in result.rows:
        share = [f"{100 * n / row.seconds:6.2f}" for n in row.levels]
        wrong = [f"{100 * b / n:6.1f}" if n else "     -" for b, n in zip(
            row.bad_by_level, row.levels, strict=True
        )]  # fmt: skip
        areas = ["    -" if area is None else f"{area:.3f}" for area in (row.auc, row.auc_of_score)]
        click.echo(
            f"{row.noise:12} bad {100 * row.bad / row.seconds:5.1f} %  good, usable, unusable "
            f"{' '.join(share)} %, of them bad {' '.join(wrong)} %  AUC {areas[0]}, of the score "
            f"{areas[1]}"
        )
    for label, counts in witness.levels.items():
        shares = " ".join(f"{100 * n / sum(counts):6.2f}" for n in counts)
        click.echo(f"cinc2017 {label:20} good, usable, unusable {shares} %")
    click.echo(f"cinc2017, noisy records by their mean score: AUC {witness.auc:.3f}")
