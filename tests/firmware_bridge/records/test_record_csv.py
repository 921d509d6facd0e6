"""CSV recordings: the shapes people have, and one clear message for what cannot be read."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.errors import RecordError
from firmware_bridge.records import CsvRecord, read_csv


def read(tmp_path: Path, text: str, fs: float | None = None) -> CsvRecord:
    path = tmp_path / "x.csv"
    path.write_text(text)
    return read_csv(path, fs)


@pytest.mark.data
def test_bidmc_tables(data_dir: Path) -> None:
    files = sorted((data_dir / "bidmc").glob("*_Signals.csv"))
    assert len(files) == 6
    for file in files:
        table = read_csv(file)
        assert (table.fs, len(table.samples)) == (125.0, 60_001)
        assert {"II", "PLETH", "RESP"} <= set(table.sig_name)
    reference = np.loadtxt(files[0], delimiter=",", skiprows=1)[:, 1:].astype(np.float32)
    np.testing.assert_array_equal(read_csv(files[0]).samples, reference)
    assert read_csv(files[0]).sig_name == ("RESP", "PLETH", "V", "AVR", "II")
    assert read_csv(str(files[0]).replace("Signals", "Numerics")).fs == 1.0


def test_one_column_with_and_without_heading(tmp_path: Path) -> None:
    bare = read(tmp_path, "0.5\n-1\n2e-1\n", 250)
    assert (bare.sig_name, bare.units, bare.fs_fraction) == (("column 1",), ("mV",), 250)
    np.testing.assert_array_equal(bare.samples, np.float32([[0.5], [-1], [0.2]]))
    assert not bare.samples.flags.writeable
    named = read(tmp_path, '"Lead I (uV)"\n500\n600\n', 257.5)
    assert (named.sig_name, named.units) == (("Lead I",), ("uV",))
    assert named.fs_fraction == Fraction(515, 2)


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_separators(separator: str, tmp_path: Path) -> None:
    text = "\n".join(separator.join(x) for x in (["time_s", "II"], ["1", "2"], ["3", "4"]))
    table = read(tmp_path, text + "\n", 100)
    assert (table.sig_name, table.samples.tolist()) == (("time_s", "II"), [[1, 2], [3, 4]])


def test_blanks_separate_where_nothing_else_does(tmp_path: Path) -> None:
    assert read(tmp_path, "  1.0   2.0\n  3.0   4.0\n", 100).samples.tolist() == [[1, 2], [3, 4]]


def test_cells_without_a_number_are_invalid(tmp_path: Path) -> None:
    samples = read(tmp_path, "a,b\n1,\n-,nan\n2,3\n", 100).samples
    np.testing.assert_array_equal(samples, np.float32([[1, np.nan], [np.nan, np.nan], [2, 3]]))


@pytest.mark.parametrize(
    ("heading", "step", "fs"),
    [("Time [s]", 0.004, 250), ("time (ms)", 2, 500), ("t", 1 / 360, 360), ("Time", 0.0039, 256)],
)
def test_the_rate_comes_from_the_time_column(
    heading: str, step: float, fs: int, tmp_path: Path
) -> None:
    rows = "".join(f"{round(i * step, 5)},{i}\n" for i in range(200))
    table = read(tmp_path, f"{heading},II\n{rows}")
    assert table.fs == pytest.approx(fs, rel=2e-3)
    assert table.sig_name == ("II",)


@pytest.mark.parametrize(
    ("text", "fs", "message"),
    [
        ("", 250, "is empty; it needs one row per sample"),
        ("II\n", 250, "has headings but no samples"),
        ("II\n1\n", None, r"has no time column; give its sampling rate \(fs, in Hz\)"),
        ("II\n1\n", 0, "0 Hz means nothing; give a positive one"),
        (
            "II\n1\n\ntwo\n",
            250,
            "line 4: 'two' is no number .* decimals|line 4: 'two' is no number",
        ),
        ("a,b\n1,2\n3\n", 250, "line 3: has 1 columns where the others have 2; .* export it again"),
        ("a,b\n1\n2\n", 250, "has 2 headings over 1 columns; give each column one heading"),
        ("time,II\n0,1\n0.004,1\n0.008,1\n", 360, "says 250 Hz, but 360 Hz was given"),
        ("time,II\n0,1\n0.008,1\n0.004,1\n", None, "does not rise; remove it and give"),
        ("time,II\n0,1\n", None, "does not rise"),
        ("time,II\n0,1\n1,1\n2,1\n9,1\n", None, "not evenly spaced .* resample the recording"),
        ("time\n0\n1\n", None, "has a time column but no signal"),
    ],
)
def test_what_cannot_be_read(text: str, fs: float | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=rf"x\.csv.*({message})"):
        read(tmp_path, text, fs)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file"):
        read_csv(tmp_path / "none.csv", 250)
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x80" * 9)
    with pytest.raises(RecordError, match="is not text; export the recording as CSV"):
        read_csv(tmp_path / "x.csv", 250)
