"""Weighted cross-entropy over sets of classes, for labels that only exclude some."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_build.datasets.recording import CLASSES
from model_build.errors import RecipeError


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
    bits = tf.bitwise.left_shift(1, tf.range(n, dtype=tf.int32))
    is_class = tf.cast(target, tf.int32)[..., None] == bits
    is_class = tf.logical_and(is_class, (weight > 0)[..., None])
    said = tf.one_hot(tf.argmax(logits, axis=-1), n, on_value=True, off_value=False)
    hit = tf.logical_and(is_class, said)
    axes = list(range(len(is_class.shape) - 1))
    counts = [tf.reduce_sum(tf.cast(x, tf.int32), axis=axes) for x in (hit, is_class)]
    return tf.stack(counts)


def set_cross_entropy(logits: Any, target: Any) -> Any:
    """Minus the log of the joint probability of the classes in `target`.

    Args:
        logits: float32 (..., K).
        target: integers (...), bit k set where class k is possible; 0 gives 0.

    Returns:
        float32 (...).
    """
    bits = tf.bitwise.right_shift(
        tf.cast(target, tf.int32)[..., None], tf.range(len(CLASSES), dtype=tf.int32)
    )
    possible = tf.bitwise.bitwise_and(bits, 1) > 0
    known = tf.reduce_any(possible, axis=-1)
    # Where nothing is possible everything is, whose probability is one and whose gradient is zero.
    possible = tf.logical_or(possible, tf.logical_not(known)[..., None])
    chosen = tf.where(possible, logits, tf.constant(-1e9, logits.dtype))
    return tf.reduce_logsumexp(logits, axis=-1) - tf.reduce_logsumexp(chosen, axis=-1)
