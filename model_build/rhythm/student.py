"""The network that ships: dense layers that learn what the trees say, then INT8.

python -m model_build.rhythm.student FOLDER     (the worker that converts)
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.rhythm import RHYTHM_FEATURES
from model_build.quantize import run_worker, to_int8
from model_build.rhythm.boosting import Trees
from model_build.rhythm.recipe import RhythmRecipe
from model_build.rhythm.recordings import CLASSES
from model_build.rhythm.tensors import RhythmPool
from model_build.tflite_file import TfliteFile

CALIBRATION: Final = 500
"""Hops that INT8 ranges are measured on, drawn from those that train."""


@dataclass(frozen=True, slots=True, eq=False)
class RhythmScaling:
    """Standardization of the features: clip((x - centre) / scale, -clip, clip)."""

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    clip: float

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (k, F) to what the network sees."""
        scaled = (features - self.centre) / self.scale
        out: NDArray[np.float32] = np.clip(scaled, -self.clip, self.clip).astype(np.float32)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class RhythmStudent:
    """A float network, what it sees, and hops to calibrate INT8 on, (CALIBRATION, F)."""

    model: Any
    scaling: RhythmScaling
    calibration: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (k, K) of hops."""
        found = self.model.predict(self.scaling(features), batch_size=4096, verbose=0)
        return np.asarray(found, np.float32)


def train_student(pool: RhythmPool, trees: Trees, recipe: RhythmRecipe) -> RhythmStudent:
    """Learn the trees' scores on drawn hops and on altered copies of them.

    The copies lie between what was recorded, where the trees' own steps would be learnt by heart.
    """
    import keras  # noqa: PLC0415 - TensorFlow, which who fits trees alone does not pay for

    rule = recipe.student
    random = np.random.default_rng(recipe.seed)
    drawn = {name: rule.hops * n for name, n in recipe.per_recording.items()}
    rows = pool.draw(drawn, random)
    scaling = _scaling(pool.features[rows], rule.clip)
    features = _altered(pool.features[rows], scaling.scale, recipe, random)
    said = trees.scores(features).astype(np.float32)
    keras.utils.set_random_seed(recipe.seed)
    model = _network(rule.widths)
    steps = rule.epochs * (len(features) // rule.batch + 1)
    rate = keras.optimizers.schedules.CosineDecay(rule.learning_rate, steps, alpha=0.01)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=rule.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    model.fit(scaling(features), said, batch_size=rule.batch, epochs=rule.epochs, verbose=0)
    calibration = scaling(pool.features[random.choice(rows, CALIBRATION, replace=False)])
    return RhythmStudent(model, scaling, calibration)


def quantized(student: RhythmStudent) -> bytes:
    """The INT8 graph: `features` (1, F) to `logits` (1, K). The same student gives the same bytes.

    Converted in a process of its own, which the converter can end. Raises QuantizeError with its
    words.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _one_hop(student.model).save(folder / "model.keras")
        np.save(folder / "calibration.npy", student.calibration)
        run_worker("model_build.rhythm.student", folder)
        return (folder / "model.tflite").read_bytes()


def _scaling(features: NDArray[np.float32], clip: float) -> RhythmScaling:
    x = features.astype(np.float64)
    spread = x.std(axis=0)
    scale = np.where(spread > 1e-6, spread, 1.0)
    return RhythmScaling(x.mean(axis=0).astype(np.float32), scale.astype(np.float32), clip)


def _altered(
    features: NDArray[np.float32],
    scale: NDArray[np.float32],
    recipe: RhythmRecipe,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """The hops (k, F), and `copies` of each: (k * (copies + 1), F)."""
    rule, k = recipe.student, len(features)
    parts = [features]
    for _ in range(rule.copies):
        other = features[random.permutation(k)]
        way = random.uniform(0.0, rule.blend, (k, 1))
        noise = random.normal(0.0, rule.noise_sd, features.shape) * scale
        parts.append((features + way * (other - features) + noise).astype(np.float32))
    return np.concatenate(parts)


def _network(widths: tuple[int, ...]) -> Any:
    import keras  # noqa: PLC0415

    x = features = keras.Input((len(RHYTHM_FEATURES),), name="features")
    for width in widths:
        x = keras.layers.ReLU(6.0)(keras.layers.Dense(width)(x))
    return keras.Model(features, keras.layers.Dense(len(CLASSES), name="logits")(x))


def _one_hop(model: Any) -> Any:
    """The same network, batch 1, its output by name."""
    import keras  # noqa: PLC0415

    features = keras.Input((len(RHYTHM_FEATURES),), batch_size=1, name="features")
    return keras.Model([features], {"logits": model(features)})


def _convert(folder: Path) -> None:
    import keras  # noqa: PLC0415

    model = keras.models.load_model(folder / "model.keras")
    samples = [{"features": row[np.newaxis]} for row in np.load(folder / "calibration.npy")]
    (folder / "model.tflite").write_bytes(TfliteFile(to_int8(model, samples)).packed())


if __name__ == "__main__":
    _convert(Path(sys.argv[1]))
