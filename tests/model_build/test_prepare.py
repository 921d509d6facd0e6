"""From recordings to tensors: views, targets, cache."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from firmware_bridge.records import Annotations, read_annotations, read_physical
from model_build.calibrate import calibration_items, choose_beats
from model_build.calibration import CalibrationBeat
from model_build.datasets import mitdb
from model_build.datasets.recording import CLASSES, Target
from model_build.errors import QuantizeError, RecipeError
from model_build.prepare import (
    cache_path,
    code_digest,
    coded_in,
    prepare,
    prepare_recording,
    targets,
    training_recordings,
)
from model_build.recipe import View, read_recipe
from model_build.recipe_files import recipe_path
from model_build.tap import tap
from model_build.training.beats import PreparedBeats
from model_build.training.scaling import fit_scaling
from model_build.views import altered

RATE = Fraction(360)


def lead(seconds: int = 10) -> np.ndarray:
    t = np.arange(seconds * 360) / 360
    return np.sin(2 * np.pi * 7 * t).astype(np.float32)


def test_the_plain_view_alters_nothing():
    samples = lead()
    same, rate = altered(samples, RATE, View("plain"), "mitdb/101", 1)
    np.testing.assert_array_equal(same, samples)
    assert rate == RATE


def test_a_view_resamples_rounds_and_inverts():
    view = View("v", rate_hz=128, bits=(8, 8), range_mv=5.12, inverted_share=1.0)
    samples = lead()
    got, rate = altered(samples, RATE, view, "mitdb/101", 1)
    assert rate == 128
    assert len(got) == 1280
    np.testing.assert_allclose(got / 0.02, np.round(got / 0.02), atol=1e-4)
    expected = -np.sin(2 * np.pi * 7 * np.arange(1280) / 128)
    assert np.abs(got - expected)[20:-20].max() < 0.03


def test_a_view_never_raises_the_rate():
    view = View("v", rate_hz=500)
    got, rate = altered(lead(), RATE, view, "mitdb/101", 1)
    assert rate == RATE
    assert len(got) == 3600


def test_a_view_is_a_function_of_recording_and_seed():
    view = View("v", gain=(0.5, 2.0), lowpass_hz=(25.0, 60.0), highpass_hz=(0.05, 1.0))
    one, _ = altered(lead(), RATE, view, "mitdb/101", 1)
    again, _ = altered(lead(), RATE, view, "mitdb/101", 1)
    other, _ = altered(lead(), RATE, view, "mitdb/106", 1)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01


def test_targets_follow_ec57s_window_and_classes():
    reference = Annotations.of(
        [1000, 1400, 1800, 2200, 2600, 3000, 3400], ["N", "A", "V", "F", "j", "/", "+"]
    )
    at = np.array([990, 1454, 1855, 2200, 2610, 3010, 3400])  # 54 samples are 150 ms
    found = targets(at, reference, RATE)
    assert found.tolist() == [Target.N, Target.S, Target.IGNORE, Target.F, Target.N, 0, 0]
    assert len(targets(at[:0], reference, RATE)) == 0


def test_a_peak_without_a_partner_is_an_artefact_where_the_annotator_speaks():
    marks = {
        500: "N", 1000: "N", 1400: "Q", 2000: "N", 3000: "[", 3600: "]", 4000: "N", 4600: "!",
        5000: "N", 5600: "N", 6200: "N",
    }  # fmt: skip
    reference = Annotations.of(list(marks), list(marks.values()))
    artefacts = {740, 1700, 2300}
    ignored = {
        300,  # before the first beat
        1480,  # beside a beat that nobody could classify
        3300,  # in flutter
        4650,  # beside a flutter wave
        5690,  # beside a beat that was missed: 250 ms behind its mark
        6500,  # behind the last beat
    }
    beats = {500, 1000, 1400, 2000, 4000, 5000, 6200}
    at = np.array(sorted(beats | artefacts | ignored))
    found = dict(zip(at.tolist(), targets(at, reference, RATE).tolist(), strict=True))
    assert {place for place, target in found.items() if target == Target.X} == artefacts
    assert all(found[place] == Target.IGNORE for place in ignored | {1400})


def test_where_the_record_is_marked_unreadable_nothing_is_an_artefact():
    symbols = ["N", "N", "~", "~", "N"]
    reference = replace(
        Annotations.of([500, 1000, 1200, 2400, 2800], symbols),
        subtype=np.array([0, 0, 0x33, 0, 0]),
    )
    at = np.array([500, 750, 1000, 1800, 2800])
    expected = [Target.N, Target.X, Target.N, Target.IGNORE, Target.N]
    assert targets(at, reference, RATE).tolist() == expected


def test_what_a_label_of_a_whole_recording_leaves_possible():
    assert not Target.NOT_S & Target.S
    assert Target.NOT_S & Target.X
    assert [Target(1 << k).name for k in range(len(CLASSES))] == list(CLASSES)


def test_the_cache_is_named_by_all_code_that_makes_it():
    names = {f"{file.parent.name}/{file.name}" for file in coded_in()}
    assert names >= {
        "ec57/matching.py", "ec57/classes.py", "records/annotations.py", "records/signals.py",
        "signal/qrs_constants.toml", "signal/conditioner.py", "model_build/views.py",
        "model_build/prepare.py", "default/conditioning.toml",
    }  # fmt: skip
    assert all(file.is_file() for file in coded_in())


@pytest.mark.parametrize("package", ["numpy", "scipy"])
def test_another_version_of_the_arithmetic_names_another_cache(package, monkeypatch):
    before = code_digest.__wrapped__()
    assert code_digest.__wrapped__() == before
    monkeypatch.setattr(f"{package}.__version__", "0.0.0")
    assert code_digest.__wrapped__() != before


def test_another_rule_of_pairing_names_another_cache(tmp_path, monkeypatch):
    before = code_digest.__wrapped__()
    rule = next(file for file in coded_in() if file.name == "matching.py")
    changed = tmp_path / rule.parent.name / rule.name
    changed.parent.mkdir()
    changed.write_text(rule.read_text() + "# changed\n")
    files = [changed if file == rule else file for file in coded_in()]
    monkeypatch.setattr("model_build.prepare.coded_in", lambda: files)
    assert code_digest.__wrapped__() != before


@pytest.mark.data
def test_prepared_beats_are_the_paths_own(data_dir, tmp_path):
    recording = next(r for r in mitdb.training(data_dir) if r.record == "208")
    view = View("native", mains_hz=60)
    (beats,) = prepare([recording], [view], 1, tmp_path)
    samples = read_physical(recording.path, channels=[0])[:, 0]
    tapped = tap(samples, RATE, 60)
    np.testing.assert_array_equal(beats.at, tapped.at)
    np.testing.assert_array_equal(beats.features, tapped.beats.features)
    reference = read_annotations(f"{recording.path}.atr")
    n_v = sum(symbol in "VE" for symbol in reference.symbol)
    assert (beats.target == Target.V).sum() > 0.98 * n_v
    assert (beats.target == Target.IGNORE).mean() < 0.01
    np.testing.assert_array_equal(beats.tentative, tapped.beats.tentative)
    path = cache_path(tmp_path, recording, view, 1)
    before = path.stat().st_mtime_ns
    (again,) = prepare([recording], [view], 1, tmp_path)
    assert path.stat().st_mtime_ns == before
    np.testing.assert_array_equal(again.window, beats.window)
    assert cache_path(tmp_path, recording, replace(view, mains_hz=50), 1) != path


@pytest.mark.data
def test_pieces_begin_cold_and_keep_the_clock(data_dir):
    recording = next(r for r in mitdb.training(data_dir) if r.record == "101")
    whole = prepare_recording(recording, View("native"), 1)
    cut = prepare_recording(recording, View("cut", piece_s=600), 1)
    assert len(cut.starts) == 3
    assert cut.starts[0] == 0
    at = cut.at[cut.starts[1:]] / 360
    assert ((at - [600, 1200]) < 3).all()
    assert (np.diff(cut.at) > 0).all()
    assert abs(len(cut) - len(whole)) < 10


def made_up(key: str, n_beats: int = 200) -> PreparedBeats:
    random = np.random.default_rng(0)
    return PreparedBeats(
        key=key, subject=key, group="beats", view="native", starts=np.array([0]),
        at=np.arange(n_beats) * 300 + 7,
        window=random.normal(size=(n_beats, 160)).astype(np.float16),
        template=random.normal(size=(n_beats, 160)).astype(np.float16),
        features=random.normal(size=(n_beats, 4)).astype(np.float32),
        valid=np.arange(n_beats) % 9 != 3,
        tentative=np.zeros(n_beats, bool),
        target=np.where(np.arange(n_beats) % 5 == 0, Target.V, Target.N).astype(np.uint8),
    )  # fmt: skip


def test_the_calibration_list_is_half_ectopic_and_begins_cold():
    prepared = [made_up("mitdb/101"), made_up("mitdb/106")]
    chosen = choose_beats(prepared, 60, 31, 1)
    assert chosen == choose_beats(prepared, 60, 31, 1)
    index = {(p.key, int(at)): k for p in prepared for k, at in enumerate(p.at)}
    numbers = [index[beat.record, beat.sample] for beat in chosen]
    assert sum(k < 31 for k in numbers) == 6
    assert 24 <= sum(k % 5 == 0 for k in numbers) <= 36
    assert all(k % 9 != 3 for k in numbers)


def test_a_listed_beat_comes_with_its_history():
    one = made_up("mitdb/101")
    scaling = fit_scaling(one.features)
    rates = {"mitdb/101": 360.0}
    listed = [CalibrationBeat("mitdb/101", 5 * 300 + 12)]
    (item,) = calibration_items([one], listed, scaling, 31, rates)
    assert item["window"].shape == (31, 160)
    np.testing.assert_array_equal(item["window"][-1], one.window[5].astype(np.float32))
    assert not item["valid"][:25].any()
    np.testing.assert_array_equal(item["valid"][25:], one.valid[:6])


@pytest.mark.parametrize(
    "beat", [CalibrationBeat("mitdb/999", 7), CalibrationBeat("mitdb/101", 7 + 150)]
)
def test_a_listed_beat_that_is_not_there_is_named(beat):
    one = made_up("mitdb/101")
    with pytest.raises(QuantizeError, match=beat.record):
        list(calibration_items([one], [beat], fit_scaling(one.features), 31, {"mitdb/101": 360.0}))


def test_an_unknown_source_is_refused(tmp_path):
    recipe = read_recipe(recipe_path("beats-first"))
    wrong = replace(recipe, data=replace(recipe.data, sources=("mitbd",)))
    with pytest.raises(RecipeError, match="mitbd"):
        training_recordings(tmp_path, wrong)
