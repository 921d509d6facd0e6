"""The teacher on beats made up here: learns, resumes, ignores cuts, and never meets its pupils."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from model_build.datasets.recording import CLASSES, Target
from model_build.errors import BuildError, RecipeError
from model_build.recipe import Recipe, Weight, read_recipe
from model_build.recipe_files import recipe_path
from model_build.teacher.batches import gather, packed, training_batch
from model_build.teacher.beats import WholeBeats, same_beats, teacher_pool, whole_beats
from model_build.teacher.record_view import COLUMNS, record_view
from model_build.training.scaling import fit_scaling
from tests.model_build.made_up_beats import N_FEATURES, made_up_beats

PAIRS = (("native", "second"),)
SIZES = {
    "stem": 2, "stem_kernels": [3, 15], "middle": 4, "middle_kernels": [3, 7], "top": 8, "heads": 2,
    "feature_units": 8, "representation": 8, "lstm_units": 6, "neighbour_units": 4, "reach": 8,
    "dropout": 0.1,
}  # fmt: skip


def recording(number: int, n_beats: int = 240) -> list[WholeBeats]:
    """Two leads of a person in fold `number`, who have every beat in common but the first."""
    key = f"cinc2017/A0000{number}"
    first = made_up_beats(key, n_beats, seed=number)
    second = replace(
        first,
        view="second",
        at=first.at[1:] + 3,
        window=-first.window[1:],
        template=-first.template[1:],
        features=first.features[1:],
        valid=first.valid[1:],
        tentative=first.tentative[1:],
        target=first.target[1:],
    )
    return [whole_beats(first), whole_beats(second)]


@pytest.fixture(scope="module")
def items() -> list[WholeBeats]:
    return [item for number in range(5) for item in recording(number)]


def made_up_recipe() -> Recipe:
    """The shipped teacher's, for a small network and short records."""
    shipped = read_recipe(recipe_path("teacher"))
    assert shipped.teacher is not None
    return replace(
        shipped,
        segments=replace(shipped.segments, beats=48),
        optimizer=replace(shipped.optimizer, epochs=2, batch_segments=4, ema=0.5),
        teacher=replace(
            shipped.teacher, seeds=(1, 2), pairs=PAIRS, predict_beats=70, overlap=40, sizes=SIZES
        ),
    )


@pytest.fixture
def recipe() -> Recipe:
    return made_up_recipe()


def test_the_shipped_teacher_shares_its_tensors_with_the_shipped_student():
    teacher, student = (read_recipe(recipe_path(name)) for name in ("teacher", "beats-one-lead"))
    assert (teacher.view, teacher.seed, teacher.data) == (student.view, student.seed, student.data)
    assert student.teacher is None
    named = {name for pair in teacher.teacher.pairs for name in pair}
    assert named <= {view.name for view in teacher.view}


def test_a_record_tells_who_comes_early_and_who_is_alone():
    beats = made_up_beats("a", 60)
    at = np.arange(60) * 200
    at[30] -= 80
    window = np.tile(beats.template[0], (60, 1))
    window[30] = -np.roll(window[30], 4)
    seen = record_view(replace(beats, at=at, window=window, valid=np.ones(60, bool))).features
    columns = dict(zip(COLUMNS, seen.T, strict=False))
    assert seen.shape == (60, len(COLUMNS) + N_FEATURES)
    assert columns["rr_to_record"][30] == pytest.approx(np.log(120 / 200), abs=1e-5)
    assert columns["next_to_record"][30] == pytest.approx(np.log(280 / 200), abs=1e-5)
    assert columns["qrs_alike"][30] == pytest.approx(1 / 60)
    assert columns["qrs_alike"][10] == pytest.approx(59 / 60)
    assert columns["alike_early"][30] == 1.0
    assert columns["qrs_like_record"][30] < 0.5 < columns["qrs_like_record"][10]
    assert np.isnan(columns["rr_to_record"][0])


