"""Members of a teacher ensemble: trained once, kept by content, never asked about their pupils.

A member is named by what it depends on: recipe, seed, the teacher's code, the recordings it trains
on and how they were prepared. The same question finds the same file again.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np

from model_build.datasets.catalogue import checksums
from model_build.datasets.recording import CLASSES, Recording
from model_build.datasets.splits import fold_of
from model_build.errors import BuildError, RecipeError
from model_build.models.teacher import Teacher, TeacherConfig, build_teacher
from model_build.prepare import code_digest, views_of
from model_build.recipe import Recipe, sizes
from model_build.recipe import Teacher as Rule
from model_build.teacher.beats import LEADS, WholeBeats
from model_build.teacher.predict import Opinion, TeacherPredictor
from model_build.training.beats import PreparedBeats
from model_build.training.scaling import Scaling

Roll = Sequence[tuple[str, str, str]]
"""Key, subject and view of everything that a recipe trains on."""

_CODE: Final = ("batches.py", "beats.py", "members.py", "record_view.py", "training.py")
_TEACHER_FILE: Final = "teacher.npz"


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
    of_model = [models / f"{name}.py" for name in ("teacher", "recurrence", "normalization")]
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
    teacher = fresh(which, len(scaling.centre))
    teacher.set_weights(weights)
    return Member(teacher, scaling, which.rule, subjects)


def fresh(which: Membership, n_features: int) -> Teacher:
    """The untrained teacher of the member's seed."""
    keras.utils.set_random_seed(which.seed)
    config = TeacherConfig(n_features=n_features, n_classes=len(CLASSES), **sizes(which.rule.sizes))
    return build_teacher(config, LEADS)


def save_member(folder: Path, member: Member, losses: Sequence[float]) -> None:
    """Write the member, whole or not at all, with the mean loss of each epoch."""
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
