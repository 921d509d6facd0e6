"""The R-peak detector on real records, counted by the EC57 scorer.

The pinned totals change only with the constants, by running the tuning (docs/qrs-detector.md).
"""

from pathlib import Path

import pytest

from edge_runtime.signal.qrs_constants import shipped_constants
from model_build.datasets.splits import DS1, DS2, PACED
from model_build.detector_tuning.corpus import load
from model_build.detector_tuning.report import score
from model_build.detector_tuning.tables import GQRS_NSTDB, Broken, Row, nstdb_table
from model_build.evaluate.ec57 import pool

pytestmark = pytest.mark.data

PINNED = {
    ("mitdb", "106"): (1696, 1, 0, 460, 1),
    ("mitdb", "203"): (2481, 15, 12, 373, 2),
    ("mitdb", "208"): (2437, 11, 2, 824, 4),
    ("svdb", "803"): (1722, 0, 0, 122, 0),
}
"""Beats, missed, extra, ventricular beats, those missed, from 5:00: training records only."""


@pytest.mark.parametrize(("archive", "record"), PINNED)
def test_pinned_totals(data_dir: Path, archive: str, record: str) -> None:
    recording = load(data_dir / archive, archive, record)
    row = Row.of(record, score(recording, shipped_constants(), mains_hz=None))
    found = (row.beats, row.missed, row.extra, row.v_beats, row.v_missed)
    assert found == PINNED[archive, record]


@pytest.mark.slow
def test_gross_over_all_of_mitdb(data_dir: Path) -> None:
    constants = shipped_constants()
    matrices = [
        score(load(data_dir / "mitdb", "mitdb", record), constants, mains_hz=None)
        for record in (*DS1, *DS2, *PACED)
    ]
    gross = Row.of("all 48", pool(matrices))
    assert len(matrices) == 48
    assert gross.se >= 99.7
    assert gross.ppv >= 99.7


@pytest.mark.slow
@pytest.mark.parametrize("record", GQRS_NSTDB)
def test_noise_costs_at_most_three_more_than_gqrs(data_dir: Path, record: str) -> None:
    recording = load(data_dir / "nstdb", "nstdb", record)
    row = Row.of(record, score(recording, shipped_constants(), mains_hz=None))
    _, broken = nstdb_table([row])
    assert broken == Broken(points=0, counts=0)
