"""`python -m model_build.detector_tuning.report`: the detector's figures by the EC57 scorer.

Without `--open-test` only training records are scored, to standard output. With it, all of mitdb
and nstdb is scored, the tables of docs/qrs-detector.md are rewritten and the opening is entered in
its ledger with the reason given. `--rewrite` lays out the noise table anew from the figures that
stand in the page, and opens nothing.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import numpy as np

from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.qrs import Peaks, QrsDetector
from edge_runtime.signal.qrs_constants import QrsConstants
from edge_runtime.signal.spec import read_spec
from firmware_bridge.records import Annotations
from model_build.datasets.locate import data_directory
from model_build.datasets.splits import DS1, DS2, PACED
from model_build.detector_tuning.__main__ import SHIPPED
from model_build.detector_tuning.corpus import Recording, load, recordings
from model_build.detector_tuning.tables import (
    GQRS_NSTDB,
    HEAD,
    Broken,
    Row,
    nstdb_rows,
    nstdb_table,
)
from model_build.evaluate.ec57 import BeatMatrix, compare_beats, pool

PAGE: Final = Path("docs/qrs-detector.md")
BLOCK_S: Final = 10


def detect(recording: Recording, constants: QrsConstants, mains_hz: int | None) -> Annotations:
    """Firm peaks of a recording through the shipped signal path, as annotations on its clock."""
    conditioner = Conditioner(read_spec(), recording.fs, 1, mains_hz)
    detector = QrsDetector(constants)
    block = int(BLOCK_S * recording.fs)
    raw = recording.raw.astype(np.float32)[:, None]
    found = [
        detector.process(conditioner.process(raw[i : i + block])[:, 0])
        for i in range(0, len(raw), block)
    ]
    peaks = Peaks.join([*found, detector.finish()]).firm()
    at = conditioner.timeline.source_indices(peaks.at)
    return Annotations.of(np.maximum(at, 0), ["N"] * len(at))


def score(
    recording: Recording, constants: QrsConstants, mains_hz: int | None, learning_s: float = 300.0
) -> BeatMatrix:
    """Compare with the reference by `bxb`'s rules."""
    found = detect(recording, constants, mains_hz)
    length = len(recording.raw)
    fs = float(recording.fs)
    return compare_beats(recording.annotations, found, fs, length, learning_s=learning_s)


def mitdb_tables(data: Path, constants: QrsConstants, mains_hz: int | None) -> tuple[str, Row]:
    """All 48 records, pooled ways first; and the gross row."""
    every = sorted((*DS1, *DS2, *PACED))
    matrices = {r: score(load(data / "mitdb", "mitdb", r), constants, mains_hz) for r in every}
    gross = Row.of("all 48, gross", pool(list(matrices.values())))
    groups = (
        gross,
        Row.of("DS1", pool([matrices[r] for r in DS1])),
        Row.of("DS2", pool([matrices[r] for r in DS2])),
        Row.of("paced", pool([matrices[r] for r in PACED])),
    )
    rows = [*groups, *(Row.of(r, matrices[r]) for r in every)]
    return "\n".join((HEAD, *(row.cells() for row in rows))), gross


def score_nstdb(data: Path, constants: QrsConstants, mains_hz: int | None) -> list[Row]:
    """Each noisy record's row."""
    return [
        Row.of(record, score(load(data / "nstdb", "nstdb", record), constants, mains_hz))
        for record in GQRS_NSTDB
    ]


def training_rows(data: Path, constants: QrsConstants, mains_hz: int | None) -> Iterator[Row]:
    """The records the constants were chosen on, pooled by archive."""
    by_archive: dict[str, list[BeatMatrix]] = {}
    for recording in recordings(data):
        archive = recording.key.partition("/")[0]
        # The excerpts of cpsc2021 are too short to leave out five minutes.
        learning_s = 10.0 if archive == "cpsc2021" else 300.0
        matrix = score(recording, constants, mains_hz, learning_s)
        if archive == "mitdb":
            yield Row.of(recording.key, matrix)
        by_archive.setdefault(archive, []).append(matrix)
    for archive, matrices in by_archive.items():
        yield Row.of(f"{archive} (training)", pool(matrices))


def enter(page: str, section: str, text: str) -> str:
    """`page` with what stands between the markers of `section` replaced."""
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        raise click.ClickException(f"{PAGE} has no section marked {begin}")
    return pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", page)


def open_test(data: Path, constants: QrsConstants, mains_hz: int | None, reason: str) -> str:
    """Score the test records, rewrite the page, and add a line to its ledger."""
    mitdb, gross = mitdb_tables(data, constants, mains_hz)
    nstdb, broken = nstdb_table(score_nstdb(data, constants, mains_hz))
    digest = hashlib.sha256(constants.to_toml().encode()).hexdigest()[:12]
    of = f"of {len(GQRS_NSTDB)}"
    line = (
        f"| {datetime.now(UTC):%Y-%m-%d %H:%M} | {digest} | {gross.se:.2f} | {gross.ppv:.2f} "
        f"| {broken.points} {of} | {broken.counts} {of} | {reason} |"
    )
    page = PAGE.read_text(encoding="utf-8")
    page = enter(enter(page, "mitdb", mitdb), "nstdb", nstdb)
    PAGE.write_text(page.rstrip("\n") + "\n" + line + "\n", encoding="utf-8")
    return line


def rewrite_nstdb(page: Path = PAGE) -> Broken:
    """Lay out the noise table anew from the page's own figures. Nothing is opened."""
    text = page.read_text(encoding="utf-8")
    table, broken = nstdb_table(nstdb_rows(text))
    page.write_text(enter(text, "nstdb", table), encoding="utf-8")
    return broken


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of archives; ECG_DATA_DIR.")
@click.option("--constants", type=click.Path(path_type=Path), default=SHIPPED, show_default=True)
@click.option("--mains", type=click.Choice(["none", "50", "60"]), default="none", show_default=True)
@click.option("--open-test", "reason", help="Score the test records too; says why, for the ledger.")
@click.option("--rewrite", is_flag=True, help="Lay out the noise table anew; opens nothing.")
def main(data: Path | None, constants: Path, mains: str, reason: str | None, rewrite: bool) -> None:
    """Report the detector's Se and +P through the shipped signal path."""
    if rewrite and reason is not None:
        raise click.UsageError("--rewrite opens nothing; --open-test writes the table itself")
    if rewrite:
        broken = rewrite_nstdb()
        click.echo(f"bounds broken: {broken.points} in points, {broken.counts} in counts")
        return
    chosen = QrsConstants.from_toml(constants.read_text(encoding="utf-8"))
    mains_hz = None if mains == "none" else int(mains)
    folder = data_directory(data)
    if reason is not None:
        click.echo(open_test(folder, chosen, mains_hz, reason))
        return
    click.echo(HEAD)
    for row in training_rows(folder, chosen, mains_hz):
        click.echo(row.cells())


if __name__ == "__main__":
    main()
