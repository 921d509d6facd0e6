"""Changes of a recipe by dotted paths, for studies: `optimizer.ema`, `view.second.gain`.

An element of a path is a key, or in a list of tables the `name` of one.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from model_build.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Change:
    """What is set (made if absent), what is dropped, and what is added to the end of lists."""

    set: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    add: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.set or self.drop or self.add)


NO_CHANGE: Final = Change()
"""The recipe as it is."""


def changed(entries: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """A changed copy. Raises `RecipeError` naming a path that leads nowhere."""
    result = copy.deepcopy(dict(entries))
    for path in change.drop:
        owner, last = _owner(result, path)
        if isinstance(owner, list):
            owner.remove(_named(owner, last, path))
        elif last in owner:
            del owner[last]
        else:
            raise RecipeError(f"{path} cannot be dropped: it is not there")
    for path, tables in change.add.items():
        owner, last = _owner(result, path)
        owner.setdefault(last, []).extend(copy.deepcopy(list(tables)))
    for path, value in change.set.items():
        owner, last = _owner(result, path)
        if isinstance(owner, list):
            raise RecipeError(f"{path} is a whole table; set its keys, or drop and add it")
        owner[last] = copy.deepcopy(value)
    return result


def _owner(entries: dict[str, Any], path: str) -> tuple[Any, str]:
    """What holds the last element of the path; tables on the way are made."""
    *way, last = path.split(".")
    here: Any = entries
    for name in way:
        here = _named(here, name, path) if isinstance(here, list) else here.setdefault(name, {})
        if not isinstance(here, dict | list):
            raise RecipeError(f"{path}: {name} is no table")
    return here, last


def _named(tables: list[Any], name: str, path: str) -> Any:
    for table in tables:
        if isinstance(table, dict) and table.get("name") == name:
            return table
    raise RecipeError(f"{path}: nothing there is named {name!r}")
