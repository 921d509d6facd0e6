"""What a recipe does about rare classes: weights, loss, resampled embeddings."""

from dataclasses import replace

import numpy as np
import pytest

from model_build.datasets.recording import CLASSES, Target
from model_build.errors import RecipeError
from model_build.recipe import Imbalance, Weight, read_recipe
from model_build.recipe_files import recipe_path
from model_build.training.beats import pool
from model_build.training.scaling import fit_scaling
from tests.model_build.made_up_classes import made_up

pytestmark = pytest.mark.tensorflow

K = len(CLASSES)


@pytest.fixture
def recipe():
    shipped = read_recipe(recipe_path("beats-first"))
    rule = replace(shipped.optimizer, epochs=2, batch_segments=2, ema=0.5)
    return replace(shipped, optimizer=rule)


@pytest.fixture
def beats():
    return pool([made_up(name, seed=k) for k, name in enumerate("abcd")], Weight())


def by(recipe, method, **parameters):
    return replace(recipe, imbalance=Imbalance(method, **parameters))


def student():
    import keras

    from model_build.models.student import StudentConfig, build_student

    keras.utils.set_random_seed(5)
    sizes = StudentConfig(n_features=5, blocks=((8, 2), (8, 2)), stem=4, dropout=0.0)
    return build_student(sizes)


def balance(recipe, beats):
    from model_build.training.imbalance import Balance

    return Balance(recipe, beats, student(), fit_scaling(beats.features))


def test_a_recipe_without_the_section_keeps_its_own_weights(recipe, beats):
    from model_build.training.losses import class_weights

    assert recipe.imbalance.method == "none"
    table = balance(recipe, beats).weights(0)
    np.testing.assert_array_equal(table, class_weights(recipe.loss.class_weight))
    assert recipe.imbalance.focusing == 0.0
    assert Imbalance("focal", gamma=1.5).focusing == 1.5


def test_an_unknown_method_is_refused(tmp_path):
    text = recipe_path("beats-first").read_text() + '\n[imbalance]\nmethod = "oversample"\n'
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="imbalance"):
        read_recipe(path)
    path.write_text(text.replace("oversample", "focal"))
    assert read_recipe(path).imbalance == Imbalance("focal")


def test_inverse_frequency_makes_every_class_count_alike(recipe, beats):
    from model_build.training.imbalance import beats_of_each_class

    n = beats_of_each_class(beats)
    assert n.sum() == len(beats.target)
    table = balance(by(recipe, "weighted"), beats).weights(0)
    own = np.array([table[1 << k] for k in range(K)])[n > 0] * n[n > 0]
    np.testing.assert_allclose(own, own[0], rtol=1e-5)
    assert own.sum() == pytest.approx(n.sum(), rel=1e-5)


def test_effective_numbers_lie_between_no_weights_and_inverse_frequency():
    from model_build.training.imbalance import effective_number, inverse_frequency

    n = np.array([90_000.0, 2_000.0, 5_000.0, 300.0])
    alike, inverse = effective_number(n, 0.0001), inverse_frequency(n)
    np.testing.assert_allclose(alike, 1.0, rtol=1e-3)
    ratio = effective_number(n, 0.9999)
    assert 1.0 < ratio[3] / ratio[0] < inverse[3] / inverse[0]


def test_each_view_of_a_recording_counts_once(recipe):
    from model_build.training.imbalance import beats_of_each_class

    one = made_up("a")
    twice = pool([one, replace(one, view="other")], Weight())
    assert beats_of_each_class(twice).sum() == len(one)


def test_left_out_subjects_train_nothing(beats):
    from model_build.training.imbalance import hold_out

    training, validation = hold_out(beats, 0.25, seed=1)
    (who,) = set(validation.subjects)
    first, last = beats.spans[beats.subjects.index(who)]
    assert not training.weight[first:last].any()
    assert validation.weight[first:last].all()
    assert (training.weight > 0).sum() + (validation.weight > 0).sum() == (beats.weight > 0).sum()
    with pytest.raises(RecipeError, match="validation_share"):
        hold_out(beats, 0.0, seed=1)


def test_dynamic_weights_follow_the_misses(recipe, beats, monkeypatch):
    from model_build.training import imbalance

    found = np.full(K, 0.9)
    found[CLASSES.index("S")], found[CLASSES.index("N")] = 0.2, 1.0
    monkeypatch.setattr(imbalance, "recalls", lambda *_: found)
    rule = balance(by(recipe, "dynamic", validation_share=0.25), beats)
    given = recipe.loss.class_weight
    assert rule.weights(0)[Target.S] == np.float32(given["S"])
    later = rule.weights(1)
    assert later[Target.S] == pytest.approx(0.8 * given["S"])
    assert later[Target.N] == pytest.approx(0.05 * given["N"])


