"""Many members of an ensemble trained side by side on one accelerator (JAX).

A teacher is small and its LSTMs wait for each other: alone it leaves an accelerator idle. So the
members take every step together. The encoder, which is large maps, runs for one member after the
other; the reader, which is a long loop over little matrices, for all at once. Beats lie on the
accelerator; segments are gathered and altered there, as `segments.augment` and
`batches.training_batch` do it on the host, with random numbers of their own. A row that is no beat
is computed and counts nowhere.

It takes minutes, so there are no checkpoints: broken off, it starts anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from numpy.typing import NDArray

from model_build.datasets.splits import fold_of, require_separate
from model_build.models.teacher import Teacher
from model_build.recipe import Recipe
from model_build.teacher.beats import LEADS, TeacherPool, WholeBeats, teacher_pool
from model_build.teacher.members import (
    Member,
    Membership,
    folder_of,
    fresh,
    roll_of_beats,
    rule_of,
    save_member,
)
from model_build.training.beats import Pool
from model_build.training.losses import hard_loss
from model_build.training.optimizer import decay_of_average, fresh_optimizer, schedule
from model_build.training.scaling import CLIP, Scaling, fit_scaling
from model_build.training.segments import SIGNED, plan_epoch

if TYPE_CHECKING:
    from model_build.training.loop import Report

Array = Any
"""An array of JAX, which it has while compiling, or a list of them."""


class _Shown(NamedTuple):
    """A `TeacherPool` on the accelerator, for all members; names as there and in `Pool`."""

    window: Array
    template: Array
    median: Array
    features: Array
    valid: Array
    target: Array
    weight: Array
    other: Array
    span_of: Array
    spans: Array


class _Segments(NamedTuple):
    """Some segments: inputs of the encoder (rows), then of the reader, then labels.

    Every pair of beat and lead has a row; `real` (R,) says which of them are there.
    """

    beats: Array
    features: Array
    real: Array
    index: Array
    inside: Array
    target: Array
    weight: Array


class _State(NamedTuple):
    """Of all members: lists of arrays (members, ...)."""

    encoder: list[Array]
    reader: list[Array]
    encoder_rest: list[Array]
    reader_rest: list[Array]
    optimizer: list[Array]
    average: list[Array]
    """Moving averages of the three lists before `reader_rest`, end to end."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pupil:
    """A member to be: what it trains on (`taught` spans of the pool), and how that is scaled."""

    which: Membership
    beats: Pool
    taught: NDArray[np.int64]
    scaling: Scaling

    def plan(self, recipe: Recipe, epoch: int) -> NDArray[np.int64]:
        """Segments of an epoch, (segments, 2): first beat, span of the whole pool."""
        random = np.random.default_rng((self.which.seed, epoch))
        plan = plan_epoch(self.beats, recipe.segments, random)
        return np.stack([plan[:, 0], self.taught[plan[:, 1]]], axis=1)


def train_side_by_side(
    wanted: Sequence[Membership],
    items: Sequence[WholeBeats],
    work: Path,
    report: "Report" = lambda *_: None,
) -> None:
    """Train `wanted`, all of one recipe, and write each where `members.load_member` finds it.

    Members that leave out equally many folds take equally many steps and train together; of an
    epoch's segments the last few are left out where another member has fewer.
    """
    recipe = wanted[0].recipe
    pool = teacher_pool(items, recipe.weight, rule_of(recipe).pairs)
    roll = roll_of_beats(item.beats for item in items)
    shown = _on_device(pool)

    def n_left_out(which: Membership) -> int:
        return len(which.without)

    for _, together in groupby(sorted(wanted, key=n_left_out), key=n_left_out):
        pupils = [_pupil(which, pool.beats) for which in together]
        teachers = [fresh(one.which, len(one.scaling.centre)) for one in pupils]
        losses = _train(pupils, teachers, shown, recipe, report)
        for one, teacher, of_one in zip(pupils, teachers, losses.T.tolist(), strict=True):
            member = Member(teacher, one.scaling, one.which.rule, frozenset(one.beats.subjects))
            folder = folder_of(one.which, roll, work)
            folder.mkdir(parents=True, exist_ok=True)
            save_member(folder, member, of_one)


def _pupil(which: Membership, beats: Pool) -> _Pupil:
    inside = np.array([fold_of(subject) not in which.without for subject in beats.subjects])
    taught = np.flatnonzero(inside)
    own = replace(
        beats,
        spans=beats.spans[taught],
        views=beats.views[taught],
        recordings=beats.recordings[taught],
        subjects=tuple(beats.subjects[k] for k in taught),
    )
    require_separate(own.subjects)
    of_beats = np.repeat(inside, beats.spans[:, 1] - beats.spans[:, 0])
    scaling = fit_scaling(beats.features[of_beats & (beats.weight > 0)])
    return _Pupil(which, own, taught, scaling)


