"""Members of a teacher ensemble: trained once, kept by content, never asked about their pupils.

A member is named by what it depends on: recipe, seed, the teacher's code, the recordings it trains
on and how they were prepared. The same question finds the same file again.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from model_build.datasets.catalogue import checksums
from model_build.datasets.recording import CLASSES, Recording
from model_build.datasets.splits import fold_of, require_separate
from model_build.errors import BuildError, RecipeError
from model_build.models.teacher import Teacher, TeacherConfig, build_teacher
from model_build.prepare import code_digest, views_of
from model_build.recipe import Recipe, sizes
from model_build.recipe import Teacher as Rule
from model_build.teacher.batches import training_batch, weightless
from model_build.teacher.beats import LEADS, TeacherPool, WholeBeats, teacher_pool
from model_build.teacher.predict import Opinion, TeacherPredictor, signature
from model_build.training.beats import PreparedBeats
from model_build.training.loop import Lesson, Report, hard_loss, run_name, train_lesson
from model_build.training.scaling import Scaling, fit_scaling
from model_build.training.segments import plan_epoch

Roll = Sequence[tuple[str, str, str]]
"""Key, subject and view of everything that a recipe trains on."""

_CODE: Final = ("batches.py", "beats.py", "members.py", "record_view.py")
_TEACHER_FILE: Final = "teacher.npz"
_LABELS: Final = (tf.TensorSpec((None, None), tf.uint8), tf.TensorSpec((None, None), tf.float32))


@dataclass(frozen=True, slots=True)
class Membership:
    """Which member: of the recipe's ensemble trained without some folds, that of one seed."""

    recipe: Recipe
    without: frozenset[int]
    seed: int

    @property
    def rule(self) -> Rule:
        """The recipe's `[teacher]`. Raises `RecipeError` if it has none."""
        return rule_of(self.recipe)

    def __str__(self) -> str:
        left_out = ",".join(map(str, sorted(self.without)))
        return f"{self.recipe.name} without {left_out or 'none'}, seed {self.seed}"


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A trained teacher, and who taught it."""

    teacher: Teacher
    scaling: Scaling
    rule: Rule
    subjects: frozenset[str]

    def opinions(self, items: Sequence[WholeBeats]) -> list[Opinion]:
        """On recordings of people it has never seen. Raises `RecipeError` for any other."""
        known = sorted(self.subjects & {item.beats.subject for item in items})
        if known:
            raise RecipeError(f"a teacher was asked about who taught it: {', '.join(known)}")
        return TeacherPredictor(self.teacher, self.scaling, self.rule)(items)


def rule_of(recipe: Recipe) -> Rule:
    """The recipe's `[teacher]`. Raises `RecipeError` if it has none."""
    if recipe.teacher is None:
        raise RecipeError(f"recipe {recipe.name!r} has no [teacher]: it makes no teachers")
    return recipe.teacher


def roll_of(recordings: Iterable[Recording], recipe: Recipe) -> Roll:
    """Everything that the recipe's teachers train on when no fold is left out."""
    return [
        (recording.key, recording.subject, view.name)
        for recording in recordings
        for view in views_of(recording, recipe.view)
    ]


def roll_of_beats(prepared: Iterable[PreparedBeats]) -> Roll:
    """The same, of recordings that are prepared."""
    return [(item.key, item.subject, item.view) for item in prepared]


def code_of_members() -> bytes:
    """The code that makes a member what it is, besides the shared training loop.

    How it is asked is not part of it, nor is the loop: a finished member stays what it is.
    """
    here = Path(__file__).parent
    models = here.parent / "models"
    of_model = [models / f"{name}.py" for name in ("teacher", "normalization")]
    files = (*(here / name for name in _CODE), *of_model)
    return b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)


def folder_of(which: Membership, roll: Roll, work: Path) -> Path:
    """Where the member lies; its name is its content."""
    whole = hashlib.sha256(code_of_members())
    for part in (code_digest(), which.recipe.digest, str(which.seed)):
        whole.update(part.encode() + b"\0")
    for key, who, view in sorted(roll):
        if fold_of(who) not in which.without:
            whole.update(f"{key} {who} {view} {checksums().get(key, '')}\n".encode())
    left_out = "".join(map(str, sorted(which.without))) or "none"
    name = f"{which.recipe.name}-without-{left_out}-seed{which.seed}-{whole.hexdigest()[:12]}"
    return work / "teachers" / name


def is_trained(which: Membership, roll: Roll, work: Path) -> bool:
    """Whether `train_member` has ended."""
    return (folder_of(which, roll, work) / _TEACHER_FILE).is_file()


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
    teacher = _fresh(which, len(scaling.centre))
    folder.mkdir(parents=True, exist_ok=True)
    recipe = replace(which.recipe, seed=which.seed)
    run = run_name(recipe, pool.beats, scaling, code_of_members(), str(which).encode())
    lesson = teacher_lesson(teacher, pool, scaling, recipe)
    trained = train_lesson(lesson, recipe, run, folder / "run.npz", report, stop_after)
    if len(trained.losses) < recipe.optimizer.epochs:
        return None
    member = Member(teacher, scaling, which.rule, subjects)
    _save(folder, member, trained.losses)
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
        signature=(list(signature(teacher)), list(_LABELS)),
    )


def load_member(which: Membership, roll: Roll, work: Path) -> Member:
    """Read what `train_member` left. Raises `BuildError` saying how to train it if absent."""
    path = folder_of(which, roll, work) / _TEACHER_FILE
    if not path.is_file():
        left_out = ",".join(map(str, sorted(which.without)))
        raise BuildError(
            f"{which} is not trained ({path}); run `model-build teach --recipe "
            f"{which.recipe.name} --without {left_out} --seed {which.seed}` first"
        )
    with np.load(path) as stored:
        scaling = Scaling(stored["centre"], stored["scale"])
        subjects = frozenset(json.loads(str(stored["trained_on"]))["subjects"])
        n = sum(name.startswith("w") for name in stored.files)
        weights = [stored[f"w{k}"] for k in range(n)]
    teacher = _fresh(which, len(scaling.centre))
    teacher.set_weights(weights)
    return Member(teacher, scaling, which.rule, subjects)


def _fresh(which: Membership, n_features: int) -> Teacher:
    keras.utils.set_random_seed(which.seed)
    config = TeacherConfig(n_features=n_features, n_classes=len(CLASSES), **sizes(which.rule.sizes))
    return build_teacher(config, LEADS)


def _save(folder: Path, member: Member, losses: Sequence[float]) -> None:
    trained_on = {"subjects": sorted(member.subjects), "losses": list(losses)}
    part = folder / "teacher.part.npz"
    np.savez(
        part,
        centre=member.scaling.centre,
        scale=member.scaling.scale,
        trained_on=np.array(json.dumps(trained_on)),
        **{f"w{k}": w for k, w in enumerate(member.teacher.get_weights())},
    )
    part.replace(folder / _TEACHER_FILE)
