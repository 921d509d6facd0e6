"""The ledger of openings: every time the test half was read, by which recipe, with what result.

DS2 tells something only as long as nobody chooses by it. So it opens on a committed recipe only,
and every opening stays written down.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model_build.errors import RecipeError

LEDGER: Final = Path(__file__).parents[1] / "openings.jsonl"


def commit_of(recipe: Path) -> str:
    """The commit that holds the recipe as it lies there. Raises `RecipeError` if none does."""
    folder, name = recipe.resolve().parent, recipe.name
    try:
        changed = _git(folder, "status", "--porcelain", "--", name)
        # A repository without any commit has no log to ask.
        commit = "" if changed else _git(folder, "log", "-1", "--format=%H", "--", name)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RecipeError(f"{recipe} lies in no git repository; the test stays closed") from error
    if not commit:
        raise RecipeError(f"{recipe} is not committed as it is; commit it before opening the test")
    return commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def write_down(entry: Mapping[str, Any], ledger: Path = LEDGER) -> None:
    """Append one opening."""
    with ledger.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def openings(ledger: Path = LEDGER) -> list[dict[str, Any]]:
    """All openings so far, oldest first."""
    if not ledger.is_file():
        return []
    return [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
