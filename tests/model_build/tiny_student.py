"""A small recipe, made-up beats and a student trained on them for a moment."""

from dataclasses import replace

import numpy as np

from edge_runtime.signal.features import FEATURES
from model_build.datasets.recording import Target
from model_build.recipe import Recipe, read_recipe
from model_build.recipe_files import recipe_path
from model_build.training.beats import PreparedBeats

N_FEATURES = len(FEATURES)
HISTORY = 7
SIZES = {
    "stem": 6,
    "blocks": [[8, 2], [8, 2]],
    "feature_units": 6,
    "embedding": 8,
    "history": HISTORY,
    "dilations": [1, 2],
    "context_channels": 8,
}


def recipe(**changed) -> Recipe:
    """Short epochs of a student of some thousand weights."""
    shipped = read_recipe(recipe_path("beats-first"))
    return replace(
        shipped,
        student=SIZES,
        segments=replace(shipped.segments, beats=24, quiet_share=1.0),
        optimizer=replace(
            shipped.optimizer, epochs=6, batch_segments=4, ema=0.8, learning_rate=0.01
        ),
        **changed,
    )


def beats(key: str, seed: int, n: int = 240) -> PreparedBeats:
    """V beats are wide, S beats have a large first feature."""
    random = np.random.default_rng(seed)
    classes = [Target.N, Target.S, Target.V, Target.IGNORE]
    target = random.choice(classes, n, p=[0.6, 0.15, 0.2, 0.05]).astype(np.uint8)
    t = np.arange(160) - 88
    width = np.where(target == Target.V, 14.0, 4.0)[:, None]
    window = 1.4 * np.exp(-((t / width) ** 2)) + 0.1 * random.standard_normal((n, 160))
    features = random.standard_normal((n, N_FEATURES)).astype(np.float32)
    features[:, 0] += 4.0 * (target == Target.S)
    return PreparedBeats(
        key=key,
        subject=key,
        group="beats",
        view="native",
        starts=np.array([0, n // 2]),
        at=np.arange(n) * 200,
        window=np.clip(window, -2, 2).astype(np.float16),
        template=np.tile(np.exp(-((t / 4.0) ** 2)), (n, 1)).astype(np.float16),
        features=features,
        valid=random.random(n) < 0.95,
        tentative=np.zeros(n, np.bool_),
        target=target,
    )


def quiet(*_) -> None:
    """Reports nothing."""


def outputs(student, seed: int = 0) -> dict[str, np.ndarray]:
    """What a student says of random segments, by output."""
    random = np.random.default_rng(seed)
    config = student.config
    inputs = [
        random.normal(size=(2, config.segment, size)).astype(np.float32)
        for size in (config.window, config.window, config.n_features)
    ]
    inputs.append((random.random((2, config.segment)) > 0.1).astype(np.float32))
    said = student.training_model(inputs, training=False)
    return {name: np.asarray(values) for name, values in said.items()}
