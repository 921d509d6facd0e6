"""Full-integer post-training quantization of a student's two graphs.

    python -m model_build.quantize FOLDER     (the worker; called by `quantize_student`)

The conversion runs in a process of its own: TensorFlow's converter can end a process with a
segmentation fault, and a clean process makes the result reproducible byte for byte. Ranges come
from a committed list of beats (`model_build/calibration.py`), each with its whole history.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from model_build.errors import QuantizeError
from model_build.tflite_file import TfliteFile

if TYPE_CHECKING:
    import keras

_INPUTS: Final = ("window", "template", "features", "valid")
_FILES: Final = ("encoder", "context")
_CALIBRATION: Final = "calibration.npz"

_AT_ONCE: Final = 32
"""Histories embedded in one call: some 100 MB."""

_WORKER_SETTINGS: Final = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Other kernels round differently; the ranges would depend on the processor.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


@dataclass(frozen=True, slots=True)
class QuantizedStudent:
    """Paths of the two INT8 graphs."""

    encoder: Path
    context: Path


def quantize_student(
    encoder: "keras.Model",
    context: "keras.Model",
    calibration: Iterable[dict[str, NDArray[np.float32]]],
    out_dir: Path,
) -> QuantizedStudent:
    """Write `encoder.tflite` and `context.tflite` into `out_dir`, all tensors INT8.

    Each calibration item is one beat with its history, oldest first, itself last: `window` and
    `template` (31, 160), `features` (31, F) standardized as the network sees them, `valid` (31,);
    for a student of two leads with the leads in front, (2, 31, ...). The same models and
    items give the same bytes. Raises QuantizeError with the converter's words.
    """
    items = list(calibration)
    if not items:
        raise QuantizeError("the calibration list gave no beats; ranges cannot be measured")
    stacked = {key: np.stack([item[key] for item in items]).astype(np.float32) for key in _INPUTS}
    return _converted(encoder, context, stacked, out_dir)


def float_graphs(encoder: "keras.Model", context: "keras.Model", out_dir: Path) -> QuantizedStudent:
    """The same two files with float32 weights: what INT8 is measured against, never shipped."""
    return _converted(encoder, context, {}, out_dir)


def _converted(
    encoder: "keras.Model", context: "keras.Model", beats: dict[str, Any], out_dir: Path
) -> QuantizedStudent:
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder.save(folder / "encoder.keras")
        context.save(folder / "context.keras")
        if beats:
            np.savez(folder / _CALIBRATION, **beats)
        run_worker("model_build.quantize", folder)
        for graph in _FILES:
            (out_dir / f"{graph}.tflite").write_bytes((folder / f"{graph}.tflite").read_bytes())
    return QuantizedStudent(out_dir / "encoder.tflite", out_dir / "context.tflite")


def run_worker(module: str, folder: Path) -> None:
    """Run `python -m module folder` as converters are run. Raises QuantizeError if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module, str(folder)],
        env={**os.environ, **_WORKER_SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = "\n".join(done.stderr.splitlines()[-15:])
        raise QuantizeError(f"the converter ended with status {done.returncode}:\n{words}")


def _convert_all(folder: Path) -> None:
    """The worker: both graphs of `folder`, INT8 where it has calibration beats, else float."""
    import keras  # noqa: PLC0415 - only the worker pays for TensorFlow

    import model_build.models.normalization  # noqa: F401, PLC0415 - a layer that files name

    encoder = keras.models.load_model(folder / "encoder.keras")
    context = keras.models.load_model(folder / "context.keras")
    samples: dict[str, list[Sample]] = {}
    if (folder / _CALIBRATION).is_file():
        with np.load(folder / _CALIBRATION) as stored:
            beats = {key: stored[key] for key in _INPUTS}
        samples["encoder"] = _encoder_samples(beats)
        samples["context"] = _context_samples(beats, encoder)
    for name, model in (("encoder", encoder), ("context", context)):
        found = to_int8(model, samples[name]) if samples else _to_float(model)
        (folder / f"{name}.tflite").write_bytes(TfliteFile(found).packed())


Sample = dict[str, NDArray[np.float32]]


def _encoder_samples(beats: Sample) -> list[Sample]:
    """The newest beat of each item, on every lead that shows it."""
    window, template, features, valid = (_by_lead(beats, key)[:, :, -1] for key in _INPUTS)
    return [
        {
            "window": window[place].reshape(1, 1, -1, 1),
            "template": template[place].reshape(1, 1, -1, 1),
            "features": features[place].reshape(1, -1),
        }
        for place in map(tuple, np.argwhere(valid > 0))
    ]


def _by_lead(beats: Sample, key: str) -> NDArray[np.float32]:
    """A tensor as (items, leads, 31, ...)."""
    values = beats[key]
    return values if beats["valid"].ndim == 3 else values[:, np.newaxis]


def _context_samples(beats: Sample, encoder: "keras.Model") -> list[Sample]:
    """Histories as the float encoder embeds them, masked rows zero."""
    core = encoder.get_layer("beat")  # the same network, of any batch size
    whole = [_by_lead(beats, key) for key in _INPUTS]
    samples = []
    for first in range(0, len(beats["valid"]), _AT_ONCE):
        window, template, features, valid = (part[first : first + _AT_ONCE] for part in whole)
        *every, size = window.shape
        n = int(np.prod(every))
        rows, _ = core(
            [
                window.reshape(n, 1, size, 1),
                template.reshape(n, 1, size, 1),
                features.reshape(n, -1),
            ],
            training=False,
        )
        history = np.asarray(rows, np.float32).reshape(every[0], 1, *every[1:], -1)
        mask = valid.reshape(every[0], 1, *every[1:], 1)
        samples += [
            {"history": one, "valid": used} for one, used in zip(history * mask, mask, strict=True)
        ]
    return samples


def _to_float(model: "keras.Model") -> bytes:
    import tensorflow as tf  # noqa: PLC0415 - only the worker pays for TensorFlow

    return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def to_int8(model: "keras.Model", samples: list[Sample]) -> bytes:
    """The converted model, all tensors INT8; `samples` give its inputs by name. Worker only."""
    import tensorflow as tf  # noqa: PLC0415 - only the worker pays for TensorFlow

    def representative() -> Iterator[Sample]:
        yield from samples

    converter: Any = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    # Accelerators want dense layers quantized per tensor.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


if __name__ == "__main__":
    _convert_all(Path(sys.argv[1]))
