"""The teacher: what a student may learn from. It looks at the whole record, both ways, both leads.

A multi-scale convolutional encoder (parallel kernel widths) with attention over time turns one
beat on one lead into a vector; attention over the leads that are there makes it one vector a beat,
its *representation*. Over the sequence of beats run two bidirectional LSTMs, then attention over
the neighbours within `reach`. Nothing of it is deployed, so nothing of it must be causal.

Rows of beats that a segment lacks are never encoded: normalization sees real beats only, and a
recording of one lead costs half of one of two.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from model_build.models.normalization import FusedNormalization
from model_build.models.recurrence import BothWays

Tensor = Any
"""A Keras tensor; Keras ships no type for it."""

_MOMENTUM = 0.98
"""Statistics over thousands of beats a step settle in a few hundred steps."""


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """Sizes of the teacher. Defaults: about 150 thousand weights."""

    n_features: int
    n_classes: int
    window: int = 160
    channels: int = 3
    """The beat, the running template, the record's median beat."""
    stem: int = 8
    stem_kernels: tuple[int, ...] = (3, 7, 15, 31)
    """`stem` channels of each width, stride 2."""
    middle: int = 16
    middle_kernels: tuple[int, ...] = (3, 7, 11)
    """`middle` channels of each width, stride 2."""
    top: int = 64
    top_kernel: int = 5
    heads: int = 4
    """Places in a beat that attention may look at."""
    feature_units: int = 64
    representation: int = 64
    lstm_units: int = 40
    neighbour_units: int = 32
    reach: int = 24
    """Beats to each side that attention over the neighbours sees."""
    dropout: float = 0.2


