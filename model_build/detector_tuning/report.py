"""`python -m model_build.detector_tuning.report`: the detector's figures by the EC57 scorer.

Without `--open-test` only training records are scored, to standard output. With it, all of mitdb
and nstdb is scored, the tables of docs/qrs-detector.md are rewritten and the opening is entered in
its ledger with the reason given.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import numpy as np

from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.qrs_constants import QrsConstants
from edge_runtime.signal.spec import read_spec
from firmware_bridge.records import Annotations
from model_build.datasets.locate import data_directory
from model_build.datasets.splits import DS1, DS2, PACED
from model_build.detector_tuning.__main__ import SHIPPED
from model_build.detector_tuning.corpus import Recording, load, recordings
from model_build.evaluate.ec57 import BeatMatrix, compare_beats, pool
from model_build.evaluate.ec57.classes import NO_BEAT, SHUTDOWN, V

PAGE: Final = Path("docs/qrs-detector.md")
BLOCK_S: Final = 10

GQRS_MITDB: Final = (99.74, 99.72)
GQRS_NSTDB: Final = {
    "118e24": (100, 99.95),
    "118e18": (100, 98.92),
    "118e12": (99.95, 88.66),
    "118e06": (99.27, 70.52),
    "118e00": (96.82, 60.76),
    "118e_6": (95.30, 55.98),
    "119e24": (100, 99.64),
    "119e18": (100, 98.05),
    "119e12": (100, 80.75),
    "119e06": (99.16, 68.09),
    "119e00": (96.51, 56.52),
    "119e_6": (95.30, 51.33),
}
"""Se and +P in percent of WFDB's gqrs by bxb, as the golden files' README gives them."""


def detect(recording: Recording, constants: QrsConstants, mains_hz: int | None) -> Annotations:
    """Peaks of a recording through the shipped signal path, as annotations on its clock."""
    conditioner = Conditioner(read_spec(), recording.fs, 1, mains_hz)
    detector = QrsDetector(constants)
    block = int(BLOCK_S * recording.fs)
    raw = recording.raw.astype(np.float32)[:, None]
    found = [
        detector.process(conditioner.process(raw[i : i + block])[:, 0]).at
        for i in range(0, len(raw), block)
    ]
    found.append(detector.finish().at)
    at = conditioner.timeline.source_indices(np.concatenate(found))
    return Annotations.of(np.maximum(at, 0), ["N"] * len(at))


def score(
    recording: Recording, constants: QrsConstants, mains_hz: int | None, learning_s: float = 300.0
) -> BeatMatrix:
    """Compare with the reference by `bxb`'s rules."""
    found = detect(recording, constants, mains_hz)
    length = len(recording.raw)
    fs = float(recording.fs)
    return compare_beats(recording.annotations, found, fs, length, learning_s=learning_s)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    name: str
    beats: int
    missed: int
    extra: int
    v_beats: int
    v_missed: int

    @classmethod
    def of(cls, name: str, matrix: BeatMatrix) -> "Row":
        """Read off a confusion matrix."""
        qrs = matrix.qrs
        v_missed = int(matrix.counts[V, [NO_BEAT, SHUTDOWN]].sum())
        return cls(name, qrs.tp + qrs.fn, qrs.fn, qrs.fp, matrix.reference_total(V), v_missed)

    @property
    def se(self) -> float:
        """Sensitivity in percent."""
        return 100 * (self.beats - self.missed) / self.beats

    @property
    def ppv(self) -> float:
        """Positive predictivity in percent."""
        found = self.beats - self.missed
        return 100 * found / (found + self.extra)

    def cells(self) -> str:
        """As a table row."""
        v_se = _percent(self.v_beats - self.v_missed, self.v_beats)
        return (
            f"| {self.name} | {self.beats} | {self.missed} | {self.extra} | {self.se:.2f} "
            f"| {self.ppv:.2f} | {self.v_beats} | {v_se} |"
        )


HEAD: Final = (
    "| | beats | missed | extra | Se % | +P % | V beats | V Se % |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


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


def nstdb_table(data: Path, constants: QrsConstants, mains_hz: int | None) -> tuple[str, int]:
    """Each noisy record beside gqrs; and how many are worse than gqrs by more than 3 points."""
    lines = [
        "| record | Se % | +P % | gqrs Se % | gqrs +P % | FN % + FP % | gqrs | bound | held |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    broken = 0
    for record, (se, ppv) in GQRS_NSTDB.items():
        row = Row.of(record, score(load(data / "nstdb", "nstdb", record), constants, mains_hz))
        ours, theirs = 200 - row.se - row.ppv, 200 - se - ppv
        held = ours <= theirs + 3
        broken += not held
        lines.append(
            f"| {record} | {row.se:.2f} | {row.ppv:.2f} | {se:.2f} | {ppv:.2f} | {ours:.2f} "
            f"| {theirs:.2f} | {theirs + 3:.2f} | {'yes' if held else 'no'} |"
        )
    return "\n".join(lines), broken


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
    nstdb, broken = nstdb_table(data, constants, mains_hz)
    digest = hashlib.sha256(constants.to_toml().encode()).hexdigest()[:12]
    line = (
        f"| {datetime.now(UTC):%Y-%m-%d %H:%M} | {digest} | {gross.se:.2f} | {gross.ppv:.2f} "
        f"| {broken} of {len(GQRS_NSTDB)} | {reason} |"
    )
    page = PAGE.read_text(encoding="utf-8")
    page = enter(enter(page, "mitdb", mitdb), "nstdb", nstdb)
    PAGE.write_text(page.rstrip("\n") + "\n" + line + "\n", encoding="utf-8")
    return line


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of archives; ECG_DATA_DIR.")
@click.option("--constants", type=click.Path(path_type=Path), default=SHIPPED, show_default=True)
@click.option("--mains", type=click.Choice(["none", "50", "60"]), default="none", show_default=True)
@click.option("--open-test", "reason", help="Score the test records too; says why, for the ledger.")
def main(data: Path | None, constants: Path, mains: str, reason: str | None) -> None:
    """Report the detector's Se and +P through the shipped signal path."""
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
