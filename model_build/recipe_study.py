"""Studies of a whole recipe: switches in a TOML file, a committed ledger of what they measured.

(Studies of beats have seeds, stages and bases besides: `model_build.study`.)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cattrs

from model_build.errors import RecipeError
from model_build.recipe_changes import Change
from model_build.recipe_files import structured, toml_of

BASE: Final = "base"
"""Name of the switch that changes nothing."""

_converter: Final = cattrs.Converter(forbid_extra_keys=True)


@dataclass(frozen=True, slots=True)
class Switch:
    """What is set and dropped in the recipe, by dotted paths, and what is asked by it."""

    why: str
    set: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()

    @property
    def change(self) -> Change:
        """What is done to the recipe."""
        return Change(self.set, self.drop)


@dataclass(frozen=True, slots=True)
class _Study:
    switch: dict[str, Switch]


def read_switches(study: Path, only: Sequence[str] = ()) -> dict[str, Switch]:
    """The study's switches by name, those of `only` if it names any, the base first.

    Raises `RecipeError` for an unknown one and for a file that is none.
    """
    found = structured(_converter, study, toml_of(study), _Study).switch
    if unknown := sorted(set(only) - {BASE, *found}):
        raise RecipeError(f"no switch {', '.join(unknown)}; there are {', '.join(found)}")
    chosen = {name: one for name, one in found.items() if not only or name in only}
    return {BASE: Switch("The recipe as it is."), **chosen}


def read_ledger(ledger: Path) -> list[dict[str, Any]]:
    """Its entries, oldest first; none where there is no such file."""
    lines = ledger.read_text("utf-8").splitlines() if ledger.is_file() else []
    return [json.loads(line) for line in lines]


def append(ledger: Path, cell: str, entry: Mapping[str, Any]) -> None:
    """Write an entry down, unless what `cell` names is there already: a digest of everything that
    it depends on."""
    if any(known["cell"] == cell for known in read_ledger(ledger)):
        return
    with ledger.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"cell": cell, **entry}, separators=(",", ":")) + "\n")
