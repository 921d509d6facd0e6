"""Bias correction: what rounding shifts on average is taken back by the biases.

Rounded weights shift the mean of every output channel. Layer by layer, in the order they run,
the mean over the calibration beats is compared with the float student's and the difference goes
into the bias (Nagel et al. 2019, section 4.2, the measured variant).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from model_build.models.student import StudentModels
from model_build.models.wiring import WEIGHTED, chains

Beats = Mapping[str, NDArray[np.float32]]


def correct_biases(
    simulated: StudentModels, reference: StudentModels, items: Iterable[Beats]
) -> None:
    """Set the biases of `simulated` so that its means are those of `reference`.

    `items` are calibration beats with their histories, as `quantize_student` takes them. The
    context network sees each student's own embeddings, so it makes up for the encoder's error.
    """
    listed = list(items)
    beats = {key: np.stack([item[key] for item in listed]) for key in listed[0]}
    newest = _newest(beats)
    _correct(simulated.beat, reference.beat, newest, newest)
    _correct(
        simulated.sequence,
        reference.sequence,
        _histories(simulated.beat, beats),
        _histories(reference.beat, beats),
    )


def _correct(
    simulated: keras.Model, reference: keras.Model, inputs: list[Any], reference_inputs: list[Any]
) -> None:
    parts = {name: c for name, c in chains(reference).items() if isinstance(c.layer, WEIGHTED)}
    outputs = [chain.linear.output for chain in parts.values()]
    wanted = keras.Model(reference.inputs, outputs)(reference_inputs, training=False)
    for name, aim in zip(parts, wanted, strict=True):
        layer = simulated.get_layer(name)
        found = keras.Model(simulated.inputs, layer.output)(inputs, training=False)
        layer.bias.assign_add(_mean(aim) - _mean(found))


def _mean(values: Any) -> NDArray[np.float32]:
    array = np.asarray(values, np.float64)
    mean: NDArray[np.float32] = array.reshape(-1, array.shape[-1]).mean(axis=0).astype(np.float32)
    return mean


def _newest(beats: Beats) -> list[Any]:
    """The listed beats themselves, on every lead that the device would look at."""
    used = beats["valid"][..., -1] > 0
    return _rows(*(beats[key][..., -1, :][used] for key in ("window", "template", "features")))


def _rows(window: Any, template: Any, features: Any) -> list[Any]:
    size = window.shape[-1]
    return [
        window.reshape(-1, 1, size, 1),
        template.reshape(-1, 1, size, 1),
        features.reshape(-1, features.shape[-1]),
    ]


def _histories(beat: keras.Model, beats: Beats) -> list[Any]:
    """Embeddings (k, leads, history, E), masked rows zero, and the mask (..., 1)."""
    k, n = beats["valid"].shape[0], beats["valid"].shape[-1]
    rows = _rows(beats["window"], beats["template"], beats["features"])
    embedding, _ = beat(rows, training=False)
    mask = beats["valid"].reshape(k, -1, n, 1)
    rows_of = np.asarray(embedding, np.float32).reshape(*mask.shape[:-1], embedding.shape[-1])
    return [rows_of * mask, mask]
