"""EDF, EDF+C and EDF+D, with edfio as the writer and our own export as the other."""

from fractions import Fraction
from pathlib import Path

import edfio
import numpy as np
import pytest

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records import open_record
from firmware_bridge.records.edf import EdfRecord
from tests.firmware_bridge.records.test_record_source import played

RATE = 250
SECONDS = 20


def ramp(seconds: int = SECONDS, rate: int = RATE) -> np.ndarray:
    return np.linspace(-2.0, 3.0, seconds * rate)


def written(
    file: Path, *, annotated: bool = False, unit: str = "mV", label: str = "ECG II"
) -> np.ndarray:
    """Two leads at 250 Hz and a breath at 25 Hz; what edfio itself reads of the first."""
    ecg = edfio.EdfSignal(ramp(), RATE, label=label, physical_dimension=unit)
    other = edfio.EdfSignal(-ramp(), RATE, label="ECG V5", physical_dimension=unit)
    breath = edfio.EdfSignal(ramp(rate=25), 25, label="Resp chest", physical_dimension="Ohm")
    notes = [edfio.EdfAnnotation(3.5, None, "woke up")] if annotated else None
    edfio.Edf([breath, ecg, other], annotations=notes).write(file)
    return edfio.read_edf(file).signals[1].data


@pytest.mark.parametrize("annotated", [False, True])
def test_the_ecg_is_read_as_edfio_reads_it(tmp_path: Path, annotated: bool) -> None:
    truth = written(tmp_path / "a.edf", annotated=annotated)
    opened, samples, gaps = played(tmp_path / "a.edf", 300)
    assert opened.model == ("EDF+C" if annotated else "EDF")
    assert opened.reference.leads == ("II", "V5")
    assert opened.reference.rate_hz == RATE
    assert gaps == []
    np.testing.assert_allclose(samples[:, 0], truth, atol=1e-6)
    np.testing.assert_allclose(samples[:, 1], -ramp(), atol=1e-4)


def test_any_stretch_and_any_chunk_give_the_same(tmp_path: Path) -> None:
    truth = written(tmp_path / "a.edf")
    for first, last in ((0, 1), (249, 251), (700, 1900), (4999, 5000)):
        _, samples, _ = played(tmp_path / "a.edf", 77, None, first, last)
        np.testing.assert_allclose(samples[:, 0], truth[first:last], atol=1e-6)


def test_microvolts_become_millivolts(tmp_path: Path) -> None:
    written(tmp_path / "a.edf", unit="uV")
    opened, samples, _ = played(tmp_path / "a.edf")
    assert opened.reference.unit == "mV"
    np.testing.assert_allclose(samples[:, 0], ramp() / 1000, atol=1e-6)


def test_channels_are_chosen_by_name(tmp_path: Path) -> None:
    written(tmp_path / "a.edf")
    opened, _, _ = played(tmp_path / "a.edf", 4096, ["V5"])
    assert opened.reference.leads == ("V5",)
    with pytest.raises(UsageError, match="differ in rate"):
        open_record(tmp_path / "a.edf", ["II", "Resp chest"])


def test_a_label_without_a_type_is_taken_for_an_ecg(tmp_path: Path) -> None:
    signal = edfio.EdfSignal(ramp(), RATE, label="MLII", physical_dimension="mV")
    edfio.Edf([signal]).write(tmp_path / "a.edf")
    assert played(tmp_path / "a.edf")[0].reference.leads == ("MLII",)


def discontinuous(file: Path, kept: list[int]) -> None:
    """Of an EDF+C as edfio writes it only some data records, whose own times stay true."""
    raw = file.read_bytes()
    n_head = int(raw[184:192])
    n_records = int(raw[236:244])
    size = (len(raw) - n_head) // n_records
    records = [raw[n_head + k * size : n_head + (k + 1) * size] for k in kept]
    head = raw[:192] + b"EDF+D".ljust(44) + str(len(kept)).encode().ljust(8) + raw[244:n_head]
    file.write_bytes(head + b"".join(records))


def test_what_lies_between_the_records_of_an_edf_d_is_a_gap(tmp_path: Path) -> None:
    truth = written(tmp_path / "a.edf", annotated=True)
    kept = [2, 3, 4, 9, 10, 15]
    discontinuous(tmp_path / "a.edf", kept)
    opened, samples, gaps = played(tmp_path / "a.edf", 100)
    assert opened.model == "EDF+D"
    assert [(gap.first, gap.n_missing, gap.exact) for gap in gaps] == [
        (3 * RATE, 4 * RATE, True),
        (9 * RATE, 4 * RATE, True),
    ]
    expected = np.full(14 * RATE, np.nan)
    for k in kept:
        expected[(k - 2) * RATE : (k - 1) * RATE] = truth[k * RATE : (k + 1) * RATE]
    np.testing.assert_allclose(samples[:, 0], expected, atol=1e-6)
    part = EdfRecord(tmp_path / "a.edf").physical(700, 800, [1])[:, 0]
    np.testing.assert_allclose(part, expected[700:800], atol=1e-6)


def test_records_that_overlap_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.edf", annotated=True)
    discontinuous(tmp_path / "a.edf", [3, 2])
    with pytest.raises(RecordError, match="begins before the one"):
        open_record(tmp_path / "a.edf")


def test_a_record_may_last_a_fraction_of_a_second(tmp_path: Path) -> None:
    signal = edfio.EdfSignal(ramp(rate=128)[:2520], 128, label="ECG", physical_dimension="mV")
    edfio.Edf([signal], data_record_duration=0.9375).write(tmp_path / "a.edf")
    opened, samples, _ = played(tmp_path / "a.edf")
    assert opened.reference.rate_hz == Fraction(128)
    assert len(samples) == 2520


def test_an_unfinished_file_is_as_long_as_it_is(tmp_path: Path) -> None:
    written(tmp_path / "a.edf")
    raw = bytearray((tmp_path / "a.edf").read_bytes())
    raw[236:244] = b"-1      "
    (tmp_path / "a.edf").write_bytes(raw[:-700])
    assert len(played(tmp_path / "a.edf")[1]) == (SECONDS - 1) * RATE


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda raw: raw[:-100], "cut off or damaged"),
        (lambda raw: raw[:300], "header is cut off"),
        (lambda raw: b"\xffBIOSEMI" + raw[8:], "is no EDF file"),
        (lambda raw: raw[:244] + b"0       " + raw[252:], "lasts 0 s"),
        (lambda raw: raw[:244] + b"one     " + raw[252:], "says 'one'"),
        (lambda raw: raw[:252] + b"0   " + raw[256:], "has no signals"),
    ],
)
def test_a_file_that_is_wrong_says_how(tmp_path: Path, spoil: object, words: str) -> None:
    assert callable(spoil)
    written(tmp_path / "a.edf")
    (tmp_path / "a.edf").write_bytes(spoil((tmp_path / "a.edf").read_bytes()))
    with pytest.raises(RecordError, match=words):
        open_record(tmp_path / "a.edf")
    with pytest.raises(RecordError, match="no such file"):
        open_record(tmp_path / "b.edf")
