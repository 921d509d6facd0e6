"""Each export, opened by a reader that is not ours."""

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from click.testing import CliRunner
from fhir.resources.bundle import Bundle
from fhir.resources.R4B.bundle import Bundle as BundleR4B
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.cli import main
from edge_runtime.events import GapRecorded, UserMarked
from edge_runtime.exports import fhir, strip
from edge_runtime.exports.recording import stored_recording
from edge_runtime.exports.strip import strip_pdf
from firmware_bridge.conformance import check_stream
from firmware_bridge.records import open_record, read_csv
from firmware_bridge.stream import Gap
from tests.edge_runtime.store.making import RATE, Recording, alarm, beat, noise
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb

GAIN = np.array([200.0, 1000.0])
BASELINE = np.array([0, 1024])
HOLE = (1500, 1700)
LENGTH = 3050


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, str]:
    """A store with 30.5 s of two leads, a hole of 2 s, beats, an alarm and a mark."""
    recording = Recording(tmp_path / "store")
    recording.samples(noise(1, HOLE[0]))
    recording.gap(HOLE[1] - HOLE[0])
    recording.samples(noise(2, LENGTH - HOLE[1]))
    for at in range(100, 1400, 100):
        recording.events(*beat(at))
    recording.events(
        alarm(1200),
        GapRecorded(at=1500, decided=1700, n_missing=200, exact=True, reason="lost packet"),
        UserMarked(at=2000, decided=2000, text="dizzy"),
    )
    recording.store.close()
    return tmp_path / "store", recording.session.id


def physical() -> NDArray[np.float64]:
    counts = np.concatenate([noise(1, HOLE[0]), noise(2, LENGTH - HOLE[1])])
    values = (counts - BASELINE) / GAIN
    hole = np.full((HOLE[1] - HOLE[0], 2), np.nan)
    return np.concatenate([values[: HOLE[0]], hole, values[HOLE[0] :]])