def test_a_tentative_peak_changes_nothing_for_the_others():
    beats = made_up_beats("a", 60)
    columns = len(COLUMNS)
    clean = record_view(beats)
    with_one = {
        name: np.insert(getattr(beats, name), 31, getattr(beats, name)[0], axis=0)
        for name in ("window", "template", "features", "valid", "tentative", "target")
    }
    with_one["tentative"][31] = True
    # 50 samples after the beat before, whose interval is 200.
    noisy = record_view(replace(beats, at=np.insert(beats.at, 31, beats.at[30] + 50), **with_one))
    kept = np.delete(noisy.features, 31, axis=0)
    # Only likeness to the next peak knows it.
    same = [k for k in range(columns) if not COLUMNS[k].endswith("like_next")]
    np.testing.assert_allclose(kept[:, same], clean.features[:, same], atol=1e-6)
    np.testing.assert_array_equal(noisy.median, clean.median)
    found = dict(zip(COLUMNS, noisy.features[31], strict=False))
    assert found["rr_to_record"] == pytest.approx(np.log(50 / 200), abs=1e-5)
    assert found["next_to_record"] == pytest.approx(np.log(150 / 200), abs=1e-5)


@pytest.mark.parametrize("n_beats", [0, 1, 2])
def test_a_record_of_hardly_a_beat_has_a_view(n_beats):
    beats = made_up_beats("a", 10)
    few = replace(
        beats,
        starts=np.zeros(1, np.int64),
        **{
            name: getattr(beats, name)[:n_beats]
            for name in ("at", "window", "template", "features", "valid", "tentative", "target")
        },
    )
    assert record_view(few).features.shape == (n_beats, len(COLUMNS) + N_FEATURES)


def test_beats_of_two_leads_are_the_same_when_each_is_the_nearest():
    one = np.array([0, 200, 400, 600])
    two = np.array([190, 215, 460, 610])
    first, second = same_beats(one, two)
    assert list(zip(first, second, strict=True)) == [(1, 0), (3, 3)]


def test_a_segment_holds_every_lead_that_is_there_once(items):
    pool = teacher_pool(items, Weight(), PAIRS)
    assert len(pool.beats.spans) == len(items)
    scaling = fit_scaling(pool.beats.features)
    first, last = pool.beats.spans[0]
    assert pool.other[first] == -1
    assert (pool.other[first + 1 : last] == np.arange(last, last + 239)).all()
    batch = packed(*gather(pool, np.array([[first, 0], [last - 10, 0]]), 48, scaling))
    valid = pool.beats.valid
    assert batch.index[0, 0, 1] == -1
    row = batch.index[0, 5, 1]
    if valid[last + 4]:
        np.testing.assert_array_equal(batch.beats[row, :, 0], pool.beats.window[last + 4])
        np.testing.assert_array_equal(batch.beats[row, :, 2], pool.median[1])
    assert not batch.inside[1, 10:].any()
    assert (batch.index[1, 10:] == -1).all()
    assert not batch.weight[1, 10:].any()
    used = batch.index[batch.index >= 0]
    assert sorted(used) == list(range(len(batch.beats)))


def test_a_lost_lead_takes_no_beat_away(items, recipe):
    pool = teacher_pool(items, Weight(), PAIRS)
    scaling = fit_scaling(pool.beats.features)
    plan = np.array([[first, span] for span, (first, _) in enumerate(pool.beats.spans)])
    arguments = (pool, plan, recipe)
    whole, lost = (
        training_batch(*arguments, share, scaling, np.random.default_rng(0)) for share in (0.0, 1.0)
    )
    seen = (whole.index >= 0).any(axis=2)
    np.testing.assert_array_equal((lost.index >= 0).any(axis=2), seen)
    assert (lost.index >= 0).sum() == seen.sum() < (whole.index >= 0).sum()


