"""Recipe files: where they are, and one that only changes another."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

import cattrs

from model_build.errors import RecipeError
from model_build.recipe_changes import NO_CHANGE, Change, changed

_T = TypeVar("_T")
_converter: Final = cattrs.Converter(forbid_extra_keys=True)


@dataclass(frozen=True, slots=True)
class _Derived:
    """A file that says only what it changes in another recipe, its `base`."""

    name: str
    base: str
    set: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    add: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)


def recipe_path(name_or_path: str) -> Path:
    """A shipped recipe by name, or any other by its path. Raises `RecipeError` if absent."""
    return shipped_toml("recipe", "model_build.recipes", name_or_path)


def shipped_toml(what: str, package: str, name_or_path: str) -> Path:
    """A .toml of a package by name, or any by its path. Raises `RecipeError` if absent."""
    path = Path(name_or_path)
    if path.suffix == ".toml" and path.is_file():
        return path
    shipped = resources.files(package).joinpath(f"{name_or_path}.toml")
    if shipped.is_file():
        return Path(str(shipped))
    raise RecipeError(f"no {what} {name_or_path!r}: give a shipped name or the path of a .toml")


def calibration_path(name_or_path: str) -> Path:
    """The recipe's calibration list: NAME.calibration.txt beside it. A recipe with a base has the
    base's, so that what INT8 costs both is measured on the same beats, unless its data are others.
    """
    path = recipe_path(name_or_path)
    entries = toml_of(path)
    other_data = any(key.startswith("data.") for key in entries.get("set", {}))
    if "base" in entries and not other_data:
        return calibration_path(str(entries["base"]))
    return path.with_suffix(".calibration.txt")


def files_of(path: Path) -> list[Path]:
    """The recipe's file, and those it is based on."""
    base = toml_of(path).get("base")
    return [path, *(files_of(recipe_path(str(base))) if base is not None else ())]


def recipe_entries(path: Path, change: Change | None = None) -> dict[str, Any]:
    """What a recipe file says, changed if that is wished, with the `digest` of all of it.

    A file with a `base` means that recipe with the file's own `set`, `drop` and `add`, and has the
    digest that a study's switch with these would have: the switch's results are its own.

    Raises `RecipeError` for a file that cannot be read or a change that leads nowhere.
    """
    changes = [change or NO_CHANGE]
    entries = toml_of(path)
    own = {"name": entries["name"]} if "name" in entries else {}
    while "base" in entries:
        derived = structured(_converter, path, entries, _Derived)
        changes.insert(0, Change(derived.set, derived.drop, derived.add))
        path = recipe_path(derived.base)
        entries = toml_of(path)
    digest = hashlib.sha256(path.read_bytes())
    for one in changes:
        if not one.is_empty:
            entries = changed(entries, one)
            digest.update(json.dumps(asdict(one), sort_keys=True).encode())
    return {**entries, **own, "digest": digest.hexdigest()}


def structured(
    converter: cattrs.Converter, path: Path, entries: dict[str, Any], kind: type[_T]
) -> _T:
    """Entries of a file as a dataclass. Raises `RecipeError` listing every problem."""
    try:
        return converter.structure(entries, kind)
    except cattrs.BaseValidationError as error:
        problems = "; ".join(cattrs.transform_error(error))
        raise RecipeError(f"{path}: {problems}") from error


def toml_of(path: Path) -> dict[str, Any]:
    """What a file says, before anybody reads it strictly. Raises `RecipeError` if it is no TOML."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error