def _on_device(pool: TeacherPool) -> _Shown:
    beats = pool.beats
    host = _Shown(
        window=np.nan_to_num(beats.window),
        template=np.nan_to_num(beats.template),
        median=np.nan_to_num(pool.median),
        features=beats.features,
        valid=beats.valid,
        target=beats.target,
        weight=beats.weight,
        other=pool.other.astype(np.int32),
        span_of=pool.span_of.astype(np.int32),
        spans=beats.spans.astype(np.int32),
    )
    return _Shown(*map(jnp.asarray, host))


def _train(
    pupils: Sequence[_Pupil],
    teachers: Sequence[Teacher],
    shown: _Shown,
    recipe: Recipe,
    report: "Report",
) -> NDArray[np.float64]:
    """Train the teachers; they are left with their averaged weights. Losses (epochs, members)."""
    rule = recipe.optimizer
    state, step = _begin(teachers, recipe)
    scales = [
        jnp.stack([getattr(one.scaling, name) for one in pupils]) for name in ("centre", "scale")
    ]
    keys = jnp.stack([_key_of(one.which) for one in pupils])
    epoch_losses, done = [], 0
    rate: Callable[[int], float] | None = None
    for epoch in range(rule.epochs):
        plans = [one.plan(recipe, epoch) for one in pupils]
        n_steps = max(1, min(map(len, plans)) // rule.batch_segments)
        rate = rate or schedule(rule, n_steps)
        size = n_steps * rule.batch_segments
        # Only made-up data has fewer segments than one step takes.
        plan = jnp.asarray(np.stack([np.resize(one, (size, 2)) for one in plans]), jnp.int32)
        losses = []
        for first in range(0, size, rule.batch_segments):
            chosen = plan[:, first : first + rule.batch_segments]
            decay = decay_of_average(rule, done)
            state, loss = step(state, shown, scales, chosen, keys, done, rate(done), decay)
            losses.append(loss)
            done += 1
        epoch_losses.append(np.mean(jax.device_get(losses), axis=0, dtype=np.float64))
        report(epoch, n_steps, n_steps, float(epoch_losses[-1].mean()))
    _finish(teachers, state)
    return np.array(epoch_losses)


def _key_of(which: Membership) -> Array:
    left_out = sum(1 << fold for fold in which.without)
    return jax.random.fold_in(jax.random.PRNGKey(which.seed), left_out)


def _begin(teachers: Sequence[Teacher], recipe: Recipe) -> tuple[_State, Callable[..., Any]]:
    """The members' first state, and the step that takes all of them on."""
    one = teachers[0]
    optimizer = fresh_optimizer(recipe.optimizer)
    optimizer.build([*one.encoder.trainable_variables, *one.reader.trainable_variables])
    rate_at = [v is optimizer._learning_rate for v in optimizer.variables].index(True)

    def stacked(of: Callable[[Teacher], list[Any]]) -> list[Array]:
        return [jnp.stack(same) for same in zip(*map(of, teachers), strict=True)]

    encoder = stacked(lambda t: [v.value for v in t.encoder.trainable_variables])
    reader = stacked(lambda t: [v.value for v in t.reader.trainable_variables])
    rest = stacked(lambda t: [v.value for v in t.encoder.non_trainable_variables])
    state = _State(
        encoder=encoder,
        reader=reader,
        encoder_rest=rest,
        reader_rest=stacked(lambda t: [v.value for v in t.reader.non_trainable_variables]),
        optimizer=[jnp.stack([v.value] * len(teachers)) for v in optimizer.variables],
        average=[*encoder, *reader, *rest],
    )
    hard = hard_loss(recipe.loss)

    def total(
        trained: tuple[list[Array], list[Array]], state: _State, shown: _Shown, *of_members: Array
    ) -> tuple[Array, Any]:
        def encode(of_one: Any) -> Any:
            weights, rest, *given = of_one
            segments = _segments(shown, recipe, *given)
            inputs = [segments.beats, segments.features]
            rows, rest = one.encoder.stateless_call(
                weights, rest, inputs, training=True, real=segments.real
            )
            return rows, rest, segments._replace(beats=None, features=None)

        def read(weights: Any, rest: Any, rows: Array, segments: _Segments) -> Any:
            inputs = [rows, segments.index, segments.inside]
            outputs, rest = one.reader.stateless_call(weights, rest, inputs, training=True)
            return hard(outputs, segments.target, segments.weight), rest

        rows, encoder_rest, segments = jax.lax.map(
            encode, (trained[0], state.encoder_rest, *of_members)
        )
        losses, reader_rest = jax.vmap(read)(trained[1], state.reader_rest, rows, segments)
        return losses.sum(), (losses, encoder_rest, reader_rest)

    @jax.jit
    def step(
        state: _State, shown: _Shown, scales: Any, plan: Array, keys: Array, done: Array,
        rate: Array, decay: Array,
    ) -> tuple[_State, Array]:  # fmt: skip
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys, done)
        trained = (state.encoder, state.reader)
        gradients, (losses, encoder_rest, reader_rest) = jax.grad(total, has_aux=True)(
            trained, state, shown, plan, keys, *scales
        )
        optimizing = list(state.optimizer)
        optimizing[rate_at] = jnp.full_like(optimizing[rate_at], rate)
        weights, optimizing = jax.vmap(optimizer.stateless_apply)(
            optimizing, [*gradients[0], *gradients[1]], [*state.encoder, *state.reader]
        )
        n = len(state.encoder)
        average = [
            (decay * mean + (1.0 - decay) * now).astype(mean.dtype)
            for mean, now in zip(state.average, [*weights, *encoder_rest], strict=True)
        ]
        state = _State(weights[:n], weights[n:], encoder_rest, reader_rest, optimizing, average)
        return state, losses

    return state, step


