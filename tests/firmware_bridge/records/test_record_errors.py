"""Bad record files: each gives one message that says what is wrong and what to do."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records import (
    Header,
    SignalSpec,
    SignalWriter,
    read_counts,
    read_header,
    verify_record,
    write_header,
    write_signals,
)
from firmware_bridge.records.header_text import format_header, parse_header

HEADER = Header("r", Fraction(250), None, (SignalSpec("II", "", 16), SignalSpec("V5", "", 16)))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    write_signals(tmp_path / "r", np.arange(200, dtype=np.int32).reshape(100, 2), HEADER)
    return tmp_path / "r"


def damaged(record: Path, old: str, new: str) -> None:
    header = record.with_suffix(".hea")
    text = header.read_text()
    assert old in text
    header.write_text(text.replace(old, new))


def test_a_missing_header(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"100\.hea: no such header; name a record by"):
        read_header(tmp_path / "100")


def test_a_missing_signal_file(record: Path) -> None:
    record.with_suffix(".dat").unlink()
    with pytest.raises(RecordError, match=r"r\.dat: no such signal file; copy it beside"):
        read_counts(record)


def test_a_truncated_signal_file(record: Path) -> None:
    file = record.with_suffix(".dat")
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(RecordError, match=r"holds 98 samples .* at least 100; copy it again"):
        read_counts(record)
    assert len(read_counts(record, last=98)) == 98
    with pytest.raises(RecordError, match=r"has 395 bytes of samples, its header means 400"):
        verify_record(record)


def test_an_overlong_signal_file_is_told_by_verify(record: Path) -> None:
    with record.with_suffix(".dat").open("ab") as file:
        file.write(b"\0\0")
    assert len(read_counts(record)) == 100
    with pytest.raises(RecordError, match=r"(?s)has 402 bytes .*get the record again"):
        verify_record(record)


def test_a_changed_sample_is_told_by_verify(record: Path) -> None:
    data = bytearray(record.with_suffix(".dat").read_bytes())
    data[0] ^= 1
    record.with_suffix(".dat").write_bytes(data)
    with pytest.raises(RecordError) as told:
        verify_record(record)
    assert re.search(r"signal 0 \(II\) begins with 1, its header says 0", str(told.value))
    assert re.search(r"signal 0 \(II\) has checksum 9901, not 9900", str(told.value))
    assert "V5" not in str(told.value)


def test_an_unknown_format(record: Path) -> None:
    damaged(record, "r.dat 16 ", "r.dat 310 ")
    with pytest.raises(RecordError, match=r"format 310 is not supported .* convert the record"):
        read_counts(record)


def test_formats_that_differ_within_a_file(record: Path) -> None:
    damaged(record, "r.dat 16 200(0)/mV 0 0 0", "r.dat 24 200(0)/mV 0 0 0")
    with pytest.raises(RecordError, match="different formats or offsets; correct the header"):
        read_counts(record)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; a WFDB header begins with a record line"),
        ("# only a comment\n", "is empty"),
        ("r\n", "needs a name and a number of signals"),
        ("r two 250\n", "'two' is no number of signals"),
        ("r 1 fast 10\nr.dat 16\n", "'fast' is no sampling rate"),
        ("r 1 0 10\nr.dat 16\n", "the sampling rate 0 is not positive"),
        ("r 1 -5 10\nr.dat 16\n", "the sampling rate -5 is not positive"),
        ("r 1 250 -10\nr.dat 16\n", "'-10' is no number of samples"),
        ("r 2 250 10\nr.dat 16\n", "announces 2 signals but describes 1"),
        ("r 1 250 10 25:00:00\nr.dat 16\n", "hour must be in 0..23"),
        ("r 1 250 10 noon\nr.dat 16\n", "neither HH:MM:SS nor DD/MM/YYYY"),
        ("r 1 250 10\nr.dat\n", "needs a file name and a format"),
        ("r 1 250 10\nr.dat sixteen\n", "needs a file name and a format"),
        ("r 1 250 10\nr.dat 16 loud\n", "'loud' is no gain(baseline)/units"),
        ("r 1 250 10\nr.dat 16 200 x\n", "line 2: 'x' is no ADC resolution"),
        ("r/0 1 250 10\n", "needs at least one segment"),
        ("r/1 1 250 10\na\n", "needs a name and a number of samples"),
    ],
)
def test_headers_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        parse_header(text, "r.hea")


def test_all_that_a_header_can_say() -> None:
    text = (
        "# before\nr 2 250.5/128(3) 10 23:59:58.25 31/12/1999\n"
        "r.dat 212x2:3+24 1.5e+02(-7)/m/s^2 12 5 -3 -99 4 ECG lead II\nr.dat 212\n#after\n"
    )
    header = parse_header(text)
    assert header.comments == ("before", "after")
    assert (header.fs_fraction, header.counter_freq, header.base_counter) == (
        Fraction(501, 2),
        128,
        3,
    )
    assert f"{header.base_date} {header.base_time}" == "1999-12-31 23:59:58.250000"
    assert header.signals[0] == SignalSpec(
        "ECG lead II", "r.dat", 212, 150.0, -7, "m/s^2", 12, 5, -3, -99, 4, 2, 3, 24
    )
    assert header.signals[1] == SignalSpec("", "r.dat", 212, calibrated=False)
    assert parse_header(format_header(header)) == header


def test_the_baseline_is_the_adc_zero_unless_given() -> None:
    header = parse_header("r 1 360 9\nr.dat 212 200 11 1024 995 0 0 MLII\n")
    assert (header.signals[0].baseline, header.signals[0].units) == (1024, "mV")


def test_a_stretch_or_channel_that_is_not_there(record: Path) -> None:
    with pytest.raises(UsageError, match="samples 0 to 101 were asked for, but the record has 100"):
        read_counts(record, last=101)
    with pytest.raises(UsageError, match="no channel 'V1'; choose among 0 II, 1 V5"):
        read_counts(record, channels=["V1"])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SignalSpec("a\nb", "x.dat", 16), "cannot stand in a header"),
        (SignalSpec("a", "x.dat", 16, units=""), "cannot stand in a header"),
        (SignalSpec("a", "x.dat", 16, adc_gain=float("nan")), "means nothing"),
    ],
)
def test_headers_that_cannot_be_written(spec: SignalSpec, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=message):
        write_header(tmp_path / "r", Header("r", Fraction(250), 0, (spec,)))
    assert not list(tmp_path.iterdir())


def test_names_that_do_not_agree(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="make the names agree"):
        write_header(tmp_path / "other", HEADER)
    with pytest.raises(RecordError, match="use letters, digits"):
        write_header(tmp_path / "a b", Header("a b", Fraction(250), 0, ()))


def test_a_writer_left_by_an_exception_writes_no_header(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="outside"), SignalWriter(tmp_path / "r", HEADER) as out:
        out.write(np.array([[1, 2], [3, 40_000]]))
    assert not (tmp_path / "r.hea").exists()


def test_a_writer_says_what_shape_it_takes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"shape \(n, 2\)"):
        write_signals(tmp_path / "r", np.zeros((5, 3), np.int32), HEADER)
