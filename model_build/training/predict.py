"""What a float student says about every beat of prepared recordings."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_build.models.student import StudentModels
from model_build.recipe import Segments
from model_build.training.beats import Pool
from model_build.training.scaling import Scaling
from model_build.training.segments import gather


def predict(
    student: StudentModels, pool: Pool, scaling: Scaling, batch_segments: int = 16
) -> NDArray[np.float32]:
    """Logits float32 (beats, K), each beat with the history it has within its piece."""
    config = student.config
    rule = Segments(beats=config.outputs)
    plan = np.array(
        [
            (start, piece)
            for piece, (first, last) in enumerate(pool.spans)
            for start in range(first, last, rule.beats)
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    logits = np.zeros((len(pool.target), config.n_classes), np.float32)
    run = tf.function(lambda inputs: student.training_model(inputs, training=False)["logits"])
    for k in range(0, len(plan), batch_segments):
        chosen = plan[k : k + batch_segments]
        batch = gather(pool, chosen, rule, config.history, scaling)
        said = run([tf.constant(array) for array in batch.inputs]).numpy()
        for (start, piece), rows in zip(chosen, said, strict=True):
            last = min(start + rule.beats, pool.spans[piece, 1])
            logits[start:last] = rows[: last - start]
    return logits