def export(stored: tuple[Path, str], output: Path, *options: str) -> dict[str, Any]:
    directory, session = stored
    arguments = ["export", session, str(output), "--set", f"store.directory={directory}", "--json"]
    done = CliRunner().invoke(main, [*arguments, *options])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def within_half_a_count(read: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
    assert (np.isnan(read) == np.isnan(wanted)).all()
    assert np.nanmax(np.abs(read - wanted) * GAIN) <= 0.5


def test_wfdb_is_read_by_wfdb(stored: tuple[Path, str], tmp_path: Path) -> None:
    told = export(stored, tmp_path / "out", "--format", "wfdb")
    record = ask_wfdb("rdrecord", str(tmp_path / "out"))
    within_half_a_count(record.p_signal, physical())
    assert (record.fs, record.sig_name) == (RATE, ["I", "II"])
    notes = ask_wfdb("rdann", str(tmp_path / "out"), "edge")
    beats = [at for at, symbol in zip(notes.sample, notes.symbol, strict=True) if symbol == "N"]
    assert beats == list(range(100, 1400, 100))
    assert told["duration_s"] == 30.5


def test_a_stretch_counts_from_its_own_beginning(stored: tuple[Path, str], tmp_path: Path) -> None:
    export(stored, tmp_path / "out", "--format", "wfdb", "--from", "5", "--to", "12")
    record = ask_wfdb("rdrecord", str(tmp_path / "out"))
    within_half_a_count(record.p_signal, physical()[500:1200])
    notes = ask_wfdb("rdann", str(tmp_path / "out"), "edge")
    assert notes.sample.tolist()[:2] == [0, 100]


def test_csv_is_read_by_numpy_and_by_ourselves(stored: tuple[Path, str], tmp_path: Path) -> None:
    export(stored, tmp_path / "out.csv", "--format", "csv")
    table = np.genfromtxt(tmp_path / "out.csv", delimiter=",", skip_header=1)
    within_half_a_count(table[:, 1:], physical())
    assert table[:, 0] == pytest.approx(np.arange(LENGTH) / RATE)
    again = read_csv(tmp_path / "out.csv")
    assert float(again.fs_fraction) == RATE
    lines = (tmp_path / "out.csv.events.jsonl").read_text().splitlines()
    assert len(lines) == 13 * 2 + 3
    assert json.loads(lines[-1])["event"]["text"] == "dizzy"


def test_edf_is_played_again_with_its_holes(stored: tuple[Path, str], tmp_path: Path) -> None:
    export(stored, tmp_path / "out.edf", "--format", "edf")
    again = open_record(tmp_path / "out.edf")
    assert (again.signal.leads, again.signal.rate_hz) == (("I", "II"), RATE)
    within_half_a_count(again.read(0, LENGTH).astype(np.float64), physical())
    opened, *items = again.items(256)
    check_stream([opened, *items])
    (gap, _) = [item for item in items if isinstance(item, Gap)]  # the other fills the last record
    assert (gap.first, gap.n_missing) == (HOLE[0], HOLE[1] - HOLE[0])


def test_edf_is_read_by_edfio(stored: tuple[Path, str], tmp_path: Path) -> None:
    export(stored, tmp_path / "out.edf", "--format", "edf")
    edf = edfio.read_edf(tmp_path / "out.edf")
    assert [signal.label for signal in edf.signals] == ["ECG I", "ECG II"]
    wanted = physical()
    for lead, signal in enumerate(edf.signals):
        assert signal.sampling_frequency == RATE
        read = signal.data[:LENGTH].copy()
        read[signal.digital[:LENGTH] == -32768] = np.nan
        assert (np.isnan(read) == np.isnan(wanted[:, lead])).all()
        assert np.nanmax(np.abs(read - wanted[:, lead]) * GAIN[lead]) <= 0.5
    notes = {(note.onset, note.text): note.duration for note in edf.annotations}
    assert (1.0, "beat N") in notes
    assert (20.0, "mark: dizzy") in notes
    assert (12.0, "ALARM high: ASYSTOLE") in notes
    assert notes[15.0, "no signal: lost packet"] == 2.0
    assert "wearer" not in (tmp_path / "out.edf").read_bytes()[:256].decode()


@pytest.mark.parametrize(("release", "reader"), [("r4", BundleR4B), ("r5", Bundle)])
def test_fhir_is_what_its_own_models_accept(
    stored: tuple[Path, str], tmp_path: Path, release: str, reader: Any
) -> None:
    export(stored, tmp_path / "out.json", "--format", f"fhir-{release}")
    text = (tmp_path / "out.json").read_text()
    assert "wearer" not in text
    reader.model_validate_json(text)
    found = {one["resource"]["id"]: one["resource"] for one in json.loads(text)["entry"]}
    assert found["heart-rate"]["valueQuantity"]["value"] == 73.8
    for lead, component in enumerate(found["ecg"]["component"]):
        sampled = component["valueSampledData"]
        data = [np.nan if word == "E" else float(word) for word in sampled["data"].split()]
        read = np.array(data) * sampled["factor"] + sampled["origin"]["value"]
        wanted = physical()[:, lead]
        assert (np.isnan(read) == np.isnan(wanted)).all()
        assert np.nanmax(np.abs(read - wanted) * GAIN[lead]) <= 0.5
        assert (sampled.get("period") or sampled["interval"]) == 10.0


@pytest.mark.parametrize(
    ("lead", "code"),
    [
        ("I", "131329"),
        ("II", "131330"),
        ("III", "131389"),
        ("aVR", "131390"),
        ("aVL", "131391"),
        ("aVF", "131392"),
        *((f"V{n}", str(131330 + n)) for n in range(1, 7)),
    ],
)
def test_the_codes_of_leads_are_the_nomenclature_s(lead: str, code: str) -> None:
    assert fhir.LEAD_CODES[lead][0] == code


def test_the_other_codes_are_pinned_too() -> None:
    assert (fhir.ECG_CODE, fhir.HEART_RATE_CODE) == ("131328", "8867-4")
    assert (fhir.MDC, fhir.LOINC) == ("urn:iso:std:iso:11073:10101", "http://loinc.org")


def test_the_strip_is_true_to_scale_on_paper(tmp_path: Path) -> None:
    """A 1 mV square of 0.4 s, drawn by poppler and measured in its pixels."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("poppler-utils is not installed")
    recording = Recording(tmp_path / "store")
    counts = np.zeros((1000, 2), np.int32)
    counts[500:540, 0] = 200
    recording.samples(counts)
    recording.store.close()
    document = strip_pdf(stored_recording(tmp_path / "store", recording.session.id))
    dots_per_mm = 10
    done = subprocess.run(
        ["pdftoppm", "-png", "-r", str(25.4 * dots_per_mm), "-"],
        input=document,
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    picture = np.asarray(Image.open(io.BytesIO(done.stdout)).convert("L"))
    assert picture.shape == pytest.approx((2100, 2970), abs=1)
    left = round(strip.LEFT_MM * dots_per_mm)
    middle = round((strip.TOP_MM + strip.ROW_MM / 2) * dots_per_mm)
    ink = picture < 80
    square = slice(left + 5 * 250 - 20, left + 5 * 250 + 120)
    (rows,) = np.nonzero(ink[middle - 150 : middle + 50, square].sum(axis=1) > 60)
    assert rows.min() + middle - 150 == pytest.approx(middle - 10 * dots_per_mm, abs=2)
    (columns,) = np.nonzero(ink[middle - 80 : middle - 20, square].any(axis=0))
    assert columns.max() - columns.min() == pytest.approx(0.4 * 25 * dots_per_mm, abs=5)
    said = subprocess.run(["pdftotext", "-", "-"], input=document, capture_output=True, check=True)
    assert b"Not a medical device" in said.stdout


def test_what_cannot_be_exported_is_said(stored: tuple[Path, str], tmp_path: Path) -> None:
    directory, session = stored
    options = ["--format", "csv", "--set", f"store.directory={directory}"]
    output = tmp_path / "x"
    for name, more in (("none", []), (session, ["--from", "100"])):
        done = CliRunner().invoke(main, ["export", name, str(output), *options, *more])
        assert done.exit_code == 1
        assert not output.exists()


def test_a_wearer_is_named_where_it_is_asked_for_and_nowhere_else(
    stored: tuple[Path, str], tmp_path: Path
) -> None:
    def written(kind: str, *options: str) -> bytes:
        told = export(stored, tmp_path / f"out.{kind}", "--format", kind, *options)
        return b"".join(Path(one).read_bytes() for one in told["written"])

    for kind in ("wfdb", "edf", "pdf", "fhir-r4", "fhir-r5", "csv"):
        assert b"wearer 7" not in written(kind)
        assert b"wearer_7" not in written(kind)
    asked = "--with-wearer"
    assert b"wearer: wearer 7" in written("wfdb", asked)
    edf = written("edf", asked)
    assert edf[8:88].decode().split() == ["wearer_7", "X", "X", "X"]
    assert edfio.read_edf(tmp_path / "out.edf").local_patient_identification.startswith("wearer_7")
    for kind, model in (("fhir-r4", BundleR4B), ("fhir-r5", Bundle)):
        bundle = json.loads(written(kind, asked))
        model.model_validate(bundle)
        subjects = [one["resource"].get("subject") for one in bundle["entry"]]
        assert {"type": "Patient", "identifier": {"value": "wearer 7"}} in subjects
    assert written("pdf", asked) != written("pdf")
    directory, session = stored
    arguments = ["export", session, str(tmp_path / "x.csv"), "--format", "csv", asked]
    refused = CliRunner().invoke(main, [*arguments, "--set", f"store.directory={directory}"])
    assert refused.exit_code == 2