@pytest.mark.tensorflow
def test_an_interrupted_teacher_ends_where_an_unbroken_one_does(items, recipe, tmp_path):
    from model_build.teacher.members import Membership
    from model_build.teacher.training import train_member

    which = Membership(recipe, frozenset({1}), 1)
    unbroken = train_member(which, items, tmp_path / "whole")
    assert train_member(which, items, tmp_path / "broken", stop_after=1) is None
    resumed = train_member(which, items, tmp_path / "broken")
    found = train_member(which, items, tmp_path / "broken")
    for member in (resumed, found):
        for a, b in zip(unbroken.teacher.get_weights(), member.teacher.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    pupils = [item for item in items if item.beats.subject.endswith("1")]
    for a, b in zip(resumed.opinions(pupils), found.opinions(pupils), strict=True):
        np.testing.assert_array_equal(a.log_probability, b.log_probability)


@pytest.mark.tensorflow
def test_members_trained_side_by_side_on_jax_are_members(items, recipe, tmp_path):
    pytest.importorskip("jax")
    from model_build.teacher.members import Membership, load_member, roll_of_beats

    script = "tests.model_build.side_by_side_process"
    subprocess.run(
        [sys.executable, "-m", script, str(tmp_path)],
        check=True,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )
    losses = json.loads((tmp_path / "losses.json").read_text())
    assert losses[-1] < 0.75 * losses[0]
    roll = roll_of_beats(item.beats for item in items)
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, epochs=6))
    members = [
        load_member(Membership(recipe, frozenset({1}), seed), roll, tmp_path) for seed in (1, 2)
    ]
    assert members[0].subjects == {f"cinc2017/A0000{number}" for number in (0, 2, 3, 4)}
    pupils = [item for item in items if item.beats.subject.endswith("1")]
    one, two = (member.opinions(pupils)[0].log_probability for member in members)
    assert np.abs(one - two).max() > 0.01
    # TensorFlow, which rounds otherwise, says of the same weights what JAX says.
    with np.load(tmp_path / "said.npz") as said:
        np.testing.assert_allclose(np.exp(one), np.exp(said["log_probability"]), atol=1e-4)
    hit = (one.argmax(axis=1) == np.log2(np.maximum(pupils[0].beats.target, 1))).mean()
    assert hit > 0.6


@pytest.mark.tensorflow
def test_where_a_record_is_cut_does_not_show(recipe):
    """A teacher with random weights: to 1e-3 in probability, with the shipped overlap."""
    import keras

    from model_build.models.teacher import TeacherConfig, build_teacher
    from model_build.recipe import sizes
    from model_build.teacher.predict import TeacherPredictor

    pupils = recording(3, n_beats=400)
    scaling = fit_scaling(teacher_pool(pupils, Weight(), PAIRS).beats.features)
    keras.utils.set_random_seed(3)
    config = TeacherConfig(len(scaling.centre), len(CLASSES), **sizes(SIZES))
    teacher = build_teacher(config, 2)
    for weight in teacher.trainable_variables:
        if weight.name == "kernel":
            weight.assign(weight * 1.5)
    rule = replace(recipe.teacher, overlap=read_recipe(recipe_path("teacher")).teacher.overlap)
    said = [
        TeacherPredictor(teacher, scaling, replace(rule, predict_beats=n))(pupils)[0]
        for n in (400, 70, 33)
    ]
    assert np.ptp(said[0].log_probability, axis=0).max() > 0.05
    for other in said[1:]:
        gap = np.exp(other.log_probability) - np.exp(said[0].log_probability)
        assert np.abs(gap).max() < 1e-3
        np.testing.assert_allclose(other.representation, said[0].representation, atol=2e-3)


@pytest.fixture(scope="module")
def trained(items, tmp_path_factory):
    """Two members without folds 1 and 2, one epoch each."""
    pytest.importorskip("tensorflow")
    from model_build.teacher.crossfit import Ensembles
    from model_build.teacher.members import Membership, roll_of_beats
    from model_build.teacher.training import train_member

    shipped = read_recipe(recipe_path("teacher"))
    small = replace(
        shipped,
        segments=replace(shipped.segments, beats=48),
        optimizer=replace(shipped.optimizer, epochs=1, batch_segments=8),
        teacher=replace(shipped.teacher, seeds=(1, 2), pairs=PAIRS, overlap=16, sizes=SIZES),
    )
    work = tmp_path_factory.mktemp("teachers")
    for seed in (1, 2):
        train_member(Membership(small, frozenset({1, 2}), seed), items, work)
    return Ensembles(small, roll_of_beats(item.beats for item in items), work)


