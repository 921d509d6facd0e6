"""One member after the other, by the loop that trains students too (TensorFlow).

`side_by_side` trains many at once on an accelerator.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import tensorflow as tf

from model_build.datasets.splits import fold_of, require_separate
from model_build.models.teacher import Teacher
from model_build.recipe import Recipe
from model_build.teacher.asking import signature
from model_build.teacher.batches import training_batch, weightless
from model_build.teacher.beats import TeacherPool, WholeBeats, teacher_pool
from model_build.teacher.members import (
    Member,
    Membership,
    code_of_members,
    folder_of,
    fresh,
    is_trained,
    load_member,
    roll_of_beats,
    rule_of,
    save_member,
)
from model_build.training.loop import Lesson, Report, run_name, train_lesson
from model_build.training.losses import hard_loss
from model_build.training.scaling import Scaling, fit_scaling
from model_build.training.segments import plan_epoch

_LABELS: Final = (tf.TensorSpec((None, None), tf.uint8), tf.TensorSpec((None, None), tf.float32))


def train_member(
    which: Membership,
    items: Sequence[WholeBeats],
    work: Path,
    report: Report = lambda *_: None,
    stop_after: int | None = None,
) -> Member | None:
    """The member, trained on those of `items` whose fold is not left out, unless it is there.

    Started again it goes on after the last whole epoch. None if `stop_after` epochs ended it early.
    """
    roll = roll_of_beats(item.beats for item in items)
    folder = folder_of(which, roll, work)
    if is_trained(which, roll, work):
        return load_member(which, roll, work)
    inside = [item for item in items if fold_of(item.beats.subject) not in which.without]
    subjects = frozenset(item.beats.subject for item in inside)
    require_separate(subjects)
    pool = teacher_pool(inside, which.recipe.weight, which.rule.pairs)
    scaling = fit_scaling(pool.beats.features[pool.beats.weight > 0])
    teacher = fresh(which, len(scaling.centre))
    folder.mkdir(parents=True, exist_ok=True)
    recipe = replace(which.recipe, seed=which.seed)
    run = run_name(recipe, pool.beats, scaling, code_of_members(), str(which).encode())
    lesson = teacher_lesson(teacher, pool, scaling, recipe)
    trained = train_lesson(lesson, recipe, run, folder / "run.npz", report, stop_after)
    if len(trained.losses) < recipe.optimizer.epochs:
        return None
    member = Member(teacher, scaling, which.rule, subjects)
    save_member(folder, member, trained.losses)
    return member


def teacher_lesson(teacher: Teacher, pool: TeacherPool, scaling: Scaling, recipe: Recipe) -> Lesson:
    """Segments of whole recordings with their hard labels, for the shared loop."""
    rule, size = rule_of(recipe), recipe.optimizer.batch_segments

    def tensors(chosen, random):  # type: ignore[no-untyped-def] # as `Lesson.tensors`
        batch = training_batch(pool, chosen, recipe, rule.lead_dropout, scaling, random)
        batch = weightless(batch, size)
        inputs = [tf.constant(array) for array in batch.inputs]
        return inputs, [tf.constant(batch.target), tf.constant(batch.weight)]

    return Lesson(
        model=teacher,
        plan=lambda random: plan_epoch(pool.beats, recipe.segments, random),
        tensors=tensors,
        loss=hard_loss(recipe.loss),
        signature=(signature(teacher), list(_LABELS)),
    )
