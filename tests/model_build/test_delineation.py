"""Delineation: what marks say of a beat, alterations that carry the places along, scores."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from edge_runtime.inference.landmarks import LANDMARKS
from edge_runtime.signal.windows import LENGTH, R_AT, STEP_S
from firmware_bridge.records import Annotations
from model_build.datasets.waves import Waves, waves_of
from model_build.delineation.corpus import MarkedBeats, beats_of, leads_of, places_of
from model_build.delineation.crossval import Summary, fold_of, of_fold, score
from model_build.delineation.recipe import Alteration, read_delineation_recipe
from model_build.delineation.scoring import Tally, better_of, pool, score_lead
from model_build.delineation.study import switches
from model_build.errors import RecipeError
from model_build.pretraining.targets import PWave
from model_build.recipe_changes import Change
from model_build.recipe_files import recipe_path
from model_build.recipe_study import BASE

RECIPE = recipe_path("delineation")
FS = Fraction(500)


def a_beat(r: int, *, p_wave: bool = True, t_wave: bool = True) -> list[tuple[int, str]]:
    """P -160 to -100, QRS -40 to 40, T 100 to 240, in samples from R."""
    p = [(r - 160, "("), (r - 130, "p"), (r - 100, ")")] if p_wave else []
    t = [(r + 100, "("), (r + 180, "t"), (r + 240, ")")] if t_wave else []
    return [*p, (r - 40, "("), (r, "N"), (r + 40, ")"), *t]


def waves(*beats: list[tuple[int, str]]) -> Waves:
    marks = [mark for beat in beats for mark in beat]
    return waves_of(Annotations.of([m[0] for m in marks], [m[1] for m in marks]))


OFFSETS = np.array([-160, -130, -100, -40, 0, 40, 100, 180, 240])


def test_each_beat_has_the_waves_between_its_neighbours():
    marks = waves(a_beat(1000), a_beat(1500, p_wave=False, t_wave=False), a_beat(2000))
    at = np.array([1002, 1500, 2000, 5000])
    places, t_present = places_of(marks, at, FS, consecutive=True)
    assert_allclose((places[0] - R_AT) * STEP_S * 500, OFFSETS - 2, atol=1e-3)
    assert np.isnan(places[1][[0, 1, 2, 6, 7, 8]]).all()
    assert np.isnan(places[3]).all()
    assert t_present.tolist() == [
        PWave.PRESENT, PWave.ABSENT, PWave.PRESENT, PWave.UNKNOWN,
    ]  # fmt: skip


def test_only_consecutive_marks_tell_that_there_is_no_t():
    marks = waves(a_beat(1000, t_wave=False), a_beat(1500))
    _, t_present = places_of(marks, np.array([1000]), FS, consecutive=False)
    assert t_present.tolist() == [PWave.UNKNOWN]


def said(*r: int, shift: float = 0.0) -> np.ndarray:
    return np.array([r]).T + OFFSETS + shift


def test_a_place_is_right_within_150_ms_and_each_mark_is_found_once():
    marks = waves(a_beat(1000), a_beat(2000))
    on_time = score_lead(said(1000, 2000, shift=3.0), marks, FS, consecutive=True)
    for tally in on_time.values():
        assert (tally.found, tally.missed, tally.extra) == (2, 0, 0)
        assert tally.mean_ms == pytest.approx(6.0)
        assert tally.sd_ms == pytest.approx(0.0)
    at_the_limit = score_lead(said(1000, 2000, shift=75.0), marks, FS, consecutive=True)
    assert at_the_limit["qrs_peak"].found == 2
    too_late = score_lead(said(1000, 2000, shift=76.0), marks, FS, consecutive=True)
    assert (too_late["qrs_peak"].found, too_late["qrs_peak"].missed) == (0, 2)
    twice = score_lead(said(1000, 1010, 2000), marks, FS, consecutive=True)
    assert (twice["qrs_peak"].found, twice["qrs_peak"].extra) == (2, 1)


def test_outside_the_marks_and_between_chosen_beats_nothing_is_extra():
    marks = waves(a_beat(1000), a_beat(2000))
    places = said(400, 1000, 1500, 2000, 2700)
    assert score_lead(places, marks, FS, consecutive=True)["qrs_peak"].extra == 1
    assert score_lead(places, marks, FS, consecutive=False)["qrs_peak"].extra == 0


def test_pooled_deviation_is_that_of_all_errors():
    errors = np.random.default_rng(1).normal(3, 9, 40)
    whole = pool(
        [
            dict.fromkeys(LANDMARKS, Tally.of(part.tolist(), 1, 2))
            for part in (errors[:7], errors[7:])
        ]
    )
    tally = whole["t_end"]
    assert tally.sd_ms == pytest.approx(errors.std(ddof=1))
    assert tally.mean_ms == pytest.approx(errors.mean())
    assert tally.f1 == pytest.approx(80 / (80 + 2 + 4))


def test_the_better_lead_is_taken_by_landmark():
    good, bad = Tally.of([1.0, -1.0], 0, 0), Tally.of([20.0], 1, 0)
    nothing = Tally.of([], 2, 0)
    leads = [dict.fromkeys(LANDMARKS, one) for one in (bad, nothing, good)]
    assert better_of(leads)["p_end"] is good


def test_a_fold_leaves_out_whole_subjects_and_never_a_record_of_mitdb():
    keys = ("ludb/5:0", "ludb/5:1", "qtdb/sel32:0", "mitdb-pwave/106:0")
    subjects = ("ludb/5", "ludb/5", "sddb/32", "mitdb/106")
    n = len(keys)
    beats = MarkedBeats(
        np.zeros((n, LENGTH), np.float16), np.zeros((n, 9), np.float32),
        np.zeros((n, 2), np.uint8), np.zeros(n, np.int64), np.arange(n), keys, subjects,
    )  # fmt: skip
    assert fold_of("ludb/5") == 0
    assert of_fold(beats, 0).tolist() == [True, True, False, False]
    assert sum(of_fold(beats, fold).astype(int) for fold in range(5)).tolist() == [1, 1, 1, 0]


def test_alterations_carry_the_places_along():
    training = pytest.importorskip("model_build.delineation.training")
    window = np.zeros((64, LENGTH), np.float32)
    places = np.full((64, 9), np.nan, np.float32)
    for number, place in enumerate((40, 88, 120)):
        window[:, place] = 1.0
        places[:, number] = place
    rule = Alteration(noise_sd=0.0, slope=0.0, inverted_share=0.0, gain_sd=0.0, shift_samples=5.0)
    seen, moved = training.altered(window, places, rule, np.random.default_rng(3))
    for row, place in zip(seen, moved, strict=True):
        peaks = place[:3]
        peaks = peaks[np.isfinite(peaks)]
        assert all(
            row[max(0, round(float(p)) - 1) : round(float(p)) + 2].max() > 0.3 for p in peaks
        )
    assert np.isnan(moved[:, 3:]).all()
    assert np.abs(moved[:, 1] - places[:, 1]).max() > 1


def test_targets_are_bells_around_known_places():
    training = pytest.importorskip("model_build.delineation.training")
    places = np.array([[60.4] + [np.nan] * 8], np.float32)
    bells = training.targets(places, 1.0)
    assert bells.shape == (1, 1, LENGTH, 9)
    assert bells[0, 0, :, 0].sum() == pytest.approx(1.0)
    assert (bells[0, 0, :, 0] * np.arange(LENGTH)).sum() == pytest.approx(60.4, abs=1e-3)
    assert not bells[..., 1:].any()


def test_the_recipe_is_read_strictly_and_changes_have_names_of_their_own():
    base = read_delineation_recipe(RECIPE)
    longer = read_delineation_recipe(RECIPE, Change({"training.epochs": 32}))
    assert longer.training.epochs == 32
    assert longer.trained_by != base.trained_by
    other = read_delineation_recipe(RECIPE, Change({"thresholds.p": 0.6}))
    assert other.trained_by == base.trained_by
    assert other.digest != base.digest
    with pytest.raises(RecipeError, match="colour"):
        read_delineation_recipe(RECIPE, Change({"training.colour": 3}))
    with pytest.raises(RecipeError, match="no recipe of kind"):
        read_delineation_recipe(recipe_path("beats-one-lead"))


def test_every_switch_of_the_study_is_a_recipe_of_its_own():
    found = {name: read_delineation_recipe(RECIPE, one.change) for name, one in switches().items()}
    assert next(iter(found)) == BASE
    assert len({recipe.trained_by for recipe in found.values()}) == len(found)


@pytest.mark.data
def test_a_marked_lead_through_the_path_keeps_its_places(data_dir):
    lead = next(one for one in leads_of(data_dir, "ludb") if one.key == "ludb/1:1")
    beats = beats_of(lead)
    assert beats.teaches.sum() == 6
    # What the marks themselves say, scored against the marks, is right to the rounding of R.
    seconds = (beats.places.astype(np.float64) - R_AT) * STEP_S
    tables = Summary.of(score(beats, seconds, {lead.key: lead})).tables
    qrs = tables["ludb"]["qrs_onset"]
    assert qrs.f1 is not None
    assert qrs.f1 > 0.9
    assert qrs.size_ms < 0.01


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_network_becomes_a_graph_for_an_edge_tpu_that_says_the_same(tmp_path):
    keras = pytest.importorskip("keras")
    from model_build.delineation.graph import open_graph, write_graph
    from model_build.delineation.network import NetworkConfig, build_network
    from model_build.delineation.training import predict
    from model_build.etpu import edge_tpu_problems

    keras.utils.set_random_seed(1)
    recipe = read_delineation_recipe(RECIPE, Change({"network.levels": [8, 8, 8]}))
    model = build_network(NetworkConfig(**recipe.network))
    random = np.random.default_rng(1)
    window = np.cumsum(random.normal(0, 0.1, (40, LENGTH)), axis=1).clip(-2, 2)
    beats = MarkedBeats(
        window.astype(np.float16), np.zeros((40, 9), np.float32), np.zeros((40, 2), np.uint8),
        np.arange(40), np.zeros(40, np.int64), ("ludb/1:0",), ("ludb/1",),
    )  # fmt: skip
    graph = tmp_path / "graph.tflite"
    write_graph(model, beats, recipe, graph)
    assert edge_tpu_problems(graph.read_bytes()) == ()
    delineator = open_graph(graph, recipe)
    places, _ = delineator.run(delineator.steps(window.astype(np.float32)))
    real, _ = predict(model, window)
    correlation = np.corrcoef(places.ravel().astype(float), real.ravel())[0, 1]
    assert correlation > 0.98
