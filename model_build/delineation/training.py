"""Training the delineation network: seeded, resumable after every epoch, on any Keras backend."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from edge_runtime.signal.windows import LENGTH, R_AT
from model_build.delineation.corpus import MarkedBeats
from model_build.delineation.network import NetworkConfig, build_network
from model_build.delineation.recipe import Alteration, DelineationRecipe, Training
from model_build.pretraining.targets import PWave
from model_build.stopping import check_stop
from model_build.training import checkpoint

Report = Callable[[int, int, int, float], None]
"""Called after each step: epoch, steps done, steps of the epoch, its loss."""

_PREDICTED = 1024


def train(beats: MarkedBeats, recipe: DelineationRecipe, path: Path, report: Report) -> keras.Model:
    """Train on all `beats`, resuming from the checkpoint at `path` if it is of this run."""
    rule = recipe.training
    beats = beats[beats.teaches]
    keras.utils.set_random_seed(recipe.seed)
    model = build_network(NetworkConfig(**recipe.network))
    steps = max(1, len(beats) // rule.batch)
    _compile(model, rule, rule.epochs * steps)
    optimizer = model.optimizer
    run = _run_name(recipe, beats)
    path.parent.mkdir(parents=True, exist_ok=True)
    found = checkpoint.restore(path, run, model, optimizer)
    progress = found[0] if found else checkpoint.Progress(run, 0, ())
    for epoch in range(progress.epoch, rule.epochs):
        check_stop()
        random = np.random.default_rng((recipe.seed, epoch))
        order = random.permutation(len(beats))[: steps * rule.batch].reshape(steps, rule.batch)
        losses = []
        for done, rows in enumerate(order, start=1):
            window, places = altered(
                beats.window[rows].astype(np.float32), beats.places[rows],
                recipe.alteration, random,
            )  # fmt: skip
            truth = {
                "places": targets(places, rule.width_samples),
                "present": beats.present[rows].astype(np.float32),
            }
            losses.append(float(model.train_on_batch(window[:, None, :, None], truth)[0]))
            report(epoch, done, steps, losses[-1])
        mean = float(np.mean(losses))
        progress = replace(progress, epoch=epoch + 1, losses=(*progress.losses, mean))
        checkpoint.save(path, progress, model, optimizer, [])
    return model


def predict(model: keras.Model, window: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Logits of windows (n, 160): `places` (n, 160, 9) and `present` (n, 2), float32."""
    shown = np.asarray(window, np.float32)[:, None, :, None]
    said = model.predict(shown, batch_size=_PREDICTED, verbose=0)
    return said["places"][:, 0], said["present"]


def altered(
    window: NDArray[np.float32],
    places: NDArray[np.float32],
    rule: Alteration,
    random: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows (n, 160) as another heart and recorder had given them, and their places (n, 9)."""
    n = len(window)
    stretch = np.exp(random.normal(0, rule.stretch_sd, (n, 1)))
    shift = random.uniform(-rule.shift_samples, rule.shift_samples, (n, 1))
    # Sample i of the new window shows what stood at `at` of the old one.
    at = np.clip((np.arange(LENGTH) - R_AT - shift) / stretch + R_AT, 0, LENGTH - 1)
    left = np.minimum(at.astype(np.int64), LENGTH - 2)
    weight = (at - left).astype(np.float32)
    x = np.take_along_axis(window, left, axis=1) * (1 - weight)
    x += np.take_along_axis(window, left + 1, axis=1) * weight
    gain = np.exp(random.normal(0, rule.gain_sd, (n, 1)))
    x *= np.where(random.random((n, 1)) < rule.inverted_share, -gain, gain).astype(np.float32)
    loud = rule.noise_sd * random.random((n, 1), dtype=np.float32)
    x += loud * random.standard_normal((n, LENGTH), dtype=np.float32)
    slope = random.uniform(-rule.slope, rule.slope, (n, 1))
    x += (slope * np.linspace(-1, 1, LENGTH)).astype(np.float32)
    moved = (places - R_AT) * stretch + R_AT + shift
    # A place that has left the window is not known any more.
    moved[(moved < 0) | (moved > LENGTH - 1)] = np.nan
    return x.astype(np.float32), moved.astype(np.float32)


def targets(places: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """A bell over the window's samples around each known place (n, 9): (n, 1, 160, 9), each known
    one of sum 1, all zero for an unknown one."""
    known = np.isfinite(places)
    centre = np.where(known, places, 0.0)
    off = (np.arange(LENGTH)[None, :, None] - centre[:, None, :]) / width
    bell = np.exp(-0.5 * off * off) * known[:, None, :]
    total = np.maximum(bell.sum(axis=1, keepdims=True), 1e-6)
    target: NDArray[np.float32] = (bell / total).astype(np.float32)[:, None]
    return target


def _compile(model: keras.Model, rule: Training, steps: int) -> None:
    warm = max(1, round(rule.warmup_share * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm), warmup_target=rule.learning_rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=rule.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer,
        loss={"places": _places_loss, "present": _present_loss},
        loss_weights={"places": 1.0, "present": rule.present_loss},
    )


def _places_loss(target: Any, logits: Any) -> Any:
    """Cross-entropy over the window's samples, mean over the known landmarks."""
    each = -ops.sum(target * ops.log_softmax(logits, axis=2), axis=2)
    known = ops.cast(ops.sum(target, axis=2) > 0.5, "float32")
    return _mean(each, known)


def _present_loss(present: Any, logits: Any) -> Any:
    known = ops.cast(present != float(PWave.UNKNOWN), "float32")
    target = ops.cast(present == float(PWave.PRESENT), "float32")
    return _mean(ops.softplus(logits) - target * logits, known)


def _mean(each: Any, weight: Any) -> Any:
    return ops.sum(each * weight) / ops.maximum(ops.sum(weight), 1.0)


def _run_name(recipe: DelineationRecipe, beats: MarkedBeats) -> str:
    rule = [recipe.seed, recipe.network, asdict(recipe.alteration), asdict(recipe.training)]
    digest = hashlib.sha256(json.dumps(rule).encode())
    for array in (beats.window, beats.places, beats.present):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
