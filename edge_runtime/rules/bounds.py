"""Settings with bounds: a value a person may choose, and how far.

A setting is a field made by `bounded`; its dataclass calls `check_bounds` when built, so no rule
ever sees a value outside them. The bounds are readable from the field (documentation, forms).
"""

from dataclasses import Field, field, fields
from typing import Any


class OutOfBoundsError(ValueError):
    """At least one setting is outside its bounds; the message names each."""


def bounded(default: Any, low: float, high: float) -> Any:
    """A dataclass field holding `default`, allowed from `low` to `high`, both included.

    A default of None (the profile decides) is allowed too. Typed `Any`, as `dataclasses.field` is.
    """
    return field(default=default, metadata={"low": low, "high": high})


def bounds(setting: Field[Any]) -> tuple[float, float] | None:
    """The bounds of a field made by `bounded`, None for any other."""
    if "low" not in setting.metadata:
        return None
    return setting.metadata["low"], setting.metadata["high"]


def outside(setting: Field[Any], value: float | None) -> str:
    """Why `value` is not allowed for `setting`, as in "9 is outside 1 to 5"; empty if it is."""
    limits = bounds(setting)
    if limits is None or value is None:
        return ""
    low, high = limits
    # NaN is refused too: it is not between anything.
    return "" if low <= value <= high else f"{value:g} is outside {low:g} to {high:g}"


def check_bounds(settings: Any) -> None:
    """Raise `OutOfBoundsError`, naming every field of `settings` outside its bounds."""
    found = [(s.name, outside(s, getattr(settings, s.name))) for s in fields(settings)]
    problems = [f"{name} = {problem}" for name, problem in found if problem]
    if problems:
        raise OutOfBoundsError("; ".join(problems))
