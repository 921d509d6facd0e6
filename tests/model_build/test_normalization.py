"""The fused normalization is Keras's, in less time."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_build.models.normalization import FusedNormalization


def _pair(shape: tuple[int, ...]) -> tuple[keras.layers.Layer, keras.layers.Layer]:
    random = np.random.default_rng(1)
    weights = [random.uniform(0.5, 1.5, shape[-1]).astype(np.float32) for _ in range(4)]
    made = (FusedNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9))
    for layer in made:
        layer.build((None, *shape[1:]))
        layer.set_weights(weights)
    return made


def _step(layer: keras.layers.Layer, x: tf.Tensor, aim: tf.Tensor) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(y * aim)
    slopes = tape.gradient(loss, [x, layer.gamma, layer.beta])
    return [a.numpy() for a in (y, *slopes, layer.moving_mean, layer.moving_variance)]


@pytest.mark.parametrize("shape", [(5, 1, 12, 3), (7, 6, 4), (9, 8), (1, 2)])
def test_a_training_step_is_that_of_keras(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(2)
    x, aim = (tf.constant(random.normal(1.0, 2.0, shape), tf.float32) for _ in range(2))
    fused, plain = _pair(shape)
    for mine, theirs in zip(_step(fused, x, aim), _step(plain, x, aim), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("frozen", [False, True])
def test_it_predicts_with_the_moving_moments(frozen: bool) -> None:
    x = tf.constant(np.random.default_rng(3).normal(size=(4, 1, 6, 3)), tf.float32)
    fused, plain = _pair((4, 1, 6, 3))
    fused.trainable = plain.trainable = not frozen
    for training in (False, frozen):
        np.testing.assert_array_equal(fused(x, training=training), plain(x, training=training))


def test_a_model_with_it_is_cloned_and_traced_for_any_batch() -> None:
    given = keras.Input((1, 6, 3))
    model = keras.Model(given, keras.layers.ReLU(6.0)(FusedNormalization(name="norm")(given)))
    clone = keras.models.clone_model(model)
    assert isinstance(clone.get_layer("norm"), FusedNormalization)
    run = tf.function(
        lambda x: clone(x, training=True), input_signature=[tf.TensorSpec((None, 1, 6, 3))]
    )
    assert run(tf.ones((2, 1, 6, 3))).shape == (2, 1, 6, 3)
