"""Acharya 2017: a CNN of nine layers on 260 samples of one beat, 20 thousand weights.

Layers, kernels and the beat (99 samples before R, 160 after, at 360 Hz, Z-scored) are the paper's.
The paper mixed patients between training and test, which its 94 % come from; here it is judged
between patients. Trained as the paper's set A (classes as they are, not its synthesized balance),
by Adam instead of plain gradient descent; Q is not learnt.
"""

from typing import Final

import keras
from keras import layers

from model_build.peers.beats import LEARNT, Rows, resampled
from model_build.peers.network import NetworkPeer

TITLE: Final = "Acharya 2017, CNN"
CITATION: Final = (
    "Acharya UR, Oh SL, Hagiwara Y, Tan JH, Adam M, Gertych A, Tan RS. A deep convolutional neural "
    "network model to classify heartbeats. Comput Biol Med 2017;89:389-396"
)
_RATE_HZ: Final = 360.0
_BEFORE, _AFTER = 99, 160


def beat(window: Rows) -> Rows:
    """Windows (k, 160) as (k, 260, 1), each of mean 0 and deviation 1."""
    x = resampled(window, _RATE_HZ, _BEFORE, _AFTER)
    x = x - x.mean(axis=1, keepdims=True)
    out: Rows = (x / (x.std(axis=1, keepdims=True) + 1e-6))[..., None]
    return out


def build() -> keras.Model:
    """5 kernels of 3, 10 of 4, 20 of 4, each with max-pool 2; dense 30, 20 and the classes."""
    x = beat_in = keras.Input((_BEFORE + 1 + _AFTER, 1))
    for channels, kernel in ((5, 3), (10, 4), (20, 4)):
        x = layers.LeakyReLU(0.01)(layers.Conv1D(channels, kernel)(x))
        x = layers.MaxPooling1D(2)(x)
    x = layers.Flatten()(x)
    for units in (30, 20):
        x = layers.LeakyReLU(0.01)(layers.Dense(units)(x))
    return keras.Model(beat_in, layers.Dense(len(LEARNT))(x))


def new() -> NetworkPeer:
    """Untrained."""
    return NetworkPeer(build, beat)
