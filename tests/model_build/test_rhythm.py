"""Rhythm recipes, targets, the table of hops, scores; no archive and no training."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.rhythm_manifest import Smoothing
from edge_runtime.signal.rhythm import RHYTHM_FEATURES
from firmware_bridge.records import Annotations
from model_build.errors import RecipeError
from model_build.recipe_files import recipe_path
from model_build.recipe_kind import kind_of
from model_build.rhythm.prepare import cache_path
from model_build.rhythm.recipe import KIND, read_rhythm_recipe
from model_build.rhythm.recordings import RhythmRecording, Rhythms, changes_of, training
from model_build.rhythm.scores import (
    Duration,
    duration,
    judge_records,
    record_scores,
    smoothed_af,
    truth_of,
)
from model_build.rhythm.synthetic import altered_lead, with_synthetic
from model_build.rhythm.tensors import RhythmPool, targets

EITHER = int(Rhythms.SINUS | Rhythms.OTHER)


def recording(*changes: tuple[float, Rhythms], whole: bool = False) -> RhythmRecording:
    return RhythmRecording("mitdb", "1", "mitdb/1", Path("x"), 0, 60, changes, whole, True)


def test_the_shipped_recipe_is_read_and_told_from_those_of_beats() -> None:
    file = recipe_path("rhythm")
    assert kind_of("rhythm") == KIND
    assert kind_of("beats-one-lead") != KIND
    assert len(read_rhythm_recipe(file).digest) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [("kind = 'rhythm'\nname = 'x'\nfolds = 3\n", "folds"), ("kind = 'x'\nname = 'x'\n", "kind")],
)
def test_what_a_recipe_may_not_say_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_rhythm_recipe(file)


def test_marks_become_sets_of_classes() -> None:
    marks = Annotations.of(
        [0, 250, 500, 750, 900], ["+", "+", "N", "+", "+"], ["(N", "(AFIB", "", "(B", "(AFL"]
    )
    assert changes_of(marks, 250.0) == (
        (0.0, EITHER), (1.0, Rhythms.AF), (3.0, Rhythms.OTHER), (3.6, Rhythms.FLUTTER),
    )  # fmt: skip


@pytest.mark.data
def test_rhythms_are_played_into_what_has_its_beats_annotated(data_dir: Path) -> None:
    view = read_rhythm_recipe(recipe_path("rhythm")).synthetic
    assert view is not None
    ours = [one for one in training(data_dir) if one.key in {"svdb/800:0", "cpsc2021/data_8_2:0"}]
    assert with_synthetic(ours, None, 1, data_dir) == ours
    *same, played = with_synthetic(ours, view, 1, data_dir)
    assert same == ours
    assert (played.key, played.group, ours[0].group) == ("svdb/800:0", "synthetic", "svdb")
    assert played.changes[0] == (0.0, EITHER)
    assert {rhythm for _, rhythm in played.changes} >= {EITHER, Rhythms.AF}
    lead = altered_lead(played, 1, data_dir)
    again = altered_lead(played, 1, data_dir)
    np.testing.assert_array_equal(lead.x, again.x)
    assert changes_of(lead.annotations, float(lead.fs)) == played.changes[1:]
    assert cache_path(Path(), played, 1) != cache_path(Path(), played, 2)
    assert cache_path(Path(), ours[1], 1) == cache_path(Path(), ours[1], 2)


def test_a_hop_has_the_rhythm_of_fifteen_seconds_before_and_none_near_a_change() -> None:
    one = recording((0.0, Rhythms(EITHER)), (60.0, Rhythms.AF))
    end_s = np.array([10.0, 71.9, 72.1, 75.0, 77.9, 78.1])
    assert targets(one, end_s).tolist() == [EITHER, EITHER, 0, 0, 0, int(Rhythms.AF)]
    whole = recording((0.0, Rhythms.NOISE), whole=True)
    assert targets(whole, end_s).tolist() == [int(Rhythms.NOISE)] * 6


def pool() -> RhythmPool:
    """Recording 0: nine hops of AF and one of flutter; 1: ten without a target; 2: ten of sinus."""
    target = np.array([2] * 9 + [4] + [0] * 10 + [1] * 10, np.uint8)
    number = np.repeat([0, 1, 2], 10).astype(np.int32)
    return RhythmPool(
        np.zeros((30, len(RHYTHM_FEATURES)), np.float32), target, number,
        np.tile(np.arange(10.0), 3), (number % 2).astype(np.int8),
        np.array(["mitdb"] * 20 + ["svdb"] * 10),
    )  # fmt: skip


def test_recordings_are_drawn_alike_and_rare_rhythms_by_the_root() -> None:
    rows = pool().draw({"mitdb": 4000.0, "svdb": 1000.0}, np.random.default_rng(1))
    assert len(rows) == 5000
    assert np.count_nonzero(rows < 10) == pytest.approx(4000, rel=0.05)
    assert not np.any((rows >= 10) & (rows < 20))
    # Nine against one become three against one.
    assert np.count_nonzero(rows == 9) == pytest.approx(1000, rel=0.1)


def test_a_fold_that_is_left_out_trains_nothing() -> None:
    assert not pool().without(0).target.any()
    assert pool().without(None).target.any()


def test_a_recording_is_judged_by_its_later_hops() -> None:
    sure, unsure = [0.9, 0.05, 0.02, 0.02, 0.01], [0.02, 0.9, 0.03, 0.04, 0.01]
    scores = np.array([unsure] * 20 + [sure] * 5)
    end_s = np.arange(10.0, 35.0)
    assert record_scores(scores, end_s).argmax() == 0
    assert record_scores(scores[:1], end_s[:1]).argmax() == 1
    flutter = np.array([[0.05, 0.1, 0.5, 0.3, 0.05]])
    assert record_scores(flutter, end_s[:1]).argmax() == 2


def test_f1_of_records_by_hand() -> None:
    table = np.eye(4)[[0, 0, 1, 1, 2, 3]]
    truth = np.array([0, 0, 1, 2, 2, 3])
    judged = judge_records(table, truth)
    assert judged.plain == pytest.approx((1.0, 2 / 3, 2 / 3, 1.0))
    assert judged.af_f1 == pytest.approx(2 / 3)
    assert [truth_of(int(r)) for r in (1, 2, 8, 16)] == [0, 1, 2, 3]


def test_seconds_of_af_found_and_false() -> None:
    told = np.array([True] * 6 + [False] * 4)
    truth = np.array([2, 2, 2, 4, 9, 0, 2, 9, 9, 9], np.uint8)
    found = duration(told, truth)
    assert found == Duration(4.0, 5.0, 3.0, 4.0, 1.0)
    assert (found.sensitivity, found.predictivity) == (0.75, 0.75)
    assert found.false_minutes_a_day == pytest.approx(360.0)


def test_af_is_told_where_it_was_although_it_is_known_later() -> None:
    rule = Smoothing(5, 0.99, 0.5, (1.0,) * 5, 0.9)
    scores = np.full((60, 5), 0.05)
    scores[:, 0] = 0.8
    scores[20:40] = [0.05, 0.8, 0.05, 0.05, 0.05]
    told = smoothed_af(scores, rule)
    assert np.flatnonzero(told).tolist() == list(range(20, 40))
