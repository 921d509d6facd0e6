"""A graph of stages as jobs: what each needs, and what its outputs depend on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model_build.code_digest import digest_of
from model_build.errors import JobError
from model_build.jobs.job import Job
from model_build.prepare import code_digest as preparation_digest
from model_build.recipe import Recipe, read_recipe
from model_build.recipe_arguments import recipe_arguments
from model_build.recipe_changes import NO_CHANGE, Change


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: `task` ("module:function") is called as a job's (see `model_build.jobs.job`).

    Attributes:
        name: Of the stage, and of its folder before the digest.
        task: What is called; the closure of its module's imports is the code it depends on.
        needs: Names of stages whose folders it reads.
        ignores: Keys of the recipe that its outputs do not depend on.
        arguments: Its own, JSON.
        files: Other files that it reads, whose bytes it depends on; absent ones count as such.
    """

    name: str
    task: str
    needs: tuple[str, ...] = ()
    ignores: frozenset[str] = frozenset()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def jobs_of(
    stages: Sequence[Stage],
    recipe_file: Path,
    data: Path,
    work: Path,
    change: Change = NO_CHANGE,
) -> list[Job]:
    """A job for each stage, in the order given; a stage stands after those it needs."""
    recipe = read_recipe(recipe_file, change)
    folders: dict[str, Path] = {}
    jobs = []
    for stage in stages:
        if unknown := set(stage.needs) - set(folders):
            raise JobError(f"stage {stage.name} needs {', '.join(sorted(unknown))} before it")
        inputs = {name: folders[name] for name in stage.needs}
        digest = _digest(stage, recipe, inputs)
        folders[stage.name] = work / "stages" / f"{stage.name}-{digest[:16]}"
        arguments = {
            **recipe_arguments(recipe_file, change),
            "data": str(data),
            "work": str(work),
            "inputs": {name: str(folder) for name, folder in inputs.items()},
            "stage": dict(stage.arguments),
        }
        jobs.append(Job(stage.name, folders[stage.name], stage.task, arguments, stage.needs))
    return jobs


def _digest(stage: Stage, recipe: Recipe, inputs: Mapping[str, Path]) -> str:
    entries = asdict(recipe)
    # The digest is of the file's bytes: a comment changed there changes no output.
    kept = {k: v for k, v in entries.items() if k not in {"digest", *stage.ignores}}
    content = {
        "task": stage.task,
        "arguments": dict(stage.arguments),
        "recipe": kept,
        "inputs": {name: folder.name for name, folder in inputs.items()},
        "code": digest_of([stage.task.partition(":")[0]]),
        "preparation": preparation_digest(),
        "files": [_file_digest(path) for path in stage.files],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
