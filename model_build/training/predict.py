"""What a float student says about every beat of prepared recordings."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_build.models.student import StudentModels
from model_build.recipe import Segments
from model_build.training.beats import Pool
from model_build.training.scaling import Scaling
from model_build.training.segments import gather

_SEGMENTS = 16
"""Segments at once; a last batch is filled up, so that one shape is traced."""


class Predictor:
    """A student with its feature scaling, traced once."""

    def __init__(self, student: StudentModels, scaling: Scaling) -> None:
        self._config = student.config
        self._scaling = scaling
        model = student.training_model
        self._run = tf.function(lambda inputs: model(inputs, training=False)["logits"])

    def __call__(self, pool: Pool) -> NDArray[np.float32]:
        """Logits float32 (beats, K), each beat with the history it has within its piece."""
        rule = Segments(beats=self._config.outputs)
        plan = np.array(
            [
                (start, piece)
                for piece, (first, last) in enumerate(pool.spans)
                for start in range(first, last, rule.beats)
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        logits = np.zeros((len(pool.target), self._config.n_classes), np.float32)
        for k in range(0, len(plan), _SEGMENTS):
            chosen = plan[k : k + _SEGMENTS]
            filled = np.resize(chosen, (_SEGMENTS, 2))
            batch = gather(
                pool, filled, rule, self._config.history, self._scaling, self._config.leads
            )
            said = self._run([tf.constant(array) for array in batch.inputs]).numpy()
            for (start, piece), rows in zip(chosen, said, strict=False):
                last = min(start + rule.beats, pool.spans[piece, 1])
                logits[start:last] = rows[: last - start]
        return logits
