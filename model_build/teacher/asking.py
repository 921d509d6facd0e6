"""A teacher as a compiled function, on TensorFlow and on JAX."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import keras
from numpy.typing import NDArray

from model_build.models.teacher import Teacher, TeacherConfig, build_teacher
from model_build.teacher.beats import LEADS

Ask = Callable[[list[NDArray[Any]]], dict[str, Any]]
"""The teacher's inputs to its outputs."""

ROWS_MAY_VARY: Final = keras.backend.backend() == "tensorflow"
"""Whether one trace serves any number of rows. JAX compiles anew for each."""

if ROWS_MAY_VARY:
    import tensorflow as tf
else:
    import jax


def asked(teacher: Teacher) -> Ask:
    """The teacher as it stands, compiled at the first question."""
    if not ROWS_MAY_VARY:
        weights = (teacher.trainable_variables, teacher.non_trainable_variables)
        values = [[variable.value for variable in part] for part in weights]
        run = _asked_on_jax(teacher.config)
        return lambda inputs: run(values, inputs)
    traced = tf.function(
        lambda inputs: teacher(inputs, training=False), input_signature=[signature(teacher)]
    )
    return lambda inputs: traced([tf.constant(array) for array in inputs])


@cache
def _asked_on_jax(config: TeacherConfig) -> Callable[..., Any]:
    """Compiled once for all teachers of these sizes: of weights and inputs."""
    one = build_teacher(config, LEADS)
    return jax.jit(lambda known, inputs: one.stateless_call(*known, inputs, training=False)[0])


def signature(teacher: Teacher) -> list[Any]:
    """Of the teacher's inputs for TensorFlow, sizes unknown: one trace for all of them."""
    config = teacher.config
    return [
        tf.TensorSpec((None, config.window, config.channels), tf.float32),
        tf.TensorSpec((None, config.n_features), tf.float32),
        tf.TensorSpec((None, None, None), tf.int32),
        tf.TensorSpec((None, None), tf.float32),
    ]
