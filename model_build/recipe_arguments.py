"""A recipe as arguments of a job: the file and what is changed in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_build.recipe import Recipe, read_recipe
from model_build.recipe_changes import Change


def recipe_arguments(path: Path, change: Change) -> dict[str, Any]:
    """JSON for `recipe_from`."""
    return {
        "recipe": str(path),
        "set": change.set,
        "drop": list(change.drop),
        "add": {where: list(tables) for where, tables in change.add.items()},
    }


def recipe_from(arguments: Mapping[str, Any]) -> Recipe:
    """The recipe that these arguments mean."""
    add = {where: tuple(tables) for where, tables in arguments["add"].items()}
    change = Change(arguments["set"], tuple(arguments["drop"]), add)
    return read_recipe(Path(arguments["recipe"]), change)
