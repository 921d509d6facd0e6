"""Structured pruning: whole channels go, those whose loss costs least for the bytes they free.

What a channel is worth is measured on training beats: the first-order estimate of how much the
loss changes without it, |activation x gradient| summed over where the channel acts (Molchanov et
al. 2019), root mean square over batches. After every step the student is trained on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from model_build.channels import gates, narrowed, payload_bytes, widths
from model_build.crossval import Fitted
from model_build.finetune import finetune, shortened
from model_build.models.student import StudentConfig, StudentModels, assemble
from model_build.models.wiring import copied, rebuilt
from model_build.recipe import Prune, Recipe
from model_build.teacher.predict import Advice
from model_build.training.beats import Pool, PreparedBeats, pool
from model_build.training.loop import Report
from model_build.training.losses import class_weights, set_cross_entropy
from model_build.training.scaling import Scaling
from model_build.training.segments import Batch, gather, plan_epoch

Importance = dict[str, NDArray[np.float64]]
"""Of every group's channels."""

_BATCHES: Final = 40
"""Batches that importance is measured on: some 60,000 beats by the shipped recipes."""
_LEAST: Final = 4
"""Channels that every group keeps."""
_MOST_OF_A_GROUP: Final = 0.5
"""Share of a group that one step may take: the estimate is of the first order."""


class _Gate(layers.Layer):  # type: ignore[misc]
    """Multiplies channels by ones, so that the loss has a gradient by channel."""

    def __init__(self, ones: Any, name: str) -> None:
        super().__init__(name=name)
        self._ones = ones

    def call(self, x: Any) -> Any:
        return x * self._ones


def importance(
    student: StudentModels, beats: Pool, scaling: Scaling, recipe: Recipe, batches: int = _BATCHES
) -> Importance:
    """How much the loss depends on each channel, measured on the first batches of an epoch."""
    ones = {group: tf.Variable(tf.ones(n)) for group, n in widths(student.config).items()}
    gated = _gated(student, ones)
    weights = tf.constant(class_weights(recipe.loss.class_weight))

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def slopes(inputs: Any, target: Any, weight: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = gated.training_model(inputs, training=False)
            each = set_cross_entropy(outputs["logits"], target)
            share = weight * tf.gather(weights, tf.cast(target, tf.int32))
            loss = tf.reduce_sum(each * share) / tf.maximum(tf.reduce_sum(share), 1.0)
        return tape.gradient(loss, list(ones.values()))

    squares = {group: np.zeros(n) for group, n in widths(student.config).items()}
    seen = 0
    for batch in _some(beats, scaling, recipe, student.config, batches):
        inputs = [tf.constant(array) for array in batch.inputs]
        found = slopes(inputs, tf.constant(batch.target), tf.constant(batch.weight))
        seen += 1
        for group, slope in zip(squares, found, strict=True):
            squares[group] += slope.numpy().astype(np.float64) ** 2
    return {group: np.sqrt(total / max(seen, 1)) for group, total in squares.items()}


def _some(
    beats: Pool, scaling: Scaling, recipe: Recipe, config: StudentConfig, batches: int
) -> Iterator[Batch]:
    plan = plan_epoch(beats, recipe.segments, np.random.default_rng((recipe.seed, 0)))
    size = recipe.optimizer.batch_segments
    for first in range(0, min(len(plan), batches * size), size):
        chosen = plan[first : first + size]
        yield gather(beats, chosen, recipe.segments, config.history, scaling, config.leads)


def _gated(student: StudentModels, ones: dict[str, Any]) -> StudentModels:
    sites = gates(student.config)

    def after(layer: Any) -> Any | None:
        group = sites.get(layer.name)
        return None if group is None else _Gate(ones[group], f"{layer.name}_gate")

    parts = []
    for network in (student.beat, student.sequence):
        made = rebuilt(network, copied, after)
        for layer in network.layers:
            if layer.weights:
                made.get_layer(layer.name).set_weights(layer.get_weights())
        parts.append(made)
    return assemble(replace(student.config, p_wave=False), *parts)


def chosen_channels(
    config: StudentConfig, worth: Importance, most_bytes: float
) -> dict[str, NDArray[np.int64]]:
    """The channels to keep so that the payload is at most `most_bytes`, or as near as may be.

    One by one the channel goes that is worth least per byte that goes with it.
    """
    kept = {group: list(range(n)) for group, n in widths(config).items()}
    least = {g: max(_LEAST, round(len(k) * (1.0 - _MOST_OF_A_GROUP))) for g, k in kept.items()}

    def size(without: str | None = None) -> int:
        width = {group: len(k) - (group == without) for group, k in kept.items()}
        return payload_bytes(config, width)

    while (now := size()) > most_bytes:
        open_groups = [group for group, k in kept.items() if len(k) > least[group]]
        if not open_groups:
            break
        cheapest = {g: min(kept[g], key=worth[g].__getitem__) for g in open_groups}
        price = {g: worth[g][c] / (now - size(g)) for g, c in cheapest.items()}
        group = min(open_groups, key=price.__getitem__)
        kept[group].remove(cheapest[group])
    return {group: np.array(k, np.int64) for group, k in kept.items()}


@dataclass(frozen=True, slots=True)
class PruneStep:
    """What one step left: payload in bytes, channels by group, loss of each epoch after it."""

    payload: int
    widths: dict[str, int]
    losses: tuple[float, ...]


def prune(
    fitted: Fitted,
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    rule: Prune,
    folder: Path,
    report: Report,
    advice: Advice = MappingProxyType({}),
) -> tuple[Fitted, list[PruneStep]]:
    """Take `rule.share` of the payload from a fitted student in `rule.steps` steps.

    Each step is followed by `rule.epochs` epochs of the recipe's own training at
    `rule.learning_rate`, with its teachers' `advice`; checkpoints lie in `folder` as `prune1.npz`
    and so on.
    """
    student, scaling = fitted.student, fitted.scaling
    beats = pool(prepared, recipe.weight)
    whole = payload_bytes(student.config)
    steps = []
    for number in range(1, rule.steps + 1):
        most = whole * (1.0 - rule.share * number / rule.steps)
        worth = importance(student, beats, scaling, recipe)
        keras.utils.set_random_seed(recipe.seed)
        student = narrowed(student, chosen_channels(student.config, worth, most))
        short = shortened(recipe, rule.epochs, rule.learning_rate)
        path = folder / f"prune{number}.npz"
        losses = finetune(student, prepared, scaling, short, path, report, advice)
        payload = payload_bytes(student.config)
        steps.append(PruneStep(payload, widths(student.config), losses))
    losses = tuple(loss for step in steps for loss in step.losses)
    return Fitted(student, scaling, losses), steps
