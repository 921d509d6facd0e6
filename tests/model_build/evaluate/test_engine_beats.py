"""The engine that is scored is the engine that ships, and its beats are those training saw."""

from fractions import Fraction

import pytest

from edge_runtime.inference.bundle import load_bundle_set
from firmware_bridge.records import read_header, read_physical
from model_build.datasets import cpsc2021, mitdb
from model_build.datasets.splits import held_out_subjects
from model_build.evaluate.beats import engine_speaks, score
from model_build.recipe_files import calibration_path
from model_build.tap import tap

pytestmark = pytest.mark.data


def test_the_engine_finds_the_beats_that_training_taps(data_dir):
    recording = next(r for r in cpsc2021.training(data_dir) if r.record == "data_35_6")
    said = engine_speaks(load_bundle_set(), 50)(recording)
    rate = Fraction(read_header(recording.path).fs_fraction)
    tapped = tap(read_physical(recording.path, channels=[0])[:, 0], rate, 50)
    firm = tapped.at[~tapped.beats.tentative]
    assert set(firm.tolist()) <= set(said.sample.tolist()) <= set(tapped.at.tolist())
    assert set(said.symbol) <= set("NSVFQ")
    assert said.symbol.count("N") > 0.8 * len(said)


@pytest.mark.slow
def test_the_shipped_bundle_knows_a_record_it_was_trained_on(data_dir):
    recording = next(r for r in mitdb.training(data_dir) if r.record == "119")
    found = score(recording, engine_speaks(load_bundle_set(), 60)(recording))
    assert found.main.veb.f1 is not None
    assert found.main.veb.f1 > 0.95


def test_ranges_are_measured_on_training_subjects_only(data_dir):
    from model_build.calibration import read_calibration_list
    from model_build.datasets.subjects import subject

    listed = read_calibration_list(calibration_path("beats-first"))
    assert 450 <= len(listed) <= 550
    people = {subject(*beat.record.split("/")) for beat in listed}
    assert not people & held_out_subjects()
    keys = {f"mitdb/{r.record}" for r in mitdb.training(data_dir)}
    assert all(beat.record in keys for beat in listed if beat.record.startswith("mitdb/"))
