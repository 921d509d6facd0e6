"""Settings with bounds: a value a person may choose, and how far.

A setting is a field made by `bounded`; its dataclass calls `check_bounds` when built, so no rule
ever sees a value outside them. The bounds are readable from the field (documentation, forms).
"""

from dataclasses import Field, field, fields
from typing import Any


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


def check_bounds(settings: Any) -> None:
    """Raise `ValueError`, naming every field of the dataclass `settings` outside its bounds."""
    problems = []
    for setting in fields(settings):
        value, limits = getattr(settings, setting.name), bounds(setting)
        if limits is None or value is None:
            continue
        low, high = limits
        if not low <= value <= high:  # also refuses NaN
            problems.append(f"{setting.name} = {value:g} is outside {low:g} to {high:g}")
    if problems:
        raise ValueError("; ".join(problems))
