"""The student: a MobileNet-style beat encoder and a causal context network over its embeddings.

One set of weights, three Keras models. `training_model` runs over segments of beats, every beat
encoded once; `encoder` and `context` are the two graphs of the bundle contract, batch 1. The
context's convolutions are unpadded with a receptive field of exactly `history` beats, so the
deployed graph over the last 31 embeddings computes what the training model computes at that beat.
A student of two leads runs the same encoder over each; its context fuses them (`fusion.py`).

Everything is Conv2D, DepthwiseConv2D, BatchNormalization and ReLU6 in the layout [1, 1, L, C]:
it converts without reshapes, and INT8 results agree bit for bit between runtimes. ReLU6 bounds
the embedding (0 to 6), and zero, the row of a masked beat, is exact in INT8.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from model_build.datasets.recording import CLASSES
from model_build.models.fusion import fuse_leads
from model_build.models.normalization import FusedNormalization

Tensor = Any
"""A symbolic Keras tensor; Keras ships no type for it."""

_ENCODER_MOMENTUM = 0.98
"""Statistics over thousands of beats a step settle in a few hundred steps."""


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """Sizes of the student. Defaults: 0.39 million multiply-adds a beat, 28 thousand weights."""

    n_features: int
    n_classes: int = len(CLASSES)
    leads: int = 1
    window: int = 160
    embedding: int = 32
    history: int = 31
    outputs: int = 96
    """Beats of a training segment that get logits; the segment has `history` more in front."""
    stem: int = 16
    stem_kernel: int = 7
    blocks: tuple[tuple[int, int], ...] = ((24, 2), (32, 1), (48, 2), (64, 1), (96, 1))
    """Output channels and stride of each depthwise-separable block."""
    kernel: int = 7
    feature_units: int = 48
    context_channels: int = 32
    context_kernel: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    dropout: float = 0.1
    p_wave: bool = False
    """Whether the training model says of each beat if it has a P wave; no graph does."""

    def __post_init__(self) -> None:
        field = 1 + (self.context_kernel - 1) * sum(self.dilations)
        if self.leads not in (1, 2):
            raise ValueError(f"a student takes one lead or two, not {self.leads}")
        if field != self.history:
            raise ValueError(f"dilations see {field} beats, the history holds {self.history}")

    @property
    def segment(self) -> int:
        """Beats of one training segment."""
        return self.history + self.outputs


@dataclass(frozen=True, slots=True)
class StudentModels:
    """Three models over one set of weights.

    training_model: `window` and `template` (B, segment, window), `features` (B, segment, F),
        `valid` (B, segment), 1 for a usable beat -> `logits` and `evidence`, both
        (B, outputs, K), and `embedding` (B, outputs, E), for the last `outputs` beats. `evidence`
        is the average of the class evidence map: a loss on it gives the map its meaning. With
        `config.p_wave` also `p_wave` (B, outputs), the logit of "has a P wave".
    encoder: `window` and `template` (1, 1, window, 1), `features` (1, F) ->
        `embedding` (1, E), `cam` (1, 1, T, K).
    context: `history` (1, leads, history, E), masked rows zero, `valid` (1, leads, history, 1) ->
        `logits` (1, K).

    With two leads the inputs of `training_model` are (B, 2, segment, ...); `evidence` and
    `embedding` are means over the leads that are there.
    """

    config: StudentConfig
    training_model: keras.Model
    encoder: keras.Model
    context: keras.Model

    @property
    def beat(self) -> keras.Model:
        """The beat encoder of any batch size."""
        return self.training_model.get_layer("beat")

    @property
    def sequence(self) -> keras.Model:
        """The context network over any number of beats."""
        return self.training_model.get_layer("sequence")

    @property
    def n_weights(self) -> int:
        """Weights of both graphs, normalization statistics included."""
        return int(self.encoder.count_params() + self.context.count_params())


def build_student(config: StudentConfig) -> StudentModels:
    """Fresh, randomly initialized student; seed with `keras.utils.set_random_seed` before."""
    return assemble(config, _beat_network(config), _context_network(config))


def assemble(config: StudentConfig, beat: keras.Model, sequence: keras.Model) -> StudentModels:
    """The three models over a beat encoder and a context network made elsewhere.

    `beat`: `window` and `template` (n, 1, window, 1), `features` (n, F) -> embedding (n, E),
    evidence map (n, 1, T, K). `sequence`: `history` (B, 1, n, E), `valid` (B, 1, n, 1) -> logits
    (B, 1, n - history + 1, K).
    """
    return StudentModels(
        config=config,
        training_model=_training_model(config, beat, sequence),
        encoder=_encoder_graph(config, beat),
        context=_context_graph(config, sequence),
    )


def multiply_adds(config: StudentConfig) -> int:
    """Multiply-adds of one beat, on every lead, through both deployed graphs."""
    beat = sum(map(layer_multiply_adds, _beat_network(config).layers))
    context = _context_network(config, config.history).layers
    return config.leads * beat + sum(map(layer_multiply_adds, context))


def layer_multiply_adds(layer: Any) -> int:
    """Multiply-adds of a layer with constant sizes; 0 for one without weights to multiply."""
    if not isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
        return 0
    kernel = layer.kernel.shape
    if isinstance(layer, layers.Dense):
        return int(kernel[0] * kernel[1])
    positions = int(layer.output.shape[1] * layer.output.shape[2])
    weights = 1
    for size in kernel:
        weights *= int(size)
    return positions * weights


def _activated(x: Tensor, name: str, momentum: float = _ENCODER_MOMENTUM) -> Tensor:
    x = FusedNormalization(momentum=momentum, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _beat_network(config: StudentConfig) -> keras.Model:
    """One beat to its embedding and class evidence map, any batch size."""
    window = keras.Input((1, config.window, 1), name="window")
    template = keras.Input((1, config.window, 1), name="template")
    features = keras.Input((config.n_features,), name="features")
    x = beat_trunk(config, window, template)
    cam = layers.Conv2D(config.n_classes, 1, name="evidence_map")(x)
    pooled = layers.GlobalAveragePooling2D(name="pool")(x)
    dense = layers.Dense(config.feature_units, use_bias=False, name="feature_dense")(features)
    dense = _activated(dense, "feature_dense")
    joined = layers.Concatenate(axis=-1, name="join")([pooled, dense])
    joined = layers.Dropout(config.dropout, name="join_dropout")(joined)
    embedding = layers.Dense(config.embedding, use_bias=False, name="embedding_dense")(joined)
    embedding = _activated(embedding, "embedding")
    return keras.Model([window, template, features], [embedding, cam], name="beat")


def beat_trunk(config: StudentConfig, window: Tensor, template: Tensor) -> Tensor:
    """Window and template (B, 1, L, 1) to the map (B, 1, T, C) before pooling.

    It is what pre-training shares; its layers are found by their names.
    """
    x = layers.Concatenate(axis=-1, name="pair")([window, template])
    x = layers.Conv2D(
        config.stem,
        (1, config.stem_kernel),
        strides=(2, 2),
        padding="same",
        use_bias=False,
        name="stem",
    )(x)
    x = _activated(x, "stem")
    for number, (channels, stride) in enumerate(config.blocks, start=1):
        x = _separable_block(x, f"block{number}", channels, stride, config.kernel)
    return x


def _separable_block(x: Tensor, name: str, channels: int, stride: int, kernel: int) -> Tensor:
    x = layers.DepthwiseConv2D(
        (1, kernel), strides=(stride, stride), padding="same", use_bias=False, name=f"{name}_depth"
    )(x)
    x = _activated(x, f"{name}_depth")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_point")(x)
    return _activated(x, f"{name}_point")


def _context_network(config: StudentConfig, beats: int | None = None) -> keras.Model:
    """Embeddings of n beats to logits of the last n - history + 1, unpadded; None: any n."""
    history = keras.Input((config.leads, beats, config.embedding), name="history")
    valid = keras.Input((config.leads, beats, 1), name="valid")
    if config.leads == 1:
        x = layers.Concatenate(axis=-1, name="rows")([history, valid])
    else:
        x = fuse_leads(history, valid, config.context_channels, _ENCODER_MOMENTUM)
    x = layers.Conv2D(config.context_channels, 1, use_bias=False, name="context_in")(x)
    x = _activated(x, "context_in")
    for dilation in config.dilations:
        x = _causal_block(x, config, dilation)
    x = layers.Dropout(config.dropout, name="head_dropout")(x)
    logits = layers.Conv2D(config.n_classes, 1, name="head")(x)
    return keras.Model([history, valid], logits, name="sequence")


def _causal_block(x: Tensor, config: StudentConfig, dilation: int) -> Tensor:
    name = f"context{dilation}"
    y = layers.DepthwiseConv2D(
        (1, config.context_kernel),
        # Both axes alike: the height is 1, and accelerators refuse unequal dilations.
        dilation_rate=(dilation, dilation),
        padding="valid",
        use_bias=False,
        name=f"{name}_depth",
    )(x)
    y = _activated(y, f"{name}_depth")
    y = layers.Conv2D(config.context_channels, 1, use_bias=False, name=f"{name}_point")(y)
    y = FusedNormalization(momentum=_ENCODER_MOMENTUM, name=f"{name}_point_norm")(y)
    seen = (config.context_kernel - 1) * dilation
    newest = layers.Cropping2D(((0, 0), (seen, 0)), name=f"{name}_newest")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([newest, y]))


def _training_model(config: StudentConfig, beat: keras.Model, sequence: keras.Model) -> keras.Model:
    n, size, leads = config.segment, config.window, config.leads
    rows_of = (n,) if leads == 1 else (leads, n)
    window = keras.Input((*rows_of, size), name="window")
    template = keras.Input((*rows_of, size), name="template")
    features = keras.Input((*rows_of, config.n_features), name="features")
    valid = keras.Input(rows_of, name="valid")
    ops = keras.ops
    embedding, cam = beat(
        [
            ops.reshape(window, (-1, 1, size, 1)),
            ops.reshape(template, (-1, 1, size, 1)),
            ops.reshape(features, (-1, config.n_features)),
        ]
    )
    mask = ops.reshape(valid, (-1, leads, n, 1))
    rows = ops.reshape(embedding, (-1, leads, n, config.embedding)) * mask
    logits = sequence([rows, mask])[:, 0, -config.outputs :, :]
    evidence = ops.reshape(ops.mean(cam, axis=(1, 2)), (-1, leads, n, config.n_classes))
    outputs = {
        "logits": logits,
        "evidence": _of_leads(evidence, mask)[:, -config.outputs :, :],
        "embedding": _of_leads(rows, mask)[:, -config.outputs :, :],
    }
    if config.p_wave:
        p_wave = ops.reshape(layers.Dense(1, name="p_wave")(embedding), (-1, leads, n, 1))
        outputs["p_wave"] = _of_leads(p_wave, mask)[:, -config.outputs :, 0]
    return keras.Model([window, template, features, valid], outputs, name="student")


def _of_leads(values: Tensor, mask: Tensor) -> Tensor:
    """Rows (B, leads, n, C) averaged over the leads that are there, (B, n, C)."""
    if values.shape[1] == 1:
        return values[:, 0]
    ops = keras.ops
    return ops.sum(values * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)


def _encoder_graph(config: StudentConfig, beat: keras.Model) -> keras.Model:
    window = keras.Input((1, config.window, 1), batch_size=1, name="window")
    template = keras.Input((1, config.window, 1), batch_size=1, name="template")
    features = keras.Input((config.n_features,), batch_size=1, name="features")
    embedding, cam = beat([window, template, features])
    return keras.Model(
        [window, template, features], {"embedding": embedding, "cam": cam}, name="encoder"
    )


def _context_graph(config: StudentConfig, sequence: keras.Model) -> keras.Model:
    leads, n = config.leads, config.history
    history = keras.Input((leads, n, config.embedding), batch_size=1, name="history")
    valid = keras.Input((leads, n, 1), batch_size=1, name="valid")
    logits = keras.ops.reshape(sequence([history, valid]), (1, config.n_classes))
    return keras.Model([history, valid], {"logits": logits}, name="context")
