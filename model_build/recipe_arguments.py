"""A recipe as arguments of a job: the file and what is changed in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_build.recipe import Recipe, read_recipe
from model_build.recipe_changes import Change


def recipe_arguments(path: Path, change: Change) -> dict[str, Any]:
    """JSON for `recipe_from`, or for another reader with `change_from`."""
    return {
        "recipe": str(path),
        "set": change.set,
        "drop": list(change.drop),
        "add": {where: list(tables) for where, tables in change.add.items()},
    }


def change_from(arguments: Mapping[str, Any]) -> Change:
    """What is changed in the recipe."""
    add = {where: tuple(tables) for where, tables in arguments["add"].items()}
    return Change(arguments["set"], tuple(arguments["drop"]), add)


def recipe_from(arguments: Mapping[str, Any]) -> Recipe:
    """The recipe that these arguments mean."""
    return read_recipe(Path(arguments["recipe"]), change_from(arguments))
