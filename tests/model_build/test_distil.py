"""Distillation and cleaning: gradients, sets of classes, who is heard, what is not deployed."""

from dataclasses import replace

import numpy as np
import pytest

from model_build.datasets.recording import CLASSES, Target
from model_build.recipe import Cleaning, Distil, Recipe, Weight, read_recipe
from model_build.recipe_files import recipe_path
from model_build.training.beats import pool
from model_build.training.scaling import fit_scaling
from tests.model_build.made_up_beats import N_FEATURES, made_up_beats

pytestmark = pytest.mark.tensorflow

D = 6
SMALL = {"blocks": [[8, 2], [8, 2]], "stem": 4, "embedding": 8, "dropout": 0.0}

FIRST_OF_EACH = np.array([[0, 0], [200, 2]])
"""Segments: where each of the two recordings begins, and the piece that begins there."""


def opinions(prepared, seed=0):
    """Of teachers who know little: random, but each with its own mind."""
    from model_build.teacher.predict import Opinion

    random = np.random.default_rng(seed)
    found = {}
    for item in prepared:
        share = random.dirichlet(np.ones(len(CLASSES)), len(item))
        found[item.key, item.view] = Opinion(
            np.log(share).astype(np.float32),
            random.normal(size=(len(item), D)).astype(np.float16),
        )
    return found


@pytest.fixture
def prepared():
    return [made_up_beats(f"cinc2017/A0000{k}", 200, seed=k) for k in (1, 2)]


@pytest.fixture
def recipe() -> Recipe:
    shipped = read_recipe(recipe_path("beats-first"))
    return replace(
        shipped,
        optimizer=replace(shipped.optimizer, epochs=2, batch_segments=2, ema=0.5),
        segments=replace(shipped.segments, beats=48),
        student=SMALL,
        distil=Distil("teacher", alpha=0.5, temperature=2.0, feature_weight=0.3),
    )


def test_the_soft_loss_has_the_gradient_of_cross_entropy():
    import tensorflow as tf

    from model_build.distil import soft_cross_entropy

    random = np.random.default_rng(0)
    logits = tf.Variable(random.normal(size=(5, len(CLASSES))).astype(np.float32))
    theirs = random.normal(size=(5, len(CLASSES))).astype(np.float32)
    for temperature in (1.0, 3.0):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(soft_cross_entropy(logits, theirs, temperature))
        difference = tf.nn.softmax(logits / temperature) - tf.nn.softmax(theirs / temperature)
        np.testing.assert_allclose(tape.gradient(loss, logits), temperature * difference, atol=1e-5)
    same = soft_cross_entropy(theirs + 7.0, theirs, 2.0)
    np.testing.assert_allclose(same, 0.0, atol=1e-5)


