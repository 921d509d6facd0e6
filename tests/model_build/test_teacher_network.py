"""The teacher's own layers against Keras's, and what a missing beat or lead may change."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def teacher():
    keras = pytest.importorskip("keras")
    from model_build.models.teacher import TeacherConfig, build_teacher

    keras.utils.set_random_seed(2)
    return build_teacher(TeacherConfig(n_features=7, n_classes=4), leads=2)


def segment(n: int = 20):
    random = np.random.default_rng(0)
    beats = random.normal(size=(2 * n, 160, 3)).astype(np.float32)
    features = random.normal(size=(2 * n, 7)).astype(np.float32)
    index = np.arange(2 * n, dtype=np.int32).reshape(1, n, 2)
    return [beats, features, index, np.ones((1, n), np.float32)]


def test_the_lstm_is_that_of_keras():
    import keras

    from model_build.models.teacher import BothWays

    x = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32)
    ours = BothWays(5)
    ours(x, np.ones((3, 9), np.float32))
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
    theirs(x)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x, np.ones((3, 9), np.float32)), theirs(x), atol=1e-5)


def test_the_lstm_rests_where_there_is_no_beat():
    from model_build.models.teacher import BothWays

    x = np.random.default_rng(0).normal(size=(1, 9, 4)).astype(np.float32)
    layer = BothWays(5)
    inside = np.array([[0, 0, 1, 1, 1, 1, 1, 0, 0]], np.float32)
    padded = np.asarray(layer(x, inside))
    alone = np.asarray(layer(x[:, 2:7], inside[:, 2:7]))
    np.testing.assert_allclose(padded[:, 2:7], alone, atol=1e-6)
    assert not padded[:, :2].any()
    assert not padded[:, 7:].any()


def test_sizes_are_those_of_a_teacher(teacher):
    assert 60_000 < teacher.count_params() < 150_000


def test_the_order_of_leads_does_not_matter(teacher):
    beats, features, index, inside = segment()
    one = teacher([beats, features, index, inside])
    two = teacher([beats, features, index[..., ::-1].copy(), inside])
    np.testing.assert_allclose(one["logits"], two["logits"], atol=1e-5)


def test_a_missing_lead_is_as_if_there_were_only_one(teacher):
    beats, features, index, inside = segment()
    first = index.copy()
    first[..., 1] = -1
    said = teacher([beats, features, first, inside])
    alone = teacher([beats[::2], features[::2], np.where(first < 0, -1, first // 2), inside])
    np.testing.assert_allclose(said["logits"], alone["logits"], atol=1e-5)
    none = teacher([beats, features, np.full_like(index, -1), inside])
    assert not np.asarray(none["representation"]).any()


def test_beats_outside_the_segment_say_nothing(teacher):
    beats, features, index, inside = segment()
    inside[:, 15:] = 0.0
    index[:, 15:] = -1
    padded = teacher([beats, features, index, inside])["logits"][:, :15]
    alone = teacher([beats, features, index[:, :15], inside[:, :15]])["logits"]
    np.testing.assert_allclose(padded, alone, atol=1e-5)
