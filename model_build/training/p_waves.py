"""P present or not as an auxiliary output of the student: its targets and its loss."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_build.pretraining.targets import PWave
from model_build.recipe import Segments
from model_build.training.beats import Pool


def p_waves_of_plan(pool: Pool, plan: NDArray[np.int64], rule: Segments) -> NDArray[np.uint8]:
    """`PWave` of the beats with a loss of the segments in `plan`, (segments, outputs).

    Unknown of beats outside their piece, and everywhere where the pool knows nothing.
    """
    index = plan[:, :1] + np.arange(rule.beats)
    if pool.p_wave is None:
        return np.full(index.shape, PWave.UNKNOWN, np.uint8)
    spans = pool.spans[plan[:, 1]]
    inside = (index >= spans[:, :1]) & (index < spans[:, 1:])
    return np.where(inside, pool.p_wave[np.where(inside, index, 0)], np.uint8(PWave.UNKNOWN))


def p_wave_loss(logit: Any, p_wave: Any) -> Any:
    """Mean cross-entropy of "P present" over the beats of which it is known; 0 without any.

    `logit` float32 and `p_wave`, `PWave` integers, of the same shape.
    """
    present = tf.cast(tf.equal(p_wave, PWave.PRESENT), tf.float32)
    known = tf.cast(tf.not_equal(p_wave, PWave.UNKNOWN), tf.float32)
    each = tf.nn.sigmoid_cross_entropy_with_logits(present, logit)
    return tf.reduce_sum(each * known) / tf.maximum(tf.reduce_sum(known), 1.0)
