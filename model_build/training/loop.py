"""The training loop: seeded, resumable after every epoch, averaged weights at the end."""

import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_build.datasets.recording import CLASSES
from model_build.models.student import StudentModels
from model_build.recipe import Recipe
from model_build.stopping import check_stop
from model_build.training import checkpoint
from model_build.training.beats import Pool
from model_build.training.imbalance import Balance
from model_build.training.lead_loss import lose_leads
from model_build.training.logbook import log_folder, recalls, write_epoch
from model_build.training.losses import class_hits, hard_loss
from model_build.training.optimizer import decay_of_average, fresh_optimizer, schedule
from model_build.training.p_waves import p_wave_loss, p_waves_of_plan
from model_build.training.scaling import Scaling
from model_build.training.segments import augment, gather, plan_epoch

_log = logging.getLogger(__name__)

Report = Callable[[int, int, float, float], None]
"""Called after each step: epoch, segments done, segments of the epoch, loss so far."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Mean loss of every epoch. The student's weights are left as the moving average."""

    losses: tuple[float, ...]


def one_thread() -> None:
    """Keep TensorFlow to one thread: two one-thread runs beat one two-thread run.

    A GPU, if there is one, is used and shared instead: its host threads are left alone. To be
    called before anything runs; later it changes nothing.
    """
    gpus = tf.config.list_physical_devices("GPU")
    try:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        if not gpus:
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        # It has run something in this process already, and keeps what it has.
        _log.debug("TensorFlow keeps its threads and memory")


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a run trains: a model, the segments of an epoch, their tensors, and the loss.

    Attributes:
        model: Called with `inputs`.
        plan: Segments of an epoch, (segments, 2), drawn with the epoch's random numbers.
        tensors: `(inputs, labels)` of some rows of the plan; the first two labels are the beats'
            targets and weights. The loop fills nothing up: shapes that change cost a new trace,
            unless `signature` leaves them open.
        loss: Of `(outputs, *labels)`, a scalar.
        signature: Tensor specifications of `(inputs, labels)`; None takes what comes.
        begin_epoch: Told the number of each epoch before it is planned.
    """

    model: keras.Model
    plan: Callable[[np.random.Generator], NDArray[np.int64]]
    tensors: Callable[[NDArray[np.int64], np.random.Generator], tuple[Any, Any]]
    loss: Callable[..., Any]
    signature: tuple[Any, Any] | None = None
    begin_epoch: Callable[[int], None] = lambda _: None


def run_name(recipe: Recipe, pool: Pool, scaling: Scaling, *more: bytes) -> str:
    """Identity of a run: recipe, data and code, which must be equal for a checkpoint to resume.

    `more` is whatever else the run depends on.
    """
    whole = hashlib.sha256(recipe.digest.encode())
    whole.update(" ".join(pool.subjects).encode())
    second = pool.companion
    companion = () if second is None else (second.features, second.valid)
    one = (pool.features, pool.target, pool.weight, scaling.centre, scaling.scale)
    for array in (*one, *companion):
        whole.update(np.ascontiguousarray(array).data)
    here = Path(__file__).parent
    models = here.parent / "models"
    of_model = [models / f"{name}.py" for name in ("student", "fusion", "normalization")]
    for file in (*sorted(here.glob("*.py")), *of_model):
        whole.update(file.read_bytes())
    for part in more:
        whole.update(part)
    return whole.hexdigest()


def _beyond(student: StudentModels, pool: Pool) -> list[bytes]:
    """What else a student's run depends on: its first weights, random or pre-trained; P waves."""
    weights = [np.ascontiguousarray(w).tobytes() for w in student.training_model.get_weights()]
    return weights if pool.p_wave is None else [*weights, pool.p_wave.tobytes()]