def test_a_set_of_classes_stays_the_set_it_is():
    import tensorflow as tf

    from model_build.distil import soft_cross_entropy, within_sets

    said = np.log(np.array([[0.2, 0.5, 0.2, 0.1]] * 3, np.float32))
    said = np.pad(said, ((0, 0), (0, len(CLASSES) - 4)), constant_values=-20.0)
    target = np.array([Target.NOT_S, Target.S, Target.IGNORE], np.uint8)
    kept = within_sets(said, target)
    shares = tf.nn.softmax(kept).numpy()
    np.testing.assert_allclose(shares[0, :4], [0.4, 0.0, 0.4, 0.2], atol=1e-5)
    # One class leaves the teacher its doubts, and nothing known leaves everything.
    np.testing.assert_array_equal(kept[1:], said[1:])
    logits = tf.Variable(np.zeros((3, len(CLASSES)), np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(soft_cross_entropy(logits, kept, 2.0))
    gradient = tape.gradient(loss, logits).numpy()
    assert np.isfinite(gradient).all()
    assert gradient[0, 1] > 0.0


def test_contradicted_labels_of_the_named_archives_weigh_less(recipe):
    from model_build.distil import cleaned
    from model_build.teacher.predict import Opinion

    svdb, mitdb = made_up_beats("svdb/800", 6), made_up_beats("mitdb/101", 6)
    target = np.array(
        [Target.N, Target.N, Target.S, Target.NOT_S, Target.NOT_S, Target.IGNORE], np.uint8
    )
    share = np.full((6, len(CLASSES)), 1e-6)
    share[np.arange(6), [1, 0, 0, 1, 2, 1]] = 0.97
    share[1] = [0.5, 0.5] + [1e-6] * (len(CLASSES) - 2)
    prepared = [replace(item, target=target) for item in (svdb, mitdb)]
    said = {
        (item.key, item.view): Opinion(np.log(share).astype(np.float32), np.zeros((6, D)))
        for item in prepared
    }
    before = pool(prepared, Weight())
    rule = Cleaning("teacher", min_probability=0.9, weight=0.1)
    after = cleaned(before, prepared, replace(recipe, cleaning=rule), {"teacher": said})
    np.testing.assert_allclose(after.weight[:6], [0.1, 1.0, 0.1, 0.1, 1.0, 0.0])
    np.testing.assert_array_equal(after.weight[6:], before.weight[6:])
    np.testing.assert_array_equal(after.target, before.target)
    assert cleaned(before, prepared, replace(recipe, cleaning=None), {}) is before


def test_soft_labels_are_those_of_their_own_beats(prepared):
    from model_build.distil import soft_labels

    said = opinions(prepared)
    joined = soft_labels(prepared[::-1], said)
    beats = pool(prepared[::-1], Weight())
    assert len(joined.tutor) == len(beats.target)
    assert set(joined.tutor[:200]) == {2}
    np.testing.assert_array_equal(
        joined.log_probability[200:], said["cinc2017/A00001", "native"].log_probability
    )
    with pytest.raises(KeyError, match="A00003"):
        soft_labels([made_up_beats("cinc2017/A00003")], said)


def test_a_batch_brings_the_opinions_on_its_own_beats(prepared, recipe):
    from model_build.crossval import fresh_student
    from model_build.distil import distil_lesson, soft_labels, within_sets
    from model_build.training.loop import student_lesson

    beats = pool(prepared, Weight())
    student = fresh_student(recipe, N_FEATURES, 1)
    said = soft_labels(prepared, opinions(prepared))
    base = student_lesson(student, beats, fit_scaling(beats.features), recipe)
    lesson = distil_lesson(base, student, beats, said, recipe)
    start, piece = beats.spans[2, 0] - 5, 2
    _, labels = lesson.tensors(np.array([[start, piece]]), np.random.default_rng(0))
    target, weight, _, soft, representation, tutor = (label.numpy() for label in labels)
    own = slice(start + 5, start + 48)
    np.testing.assert_array_equal(target[0, 5:], beats.target[own])
    np.testing.assert_array_equal(
        soft[0, 5:], within_sets(said.log_probability[own], beats.target[own])
    )
    np.testing.assert_array_equal(representation[0, 5:], said.representation[own])
    assert (tutor[0] == 2).all()
    assert not weight[0, :5].any()
    assert not weight[1].any()


def test_the_projection_is_trained_and_not_deployed(prepared, recipe):
    import tensorflow as tf

    from model_build.crossval import fresh_student
    from model_build.distil import distil_lesson, soft_labels
    from model_build.training.loop import student_lesson

    beats = pool(prepared, Weight())
    student = fresh_student(recipe, N_FEATURES, 1)
    plain = len(student.encoder.weights) + len(student.context.weights)
    base = student_lesson(student, beats, fit_scaling(beats.features), recipe)
    said = soft_labels(prepared, opinions(prepared))
    lesson = distil_lesson(base, student, beats, said, recipe)
    inputs, labels = lesson.tensors(FIRST_OF_EACH, np.random.default_rng(0))
    with tf.GradientTape() as tape:
        loss = lesson.loss(lesson.model(inputs, training=True), *labels)
    gradients = dict(
        zip(
            [variable.path for variable in lesson.model.trainable_variables],
            tape.gradient(loss, lesson.model.trainable_variables),
            strict=True,
        )
    )
    assert np.abs(gradients["projection/kernel"]).max() > 0.0
    assert all(gradient is not None for gradient in gradients.values())
    # Each ensemble has columns of its own: only those of folds 1 and 2 were taught.
    taught = np.abs(gradients["projection/kernel"]).max(axis=0).reshape(-1, D).max(axis=1) > 0
    assert taught.tolist() == [False, True, True, False, False]
    assert len(student.encoder.weights) + len(student.context.weights) == plain
    deployed = {id(v) for v in (*student.encoder.weights, *student.context.weights)}
    learnt = {id(v) for v in lesson.model.weights}
    extra = [v.path for v in lesson.model.weights if id(v) not in deployed]
    assert deployed <= learnt
    assert sorted(extra) == ["projection/bias", "projection/kernel"]


def test_without_a_weight_on_features_there_is_no_projection(prepared, recipe):
    from model_build.crossval import fresh_student
    from model_build.distil import distil_lesson, soft_labels
    from model_build.training.loop import student_lesson

    recipe = replace(recipe, distil=Distil("teacher", alpha=1.0, temperature=1.0))
    beats = pool(prepared, Weight())
    student = fresh_student(recipe, N_FEATURES, 1)
    base = student_lesson(student, beats, fit_scaling(beats.features), recipe)
    lesson = distil_lesson(base, student, beats, soft_labels(prepared, opinions(prepared)), recipe)
    assert lesson.model is student.training_model
    inputs, labels = lesson.tensors(FIRST_OF_EACH, np.random.default_rng(0))
    assert len(labels) == 4
    assert float(lesson.loss(lesson.model(inputs), *labels)) > 0.0


def test_a_student_learns_from_what_it_is_told(prepared, recipe, tmp_path):
    from model_build.crossval import fit

    told = opinions(prepared)
    run = tmp_path / "run.npz"
    first = fit(prepared, recipe, run, lambda *_: None, advice={"teacher": told})
    again = fit(prepared, recipe, run, lambda *_: None, advice={"teacher": told})
    for a, b in zip(
        first.student.encoder.get_weights(), again.student.encoder.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    other = fit(
        prepared, recipe, run, lambda *_: None, advice={"teacher": opinions(prepared, seed=5)}
    )
    assert other.losses != first.losses
    with pytest.raises(KeyError, match="teacher"):
        fit(prepared, recipe, run, lambda *_: None)


def test_a_scored_fold_is_taught_without_it(prepared, recipe, tmp_path, monkeypatch):
    from model_build import crossval

    asked = []

    def advise(inside, fold):
        asked.append((sorted(item.subject for item in inside), fold))
        return {"teacher": {}}

    monkeypatch.setattr(crossval, "fit", lambda *_: crossval.Fitted(None, None, ()))
    monkeypatch.setattr(
        crossval, "Predictor", lambda *_: lambda beats: np.zeros((200, len(CLASSES)))
    )
    scored = []
    monkeypatch.setattr(
        crossval,
        "score_logits",
        lambda recordings, outside, *_: scored.extend(item.subject for item in outside),
    )
    monkeypatch.setattr(crossval, "join", list)
    crossval.cross_validate(
        [], prepared, recipe, tmp_path, lambda _: lambda *_: None, [1], advise=advise
    )
    assert asked == [(["cinc2017/A00002"], 1)]
    assert scored == ["cinc2017/A00001"]
