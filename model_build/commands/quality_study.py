"""`model-build quality-study`: do the quality levels tell where R peaks go wrong?"""

import json
from pathlib import Path

import click

from model_build.command_options import data_option, json_option, progress


@click.command("quality-study")
@data_option
@json_option
def command(data: Path | None, as_json: bool) -> None:
    """Level of each second against missed and made-up R peaks within 5 s.

    Training records of mitdb, as recorded and with the half of nstdb's muscle noise and baseline
    wander that has trained nothing, at 12 to -6 dB. Nothing of the test half is read.
    """
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.quality_study import RECORDS, run  # noqa: PLC0415

    with progress() as shown:
        task = shown.add_task("quality", total=len(RECORDS), note="")
        rows = run(data_directory(data), lambda name: shown.update(task, advance=1, note=name))
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows]))
        return
    for row in rows:
        share = [f"{100 * n / row.seconds:6.2f}" for n in row.levels]
        wrong = [f"{100 * b / n:6.1f}" if n else "     -" for b, n in zip(
            row.bad_by_level, row.levels, strict=True
        )]  # fmt: skip
        area = "    -" if row.auc is None else f"{row.auc:.3f}"
        click.echo(
            f"{row.noise:12} bad {100 * row.bad / row.seconds:5.1f} %  good, usable, unusable "
            f"{' '.join(share)} %, of them bad {' '.join(wrong)} %  AUC {area}"
        )
