"""The article's LSTM: two bidirectional layers over the samples, the last step feeds a dense layer.

The article names no width: 64 units a direction. At the last step the second layer's backward half
has seen one step of the first; that is what "the last step" says, so it is kept. It learns from
fewer beats than the convolutions do: 256 steps in order are twenty times as slow.
"""

from typing import Final

import keras
from keras import layers

from model_build.peers.article_beat import ARTICLE, SAMPLES, article_beat
from model_build.peers.beats import LEARNT
from model_build.peers.network import NetworkPeer, Training

CITATION: Final = ARTICLE
TITLE: Final = "The article's bidirectional LSTM"
_UNITS: Final = 64


def build(samples: int = SAMPLES) -> keras.Model:
    """Two bidirectional LSTM layers over (samples, 1), then dense from the last step."""
    beat = keras.Input((samples, 1))
    x = layers.Bidirectional(layers.LSTM(_UNITS, return_sequences=True))(beat)
    x = layers.Bidirectional(layers.LSTM(_UNITS, return_sequences=True))(x)
    return keras.Model(beat, layers.Dense(len(LEARNT))(x[:, -1, :]))


def new() -> NetworkPeer:
    """Untrained."""
    return NetworkPeer(build, article_beat, Training(epochs=5, epoch_beats=40_000))
