"""A pre-training from a recipe: trained once, kept by its content, resumable after every epoch."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model_build.errors import BuildError, RecipeError
from model_build.models.student import StudentConfig
from model_build.pretraining.batches import Batch, gather, plan_epoch
from model_build.pretraining.beats import WaveBeats, cache_path, leads_of, prepare_archive
from model_build.pretraining.network import (
    PretrainingModels,
    TrunkWeights,
    build_pretraining,
    trunk_weights,
)
from model_build.pretraining.scores import Scores, held_out, score
from model_build.pretraining.targets import UNKNOWN
from model_build.recipe import Pretrain, Recipe
from model_build.stopping import check_stop
from model_build.training import checkpoint
from model_build.training.loop import Report
from model_build.training.p_waves import p_wave_loss

_PREDICTED = 256
"""Beats at once when judging."""


@dataclass(frozen=True, slots=True, eq=False)
class Pretrained:
    """The trunk's weights, what they score on people held out, and the mean loss by epoch."""

    weights: TrunkWeights
    scores: Scores
    losses: tuple[float, ...]
    path: Path


def rule_of(recipe: Recipe) -> Pretrain:
    """The recipe's section. Raises `RecipeError` if it has none."""
    if recipe.pretrain is None:
        raise RecipeError(f"{recipe.name} has no [pretrain] section; add one, if only its heading")
    return recipe.pretrain


def prepared(
    directory: Path, rule: Pretrain, work: Path, report: Callable[[str, int, int], None]
) -> dict[str, WaveBeats]:
    """The beats of every archive that the section names; `report` takes archive, done, all."""
    names = dict.fromkeys((*rule.delineated, *rule.masked))
    return {name: prepare_archive(directory, name, work, partial(report, name)) for name in names}


def pretrained_path(directory: Path, recipe: Recipe, config: StudentConfig, work: Path) -> Path:
    """Where the trunk lies: named by the section, the sizes, the seed, the code and the data.

    Sizes that do not shape the trunk (classes, features, history) do not enter.
    """
    rule = rule_of(recipe)
    names = sorted({*rule.delineated, *rule.masked})
    data = [cache_path(work, name, leads_of(directory, name)).name for name in names]
    shape = (config.window, config.stem, config.stem_kernel, config.blocks, config.kernel)
    text = json.dumps([asdict(rule), shape, recipe.seed, data])
    digest = hashlib.sha256(text.encode())
    here = Path(__file__).parent
    models = here.parent / "models"
    of_model = [models / f"{name}.py" for name in ("student", "normalization")]
    for file in (*sorted(here.glob("*.py")), *of_model):
        digest.update(file.read_bytes())
    return work / "pretrained" / f"{digest.hexdigest()[:16]}.npz"


