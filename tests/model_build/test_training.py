"""The training loop on beats made up here: learns, resumes, repeats itself."""

from dataclasses import replace

import numpy as np
import pytest

from model_build.datasets.recording import CLASSES, Target
from model_build.recipe import Recipe, Weight, read_recipe
from model_build.recipe_files import recipe_path
from model_build.training.beats import Pool, PreparedBeats, pool
from model_build.training.scaling import fit_scaling
from model_build.training.segments import augment, gather, plan_epoch
from tests.model_build.made_up_beats import N_FEATURES, made_up_beats


@pytest.fixture
def beats() -> Pool:
    return pool([made_up_beats("a", seed=1), made_up_beats("b", seed=2)], Weight())


@pytest.fixture
def recipe() -> Recipe:
    shipped = read_recipe(recipe_path("beats-first"))
    return replace(
        shipped, optimizer=replace(shipped.optimizer, epochs=2, batch_segments=2, ema=0.5)
    )


def test_prepared_beats_survive_the_disk(tmp_path):
    before = made_up_beats("mitdb/101")
    before.save(tmp_path / "beats.npz")
    after = PreparedBeats.load(tmp_path / "beats.npz")
    assert (after.key, after.subject, after.group, after.view) == (
        "mitdb/101", "mitdb/101", "beats", "native",
    )  # fmt: skip
    np.testing.assert_array_equal(after.window, before.window)
    np.testing.assert_array_equal(after.starts, before.starts)


def test_an_epoch_takes_every_ectopic_beat_once(beats, recipe):
    rule = replace(recipe.segments, quiet_share=0.0)
    plan = plan_epoch(beats, rule, np.random.default_rng(0))
    seen = np.zeros(len(beats.target), int)
    for start, piece in plan:
        first, last = beats.spans[piece]
        seen[max(start, first) : min(start + rule.beats, last)] += 1
    ectopic = np.isin(beats.target, [Target.S, Target.V, Target.F])
    assert (seen[ectopic] == 1).all()
    assert seen.max() == 1


def test_history_never_crosses_a_piece(beats, recipe):
    scaling = fit_scaling(beats.features)
    first, _ = beats.spans[1]
    plan = np.array([[first, 1]])
    batch = gather(beats, plan, recipe.segments, 31, scaling)
    assert not batch.valid[0, :31].any()
    assert not batch.window[0, :31].any()
    np.testing.assert_array_equal(batch.target[0], beats.target[first : first + 96])


def test_beats_beyond_a_piece_bear_no_weight(beats, recipe):
    _, last = beats.spans[0]
    batch = gather(
        beats, np.array([[last - 10, 0]]), recipe.segments, 31, fit_scaling(beats.features)
    )
    assert not batch.weight[0, 10:].any()


def test_augmentation_leaves_labels_and_is_seeded(beats, recipe):
    scaling = fit_scaling(beats.features)
    plan = np.array([[0, 0], [96, 0]])
    batch = gather(beats, plan, recipe.segments, 31, scaling)
    one, two = (
        augment(batch, recipe.augmentation, recipe.segments, np.random.default_rng(3))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.window, two.window)
    np.testing.assert_array_equal(one.target, batch.target)
    assert not np.array_equal(one.window, batch.window)


def test_scaling_puts_undefined_values_at_the_centre():
    features = np.array([[1.0, 5.0], [2.0, np.nan], [3.0, 7.0], [100.0, 9.0]], np.float32)
    scaling = fit_scaling(features)
    scaled = scaling.apply(features)
    assert scaled[1, 1] == 0.0
    assert np.abs(scaled).max() <= 4.0


@pytest.mark.tensorflow
def test_loss_of_a_set_is_that_of_its_joint_probability():
    from model_build.training.losses import set_cross_entropy

    logits = np.array([[1.0, 2.0, 3.0, 4.0, 0.5]] * 3, np.float32)
    share = np.exp(logits[0]) / np.exp(logits[0]).sum()
    expected = [-np.log(share[1]), -np.log(1 - share[1]), 0.0]
    said = set_cross_entropy(logits, np.array([Target.S, Target.NOT_S, Target.IGNORE], np.uint8))
    np.testing.assert_allclose(said.numpy(), expected, rtol=1e-5, atol=1e-6)