@pytest.mark.tensorflow
def test_a_teacher_refuses_whoever_taught_it(items, trained):
    from model_build.teacher.members import Membership, load_member

    member = load_member(
        Membership(trained.recipe, frozenset({1, 2}), 1), trained.roll, trained.work
    )
    assert member.subjects == {"cinc2017/A00000", "cinc2017/A00003", "cinc2017/A00004"}
    with pytest.raises(RecipeError, match="taught it: cinc2017/A00000, cinc2017/A00003"):
        member.opinions(items)
    with pytest.raises(RecipeError, match="taught it: cinc2017/A00000"):
        trained.speak([items[0].beats], frozenset({1, 2}))


@pytest.mark.tensorflow
def test_pupils_of_a_scored_run_hear_teachers_without_both_folds(items, trained, monkeypatch):
    from model_build.teacher.crossfit import Ensembles

    asked = []
    genuine = Ensembles.speak

    def spy(self, pupils, without):
        asked.append(({item.subject[-1] for item in pupils}, without))
        return genuine(self, pupils, without)

    monkeypatch.setattr(Ensembles, "speak", spy)
    prepared = [item.beats for item in items]
    ones = [item for item in prepared if item.subject.endswith("1")]
    said = trained.opinions(ones, scored=2)
    assert asked == [({"1"}, {1, 2})]
    assert set(said) == {("cinc2017/A00001", "native"), ("cinc2017/A00001", "second")}
    opinion = said["cinc2017/A00001", "native"]
    np.testing.assert_allclose(np.exp(opinion.log_probability).sum(axis=1), 1.0, rtol=1e-5)
    with pytest.raises(RecipeError, match="fold 2 is scored"):
        trained.opinions(prepared, scored=2)
    with pytest.raises(BuildError, match="--without 1 --seed 1"):
        trained.opinions(ones, scored=None)


@pytest.mark.tensorflow
def test_an_ensemble_says_the_mean_of_its_members_and_is_asked_once(items, trained):
    from model_build.teacher.members import Membership, folder_of, load_member

    pupils = [item for item in items if item.beats.subject.endswith("1")]
    prepared = [item.beats for item in pupils]
    whiches = [Membership(trained.recipe, frozenset({1, 2}), seed) for seed in (1, 2)]
    one, two = (load_member(w, trained.roll, trained.work).opinions(pupils)[0] for w in whiches)
    mean = (np.exp(one.log_probability) + np.exp(two.log_probability)) / 2
    first = trained.speak(prepared, frozenset({1, 2}))
    again = trained.speak(prepared, frozenset({1, 2}))
    np.testing.assert_allclose(np.exp(first[0].log_probability), mean, atol=1e-6)
    np.testing.assert_array_equal(first[0].representation, one.representation)
    np.testing.assert_array_equal(first[0].log_probability, again[0].log_probability)
    kept = folder_of(whiches[0], trained.roll, trained.work).glob("opinions-*.npz")
    relabelled = [replace(item, target=np.full_like(item.target, Target.N)) for item in prepared]
    trained.speak(relabelled, frozenset({1, 2}))
    assert len(list(kept)) == 1


@pytest.mark.tensorflow
def test_a_member_is_named_by_recipe_seed_folds_and_recordings(items, recipe, tmp_path):
    from model_build.teacher.members import Membership, folder_of, roll_of_beats

    roll = roll_of_beats(item.beats for item in items)
    which = Membership(recipe, frozenset({0}), 1)
    names = {
        folder_of(which, roll, tmp_path),
        folder_of(replace(which, seed=2), roll, tmp_path),
        folder_of(replace(which, without=frozenset({1})), roll, tmp_path),
        folder_of(replace(which, recipe=replace(recipe, digest="other")), roll, tmp_path),
        folder_of(which, roll[:-1], tmp_path),
    }
    assert len(names) == 5
    # Who is left out anyway makes no difference.
    assert folder_of(which, roll[2:], tmp_path) in names
    assert folder_of(which, list(reversed(roll)), tmp_path) in names


@pytest.mark.tensorflow
def test_a_recipe_without_a_teacher_makes_none():
    from model_build.teacher.members import rule_of

    with pytest.raises(RecipeError, match=r"no \[teacher\]"):
        rule_of(read_recipe(recipe_path("beats-first")))