def pretrain(
    directory: Path,
    recipe: Recipe,
    config: StudentConfig,
    work: Path,
    report: Report,
    preparing: Callable[[str, int, int], None] = lambda *_: None,
) -> Pretrained:
    """The recipe's pre-training: read if it was made, else made."""
    path = pretrained_path(directory, recipe, config, work)
    if path.is_file():
        return load_pretrained(path)
    rule = rule_of(recipe)
    archives = prepared(directory, rule, work, preparing)
    run = path.with_name(f"{path.stem}.run.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    models = build_pretraining(config)
    losses = train(models, archives, rule, recipe.seed, run, report)
    judging = WaveBeats.join([archives[name] for name in rule.delineated])
    judged = judging[np.array([held_out(key) for key in judging.keys])[judging.lead]]
    made = Pretrained(trunk_weights(models), judge(models, judged), losses, path)
    _save(made)
    run.unlink()
    return made


def load_pretrained(path: Path) -> Pretrained:
    """Read what a pre-training has left. Raises `BuildError` if it is not there."""
    if not path.is_file():
        raise BuildError(f"{path} is not there; run `model-build pretrain` with this recipe first")
    with np.load(path) as stored:
        entries = json.loads(str(stored["summary"]))
        weights = {name: stored[name] for name in stored.files if name != "summary"}
    return Pretrained(weights, Scores(**entries["scores"]), tuple(entries["losses"]), path)


def _save(made: Pretrained) -> None:
    part = made.path.with_name(f"{made.path.stem}.part.npz")
    summary = json.dumps({"scores": made.scores.as_json(), "losses": made.losses})
    arrays: dict[str, Any] = {"summary": np.array(summary), **made.weights}
    np.savez(part, **arrays)
    part.replace(made.path)


def train(
    models: PretrainingModels,
    archives: dict[str, WaveBeats],
    rule: Pretrain,
    seed: int,
    path: Path,
    report: Report,
) -> tuple[float, ...]:
    """Train on everybody not held out, resuming from the checkpoint at `path` if of this run.

    Returns the mean loss of each epoch. Raises `StoppedError` after a checkpoint if that is wished.
    """
    delineated = _training_part([archives[name] for name in rule.delineated])
    delineated = delineated[np.any(delineated.classes != UNKNOWN, axis=1)]
    masked = _training_part([archives[name] for name in rule.masked])
    first = plan_epoch(len(delineated), len(masked), rule, np.random.default_rng((seed, 0)))
    model, optimizer = models.model, _optimizer(rule, rule.epochs * len(first))
    optimizer.build(model.trainable_variables)
    run = _run_name(rule, seed, delineated, masked)
    found = checkpoint.restore(path, run, model, optimizer)
    progress = found[0] if found else checkpoint.Progress(run, 0, ())
    step = _train_step(model, optimizer, rule)
    for epoch in range(progress.epoch, rule.epochs):
        random = np.random.default_rng((seed, epoch))
        plan = plan_epoch(len(delineated), len(masked), rule, random)
        losses = []
        for done, (marked, hidden) in enumerate(plan, start=1):
            batch = gather(delineated[marked], masked[hidden], rule, random)
            losses.append(float(step(*_tensors(batch))))
            report(epoch, done, len(plan), float(np.mean(losses)))
        progress = replace(
            progress, epoch=epoch + 1, losses=(*progress.losses, float(np.mean(losses)))
        )
        checkpoint.save(path, progress, model, optimizer, [])
        if epoch + 1 < rule.epochs:
            check_stop()
    return progress.losses


def judge(models: PretrainingModels, beats: WaveBeats) -> Scores:
    """Scores on `beats`, as they are."""
    model = models.model
    run = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    segments, p_wave = [], []
    for first in range(0, len(beats), _PREDICTED):
        rows = slice(first, first + _PREDICTED)
        pair = (beats.window[rows], beats.template[rows])
        said = run([tf.constant(x.astype(np.float32)) for x in pair])
        segments.append(said["segments"].numpy())
        p_wave.append(said["p_wave"].numpy())
    return score(np.concatenate(segments), np.concatenate(p_wave), beats.classes, beats.p_wave)


def _training_part(parts: list[WaveBeats]) -> WaveBeats:
    joined = WaveBeats.join(parts)
    trains = np.array([not held_out(key) for key in joined.keys])
    return joined[trains[joined.lead]]


def _run_name(rule: Pretrain, seed: int, delineated: WaveBeats, masked: WaveBeats) -> str:
    whole = hashlib.sha256(json.dumps([asdict(rule), seed]).encode())
    for beats in (delineated, masked):
        for array in (beats.window, beats.classes, beats.p_wave):
            whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


def _optimizer(rule: Pretrain, steps: int) -> keras.optimizers.Optimizer:
    warm = max(1, round(rule.warmup_share * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm), warmup_target=rule.learning_rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=rule.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _train_step(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, rule: Pretrain
) -> Callable[..., Any]:
    def step(inputs: Any, classes: Any, p_wave: Any, true: Any, hidden: Any) -> Any:
        with tf.GradientTape() as tape:
            said = model(inputs, training=True)
            total = _delineation_loss(said["segments"], classes)
            total += rule.masked_loss * _masked_loss(said["masked"], true, hidden)
            total += rule.p_wave_loss * p_wave_loss(said["p_wave"], p_wave)
        gradients = tape.gradient(total, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return total

    traced: Callable[..., Any] = tf.function(step, reduce_retracing=True)
    return traced


def _delineation_loss(logits: Any, classes: Any) -> Any:
    known = classes != UNKNOWN
    target = tf.where(known, tf.cast(classes, tf.int32), 0)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)
    return _mean(each, tf.cast(known, tf.float32))


def _masked_loss(said: Any, true: Any, hidden: Any) -> Any:
    off = tf.abs(said - true)
    # Huber at half a QRS height: an artefact's size is nothing to learn.
    each = tf.where(off < 0.5, off * off, off - 0.25)
    return _mean(each, hidden)


def _mean(each: Any, weight: Any) -> Any:
    return tf.reduce_sum(each * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)


def _tensors(batch: Batch) -> tuple[Any, ...]:
    inputs = [tf.constant(batch.window), tf.constant(batch.template)]
    rest = (batch.classes, batch.p_wave, batch.true, batch.hidden)
    return inputs, *(tf.constant(array) for array in rest)
