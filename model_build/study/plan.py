"""A study file: a base recipe and switches, each trained over folds and seeds."""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cattrs

from model_build.code_digest import digest_of
from model_build.errors import RecipeError
from model_build.prepare import code_digest as preparation_digest
from model_build.recipe import Recipe, read_recipe
from model_build.recipe_changes import Change
from model_build.recipe_files import recipe_path, shipped_toml
from model_build.study import stages
from model_build.study.results import BASE


@dataclass(frozen=True, slots=True)
class Switch:
    """One set of changes. `why` says what is asked; an empty `stage`, `base` is the study's.

    `folds` and `seeds` replace those of the study.
    """

    why: str
    set: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    add: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    stage: str = ""
    base: str = ""
    folds: tuple[int | str, ...] = ()
    seeds: tuple[int, ...] = ()

    @property
    def change(self) -> Change:
        """What is done to the recipe."""
        return Change(self.set, self.drop, self.add)


@dataclass(frozen=True, slots=True)
class Study:
    """One study file. A fold is a number, or an archive ("svdb") that is left out whole."""

    name: str
    base: str
    folds: tuple[int | str, ...] = (0, 1, 2, 3, 4)
    seeds: tuple[int, ...] = (1, 2)
    stage: str = "student"
    switch: dict[str, Switch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One training: the recipe with a switch, without one fold, from one seed."""

    study: str
    switch: str
    stage: str
    base: str
    """Name or path of the recipe before the switch."""
    change: Change
    recipe: Recipe
    base_digest: str
    code: str
    seed: int
    fold: int | str

    @property
    def identity(self) -> str:
        """Digest of everything that the result depends on."""
        content = [self.recipe.digest, self.code, self.stage, self.seed, self.fold]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def training(self) -> str:
        """Digest of what the training depends on: cells that are but scored otherwise share it."""
        content = [self.recipe.digest, self.code, module_of(self.stage), self.seed, self.fold]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def name(self) -> str:
        """For people and logs."""
        return f"{self.switch} fold {self.fold} seed {self.seed}"


def _exactly(value: Any, _: Any) -> Any:
    if isinstance(value, int | str) and not isinstance(value, bool):
        return value
    raise ValueError("a fold is a number or the name of an archive")


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(int | str, _exactly)
    return converter


def study_path(name_or_path: str) -> Path:
    """A shipped study by name, or any other by its path. Raises `RecipeError` if absent."""
    return shipped_toml("study", "model_build.studies", name_or_path)


def read_study(path: Path) -> Study:
    """Read a study. Raises `RecipeError` listing every unknown key and wrong value."""
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
        study = _converter().structure({"name": path.stem, **entries}, Study)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error
    except cattrs.BaseValidationError as error:
        raise RecipeError(f"{path}: {'; '.join(cattrs.transform_error(error))}") from error
    asked = {study.stage, *(switch.stage for switch in study.switch.values() if switch.stage)}
    if unknown := sorted(asked - set(stages.STAGES)):
        known = ", ".join(stages.STAGES)
        raise RecipeError(f"{path}: no stage {', '.join(unknown)}; there are {known}")
    if BASE in study.switch:
        raise RecipeError(f"{path}: {BASE!r} is the recipe without a switch; name it otherwise")
    return study


def cells(study: Study, only: Sequence[str] = ()) -> list[Cell]:
    """Every cell, the base first; seed by seed, so that a comparison is whole early.

    `only`: names of switches; the base is always there. Raises `RecipeError` for a name that is
    not in the study, or a change that leads nowhere.
    """
    if unknown := sorted(set(only) - set(study.switch)):
        raise RecipeError(f"study {study.name} has no switch {', '.join(unknown)}")
    switches = {BASE: Switch("the recipe as it is"), **study.switch}
    chosen = {name: s for name, s in switches.items() if not only or name in {*only, BASE}}
    found = [cell for name, switch in chosen.items() for cell in _cells(study, name, switch)]
    return sorted(found, key=lambda cell: cell.seed)


def _cells(study: Study, name: str, switch: Switch) -> Iterator[Cell]:
    base = switch.base or study.base
    stage = switch.stage or study.stage
    path = recipe_path(base)
    recipe = read_recipe(path, switch.change)
    digest, code = read_recipe(path).digest, code_of(stage, recipe)
    for seed in switch.seeds or study.seeds:
        for fold in switch.folds or study.folds:
            yield Cell(
                study.name, name, stage, base, switch.change, recipe, digest, code, seed, fold
            )


def module_of(stage: str) -> str:
    """Where the stage is."""
    return stages.STAGES[stage].partition(":")[0]


def code_of(stage: str, recipe: Recipe) -> str:
    """Digest of the code that a cell of this stage depends on, of folds and checksums, and of the
    recipes of the teachers it hears."""
    datasets = Path(__file__).parents[1] / "datasets"
    archives = [f"model_build.datasets.{file.stem}" for file in datasets.glob("[a-z]*.py")]
    tables = [datasets / "checksums.txt", datasets / "folds.toml"]
    own = digest_of([module_of(stage), *archives], tables)
    heard = {part.teacher for part in (recipe.distil, recipe.cleaning) if part is not None}
    teachers = [read_recipe(recipe_path(name)).digest for name in sorted(heard)]
    return hashlib.sha256(" ".join([own, preparation_digest(), *teachers]).encode()).hexdigest()
