"""Full-integer quantization of one network of one input, in a process of its own.

python -m model_build.quantize_graph FOLDER     (the worker; called by `quantize_graph`)
"""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from model_build.errors import QuantizeError
from model_build.quantize import run_worker, to_int8
from model_build.tflite_file import TfliteFile

if TYPE_CHECKING:
    import keras

_MODEL: Final = "graph.keras"
_SAMPLES: Final = "samples.npz"
_GRAPH: Final = "graph.tflite"


def quantize_graph(model: "keras.Model", samples: NDArray[np.float32], out: Path) -> None:
    """Write the INT8 graph of `model` (batch 1) to `out`; ranges come from `samples` (n, *input).

    The same model and samples give the same bytes. Raises QuantizeError with the converter's words.
    """
    if not len(samples):
        raise QuantizeError("there are no samples; ranges cannot be measured")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / _MODEL)
        np.savez(folder / _SAMPLES, samples=samples.astype(np.float32))
        run_worker("model_build.quantize_graph", folder)
        out.write_bytes((folder / _GRAPH).read_bytes())


def _convert(folder: Path) -> None:
    """The worker."""
    import keras  # noqa: PLC0415 - only the worker pays for TensorFlow

    model: Any = keras.models.load_model(folder / _MODEL)
    (shown,) = model.inputs
    with np.load(folder / _SAMPLES) as stored:
        rows = [{shown.name: row[np.newaxis]} for row in stored["samples"]]
    (folder / _GRAPH).write_bytes(TfliteFile(to_int8(model, rows)).packed())


if __name__ == "__main__":
    _convert(Path(sys.argv[1]))
