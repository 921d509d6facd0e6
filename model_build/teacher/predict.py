"""What a teacher says about every beat of recordings: overlapping segments, middles kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from model_build.models.teacher import Teacher
from model_build.recipe import Teacher as Rule
from model_build.recipe import Weight
from model_build.teacher.asking import ROWS_MAY_VARY, asked
from model_build.teacher.batches import TeacherBatch, gather, packed, weightless
from model_build.teacher.beats import LEADS, TeacherPool, WholeBeats, teacher_pool
from model_build.training.scaling import Scaling

_SEGMENTS = 8
"""Segments at once; the LSTM kernel is slow on odd numbers of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """Of a teacher, or of an ensemble, on the k beats of a recording through one view.

    log_probability float32 (k, K), in the order of `CLASSES`; representation float16 (k, D).
    """

    log_probability: NDArray[np.float32]
    representation: NDArray[np.float16]


Opinions = Mapping[tuple[str, str], Opinion]
"""By key and view of the recording."""

Advice = Mapping[str, Opinions]
"""What the teachers say, by the name of their recipe."""


class TeacherPredictor:
    """A teacher with its feature scaling, traced once."""

    def __init__(self, teacher: Teacher, scaling: Scaling, rule: Rule) -> None:
        self._config = teacher.config
        self._scaling = scaling
        self._rule = rule
        self._run = asked(teacher)

    def __call__(self, items: Sequence[WholeBeats]) -> list[Opinion]:
        """Opinions in the order of `items`. Views that `Rule.pairs` names see both leads."""
        pool = teacher_pool(items, Weight(), self._rule.pairs)
        said = self._all(pool)
        ends = np.cumsum([len(item.beats) for item in items])[:-1]
        parts = (np.split(array, ends) for array in said)
        return [Opinion(*part) for part in zip(*parts, strict=True)]

    def _all(self, pool: TeacherPool) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        rule, n = self._rule, len(pool.other)
        plan = np.array(
            [
                (start, span)
                for span, (first, last) in enumerate(pool.beats.spans)
                for start in range(first, last, rule.predict_beats)
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        log_probability = np.zeros((n, self._config.n_classes), np.float32)
        representation = np.zeros((n, self._config.representation), np.float16)
        for k in range(0, len(plan), _SEGMENTS):
            chosen = plan[k : k + _SEGMENTS]
            outputs = self._run(self._batch(pool, chosen).inputs)
            logits = log_softmax(np.asarray(outputs["logits"]), axis=-1)
            seen = np.asarray(outputs["representation"])
            for row, (start, span) in enumerate(chosen):
                last = min(start + rule.predict_beats, pool.beats.spans[span, 1])
                middle = slice(rule.overlap, rule.overlap + last - start)
                log_probability[start:last] = logits[row, middle]
                representation[start:last] = seen[row, middle]
        return log_probability, representation

    def _batch(self, pool: TeacherPool, chosen: NDArray[np.int64]) -> TeacherBatch:
        rule = self._rule
        earlier = chosen - np.array([rule.overlap, 0])
        n_beats = rule.predict_beats + 2 * rule.overlap
        batch = packed(*gather(pool, earlier, n_beats, self._scaling))
        rows = None if ROWS_MAY_VARY else _SEGMENTS * n_beats * LEADS
        return weightless(batch, _SEGMENTS, rows)


def code_of_predictions() -> bytes:
    """The code that turns a member into opinions, for their names."""
    return Path(__file__).read_bytes()
