"""A trained student on disk: weights, feature scaling, and what it was trained on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model_build.errors import BuildError
from model_build.recipe import Recipe, sizes
from model_build.training.scaling import Scaling

if TYPE_CHECKING:
    from model_build.models.student import StudentModels


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Recordings ("database/record"; those of a pre-training too), the code's digest, and beats."""

    recordings: tuple[str, ...]
    code: str
    n_beats: int


@dataclass(frozen=True, slots=True, eq=False)
class StudentFile:
    """What `save_student` wrote."""

    student: "StudentModels"
    scaling: Scaling
    trained_on: TrainedOn


def student_folder(work: Path, recipe: Recipe) -> Path:
    """Where everything made from this recipe lies: named by its content."""
    return work / "students" / f"{recipe.name}-{recipe.short}"


def pruned_folder(folder: Path) -> Path:
    """Where the pruned student of a student's folder lies."""
    return folder / "pruned"


def load_final_student(folder: Path, recipe: Recipe) -> StudentFile:
    """The float student that is quantized: pruned, if the recipe prunes."""
    return load_student(folder if recipe.prune is None else pruned_folder(folder), recipe)


def save_student(
    folder: Path, student: "StudentModels", scaling: Scaling, trained_on: TrainedOn
) -> None:
    """Write into `folder`, made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = student.training_model.get_weights()
    part = folder / "student.part.npz"
    np.savez(
        part,
        centre=scaling.centre,
        scale=scaling.scale,
        trained_on=np.array(json.dumps(asdict(trained_on))),
        config=np.array(json.dumps(asdict(student.config))),
        **{f"w{k}": w for k, w in enumerate(weights)},
    )
    part.replace(folder / "student.npz")


def load_student(folder: Path, recipe: Recipe) -> StudentFile:
    """Read what `save_student` wrote. Raises `BuildError` if it is not there."""
    path = folder / "student.npz"
    if not path.is_file():
        step = "prune" if folder.name == pruned_folder(folder).name else "train"
        raise BuildError(f"{path} is not there; run `model-build {step}` with this recipe first")
    with np.load(path) as stored:
        scaling = Scaling(stored["centre"], stored["scale"])
        entries = json.loads(str(stored["trained_on"]))
        stored_sizes = json.loads(str(stored["config"]))
        n = sum(name.startswith("w") for name in stored.files)
        weights = [stored[f"w{k}"] for k in range(n)]
    from model_build.models.student import StudentConfig, build_student  # noqa: PLC0415 - TensorFlow

    # A pruned student has other sizes than the recipe says.
    student = build_student(StudentConfig(**sizes(stored_sizes)))
    student.training_model.set_weights(weights)
    trained_on = TrainedOn(tuple(entries["recordings"]), entries["code"], entries["n_beats"])
    return StudentFile(student, scaling, trained_on)
