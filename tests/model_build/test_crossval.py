"""Out-of-fold scores: counted by EC57, AF apart, subjects kept apart."""

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.rules.beat_label import LabelPolicy
from firmware_bridge.records import Annotations
from model_build.datasets.census import within
from model_build.datasets.recording import CLASSES, Group, Recording, Target
from model_build.datasets.splits import fold_of
from model_build.evaluate.labels import device_labels, emitted
from model_build.recipe import read_recipe
from model_build.recipe_files import recipe_path
from model_build.training.beats import PreparedBeats

pytestmark = pytest.mark.tensorflow


def made_up(key: str, group: Group = Group.AF_RECORD, n_beats: int = 120) -> PreparedBeats:
    random = np.random.default_rng(len(key))
    return PreparedBeats(
        key=key, subject=key, group=group.value, view="native", starts=np.array([0]),
        at=np.arange(n_beats) * 300,
        window=random.normal(size=(n_beats, 160)).astype(np.float16),
        template=random.normal(size=(n_beats, 160)).astype(np.float16),
        features=random.normal(size=(n_beats, 4)).astype(np.float32),
        valid=np.ones(n_beats, bool),
        tentative=np.zeros(n_beats, bool),
        target=np.full(n_beats, Target.NOT_S, np.uint8),
    )  # fmt: skip


def recording(key: str, group: Group, path) -> Recording:
    database, _, record = key.partition("/")
    return Recording(database, record, key, path / record, group, None, Target.NOT_S)


def test_rhythm_lasts_until_the_next_change():
    reference = Annotations.of([0, 100, 200, 300], ["+", "+", "N", "+"], ["(N", "(AFIB", "", "(N"])
    found = within(reference, np.array([50, 100, 250, 300]), ("(AFIB",))
    assert found.tolist() == [False, True, True, False]


def test_every_s_in_a_recording_of_af_is_false(tmp_path):
    from model_build.evaluate.fold_scores import af_errors

    beats = made_up("cinc2017/A00004")
    labels = ["N"] * 120
    labels[3], labels[5], labels[7], labels[9] = "Q", "S", "S", None
    found = af_errors(recording("cinc2017/A00004", Group.AF_RECORD, tmp_path), beats, labels)
    assert (found.beats, found.false_s) == (119, 2)
    assert found.per_thousand == pytest.approx(1000 * 2 / 119)
    none = af_errors(recording("cinc2017/A00001", Group.NORMAL_RECORD, tmp_path), beats, labels)
    assert none.beats == 0


def test_labels_are_those_the_device_would_emit():
    policy = LabelPolicy(CLASSES, {"F": 0.8})
    likely, certain, refused = [0, 1, 0.5, 2, 0], [0, 0, 0, 9, 0], [9, 0, 0, 0, 0]
    logits = np.array([likely, certain, refused, [0, 0, 0, 0, 9]], np.float32)
    assert logits.argmax(axis=1).tolist() == [3, 3, 0, 4]
    valid, none = np.array([True, True, False, True]), np.zeros(4, bool)
    assert device_labels(policy, logits, valid, none) == ["S", "F", "Q", "Q"]
    assert device_labels(policy, logits, valid, ~none) == ["S", "F", None, None]
    assert device_labels(policy, logits[:0], none[:0], none[:0]) == []


def test_what_the_device_says_nothing_of_is_no_beat():
    said = emitted(np.array([100, 400, 700]), ["N", None, "Q"])
    assert said.sample.tolist() == [100, 700]
    assert list(said.symbol) == ["N", "Q"]


def test_cross_validation_labels_by_the_recipes_thresholds(tmp_path, monkeypatch):
    """A student that always says F, and is never certain: the next class is what counts."""
    from model_build import crossval

    recipe = read_recipe(recipe_path("beats-first"))
    said = np.tile(np.array([0.0, 1.0, 0.5, 2.0, 0.0], np.float32), (120, 1))
    monkeypatch.setattr(crossval, "fit", lambda *_: crossval.Fitted(None, None, ()))
    monkeypatch.setattr(crossval, "Predictor", lambda *_: lambda _: said)
    beats = made_up("cinc2017/A00003")
    recordings = [recording(beats.key, Group.AF_RECORD, tmp_path)]

    def false_s(recipe) -> int:
        folds = [fold_of(beats.subject)]
        arguments = (recordings, [beats], recipe, tmp_path, lambda _: lambda *_: None, folds)
        return crossval.cross_validate(*arguments).af.false_s

    assert recipe.thresholds == {"F": 0.8}
    assert false_s(recipe) == 120
    assert false_s(replace(recipe, thresholds={})) == 0


def test_a_fold_is_scored_by_a_student_that_never_saw_it(tmp_path, monkeypatch):
    from model_build import crossval

    recipe = read_recipe(recipe_path("beats-first"))
    recipe = replace(
        recipe,
        optimizer=replace(recipe.optimizer, epochs=1),
        student={"blocks": [[8, 2]], "stem": 4, "embedding": 8},
    )
    keys = [f"cinc2017/A0000{k}" for k in range(10)]
    prepared = [made_up(key) for key in keys]
    recordings = [recording(key, Group.AF_RECORD, tmp_path) for key in keys]
    trained_on = []
    genuine = crossval.fit

    def spy(prepared, *rest):
        trained_on.append({item.subject for item in prepared})
        return genuine(prepared, *rest)

    monkeypatch.setattr(crossval, "fit", spy)
    heard = []
    result = crossval.cross_validate(
        recordings, prepared, recipe, tmp_path, lambda fold: lambda *_: None, [1, 2],
        heard=lambda logits, outside: heard.append((logits.shape, [p.key for p in outside])),
    )  # fmt: skip
    assert heard == [((240, 5), [keys[1], keys[6]]), ((240, 5), [keys[2], keys[7]])]
    assert trained_on == [set(keys) - {keys[1], keys[6]}, set(keys) - {keys[2], keys[7]}]
    assert result.af.beats == 4 * 120
    assert result.matrices == {}