def _train_step(
    lesson: Lesson, optimizer: keras.optimizers.Optimizer, average: list[Any]
) -> Callable[..., Any]:
    model = lesson.model

    def step(inputs: Any, labels: Any, decay: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            total = lesson.loss(outputs, *labels)
        gradients = tape.gradient(total, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        for mean, variable in zip(average, model.weights, strict=True):
            mean.assign(decay * mean + (1.0 - decay) * variable)
        return total, class_hits(outputs["logits"], labels[0], labels[1])

    traced: Callable[..., Any]
    if lesson.signature is None:
        traced = tf.function(step, reduce_retracing=True)
    else:
        decay = tf.TensorSpec((), tf.float32)
        traced = tf.function(step, input_signature=(*lesson.signature, decay))
    return traced


def student_loss(recipe: Recipe, weights: Any) -> Callable[..., Any]:
    """The hard loss and, where the recipe asks for it, that of P waves.

    Of (outputs, target, weight, p_wave).
    """
    hard = hard_loss(recipe.loss, weights, recipe.imbalance.focusing)
    of_p = recipe.p_wave.weight

    def of(outputs: Any, target: Any, weight: Any, p_wave: Any) -> Any:
        total = hard(outputs, target, weight)
        if of_p:
            total += of_p * p_wave_loss(outputs["p_wave"], p_wave)
        return total

    return of


def filled_up(array: NDArray[Any], size: int) -> Any:
    """The array as a tensor, with zeros (weightless segments) after it up to `size` rows."""
    missing = [(0, size - len(array))] + [(0, 0)] * (array.ndim - 1)
    return tf.constant(np.pad(array, missing))


@dataclass(frozen=True, slots=True, eq=False)
class Enrichment:
    """What is added to a student's lesson, and bytes that tell a run with it from others."""

    enrich: Callable[[Lesson], Lesson]
    identity: bytes


def student_lesson(student: StudentModels, pool: Pool, scaling: Scaling, recipe: Recipe) -> Lesson:
    """Segments of `pool` with their hard labels, classes balanced as the recipe says."""
    size, history = recipe.optimizer.batch_segments, student.config.history
    balance = Balance(recipe, pool, student, scaling)
    pool, weights = balance.pool, tf.Variable(balance.weights(0), trainable=False)

    def tensors(chosen: NDArray[np.int64], random: np.random.Generator) -> tuple[Any, Any]:
        batch = gather(pool, chosen, recipe.segments, history, scaling, student.config.leads)
        batch = augment(batch, recipe.augmentation, recipe.segments, random)
        batch = lose_leads(batch, recipe.leads, random)
        p_wave = p_waves_of_plan(pool, chosen, recipe.segments)
        labels = (batch.target, batch.weight, p_wave)
        return [filled_up(a, size) for a in batch.inputs], [filled_up(a, size) for a in labels]

    return Lesson(
        model=student.training_model,
        plan=lambda random: plan_epoch(pool, recipe.segments, random),
        tensors=tensors,
        loss=student_loss(recipe, weights),
        begin_epoch=lambda epoch: weights.assign(balance.weights(epoch)),
    )


def train(
    student: StudentModels,
    pool: Pool,
    scaling: Scaling,
    recipe: Recipe,
    path: Path,
    report: Report = lambda *_: None,
    stop_after: int | None = None,
    more: Enrichment | None = None,
) -> Trained:
    """Train `student` on `pool`, resuming from the checkpoint at `path` if it is of this run.

    `more` adds to the hard labels. `stop_after` ends the run after that many epochs in all (the
    schedule stays that of the recipe), so that an interruption can be told from a crash in tests.
    Raises `StoppedError` after a checkpoint if that is wished (`model_build.stopping`).
    """
    lesson = student_lesson(student, pool, scaling, recipe)
    if more is not None:
        lesson = more.enrich(lesson)
    identity = more.identity if more else b""
    run = run_name(recipe, pool, scaling, *_beyond(student, pool), identity)
    return train_lesson(lesson, recipe, run, path, report, stop_after)


def train_lesson(
    lesson: Lesson,
    recipe: Recipe,
    run: str,
    path: Path,
    report: Report = lambda *_: None,
    stop_after: int | None = None,
) -> Trained:
    """Train the lesson's model by the recipe's optimizer; `run` is its identity (`run_name`)."""
    rule, model = recipe.optimizer, lesson.model
    optimizer = fresh_optimizer(rule)
    optimizer.build(model.trainable_variables)
    found = checkpoint.restore(path, run, model, optimizer)
    progress, arrays = found or (
        checkpoint.Progress(run, 0, ()),
        [w.numpy() for w in model.weights],
    )
    average = [tf.Variable(a, trainable=False) for a in arrays]
    step = _train_step(lesson, optimizer, average)
    expected = len(lesson.plan(np.random.default_rng((recipe.seed, 0))))
    rate = schedule(rule, max(1, math.ceil(expected / rule.batch_segments)))
    for epoch in range(progress.epoch, min(rule.epochs, stop_after or rule.epochs)):
        random = np.random.default_rng((recipe.seed, epoch))
        lesson.begin_epoch(epoch)
        plan = lesson.plan(random)
        losses, hits = [], np.zeros((2, len(CLASSES)), np.int64)
        for first in range(0, len(plan), rule.batch_segments):
            chosen = plan[first : first + rule.batch_segments]
            inputs, labels = lesson.tensors(chosen, random)
            done = int(optimizer.iterations.numpy())
            optimizer.learning_rate.assign(rate(done))
            decay = decay_of_average(rule, done)
            total, said = step(inputs, labels, tf.constant(decay, tf.float32))
            losses.append(float(total))
            hits += said.numpy()
            report(epoch, first + len(chosen), len(plan), float(np.mean(losses)))
        mean = float(np.mean(losses)) if losses else 0.0
        progress = checkpoint.Progress(run, epoch + 1, (*progress.losses, mean))
        checkpoint.save(path, progress, model, optimizer, [a.numpy() for a in average])
        done = int(optimizer.iterations.numpy())
        scalars = {"loss": mean, "learning rate": rate(done), **recalls(hits[0], hits[1], CLASSES)}
        write_epoch(log_folder(path), epoch + 1, scalars)
        if epoch + 1 < rule.epochs:
            check_stop()
    model.set_weights([a.numpy() for a in average])
    return Trained(progress.losses)
