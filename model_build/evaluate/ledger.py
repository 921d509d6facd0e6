"""The ledger of openings: every time the test half was read, by which recipe, with what result.

DS2 tells something only as long as nobody chooses by it. So it opens on a committed recipe only,
and every opening stays written down. The first of its two lines is written before anything is
read: an opening that breaks off, or whose result nobody likes, leaves it without a second.
"""

import json
import os
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from model_build.errors import RecipeError
from model_build.recipe_files import files_of

LEDGER: Final = Path(__file__).parents[1] / "openings.jsonl"

_HEAD: Final = ("date", "recipe", "recipe_sha256", "recipe_commit", "bundle_set", "mains_hz")


def commit_of(recipe: Path) -> str:
    """The commit that holds the recipe as it lies there. Raises `RecipeError` if none does, or none
    holds what it is based on."""
    own, *_ = [_commit_of(file) for file in files_of(recipe)]
    return own


def _commit_of(file: Path) -> str:
    try:
        commit = _committed(file)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RecipeError(f"{file} lies in no git repository; the test stays closed") from error
    if commit is None:
        raise RecipeError(f"{file} is not committed as it is; commit it before opening the test")
    return commit


def commit_of_set(folder: Path) -> str | None:
    """The commit that holds a bundle set as it lies there; None, for the ledger, if none does.

    A set may be judged before it is shipped, so this does not refuse; its fingerprint says which
    set it was, but nobody can have it back.
    """
    try:
        return _committed(folder)
    except (OSError, subprocess.CalledProcessError):
        return None


def _committed(path: Path) -> str | None:
    folder, name = path.resolve().parent, path.name
    if _git(folder, "status", "--porcelain", "--ignored", "--", name):
        return None
    # A repository without any commit has no log to ask.
    return _git(folder, "log", "-1", "--format=%H", "--", name) or None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def begin(entry: Mapping[str, Any], ledger: Path) -> str:
    """Write down that the test is opened, on disk before this returns. The opening's id."""
    identity = uuid.uuid4().hex[:12]
    _append({"id": identity, "what": "opened", **entry}, ledger)
    return identity


def complete(identity: str, results: Mapping[str, Any], ledger: Path) -> None:
    """Write down what opening `identity` showed."""
    _append({"id": identity, "what": "results", **results}, ledger)


def _append(line: Mapping[str, Any], ledger: Path) -> None:
    with ledger.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def openings(ledger: Path = LEDGER) -> list[dict[str, Any]]:
    """All openings so far, oldest first, each with its results or with "results": None.

    The first two have no id: they were written in one line, after scoring.
    """
    if not ledger.is_file():
        return []
    found: list[dict[str, Any]] = []
    by_id: dict[str, dict[str, Any]] = {}
    for text in ledger.read_text("utf-8").splitlines():
        line = json.loads(text)
        identity, what = line.pop("id", None), line.pop("what", None)
        if what == "results":
            by_id[identity]["results"] = line
        elif what == "opened":
            by_id[identity] = {"id": identity, **line, "results": None}
            found.append(by_id[identity])
        else:
            head = {key: line.pop(key) for key in _HEAD}
            found.append({"id": None, **head, "results": line})
    return found
