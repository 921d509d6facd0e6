"""The article's CNN: two convolutions without padding, each with ReLU and max-pooling, one dense.

It sees one beat and no interval, so what makes S early is out of its sight.
"""

from typing import Final

import keras
from keras import layers

from model_build.peers.article_beat import ARTICLE, SAMPLES, article_beat
from model_build.peers.beats import LEARNT
from model_build.peers.network import NetworkPeer

CITATION: Final = ARTICLE
TITLE: Final = "The article's CNN"


def build() -> keras.Model:
    """Conv 1-32 (15, stride 2) and 32-64 (10, stride 2), each with ReLU and max-pool 2; dense."""
    return keras.Sequential(
        [
            keras.Input((SAMPLES, 1)),
            layers.Conv1D(32, 15, strides=2, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(64, 10, strides=2, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Flatten(),
            layers.Dense(len(LEARNT)),
        ]
    )


def new() -> NetworkPeer:
    """Untrained."""
    return NetworkPeer(build, article_beat)
