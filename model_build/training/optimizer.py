"""The recipe's optimizer and its learning rate over a run, on any Keras backend."""

import math
from collections.abc import Callable

import keras

from model_build.recipe import Optimizer


def schedule(rule: Optimizer, steps_per_epoch: int) -> Callable[[int], float]:
    """Learning rate of each step: a linear warm-up, then half a cosine down to zero."""
    total = max(1, rule.epochs * steps_per_epoch)
    warm = max(1, round(rule.warmup_share * total))

    def rate(step: int) -> float:
        if step < warm:
            return rule.learning_rate * (step + 1) / warm
        return rule.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))

    return rate


def fresh_optimizer(rule: Optimizer) -> keras.optimizers.Optimizer:
    """The recipe's optimizer; normalization and biases do not decay."""
    if rule.kind == "adam":
        return keras.optimizers.Adam(rule.learning_rate)
    optimizer = keras.optimizers.AdamW(rule.learning_rate, weight_decay=rule.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def decay_of_average(rule: Optimizer, step: int) -> float:
    """How much of the moving average stays at a step: a young one must not remember the start."""
    return min(rule.ema, (1.0 + step) / (10.0 + step))