@keras.saving.register_keras_serializable("model_build")
class BeatEncoder(layers.Layer):  # type: ignore[misc] # keras ships no types
    """Beats on one lead each, (R, window, channels) and (R, F), to vectors (R, representation)."""

    def __init__(self, config: TeacherConfig, **options: Any) -> None:
        super().__init__(**options)
        self._stem = [
            layers.Conv1D(config.stem, k, strides=2, padding="same", use_bias=False)
            for k in config.stem_kernels
        ]
        self._middle = [
            layers.Conv1D(config.middle, k, strides=2, padding="same", use_bias=False)
            for k in config.middle_kernels
        ]
        self._top = layers.Conv1D(
            config.top, config.top_kernel, strides=2, padding="same", use_bias=False
        )
        self._norms = [FusedNormalization(momentum=_MOMENTUM) for _ in range(3)]
        self._look = layers.Dense(config.heads)
        self._features = layers.Dense(config.feature_units, activation="relu")
        self._drop = layers.Dropout(config.dropout)
        self._join = layers.Dense(config.representation, use_bias=False)
        self._join_norm = FusedNormalization(momentum=_MOMENTUM)
        self._joined = config.heads * config.top + config.feature_units

    def build(self, shapes: list[tuple[int | None, ...]]) -> None:
        """Make the weights for (R, window, channels) and (R, F)."""
        beats, features = shapes
        for stage, norm in zip(self._stages(), self._norms, strict=True):
            for convolution in stage:
                convolution.build(beats)
            length = None if beats[1] is None else -(-beats[1] // 2)
            beats = (None, length, sum(c.filters for c in stage))
            norm.build(beats)
        self._look.build(beats)
        self._features.build(features)
        self._join.build((None, self._joined))
        self._join_norm.build((None, self._join.units))
        self.built = True

    def _stages(self) -> list[list[layers.Layer]]:
        return [self._stem, self._middle, [self._top]]

    def call(self, inputs: list[Tensor], training: bool = False, real: Tensor = None) -> Tensor:
        """Vectors (R, representation), not negative.

        `real` (R,), bool, says which rows are beats; None: all. Others sway no statistics.
        """
        x, features = inputs
        for stage, norm in zip(self._stages(), self._norms, strict=True):
            x = ops.concatenate([convolution(x) for convolution in stage], axis=-1)
            x = ops.relu(norm(x, training=training, mask=_everywhere(real, x)))
        where = ops.softmax(self._look(x), axis=1)
        seen = ops.einsum("rth,rtc->rhc", where, x)
        pooled = ops.reshape(seen, (-1, seen.shape[1] * seen.shape[2]))
        joined = ops.concatenate([pooled, self._features(features)], axis=-1)
        joined = self._join(self._drop(joined, training=training))
        return ops.relu(self._join_norm(joined, training=training, mask=real))


def _everywhere(real: Tensor, x: Tensor) -> Tensor:
    """(R,) as (R, length) of the maps `x`; None stays None."""
    return None if real is None else ops.broadcast_to(real[:, None], ops.shape(x)[:2])


@keras.saving.register_keras_serializable("model_build")
class Neighbours(layers.Layer):  # type: ignore[misc] # keras ships no types
    """Attention of every beat over those within `reach`, with a learnt weight of each distance."""

    def __init__(self, units: int, reach: int, **options: Any) -> None:
        super().__init__(**options)
        self._reach = reach
        self._units = units
        self._ask, self._key, self._value = (layers.Dense(units) for _ in range(3))

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights for (B, n, channels)."""
        for dense in (self._ask, self._key, self._value):
            dense.build(shape)
        self._distance = self.add_weight(shape=(2 * self._reach + 1,), initializer="zeros")
        self.built = True

    def call(self, x: Tensor, inside: Tensor) -> Tensor:
        """(B, n, channels) and (B, n), 1 where there is a beat, to (B, n, units)."""
        n = ops.shape(x)[1]
        scores = ops.einsum("bik,bjk->bij", self._ask(x), self._key(x)) / self._units**0.5
        at = ops.arange(n)
        apart = at[None, :] - at[:, None]
        near = ops.cast(ops.abs(apart) <= self._reach, scores.dtype)
        bias = ops.take(self._distance, ops.clip(apart + self._reach, 0, 2 * self._reach))
        open_ = near[None] * ops.cast(inside, scores.dtype)[:, None, :]
        weights = ops.softmax(scores + bias[None] - 1e9 * (1.0 - open_), axis=-1)
        return ops.matmul(weights, self._value(x))


@keras.saving.register_keras_serializable("model_build")
class Reader(layers.Layer):  # type: ignore[misc] # keras ships no types
    """What the encoder says of beats on leads, read as sequences of beats: logits of each."""

    def __init__(self, config: TeacherConfig, **options: Any) -> None:
        super().__init__(**options)
        self._config = config
        self._lead = layers.Dense(1)
        self._evidence = layers.Dense(config.n_classes)
        self._sequence = [BothWays(config.lstm_units) for _ in range(2)]
        self._drop = [layers.Dropout(config.dropout) for _ in range(3)]
        self._neighbours = Neighbours(config.neighbour_units, config.reach)
        self._head = layers.Dense(config.n_classes)

    def build(self, shapes: list[tuple[int | None, ...]]) -> None:
        """Make the weights for rows (R, representation)."""
        config = self._config
        seen = (None, None, config.representation)
        both = (None, None, 2 * config.lstm_units)
        self._lead.build(seen)
        self._evidence.build(seen)
        self._sequence[0].build((None, None, config.representation + 1))
        self._sequence[1].build(both)
        self._neighbours.build(both)
        width = 2 * config.lstm_units + config.neighbour_units + config.representation
        self._head.build((None, None, width))
        self.built = True

    def call(self, inputs: list[Tensor], training: bool = False) -> dict[str, Tensor]:
        """Of rows (R, representation), `index` and `inside`, the outputs of `Teacher`."""
        rows, index, inside = inputs
        seen, there = self._beats(rows, index)
        x = ops.concatenate([seen, there], axis=-1)
        for lstm, drop in zip(self._sequence, self._drop, strict=False):
            x = lstm(drop(x, training=training), inside)
        x = ops.concatenate([x, self._neighbours(x, inside), seen], axis=-1)
        return {
            "logits": self._head(self._drop[-1](x, training=training)),
            "evidence": self._evidence(seen),
            "representation": seen,
        }

    def _beats(self, rows: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Representations (B, n, D), and the share of the leads that show the beat (B, n, 1)."""
        rows = ops.concatenate([ops.zeros_like(rows[:1]), rows], axis=0)
        leads = ops.take(rows, index + 1, axis=0)
        there = ops.cast(index >= 0, leads.dtype)[..., None]
        weights = ops.softmax(self._lead(leads) - 1e9 * (1.0 - there), axis=2) * there
        return ops.sum(weights * leads, axis=2), ops.mean(there, axis=2)


@keras.saving.register_keras_serializable("model_build")
class Teacher(keras.Model):  # type: ignore[misc] # keras ships no types
    """Segments of beats to logits of every beat: an encoder of beats, a reader of sequences.

    Inputs: `beats` (R, window, channels) and `features` (R, F) of the R pairs of beat and lead
    that are there; `index` int32 (B, n, leads), the row of each, -1 where there is none; `inside`
    (B, n), 1 where the segment has a beat, readable or not.

    Outputs: `logits` and `evidence` (of the beat by itself) (B, n, K); `representation`
    (B, n, representation), zero for a beat that no lead shows.
    """

    def __init__(self, config: TeacherConfig, **options: Any) -> None:
        super().__init__(**options)
        self.config = config
        self.encoder = BeatEncoder(config)
        self.reader = Reader(config)

    def call(self, inputs: list[Tensor], training: bool = False) -> dict[str, Tensor]:
        """As the class says."""
        beats, features, index, inside = inputs
        rows = self.encoder([beats, features], training=training)
        read: dict[str, Tensor] = self.reader([rows, index, inside], training=training)
        return read


def build_teacher(config: TeacherConfig, leads: int) -> Teacher:
    """A fresh teacher with its weights made; seed with `keras.utils.set_random_seed` before."""
    teacher = Teacher(config)
    n = 2
    teacher(
        [
            ops.zeros((n * leads, config.window, config.channels)),
            ops.zeros((n * leads, config.n_features)),
            ops.reshape(ops.arange(n * leads, dtype="int32"), (1, n, leads)),
            ops.ones((1, n)),
        ]
    )
    return teacher
