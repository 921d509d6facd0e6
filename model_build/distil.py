"""Distillation and label cleaning: what cross-fitted teachers say enters a student's training.

Opinions never alter a reference label and never reach a score: they are soft targets beside the
hard ones, and training weights.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from model_build.datasets.recording import CLASSES, Target
from model_build.datasets.splits import FOLDS, fold_of
from model_build.models.student import StudentModels
from model_build.recipe import Distil, Recipe
from model_build.teacher.predict import Advice, Opinions
from model_build.training.beats import Pool, PreparedBeats
from model_build.training.loop import Enrichment, Lesson, filled_up

_IMPOSSIBLE: Final = -1e9


@dataclass(frozen=True, slots=True, eq=False)
class SoftLabels:
    """What cross-fitted ensembles say about the beats of a pool, in its order.

    `log_probability` float32 (beats, K) and `representation` float16 (beats, D) as in `Opinion`;
    `tutor` int32 (beats,), which ensemble spoke: two have no axes of representation in common.
    """

    log_probability: NDArray[np.float32]
    representation: NDArray[np.float16]
    tutor: NDArray[np.int32]

    def digest(self) -> bytes:
        """SHA-256 of all of it."""
        whole = hashlib.sha256()
        for array in (self.log_probability, self.representation, self.tutor):
            whole.update(np.ascontiguousarray(array).data)
        return whole.digest()


def soft_labels(prepared: Sequence[PreparedBeats], opinions: Opinions) -> SoftLabels:
    """Opinions on every recording and view, in the order of `training.beats.pool`."""
    said = [opinions[item.key, item.view] for item in prepared]
    tutors = [np.full(len(item), fold_of(item.subject), np.int32) for item in prepared]
    return SoftLabels(
        log_probability=np.concatenate([one.log_probability for one in said]),
        representation=np.concatenate([one.representation for one in said]),
        tutor=np.concatenate(tutors),
    )


def cleaned(beats: Pool, prepared: Sequence[PreparedBeats], recipe: Recipe, advice: Advice) -> Pool:
    """The pool with less weight on beats whose label the teachers contradict (see `Cleaning`); as
    it is where the recipe asks for none."""
    rule = recipe.cleaning
    if rule is None:
        return beats
    opinions = advice[rule.teacher]
    chosen = [item.key.partition("/")[0] in rule.sources for item in prepared]
    of_sources = np.repeat(chosen, [len(item) for item in prepared])
    said = soft_labels(prepared, opinions).log_probability
    against = contradiction(said, beats.target)
    wrong = of_sources & (against >= rule.min_probability)
    factor = np.where(wrong, np.float32(rule.weight), np.float32(1.0))
    return replace(beats, weight=beats.weight * factor)


def contradiction(
    log_probability: NDArray[np.float32], target: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Joint probability (k,) of the classes that `target` leaves out; 0 where nothing is known."""
    possible = _bits(target) | (target == Target.IGNORE)[:, np.newaxis]
    against = np.where(possible, 0.0, np.exp(log_probability)).sum(axis=1)
    return np.asarray(against, np.float32)