def _finish(teachers: Sequence[Teacher], state: _State) -> None:
    """Leave the averaged weights in the teachers."""
    average = jax.device_get(state.average)
    for k, teacher in enumerate(teachers):
        encoder, reader = teacher.encoder, teacher.reader
        trained = [*encoder.trainable_variables, *reader.trainable_variables]
        for variable, values in zip(
            [*trained, *encoder.non_trainable_variables], average, strict=True
        ):
            variable.assign(values[k])


def _segments(
    shown: _Shown, recipe: Recipe, plan: Array, key: Array, centre: Array, scale: Array
) -> _Segments:
    """Altered segments of one member, `plan` (B, 2)."""
    rule, n_beats = recipe.augmentation, recipe.segments.beats
    n_segments = len(plan)
    draw = iter(jax.random.split(key, 9))
    spans = shown.spans[plan[:, 1]]
    first = plan[:, :1] + jnp.arange(n_beats)
    inside = (first >= spans[:, :1]) & (first < spans[:, 1:])
    first = jnp.where(inside, first, spans[:, :1])
    other = shown.other[first]
    at = jnp.stack([first, jnp.maximum(other, 0)], axis=1)
    there = jnp.stack([inside, inside & (other >= 0)], axis=1) & shown.valid[at]
    there &= _kept_leads(there, rule_of(recipe).lead_dropout, next(draw), next(draw))

    whole = (n_segments, 1, 1, 1)
    gain = jnp.exp(rule.gain_sd * jax.random.normal(next(draw), whole))
    sign = jnp.where(jax.random.uniform(next(draw), whole) < rule.inverted_share, -1.0, 1.0)
    window = shown.window[at].astype(jnp.float32)
    shift = jax.random.randint(next(draw), at.shape, -rule.jitter_samples, rule.jitter_samples + 1)
    n_samples = window.shape[-1]
    moved = jnp.clip(jnp.arange(n_samples) + shift[..., None], 0, n_samples - 1)
    window = jnp.take_along_axis(window, moved, axis=-1) * gain * sign
    # Noise is coloured by a two-sample mean: muscle noise that passed a 40 Hz filter.
    white = jax.random.normal(next(draw), (*at.shape, n_samples + 1))
    loud = rule.noise_sd * jax.random.uniform(next(draw), whole)
    window += loud * (white[..., 1:] + white[..., :-1]) * 0.5**0.5
    known = [shown.template[at], shown.median[shown.span_of[at]]]
    channels = [window, *(part.astype(jnp.float32) * gain * sign for part in known)]

    scaled = jnp.clip((shown.features[at] - centre) / scale, -CLIP, CLIP)
    features = jnp.where(jnp.isnan(scaled), 0.0, scaled)
    features = features.at[..., SIGNED].multiply(sign[..., 0])
    features += rule.feature_noise_sd * jax.random.normal(next(draw), features.shape)
    features = jnp.clip(features, -CLIP, CLIP)

    row = jnp.where(there, jnp.arange(there.size).reshape(there.shape), -1)
    return _Segments(
        beats=jnp.stack(channels, axis=-1).reshape(-1, n_samples, len(channels)),
        features=features.reshape(-1, features.shape[-1]),
        real=there.reshape(-1),
        index=jnp.moveaxis(row, 1, 2),
        inside=inside.astype(jnp.float32),
        target=shown.target[first] * inside,
        weight=shown.weight[first] * inside,
    )


def _kept_leads(there: Array, share: float, lose: Array, choose: Array) -> Array:
    """(B, 2, n): of a segment that has both leads, one is lost with probability `share`."""
    lost = jax.random.uniform(lose, (len(there), 1)) < share
    which = jax.random.randint(choose, (len(there), 1), 0, LEADS)
    kept = ~(lost & (which == jnp.arange(LEADS)))[..., None]
    # Where only one lead shows a beat it stays.
    return kept | (there.sum(axis=1, keepdims=True) < LEADS)
