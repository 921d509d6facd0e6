"""Denoising compared: the methods on made-up signals, what is measured, and what may be read."""

import json
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.signal.qrs_constants import shipped_constants
from model_build.denoising import study
from model_build.denoising.methods import METHODS, filtered, resampled, separate, shrink
from model_build.denoising.study import CLEAN, Stretch, distortion, measure, scaled, shapes
from model_build.detector_tuning.noise import EM_S, OTHER_S
from model_build.errors import DataError, RecipeError
from tests.synthetic import ecg, steady

FS = Fraction(360)
BEATS_S = steady(75, 0.5, 40.0)


@pytest.fixture(scope="module")
def stretch() -> Stretch:
    raw = ecg(BEATS_S, 40.0, FS, lead_gains=(1.0, -0.6), noise_mv=0.002).astype(np.float64)
    at = np.round(np.array(BEATS_S) * 360).astype(np.int64)
    return Stretch("made up", FS, raw, at, np.zeros(len(at), bool))


def hiss(stretch, seed=1):
    return np.random.default_rng(seed).standard_normal(stretch.raw.shape)


def test_noise_is_as_loud_as_asked_for(stretch):
    noise = hiss(stretch)
    twelve, six = (scaled(noise, stretch, snr_db) for snr_db in (12.0, 6.0))
    np.testing.assert_allclose(six / twelve, 10 ** (6 / 20), rtol=1e-6)
    assert not scaled(noise, stretch, CLEAN).any()
    # nst's signal: an eighth of the squared QRS height; 1.1 mV over an S wave of 0.2.
    assert twelve[:, 0].std() == pytest.approx(1.3 / np.sqrt(8) * 10 ** (-12 / 20), rel=0.1)


def test_beats_stay_in_place_through_every_method(stretch):
    reference = shapes(stretch, resampled(stretch.raw, stretch.fs))
    for name, method in METHODS.items():
        found = shapes(stretch, method(stretch.raw, stretch.fs))
        r_at = np.median(np.abs(found[0]).argmax(axis=1))
        assert r_at == pytest.approx(np.abs(reference[0]).argmax(axis=1).mean(), abs=1), name


def test_unchanged_beats_are_not_distorted(stretch):
    recorded = shapes(stretch, resampled(stretch.raw, stretch.fs))
    assert distortion(recorded, recorded) == 0.0
    assert distortion(0.5 * recorded, recorded) == pytest.approx(0.5)


def test_wavelets_take_hiss_and_baseline_away(stretch):
    x, _ = resampled(stretch.raw, stretch.fs)
    seconds = np.arange(len(x))[:, None] / 250
    loud = x + 0.1 * hiss(stretch)[: len(x)] + np.sin(2 * np.pi * 0.1 * seconds)
    inside = slice(1000, -1000)
    before, after = loud - x, shrink(loud) - shrink(x)
    assert after[inside].std() < 0.5 * before[inside].std()
    assert shrink(loud[:-1]).shape == loud[:-1].shape


def test_components_that_are_no_ecg_are_dropped(stretch):
    pytest.importorskip("sklearn")
    x, _ = filtered(stretch.raw, stretch.fs)
    heart, noise = x[:, 0], 0.5 * hiss(stretch)[: len(x), 0]
    mixed = np.column_stack([heart + 0.4 * noise, 0.5 * heart - noise])
    cleaned = separate(mixed)
    inside = slice(1000, -1000)
    assert np.corrcoef(cleaned[inside, 0], heart[inside])[0, 1] > 0.98
    assert np.corrcoef(mixed[inside, 0], heart[inside])[0, 1] < 0.9
    np.testing.assert_array_equal(separate(mixed), cleaned)
    assert separate(mixed[:500]).shape == (500, 2)


def test_the_shipped_filters_gain_on_hiss(stretch):
    pytest.importorskip("pywt")
    noise = [hiss(stretch)]
    rows = {
        name: measure(name, [stretch], noise, "ma", 6.0, shipped_constants())
        for name in ("none", "shipped filters")
    }
    assert rows["none"].gain_db == pytest.approx(0.0, abs=0.2)
    # White noise up to 180 Hz, of which the resampler leaves 125 and the low-pass 40.
    assert rows["shipped filters"].gain_db == pytest.approx(10 * np.log10(125 / 40), abs=1.0)
    quiet = measure("shipped filters", [stretch], noise, "none", CLEAN, shipped_constants())
    assert (quiet.missed, quiet.extra, quiet.gain_db) == (0, 0, None)
    assert quiet.beats == sum(at >= 10.0 for at in BEATS_S)
    assert quiet.distortion < rows["shipped filters"].distortion


def test_only_noise_that_may_train_is_drawn(monkeypatch, tmp_path):
    for kind, spans in (("em", EM_S), ("ma", OTHER_S)):
        forbidden = np.ones((1800 * 360, 2))
        for first, last in spans:
            forbidden[first * 360 : last * 360] = 0.0
        monkeypatch.setattr(study, "read_physical", lambda _, marks=forbidden: marks)
        for seed in range(20):
            drawn = study.draw_noise(tmp_path, kind, 120 * 360, np.random.default_rng(seed))
            assert drawn.shape == (120 * 360, 2)
            assert not drawn.any()
    with pytest.raises(DataError, match="may train"):
        study.draw_noise(tmp_path, "em", 301 * 360, np.random.default_rng(0))


def test_no_tested_patient_is_loaded(tmp_path):
    with pytest.raises(RecipeError, match="both sides"):
        study.load_stretch(tmp_path, "100", 60.0)
    with pytest.raises(DataError, match="nstdb"):
        study.load_stretch(tmp_path, "118", 60.0)


def test_the_command_writes_page_and_numbers(stretch, monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    from model_build.cli import main

    monkeypatch.setattr(study, "load_stretch", lambda *_: stretch)
    monkeypatch.setattr(study, "ensure", lambda *_: tmp_path)
    monkeypatch.setattr(study, "draw_noise", lambda _, __, n, random: random.normal(size=(n, 2)))
    monkeypatch.setattr(study, "SNRS_DB", (6,))
    from model_build.denoising import report

    monkeypatch.setattr(report, "SNRS_DB", (6,))
    base = tmp_path / "denoising"
    shown = CliRunner().invoke(
        main, ["denoise-study", "--records", "101", "--report", str(base), "--json"]
    )
    assert shown.exit_code == 0, shown.output
    entries = json.loads(base.with_suffix(".json").read_text())
    assert entries == json.loads(shown.stdout)
    assert len(entries["rows"]) == len(METHODS) * (1 + len(study.NOISES))
    page = base.with_suffix(".md").read_text()
    assert "model-build denoise-study --records 101" in page
    assert page.count("| shipped filters |") == 1 + 3 * len(study.NOISES)
