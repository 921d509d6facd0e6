"""`model-build denoise-study`: wavelets and ICA against the shipped filters."""

import json
from pathlib import Path

import click

from model_build.command_options import data_option, json_option, progress


@click.command("denoise-study")
@data_option
@click.option(
    "--records", default="101,106,109,112,205,209,215,220", show_default=True, metavar="LIST",
    help="Training records of mitdb, with and without ectopy, but none of nstdb's patients.",
)  # fmt: skip
@click.option("--seconds", default=120.0, show_default=True, help="Of each record, from 5:00 on.")
@click.option("--seed", default=1, show_default=True, help="Where noise is cut out.")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="BASE",
    help="Write BASE.md and BASE.json.",
)  # fmt: skip
@json_option
def command(
    data: Path | None, records: str, seconds: float, seed: int, report: Path | None, as_json: bool
) -> None:
    """Compare ways to take noise away, for the study and the teacher.

    Stretches of training records are mixed with the parts of nstdb's noise that may train, at 24
    to -6 dB, and cleaned by the shipped filters, by wavelet shrinkage and by independent
    components of the two leads, alone and behind the filters. Of each: the gain in SNR, the errors
    of the shipped detector, and how far a beat's shape departs from the one recorded.

    Nothing of the test half of mitdb or of nstdb's mixed records is read.
    """
    from edge_runtime.signal.qrs_constants import shipped_constants  # noqa: PLC0415
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.denoising.methods import METHODS  # noqa: PLC0415
    from model_build.denoising.report import markdown  # noqa: PLC0415
    from model_build.denoising.study import NOISES, SNRS_DB, run_study  # noqa: PLC0415

    chosen = records.split(",")
    rows = []
    with progress() as shown:
        total = len(METHODS) * (1 + len(NOISES) * len(SNRS_DB))
        task = shown.add_task("denoise", total=total, note="")
        for row in run_study(data_directory(data), chosen, seconds, seed, shipped_constants()):
            rows.append(row)
            shown.update(task, advance=1, note=f"{row.noise} {row.snr_db:g} dB")
    words = f"model-build denoise-study --records {records} --seconds {seconds:g} --seed {seed}"
    if report is not None:
        words += f" --report {report}"
    page = markdown(rows, words, chosen, seconds)
    entries = {"command": words, "rows": [row.as_json() for row in rows]}
    if report is not None:
        report.with_suffix(".md").write_text(page, encoding="utf-8")
        report.with_suffix(".json").write_text(json.dumps(entries, indent=1) + "\n", "utf-8")
    click.echo(json.dumps(entries) if as_json else page)