def within_sets(
    log_probability: NDArray[np.float32], target: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Opinions (..., K) of beats labelled by a set of several classes, kept to that set.

    What the set leaves out gets no probability; the loss renormalizes. One class as a label is
    no such set: there the teacher may doubt it.
    """
    bits = _bits(target)
    several = bits.sum(axis=-1, keepdims=True) > 1
    kept = np.where(several & ~bits, np.float32(_IMPOSSIBLE), log_probability)
    return np.asarray(kept, np.float32)


def _bits(target: NDArray[np.uint8]) -> NDArray[np.bool_]:
    bits: NDArray[np.bool_] = target[..., np.newaxis] >> np.arange(len(CLASSES)) & 1 > 0
    return bits


def soft_cross_entropy(logits: Any, log_probability: Any, temperature: float) -> Any:
    """T^2 KL(teacher || student), both softened by T.

    Args:
        logits: float32 (..., K), the student's.
        log_probability: float32 (..., K), the teacher's, up to a constant for each beat.
        temperature: T; the factor keeps gradients of one size whatever it is.

    Returns:
        float32 (...).
    """
    theirs = tf.nn.log_softmax(log_probability / temperature)
    ours = tf.nn.log_softmax(logits / temperature)
    return temperature**2 * tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=-1)


def unlikeness(projected: Any, representation: Any) -> Any:
    """1 - cosine over the last axis; 1 where either is zero."""
    ours = tf.math.l2_normalize(projected, axis=-1, epsilon=1e-8)
    theirs = tf.math.l2_normalize(representation, axis=-1, epsilon=1e-8)
    return 1.0 - tf.reduce_sum(ours * theirs, axis=-1)


def distillation(
    student: StudentModels,
    beats: Pool,
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    advice: Advice,
) -> Enrichment | None:
    """What the recipe's `[distil]` adds to the training of `student` on `beats`, the pool of
    `prepared`; None where there is none."""
    if recipe.distil is None:
        return None
    said = soft_labels(prepared, advice[recipe.distil.teacher])
    return Enrichment(
        enrich=lambda base: distil_lesson(base, student, beats, said, recipe),
        identity=Path(__file__).read_bytes() + said.digest(),
    )


def distil_lesson(
    base: Lesson, student: StudentModels, beats: Pool, said: SoftLabels, recipe: Recipe
) -> Lesson:
    """`base` with soft targets beside its own: see `recipe.Distil` for the loss.

    With a weight on features the trained model bears a projection for each ensemble, which no
    deployed graph holds.
    """
    rule = _rule(recipe)
    size, n = recipe.optimizer.batch_segments, recipe.segments.beats
    matched = rule.feature_weight > 0

    def tensors(chosen: NDArray[np.int64], random: np.random.Generator) -> tuple[Any, Any]:
        inputs, labels = base.tensors(chosen, random)
        index = _beats_of(beats, chosen, n)
        soft: list[NDArray[Any]] = [within_sets(said.log_probability[index], beats.target[index])]
        if matched:
            soft += [said.representation[index].astype(np.float32), said.tutor[index]]
        return inputs, [*labels, *(filled_up(array, size) for array in soft)]

    model = base.model
    if matched:
        model = _projecting(student, said.representation.shape[1])
    return replace(base, model=model, tensors=tensors, loss=_loss(base.loss, rule))


def _rule(recipe: Recipe) -> Distil:
    assert recipe.distil is not None
    return recipe.distil


def _beats_of(beats: Pool, chosen: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Places in the pool of the beats with a loss, (segments, n); any place for those outside."""
    spans = beats.spans[chosen[:, 1]]
    index = chosen[:, :1] + np.arange(n)
    return np.asarray(np.clip(index, spans[:, :1], spans[:, 1:] - 1), np.int64)


def _loss(hard: Callable[..., Any], rule: Distil) -> Callable[..., Any]:
    """Of (outputs, target, weight, p_wave, log_probability[, representation, tutor])."""

    def mean(each: Any, weight: Any) -> Any:
        return tf.reduce_sum(each * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)

    def of(outputs: Any, target: Any, weight: Any, p_wave: Any, *told: Any) -> Any:
        log_probability, *features = told
        soft = soft_cross_entropy(outputs["logits"], log_probability, rule.temperature)
        total = (1.0 - rule.alpha) * hard(outputs, target, weight, p_wave)
        total += rule.alpha * mean(soft, weight)
        if features:
            representation, tutor = features
            projected = tf.gather(outputs["projected"], tutor, axis=2, batch_dims=2)
            total += rule.feature_weight * mean(unlikeness(projected, representation), weight)
        return total

    return of


def _projecting(student: StudentModels, size: int) -> keras.Model:
    """The student's training model, with its embedding projected for each ensemble apart.

    Adds the output `projected` (B, outputs, FOLDS, size).
    """
    inputs = student.training_model.inputs
    outputs = student.training_model(inputs)
    flat = layers.Dense(FOLDS * size, name="projection")(outputs["embedding"])
    projected = layers.Reshape((student.config.outputs, FOLDS, size))(flat)
    return keras.Model(inputs, {**outputs, "projected": projected}, name="pupil")
