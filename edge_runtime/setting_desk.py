"""Settings that people change while the daemon runs: which there are, trying a change, keeping it.

What is kept goes into the layer of `saved_settings`: over the configuration file, which stays a
person's own, and below `--set`, which therefore cannot be changed here.
"""

import dataclasses
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from edge_runtime import saved_settings
from edge_runtime.config import Config, Layer, explain
from edge_runtime.config_effects import Effect, effect_of
from edge_runtime.errors import ConfigError
from edge_runtime.rules.bounds import bounds

SECTIONS: Final = ("rules", "alarms", "signal", "sound", "retention")
"""Of the configuration. The others hold addresses, secrets, and the way in to this page."""

Value = bool | int | float | str
Kind = Literal["switch", "whole", "number", "choice", "text"]
Origin = Literal["default", "file", "saved", "command line"]
Load = Callable[[dict[str, Any] | None], tuple[Config, tuple[Layer, ...]]]
"""`config.load` of this daemon's file and `--set`, with these settings in place of those saved."""

_KINDS: Final[dict[Any, Kind]] = {bool: "switch", int: "whole", float: "number", str: "text"}
_COMMAND_LINE: Final = "--set "


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One key, as a form needs it. `low` and `high` are its bounds, None without; `choices` of the
    kind "choice"; `may_be_empty`: None is a value, by which something else decides; `default` is
    what it is where nobody says anything."""

    key: str
    kind: Kind
    value: Value | None
    default: Value | None
    low: float | None
    high: float | None
    choices: tuple[Value, ...]
    may_be_empty: bool
    origin: Origin
    effect: Effect


class SettingDesk:
    """The settings of one daemon. Reads and writes files: not for the loop."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def reread(self) -> Config:
        """The configuration as it is on disk now. Raises ConfigError."""
        return self._load(None)[0]

    def listed(self) -> tuple[Setting, ...]:
        """What can be changed, in the order of the configuration. Raises ConfigError."""
        loaded, layers = self._load(None)
        saved = str(loaded.store.directory / saved_settings.FILE_NAME)
        values = {key: (value, origin) for key, value, origin in explain(loaded, layers)}
        hints = get_type_hints(Config)
        found = []
        for section in dataclasses.fields(Config):
            if section.name in SECTIONS:
                effect = effect_of(section)
                for path, kind, declared, inner in _leaves(
                    hints[section.name], section.name, effect
                ):
                    value, origin = values[path]
                    found.append(
                        _setting(path, kind, declared, inner, value, _origin(origin, saved))
                    )
        return tuple(found)

    def tried(self, changes: Mapping[str, Value | None]) -> Config:
        """The configuration as it would be. A value of None: as if it had not been saved.

        Raises ConfigError that lists every mistake.
        """
        return self._load(self._changed(changes)[1])[0]

    def save(self, changes: Mapping[str, Value | None]) -> Callable[[], None]:
        """Keep the changes; a reload brings them into force. Returns what takes them back.

        Raises ConfigError that lists every mistake, and StoreError where it cannot be written.
        """
        before, after = self._changed(changes)
        directory = self._load(after)[0].store.directory
        saved_settings.write(directory, after)
        return lambda: _put_back(directory, before)

    def _changed(
        self, changes: Mapping[str, Value | None]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is saved, and what would be. Raises ConfigError."""
        known = {one.key: one for one in self.listed()}
        wrong = [f"{key}: cannot be changed here" for key in changes if key not in known]
        wrong += [
            f"{key}: was given on the command line, which comes last"
            for key in changes
            if key in known and known[key].origin == "command line"
        ]
        if wrong:
            raise ConfigError("\n".join(wrong))
        before = saved_settings.read(self.reread().store.directory)
        after = _copy(before)
        for key, value in changes.items():
            _put(after, key.split("."), value)
        return before, after


def _put_back(directory: Path, before: dict[str, Any]) -> None:
    saved_settings.write(directory, before)


def _leaves(
    kind: Any, path: str, inherited: Effect
) -> Iterator[tuple[str, Any, "dataclasses.Field[Any]", Effect]]:
    hints = get_type_hints(kind)
    for declared in dataclasses.fields(kind):
        here, effect = f"{path}.{declared.name}", effect_of(declared, inherited)
        if dataclasses.is_dataclass(hints[declared.name]):
            yield from _leaves(hints[declared.name], here, effect)
        else:
            yield here, hints[declared.name], declared, effect


def _setting(
    key: str,
    kind: Any,
    declared: "dataclasses.Field[Any]",
    effect: Effect,
    value: Value | None,
    origin: Origin,
) -> Setting:
    may_be_empty = isinstance(kind, types.UnionType)
    if may_be_empty:
        (kind,) = (one for one in get_args(kind) if one is not type(None))
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    low, high = bounds(declared) or (None, None)
    return Setting(
        key=key,
        kind="choice" if choices else _KINDS[kind],
        value=value,
        default=None if declared.default is dataclasses.MISSING else declared.default,
        low=low,
        high=high,
        choices=choices,
        may_be_empty=may_be_empty,
        origin=origin,
        effect=effect,
    )


def _origin(words: str, saved: str) -> Origin:
    if words == "default":
        return "default"
    if words.startswith(_COMMAND_LINE):
        return "command line"
    return "saved" if words == saved else "file"


def _copy(table: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in table.items()}


def _put(table: dict[str, Any], path: list[str], value: Value | None) -> None:
    """Set one key of a nested table; None takes it out, and tables that are empty then."""
    first, *rest = path
    if rest:
        inner = table.setdefault(first, {})
        _put(inner, rest, value)
        if not inner:
            del table[first]
    elif value is None:
        table.pop(first, None)
    else:
        table[first] = value
