"""`model-build alarms`: how good the alarms are, for docs/alarms.md."""

from pathlib import Path

import click


@click.command("alarms")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the archives; without: ECG_DATA_DIR.",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    default=Path("docs/alarms.md"),
    show_default=True,
    help="The page whose measured half is written anew; drawings go beside it.",
)
def command(data: Path | None, page: Path) -> None:
    """Measure the alarms and write the second half of docs/alarms.md, with drawings.

    The shipped engine over the alarms of the CinC Challenge 2015 (cinc2015), fibrillation (cudb,
    mitdb 207), long training records (mitdb DS1, svdb) and made signals. Some five minutes.
    """
    from edge_runtime.config import SHIPPED_BUNDLES  # noqa: PLC0415 - slow imports
    from edge_runtime.inference.bundle import load_bundle_set  # noqa: PLC0415
    from model_build.alarms import plots, report  # noqa: PLC0415
    from model_build.datasets.locate import data_directory  # noqa: PLC0415

    written, mark, _ = page.read_text(encoding="utf-8").partition(report.MARK)
    if not mark:
        raise click.UsageError(f"{page} has no line {report.MARK}")
    measured = report.measure_all(load_bundle_set(SHIPPED_BUNDLES), data_directory(data))
    page.write_text(written + report.markdown(measured), encoding="utf-8")
    plots.write(measured, page.parent)
    click.echo(f"{page}: score {measured.by_kind['all'].score:.1f}")