def _student():
    import keras

    from model_build.models.student import StudentConfig, build_student

    keras.utils.set_random_seed(5)
    return build_student(
        StudentConfig(n_features=N_FEATURES, blocks=((8, 2), (8, 2)), stem=4, dropout=0.0)
    )


@pytest.mark.tensorflow
def test_an_interrupted_run_ends_where_an_unbroken_one_does(beats, recipe, tmp_path):
    from model_build.training.loop import train

    scaling = fit_scaling(beats.features)
    whole, broken = _student(), _student()
    unbroken = train(whole, beats, scaling, recipe, tmp_path / "whole.npz")
    train(broken, beats, scaling, recipe, tmp_path / "broken.npz", stop_after=1)
    resumed = _student()
    result = train(resumed, beats, scaling, recipe, tmp_path / "broken.npz")
    assert result.losses == unbroken.losses
    for a, b in zip(
        whole.training_model.get_weights(), resumed.training_model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.tensorflow
def test_a_checkpoint_of_other_data_or_another_recipe_is_another_run(beats, recipe):
    from model_build.training.loop import run_name

    scaling = fit_scaling(beats.features)
    name = run_name(recipe, beats, scaling)
    assert name == run_name(recipe, beats, scaling)
    moved = replace(beats, features=beats.features + np.float32(1e-3))
    assert name != run_name(recipe, moved, scaling)
    assert name != run_name(replace(recipe, digest="other"), beats, scaling)


@pytest.mark.tensorflow
def test_the_student_learns_and_predicts_every_beat(beats, recipe, tmp_path):
    from model_build.training.loop import train
    from model_build.training.predict import Predictor

    rule = replace(recipe.optimizer, epochs=40, batch_segments=1, ema=0.9, learning_rate=1e-2)
    longer = replace(recipe, optimizer=rule)
    scaling = fit_scaling(beats.features)
    student = _student()
    trained = train(student, beats, scaling, longer, tmp_path / "run.npz")
    assert trained.losses[-1] < 0.5 * trained.losses[0]
    logits = Predictor(student, scaling)(beats)
    ectopic = np.isin(beats.target, [Target.S, Target.V])
    right = (1 << logits.argmax(axis=1)) == beats.target
    assert right[ectopic].mean() > 0.8


@pytest.mark.tensorflow
def test_a_wish_to_stop_is_granted_after_the_epoch_and_then_gone_on_from(beats, recipe, tmp_path):
    """Every epoch is in the run's log for TensorBoard."""
    import tensorflow as tf

    from model_build.errors import StoppedError
    from model_build.stopping import stop_when
    from model_build.training.loop import train

    scaling = fit_scaling(beats.features)
    seen = []
    with pytest.raises(StoppedError), stop_when(lambda: True):
        train(_student(), beats, scaling, recipe, tmp_path / "run.npz", lambda *r: seen.append(r))
    assert {epoch for epoch, *_ in seen} == {0}
    train(_student(), beats, scaling, recipe, tmp_path / "run.npz", lambda *r: seen.append(r))
    assert {epoch for epoch, *_ in seen} == {0, 1}
    found = {}
    for file in sorted((tmp_path / "run").iterdir()):
        for record in tf.compat.v1.io.tf_record_iterator(str(file)):
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    assert {"loss", "learning rate", "recall/N", "recall/S", "recall/V"} <= set(found)
    assert sorted(found["loss"]) == [1, 2]
    assert 0 <= found["recall/V"][2] <= 1


@pytest.mark.tensorflow
def test_hits_are_counted_by_class():
    from model_build.training.losses import class_hits

    logits = np.eye(len(CLASSES), dtype=np.float32)[[0, 1, 2, 2, 0, 1]]
    target = np.array([Target.N, Target.S, Target.V, Target.N, Target.NOT_S, Target.S], np.uint8)
    weight = np.array([1, 1, 1, 1, 1, 0], np.float32)
    hits, beats = class_hits(logits, target, weight).numpy()
    assert hits.tolist()[:3] == [1, 1, 1]
    assert beats.tolist()[:3] == [2, 1, 1]


@pytest.mark.tensorflow
def test_the_optimizer_is_a_key_of_the_recipe(recipe):
    from model_build.training.optimizer import fresh_optimizer

    plain = fresh_optimizer(replace(recipe.optimizer, kind="adam"))
    decaying = fresh_optimizer(recipe.optimizer)
    assert plain.weight_decay is None
    assert decaying.weight_decay == recipe.optimizer.weight_decay