def test_recall_is_of_weighted_beats_and_unknown_ones_get_the_mean(beats):
    from model_build.training.imbalance import recalls

    said = np.zeros((len(beats.target), K), np.float32)
    said[:, CLASSES.index("V")] = 1.0
    only = replace(beats, weight=beats.weight * (beats.target != Target.F))
    found = dict(zip(CLASSES, recalls(said, only), strict=True))
    assert (found["N"], found["S"], found["V"]) == (0.0, 0.0, 1.0)
    assert found["F"] == pytest.approx(1 / 3)


def test_two_stages_end_with_the_recipes_own_weights(recipe, beats):
    from model_build.training.losses import class_weights

    rule = balance(by(recipe, "two_stage"), beats)
    assert rule.weights(0)[Target.S] > 2 * rule.weights(0)[Target.N]
    np.testing.assert_array_equal(rule.weights(1), class_weights(recipe.loss.class_weight))


def test_focal_loss_fades_where_the_student_is_sure():
    import tensorflow as tf

    from model_build.training.losses import focal

    p = np.array([0.5, 0.9, 1.0], np.float32)
    loss = tf.constant(-np.log(p))
    assert focal(loss, 0.0) is loss
    np.testing.assert_allclose(focal(loss, 2.0), -np.log(p) * (1 - p) ** 2, atol=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(loss)
        total = tf.reduce_sum(focal(loss, 0.5))
    assert np.isfinite(tape.gradient(total, loss)).all()


def test_dynamic_weights_depend_on_the_student_alone(recipe, beats):
    """So a run that goes on from a checkpoint goes on with the same weights."""
    from model_build.training.imbalance import Balance

    rule = by(recipe, "dynamic", validation_share=0.25)
    scaling, random = fit_scaling(beats.features), np.random.default_rng(0)
    one, other = student(), student()
    moved = [w + random.normal(0, 0.1, w.shape) for w in one.training_model.get_weights()]
    before = Balance(rule, beats, one, scaling)
    first = before.weights(1)
    for trained in (one, other):
        trained.training_model.set_weights([np.abs(w).astype(np.float32) for w in moved])
    restored = Balance(rule, beats, other, scaling)
    np.testing.assert_array_equal(before.weights(2), restored.weights(2))
    assert not np.array_equal(before.weights(2), first)


def test_the_head_over_embeddings_is_the_student(beats):
    from model_build.training.head import embeddings
    from model_build.training.predict import Predictor

    scaling, whole = fit_scaling(beats.features), student()
    head = whole.training_model.get_layer("sequence").get_layer("head")
    kernel, bias = (w.numpy() for w in (head.kernel, head.bias))
    rows = embeddings(whole, scaling, beats)
    assert rows.shape == (len(beats.target), whole.config.context_channels)
    expected = Predictor(whole, scaling)(beats)
    np.testing.assert_allclose(rows @ kernel[0, 0] + bias, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["smote", "undersample"])
def test_resampling_evens_the_classes_out(name):
    from model_build.training import head

    random = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2, 3], [500, 60, 80, 3])
    rows = random.normal(size=(len(classes), 4)).astype(np.float32) + classes[:, None]
    made, numbers = getattr(head, name)(rows, classes, 300, 1)
    again, _ = getattr(head, name)(rows, classes, 300, 1)
    np.testing.assert_array_equal(made, again)
    sizes = dict(zip(*np.unique(numbers, return_counts=True), strict=True))
    # Three beats are fewer than SMOTE's neighbours; the median of the sizes is 70.
    expected = {"smote": {0: 300, 1: 300, 2: 300}, "undersample": {0: 70, 1: 60, 2: 70, 3: 3}}
    assert sizes == expected[name]


def test_a_head_never_says_what_it_has_not_seen():
    from model_build.training.head import fit_head

    random = np.random.default_rng(0)
    classes = np.repeat([0, 2], 100)
    rows = random.normal(size=(200, 3)).astype(np.float32) + 4 * classes[:, None]
    kernel, bias = fit_head(rows, classes)
    said = (rows @ kernel + bias).argmax(axis=1)
    assert (said == classes).mean() > 0.95
    with pytest.raises(RecipeError, match="two classes"):
        fit_head(rows, np.zeros(200, np.int64))


def test_only_the_last_layer_is_trained_again(recipe, beats):
    from model_build.training.head import retrain_head

    before, after = student(), student()
    retrain_head(after, beats, fit_scaling(beats.features), by(recipe, "smote"))
    changed = [
        weight.path
        for weight, old in zip(
            after.training_model.weights, before.training_model.get_weights(), strict=True
        )
        if not np.array_equal(weight.numpy(), old)
    ]
    assert {path.rpartition("/")[2] for path in changed} == {"kernel", "bias"}
    assert len(changed) == 2
