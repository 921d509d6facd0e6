"""Fits the detector's score: one hidden layer, in numpy, seeded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Examples:
    """Comparisons the detector made: `features` (n, f), `beat` (n,) 0 or 1, `weight` (n,)."""

    features: NDArray[np.float32]
    beat: NDArray[np.float32]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.beat)

    def __add__(self, other: "Examples") -> "Examples":
        return Examples(
            np.concatenate((self.features, other.features)),
            np.concatenate((self.beat, other.beat)),
            np.concatenate((self.weight, other.weight)),
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """Adam with cosine decay; the weights that ship are an exponential mean over the steps."""

    hidden: int = 24
    epochs: int = 8
    batch: int = 2048
    rate: float = 4e-3
    decay: float = 1e-5


def fit(examples: Examples, seed: int, schedule: Schedule) -> tuple[Floats, Floats]:
    """Hidden (h, f + 1) and output (h + 1,) weights for the features as they are, biases last."""
    rng = np.random.default_rng(seed)
    x, y, weight = examples.features, examples.beat, examples.weight
    centre = x.mean(axis=0)
    scale = x.std(axis=0) + 1e-3
    n_features, h = x.shape[1], schedule.hidden
    parameters = [
        (rng.normal(size=(n_features, h)) * np.sqrt(2 / n_features)).astype(np.float32),
        np.zeros(h, dtype=np.float32),
        (rng.normal(size=h) * 0.3).astype(np.float32),
        np.zeros(1, dtype=np.float32),
    ]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    mean = [p.copy() for p in parameters]
    batches = len(x) // schedule.batch
    steps = schedule.epochs * batches
    step = 0
    for _ in range(schedule.epochs):
        order = rng.permutation(len(x))
        for start in range(0, batches * schedule.batch, schedule.batch):
            rows = order[start : start + schedule.batch]
            z = (x[rows] - centre) / scale
            gradients = _gradients(z, y[rows], weight[rows], parameters)
            gradients[0] += np.float32(schedule.decay) * parameters[0]
            step += 1
            rate = schedule.rate * 0.5 * (1 + np.cos(np.pi * step / steps)) + 1e-5
            for i, gradient in enumerate(gradients):
                first[i] = 0.9 * first[i] + 0.1 * gradient
                second[i] = 0.999 * second[i] + 0.001 * gradient**2
                move = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
                parameters[i] = (parameters[i] - rate * move).astype(np.float32)
                mean[i] += 0.005 * (parameters[i] - mean[i])
    weights = mean[0].astype(np.float64) / scale.astype(np.float64)[:, None]
    bias = mean[1].astype(np.float64) - centre.astype(np.float64) @ weights
    hidden = np.concatenate((weights.T, bias[:, None]), axis=1)
    output = np.concatenate((mean[2], mean[3])).astype(np.float64)
    return np.round(hidden, 6), np.round(output, 6)


def _gradients(
    z: NDArray[np.float32],
    y: NDArray[np.float32],
    weight: NDArray[np.float32],
    parameters: list[NDArray[np.float32]],
) -> list[NDArray[np.float32]]:
    """Of the weighted logistic loss, in the order of the parameters."""
    inner = z @ parameters[0] + parameters[1]
    active = np.maximum(inner, 0)
    score = active @ parameters[2] + parameters[3]
    error = (1 / (1 + np.exp(-np.clip(score, -30, 30))) - y) * weight / len(y)
    back = np.outer(error, parameters[2]) * (inner > 0)
    return [z.T @ back, back.sum(axis=0), active.T @ error, error.sum(keepdims=True)]
