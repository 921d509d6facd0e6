"""Who trains, who tests: de Chazal's split of mitdb, and the five folds, all by subject."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from types import MappingProxyType

import numpy as np

from model_build.datasets.subjects import subject
from model_build.errors import RecipeError

# fmt: off
DS1 = (
    "101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122", "124",
    "201", "203", "205", "207", "208", "209", "215", "220", "223", "230",
)
"""Training records of de Chazal 2004. 201 is never trained on here: see `TRAINING_MITDB`."""

DS2 = (
    "100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210", "212",
    "213", "214", "219", "221", "222", "228", "231", "232", "233", "234",
)
"""Test records of de Chazal 2004."""
# fmt: on

PACED = ("102", "104", "107", "217")
"""In neither, by EC57."""

TRAINING_MITDB = tuple(record for record in DS1 if record != "201")
"""201 and 202 are one man, and 202 is in the test."""

FOLDS = 5


def held_out_subjects() -> frozenset[str]:
    """Everyone in DS2. Nothing of theirs may train, calibrate or tune anything."""
    return frozenset(subject("mitdb", record) for record in DS2)


def require_separate(training: Iterable[str]) -> None:
    """Raise `RecipeError` if a training subject is also tested."""
    both = sorted(set(training) & held_out_subjects())
    if both:
        raise RecipeError(f"subjects on both sides of the split: {', '.join(both)}")


@cache
def folds() -> Mapping[str, int]:
    """Fold (0 to 4) of every subject listed in the committed folds.toml."""
    text = resources.files(__package__).joinpath("folds.toml").read_text("utf-8")
    entries = tomllib.loads(text)
    table = {name: int(k) for k, names in entries.items() for name in names.split()}
    return MappingProxyType(table)


def fold_of(who: str) -> int:
    """Fold of a subject: as committed; a recording of cinc2017 goes by its number."""
    database, _, record = who.partition("/")
    if database == "cinc2017":
        return int(record[1:]) % FOLDS
    try:
        return folds()[who]
    except KeyError:
        raise RecipeError(f"{who} is in no fold of folds.toml") from None


def assign(loads: Mapping[str, Sequence[float]], n_folds: int = FOLDS) -> dict[str, int]:
    """Spread subjects so that each column of `loads` is about equal in every fold.

    The subject with the largest share of any column goes first, each to the fold where it makes
    the sum of squared shares smallest. Deterministic: ties go by name.
    """
    names = sorted(loads)
    table = np.array([loads[name] for name in names], dtype=float)
    shares = table / np.maximum(table.sum(axis=0), 1.0)
    order = sorted(range(len(names)), key=lambda i: (-float(shares[i].max()), names[i]))
    filled = np.zeros((n_folds, shares.shape[1]))
    fold: dict[str, int] = {}
    for i in order:
        cost = ((filled + shares[i]) ** 2).sum(axis=1) - (filled**2).sum(axis=1)
        best = int(np.argmin(cost))
        filled[best] += shares[i]
        fold[names[i]] = best
    return fold
