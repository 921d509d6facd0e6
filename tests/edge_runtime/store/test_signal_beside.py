"""A signal beside the ECG is kept, and told at the ECG's time."""

import json
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.cli import main
from edge_runtime.store.holter_reading import stored_holter
from edge_runtime.store.reading import alignment_of, read_only
from firmware_bridge.records import open_record
from firmware_bridge.stream import (
    Alignment,
    Gap,
    GapReason,
    SampleIndex,
    SignalInfo,
    SignalKind,
)
from tests.edge_runtime.store.making import ECG, RATE, Recording, chunk, noise, session

ACC = SignalInfo("acc", SignalKind.ACC, "mG", Fraction(200), ("x", "y"), (1.0,) * 2, (0,) * 2)
SECONDS = 60
PACE = 1.02
"""The accelerometer's crystal is so much faster than it says."""


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, str]:
    """A minute of both; the acceleration runs fast and has a hole of a second."""
    run = Recording(tmp_path / "store", session=session(ECG, ACC))
    end = 0
    for second in range(SECONDS):
        run.samples(noise(second, RATE))
        n = int(200 * PACE)
        if second == 30:
            gap = Gap("acc", SampleIndex(end), n, True, GapReason.LOST_PACKET)
            run.store.record(run.session.id, gap)
        else:
            moved = np.tile(np.arange(end, end + n)[:, None], (1, 2)).astype(np.int32)
            run.store.record(run.session.id, chunk(end, moved, ACC))
        end += n
        at = Alignment("acc", SampleIndex(end - 1), SampleIndex((second + 1) * RATE - 1))
        run.store.record(run.session.id, at)
    run.store.end(run.session.id, "stopped")
    run.store.close()
    return tmp_path / "store", run.session.id


def test_alignments_are_kept_every_ten_seconds(kept: tuple[Path, str]) -> None:
    directory, name = kept
    with closing(read_only(directory)) as connection:
        rows = alignment_of(connection, name, "acc")
        assert stored_holter(connection, name).figures.analysed_s == SECONDS
    assert len(rows) == 6
    paces = np.diff(np.array(rows), axis=0)
    assert paces[:, 0] / paces[:, 1] == pytest.approx([2 * PACE] * 5)


def test_it_is_exported_at_the_ecg_s_time(kept: tuple[Path, str], tmp_path: Path) -> None:
    directory, name = kept
    out = tmp_path / "acc.csv"
    store = ["--set", f"store.directory={directory}"]
    asked = ["export", name, str(out), "--format", "csv", "--signal", "acc", *store]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    table = np.genfromtxt(out, delimiter=",", skip_header=1)
    assert table[:, 0] == pytest.approx(np.arange(len(table)) / (200 * PACE), abs=0.05)
    held = np.isfinite(table[:, 1])
    assert np.array_equal(table[held, 1], np.arange(len(table))[held])
    assert (~held).sum() == 204
    stretch = CliRunner().invoke(main, [*asked, "--from", "40", "--to", "50", "--json"])
    assert json.loads(stretch.stdout)["events"] == 0
    table = np.genfromtxt(out, delimiter=",", skip_header=1)
    assert table[[0, -1], 0] == pytest.approx([40, 50], abs=0.01)
    assert table[0, 1] == pytest.approx(40 * 200 * PACE, abs=12)


def test_as_wfdb_and_not_as_paper(kept: tuple[Path, str], tmp_path: Path) -> None:
    directory, name = kept
    store = ["--set", f"store.directory={directory}"]
    asked = ["export", name, str(tmp_path / "acc"), "--signal", "acc", *store]
    done = CliRunner().invoke(main, [*asked, "--format", "wfdb"])
    assert done.exit_code == 0, done.output
    assert open_record(tmp_path / "acc").signal.leads == ("x", "y")
    refused = CliRunner().invoke(main, [*asked, "--format", "pdf"])
    assert refused.exit_code == 2
    assert "wfdb or csv" in refused.output
    asked[4] = "ppg"
    unknown = CliRunner().invoke(main, [*asked, "--format", "csv"])
    assert unknown.exit_code == 1
    assert "no signal 'ppg'; it has ecg, acc" in unknown.output
