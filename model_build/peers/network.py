"""Training of those peers that are networks on single beats: all alike, seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from model_build.peers.beats import LEARNT, PeerBeats, Rows, among_all

_BATCH: Final = 256
_AT_ONCE: Final = 2048


@dataclass(frozen=True, slots=True)
class Training:
    """Adam on plain cross-entropy; an epoch takes `epoch_beats` beats at most, drawn anew."""

    epochs: int = 10
    epoch_beats: int = 100_000
    learning_rate: float = 1e-3


class NetworkPeer:
    """A network from windows to the classes of `LEARNT`.

    Args:
        build: gives a fresh network that takes what `prepare` gives and yields logits.
        prepare: windows (k, 160) to what the network takes, (k, n, 1).
        training: how long.
    """

    def __init__(
        self,
        build: Callable[[], keras.Model],
        prepare: Callable[[Rows], Rows],
        training: Training | None = None,
    ) -> None:
        self._build = build
        self._prepare = prepare
        self._training = training or Training()

    def fit(self, beats: PeerBeats, seed: int) -> None:
        """See `Peer`."""
        keras.utils.set_random_seed(seed)
        model = self._build()
        optimizer = keras.optimizers.Adam(self._training.learning_rate)
        optimizer.build(model.trainable_variables)
        step = _step(model, optimizer)
        labels = np.searchsorted(LEARNT, beats.number)
        for epoch in range(self._training.epochs):
            order = np.random.default_rng((seed, epoch)).permutation(len(beats))
            order = order[: self._training.epoch_beats]
            for first in range(0, len(order), _BATCH):
                # The last batch begins again from the front: one shape is traced.
                rows = np.resize(order[first : first + _BATCH], _BATCH)
                inputs = self._prepare(beats.window[rows])
                step(tf.constant(inputs), tf.constant(labels[rows]))
        self._say = tf.function(lambda inputs: model(inputs, training=False))

    def scores(self, beats: PeerBeats) -> Rows:
        """See `Peer`."""
        said = np.zeros((len(beats), len(LEARNT)), np.float32)
        for first in range(0, len(beats), _AT_ONCE):
            window = beats.window[first : first + _AT_ONCE]
            filled = np.zeros((_AT_ONCE, window.shape[1]), np.float32)
            filled[: len(window)] = window
            logits = self._say(tf.constant(self._prepare(filled))).numpy()
            said[first : first + len(window)] = logits[: len(window)]
        return among_all(said, LEARNT)


def _step(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Callable[..., None]:
    def step(inputs: tf.Tensor, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    traced: Callable[..., None] = tf.function(step)
    return traced
