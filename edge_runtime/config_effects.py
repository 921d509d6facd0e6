"""When a changed key of the configuration takes effect, and what differs between two of them.

A field of the configuration declares it by `takes_effect`; what lies inside it inherits that, and
what declares nothing waits for the next start.
"""

import dataclasses
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final, get_args, get_type_hints


class Effect(StrEnum):
    """When a reload brings a change to bear."""

    LIVE = "at once"
    SOURCE = "its source is opened anew"
    RESTART = "at the next start"


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One key that differs. `text` says from what to what, of numbers and switches alone: a text
    may be a name, an address or a secret, and logs hold none."""

    key: str
    effect: Effect
    text: str

    def __str__(self) -> str:
        return f"{self.key} {self.text} ({self.effect.value})"


_KEY: Final = "effect"
_PLAIN: Final = (bool, int, float, type(None))


def takes_effect(effect: Effect) -> dict[str, Effect]:
    """Metadata of a dataclass field that says so."""
    return {_KEY: effect}


def effect_of(setting: "dataclasses.Field[Any]", inherited: Effect = Effect.RESTART) -> Effect:
    """As declared, or as what it lies in."""
    declared: Effect = setting.metadata.get(_KEY, inherited)
    return declared


def changes(before: Any, after: Any) -> tuple[Change, ...]:
    """What differs between two configurations (the same dataclass), in order of its fields."""
    return tuple(_between(before, after, "", Effect.RESTART))


def _between(before: Any, after: Any, path: str, inherited: Effect) -> Iterator[Change]:
    kinds = get_type_hints(type(before))
    for setting in dataclasses.fields(before):
        old, new = getattr(before, setting.name), getattr(after, setting.name)
        here = f"{path}.{setting.name}" if path else setting.name
        effect = effect_of(setting, inherited)
        if old == new:
            continue
        if dataclasses.is_dataclass(old):
            yield from _between(old, new, here, effect)
        elif dataclasses.is_dataclass(next(iter(get_args(kinds[setting.name])), None)):
            yield from _of_named(old, new, here, effect)
        elif isinstance(old, _PLAIN) and isinstance(new, _PLAIN):
            yield Change(here, effect, f"{_word(old)} -> {_word(new)}")
        else:
            yield Change(here, effect, "changed")


def _of_named(before: Any, after: Any, path: str, effect: Effect) -> Iterator[Change]:
    """Of lists of tables with a name: by name, wherever in the list."""
    old, new = ({one.name: one for one in table} for table in (before, after))
    for name in old | new:
        here = f"{path}.{name}"
        if name not in new:
            yield Change(here, effect, "removed")
        elif name not in old:
            yield Change(here, effect, "added")
        else:
            yield from _between(old[name], new[name], here, effect)


def _word(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
