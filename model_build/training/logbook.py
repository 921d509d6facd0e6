"""What TensorBoard shows of a run: scalars of every epoch, in a folder of the run's own.

tensorboard --logdir WORK/runs
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_SCALAR: Final = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
)
"""What `tf.summary.scalar` writes; that function itself needs the TensorBoard package."""


def log_folder(checkpoint: Path) -> Path:
    """The run's folder: beside its checkpoint, with its name."""
    return checkpoint.with_suffix("")


def write_epoch(folder: Path, epoch: int, scalars: Mapping[str, float]) -> None:
    """Add one epoch, counted from 1, to the run in `folder`."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for name, value in scalars.items():
            tf.summary.write(name, tf.constant(value, tf.float32), epoch, metadata=_SCALAR)
    writer.close()


def recalls(
    hits: NDArray[np.int64], beats: NDArray[np.int64], classes: Sequence[str]
) -> dict[str, float]:
    """Share of the beats of each class that were called so, of `class_hits` summed, (K,) each."""
    return {
        f"recall/{name}": float(h / n) for name, h, n in zip(classes, hits, beats, strict=True) if n
    }
