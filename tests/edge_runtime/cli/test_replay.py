"""`edge-runtime replay`: text, JSON lines, and an annotation file that wfdb-python reads."""

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.cli import replay as replay_module
from firmware_bridge.records import Header, SignalSpec, write_signals
from tests.edge_runtime.cli.running import edge_runtime, json_lines
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb
from tests.records_on_disk import write_record
from tests.synthetic import ecg, steady

BEATS = steady(72, 0.6, 29)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute at 360 Hz: silence on the first lead, 72/min on the second."""
    folder = tmp_path_factory.mktemp("records")
    signal = ecg(BEATS, 30, 360, lead_gains=(0.0, 1.0))
    return write_record(folder / "rec", signal, 360)


def test_the_annotation_file_counts_in_the_records_own_samples(
    record: Path, tmp_path: Path
) -> None:
    result = edge_runtime("replay", record, "--channel", "II", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"wrote   {tmp_path / 'out' / 'rec.edge'}" in result.stdout
    read = ask_wfdb("rdann", str(tmp_path / "out" / "rec"), "edge")
    beats = [s for s, symbol in zip(read.sample, read.symbol, strict=True) if symbol in "NSVFQ"]
    assert len(beats) == len(BEATS)
    assert np.abs(np.array(beats) / 360 - BEATS).max() < 0.02


def test_another_annotator_has_another_ending(record: Path, tmp_path: Path) -> None:
    result = edge_runtime(
        "replay", record, "--channel", "1", "--output", tmp_path, "--annotator", "mine"
    )
    assert result.exit_code == 0
    assert (tmp_path / "rec.mine").exists()


def test_json_lines_end_with_the_summary(record: Path, tmp_path: Path) -> None:
    result = edge_runtime("replay", record, "--channel", "II", "--json", "--output", tmp_path)
    *events, last = json_lines(result.stdout)
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["event"]["type"] == "source_opened"
    kinds = {event["event"]["type"] for event in events}
    assert {"beat_detected", "beat_classified", "signal_quality"} <= kinds
    summary = last["summary"]
    assert summary["beats_detected"] == len(BEATS)
    assert summary["duration_s"] == 30
    assert summary["written"] == str(tmp_path / "rec.edge")
    assert summary["heart_rate_bpm"]["mean"] == pytest.approx(72, abs=0.5)


@pytest.mark.parametrize("channel", ["II", "1"])
def test_a_lead_is_chosen_by_name_or_number(record: Path, channel: str) -> None:
    result = edge_runtime("replay", record, "--channel", channel)
    assert f"{len(BEATS)} detected" in result.stdout


def test_the_silent_lead_has_no_beats_and_alarms(record: Path) -> None:
    result = edge_runtime("replay", record, "--channel", "I")
    assert "0 detected" in result.stdout
    assert "asystole (high)" in result.stdout


def test_a_csv_is_a_record_too(tmp_path: Path) -> None:
    file = tmp_path / "rec.csv"
    np.savetxt(file, ecg(BEATS, 30, 250), fmt="%.3f", header="I", comments="")
    result = edge_runtime("replay", file, "--fs", "250", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert f"{len(BEATS)} detected" in result.stdout
    assert (tmp_path / "rec.edge").exists()


def test_rules_can_be_set(record: Path) -> None:
    settings = ("--set", "rules.extreme_bradycardia.below_bpm=60")
    assert edge_runtime("replay", record, "--channel", "1", *settings).exit_code == 0
    refused = edge_runtime("replay", record, "--set", "rules.pause.over_s=20")
    assert refused.exit_code == 2
    assert refused.stderr == "edge-runtime: rules.pause.over_s: 20 is outside 1.5 to 3.5\n"


def test_real_time_waits_for_each_tenth_of_a_second(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(replay_module.time, "monotonic", lambda: now)
    monkeypatch.setattr(replay_module.time, "sleep", sleep)
    assert replay_module.time is time
    result = edge_runtime("replay", record, "--channel", "II", "--realtime")
    assert result.exit_code == 0
    assert now == pytest.approx(130.0, abs=0.11)
    assert "times real time" not in result.stdout


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ctrl_c_ends_with_what_was_seen_until_then(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    now = 100.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > 110:
            raise KeyboardInterrupt

    monkeypatch.setattr(replay_module.time, "monotonic", lambda: now)
    monkeypatch.setattr(replay_module.time, "sleep", sleep)
    arguments = (record, "--channel", "II", "--realtime", "--output", tmp_path, *options)
    result = edge_runtime("replay", *arguments)
    assert result.exit_code == 130
    inside = [s for s in BEATS if s < 9]
    if options:
        summary = json_lines(result.stdout)[-1]["summary"]
        assert summary["interrupted"] is True
        assert summary["beats_detected"] >= len(inside)
    else:
        assert "interrupted" in result.stdout.splitlines()[-1]
    assert len(beats_of(tmp_path / "rec")) >= len(inside)


@pytest.mark.parametrize("annotator", ["edge", "a/b"])
def test_a_place_that_cannot_be_written_is_told_before_the_replay(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, annotator: str
) -> None:
    def replayed(*_: object) -> None:
        raise AssertionError("the replay has begun")

    monkeypatch.setattr(replay_module, "replay", replayed)
    output = tmp_path / "out"
    if annotator == "edge":
        output.write_text("")
        output /= "inner"
    result = edge_runtime("replay", record, "--output", output, "--annotator", annotator)
    assert result.exit_code == 1
    assert str(output) in result.stderr
    (tmp_path / "folder" / "rec.edge").mkdir(parents=True)
    assert edge_runtime("replay", record, "--output", tmp_path / "folder").exit_code == 1


def test_a_csv_without_a_rate_names_the_option(tmp_path: Path) -> None:
    file = tmp_path / "rec.csv"
    file.write_text("I\n" + "0.1\n" * 100)
    result = edge_runtime("replay", file)
    assert result.exit_code == 1
    assert result.stderr == f"edge-runtime: {file}: has no time column; give its rate by --fs HZ\n"


def beats_of(annotations: Path, annotator: str = "edge") -> list[int]:
    read = ask_wfdb("rdann", str(annotations), annotator)
    return [s for s, symbol in zip(read.sample, read.symbol, strict=True) if symbol in "NSVFQ"]


def test_a_stretch_is_annotated_where_it_lies_in_the_record(record: Path, tmp_path: Path) -> None:
    stretch = ("--from", "10", "--to", "25.5", "--json")
    result = edge_runtime("replay", record, "--channel", "II", "--output", tmp_path, *stretch)
    assert result.exit_code == 0, result.output
    beats = np.array(beats_of(tmp_path / "rec")) / 360
    inside = [s for s in BEATS if 10 < s < 25.5]
    assert len(beats) == len(inside)
    assert np.abs(beats - inside).max() < 0.02
    assert json_lines(result.stdout)[-1]["summary"]["duration_s"] == 15.5


def test_a_truncated_record_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    record = write_record(tmp_path / "rec", ecg(BEATS, 30, 360), 360)
    data = tmp_path / "rec.dat"
    data.write_bytes(data.read_bytes()[: 2 * 15 * 360])
    refused = edge_runtime("replay", record)
    assert refused.exit_code == 1
    assert "(replay: --to SECONDS)" in refused.stderr
    result = edge_runtime("replay", record, "--to", "15")
    assert result.exit_code == 0
    assert f"{sum(s < 15 for s in BEATS)} detected" in result.stdout


@pytest.mark.parametrize(
    ("stretch", "words"),
    [
        (("--to", "31"), "samples 0 to 11160 were asked for; it has 10800 (30 s)"),
        (("--from", "20", "--to", "10"), "samples 7200 to 3600 were asked for"),
        (("--to", "inf"), "inf is no time in seconds"),
    ],
)
def test_a_stretch_the_record_has_not_is_wrong_usage(
    record: Path, stretch: tuple[str, ...], words: str
) -> None:
    result = edge_runtime("replay", record, *stretch)
    assert result.exit_code == 2
    assert words in result.stderr


def test_annotations_count_frames_where_a_frame_holds_several_samples(tmp_path: Path) -> None:
    counts = np.round(ecg(BEATS, 30, 500) * 1000).astype(np.int32)
    signals = (SignalSpec("I", "rec.dat", 16, adc_gain=1000.0, samples_per_frame=4),)
    header = Header("rec", Fraction(125), len(counts) // 4, signals)
    write_signals(tmp_path / "rec", counts, header)
    result = edge_runtime("replay", tmp_path / "rec", "--output", tmp_path, "--from", "10")
    assert result.exit_code == 0, result.output
    beats = np.array(beats_of(tmp_path / "rec")) / 125
    assert np.abs(beats - [s for s in BEATS if s > 10]).max() < 0.02


@pytest.mark.data
def test_of_two_leads_the_best_is_taken_without_being_asked(data_dir: Path, tmp_path: Path) -> None:
    record = data_dir / "mitdb" / "100"
    result = edge_runtime("replay", record, "--output", tmp_path, "--to", "300")
    assert result.exit_code == 0, result.output
    truth = ask_wfdb("rdann", str(record), "atr")
    true_beats = truth.sample[np.isin(truth.symbol, list("NLRejAaJSVEF/fQ"))]
    true_beats = true_beats[true_beats < 300 * 360]
    found = np.array(beats_of(tmp_path / "100"))
    assert len(found) == len(true_beats)
    assert np.abs(found - true_beats).max() <= 0.05 * 360


@pytest.mark.data
def test_a_real_record(data_dir: Path, tmp_path: Path) -> None:
    record = data_dir / "mitdb" / "208"
    result = edge_runtime("replay", record, "--channel", "MLII", "--output", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    read = ask_wfdb("rdann", str(tmp_path / "208"), "edge")
    truth = ask_wfdb("rdann", str(record), "atr")
    true_beats = truth.sample[np.isin(truth.symbol, list("NLRejAaJSVEF/fQ"))]
    found = read.sample[np.isin(read.symbol, list("NSVFQ"))]
    distance = np.abs(
        true_beats[:, None]
        - found[np.clip(np.searchsorted(found, true_beats)[:, None] + [-1, 0], 0, len(found) - 1)]
    ).min(axis=1)
    assert (distance <= 0.150 * 360).mean() > 0.98
    assert len(found) == pytest.approx(len(true_beats), rel=0.02)
    assert json_lines(result.stdout)[-1]["summary"]["duration_s"] == pytest.approx(1805.56, abs=0.1)
