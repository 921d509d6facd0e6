"""Weighted cross-entropy over sets of classes, for labels that only exclude some.

On any Keras backend.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from model_build.datasets.recording import CLASSES
from model_build.errors import RecipeError
from model_build.recipe import Loss


def class_weights(by_class: dict[str, float]) -> NDArray[np.float32]:
    """Weight of every `Target` value, (2 ** K,): that of its class; of a set, the least."""
    missing = set(CLASSES) ^ set(by_class)
    if missing:
        raise RecipeError(f"loss.class_weight needs exactly {', '.join(CLASSES)}: {missing}")
    table = np.zeros(1 << len(CLASSES), np.float32)
    for target in range(1, len(table)):
        table[target] = min(by_class[c] for k, c in enumerate(CLASSES) if target >> k & 1)
    return table


def class_hits(logits: Any, target: Any, weight: Any) -> Any:
    """Beats of each class that are called so, and beats of each class: int32 (2, K).

    Only beats with a weight and with one class alone as target.
    """
    n = len(CLASSES)
    bits = ops.left_shift(1, ops.arange(n, dtype="int32"))
    is_class = ops.equal(ops.cast(target, "int32")[..., None], bits)
    is_class = ops.logical_and(is_class, (weight > 0)[..., None])
    said = ops.cast(ops.one_hot(ops.argmax(logits, axis=-1), n), "bool")
    axes = list(range(len(is_class.shape) - 1))
    both = (ops.logical_and(is_class, said), is_class)
    return ops.stack([ops.sum(ops.cast(x, "int32"), axis=axes) for x in both])


def set_cross_entropy(logits: Any, target: Any) -> Any:
    """Minus the log of the joint probability of the classes in `target`.

    Args:
        logits: float32 (..., K).
        target: integers (...), bit k set where class k is possible; 0 gives 0.

    Returns:
        float32 (...).
    """
    bits = ops.right_shift(
        ops.cast(target, "int32")[..., None], ops.arange(len(CLASSES), dtype="int32")
    )
    possible = ops.bitwise_and(bits, 1) > 0
    known = ops.any(possible, axis=-1)
    # Where nothing is possible everything is, whose probability is one and whose gradient is zero.
    possible = ops.logical_or(possible, ops.logical_not(known)[..., None])
    chosen = ops.where(possible, logits, -1e9)
    return ops.logsumexp(logits, axis=-1) - ops.logsumexp(chosen, axis=-1)


def focal(loss: Any, gamma: float) -> Any:
    """Cross-entropy (...) times (1 - p) ** gamma (Lin 2017); as it is where `gamma` is 0."""
    if gamma == 0.0:
        return loss
    # Rounding may put a loss just below zero, of which there is no power.
    missing = ops.maximum(-ops.expm1(-loss), 1e-7)
    return loss * missing**gamma


def hard_loss(loss: Loss, weights: Any = None, gamma: float = 0.0) -> Callable[..., Any]:
    """Weighted cross-entropy of `logits` and, less, `evidence`: of (outputs, target, weight).

    `weights` (`Target` values,) are those of the recipe's classes unless given; `gamma` focuses
    the loss of the logits on what is not yet certain (`focal`).
    """
    if weights is None:
        weights = ops.convert_to_tensor(class_weights(loss.class_weight))

    def of(outputs: Any, target: Any, weight: Any) -> Any:
        each = focal(set_cross_entropy(outputs["logits"], target), gamma)
        each += loss.cam * set_cross_entropy(outputs["evidence"], target)
        share = weight * ops.take(weights, ops.cast(target, "int32"))
        return ops.sum(each * share) / ops.maximum(ops.sum(share), 1.0)

    return of
