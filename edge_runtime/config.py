"""What a person can set, where each value came from, and every mistake at once.

Layers, later ones win: defaults, the configuration file (a person's, never written by us),
`--set KEY=VALUE`. Unknown keys are refused with their path and a suggestion.
"""

import difflib
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_type_hints

import cattrs
from cattrs import ClassValidationError, IterableValidationError

from edge_runtime.errors import ConfigError
from edge_runtime.rules.settings import RuleSettings

SYSTEM_FILE: Final = Path("/etc/edge-runtime/config.toml")
SHIPPED_BUNDLES: Final = Path(__file__).parent / "bundles" / "default"


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One device. `lead` is a lead's name, its number from 0, or "auto"."""

    name: str
    port: str
    driver: Literal["serial"] = "serial"
    baud: int = 921_600
    lead: str = "auto"
    subject: str | None = None

    def __post_init__(self) -> None:
        _require(bool(self.name), "name is empty")
        _require(self.baud > 0, f"baud is {self.baud}, it must be positive")


@dataclass(frozen=True, slots=True)
class SignalConfig:
    """How the signal is conditioned. `mains_hz` is the grid's frequency where the wearer is."""

    mains_hz: Literal[0, 50, 60] = 50
    ring_minutes: float = 10.0

    def __post_init__(self) -> None:
        _require(1 <= self.ring_minutes <= 120, "ring_minutes must be 1 to 120")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where recordings go. `durability_s`: at most this much is lost when the power goes."""

    directory: Path = Path("/var/lib/edge-runtime")
    durability_s: float = 5.0
    raw: bool = True

    def __post_init__(self) -> None:
        _require(0.5 <= self.durability_s <= 60, "durability_s must be 0.5 to 60")


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """Which bundle set to run."""

    directory: Path = SHIPPED_BUNDLES


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration of one daemon."""

    source: tuple[SourceConfig, ...] = ()
    signal: SignalConfig = field(default_factory=SignalConfig)
    rules: RuleSettings = field(default_factory=RuleSettings)
    store: StoreConfig = field(default_factory=StoreConfig)
    bundles: BundleConfig = field(default_factory=BundleConfig)

    def __post_init__(self) -> None:
        names = [source.name for source in self.source]
        _require(len(set(names)) == len(names), "two sources have the same name")


@dataclass(frozen=True, slots=True)
class Layer:
    """One origin of values: a nested table and the words that say where it came from."""

    origin: str
    table: dict[str, Any]


def load(file: Path | None, settings: Sequence[str] = ()) -> tuple[Config, tuple[Layer, ...]]:
    """The configuration out of `file` (None: the system's, if there is one) and `--set` strings.

    Raises ConfigError that lists every problem with its path.
    """
    layers: list[Layer] = []
    if file is not None:
        layers.append(Layer(str(file), _read_toml(file)))
    elif SYSTEM_FILE.exists():
        layers.append(Layer(str(SYSTEM_FILE), _read_toml(SYSTEM_FILE)))
    layers += [Layer(f"--set {text}", _parse_setting(text)) for text in settings]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer.table)
    return structure(merged), tuple(layers)


def structure(table: dict[str, Any]) -> Config:
    """A configuration from one nested table. Raises ConfigError with all problems."""
    try:
        return _converter.structure(table, Config)
    except (ClassValidationError, IterableValidationError) as error:
        problems = sorted(set(_problems(error, Config, "")))
        raise ConfigError("\n".join(problems)) from error


def explain(config: Config, layers: Sequence[Layer]) -> Iterator[tuple[str, Any, str]]:
    """(key, value, origin) of every value, in the order of the dataclasses."""
    table = _converter.unstructure(config)
    for path, value in _leaves(table, ()):
        origin = "default"
        for layer in layers:
            if _holds(layer.table, path):
                origin = layer.origin
        yield ".".join(path), value, origin


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error


def _parse_setting(text: str) -> dict[str, Any]:
    key, equals, raw = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text!r}: expected KEY=VALUE, as in store.durability_s=2")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw  # an unquoted string, as one types it in a shell
    table: Any = value
    for part in reversed(key.split(".")):
        table = {part: table}
    return dict(table)


def _merge(below: Any, above: Any) -> Any:
    """`above` over `below`. A table with numbers as keys changes single elements of a list."""
    if isinstance(below, dict) and isinstance(above, dict):
        merged = dict(below)
        for key, value in above.items():
            indexed = isinstance(value, dict) and value and all(k.isdigit() for k in value)
            if indexed:
                merged[key] = _merge_list(merged.get(key, []), value)
            else:
                merged[key] = _merge(merged.get(key), value)
        return merged
    return above


def _merge_list(below: list[Any], above: dict[str, Any]) -> list[Any]:
    merged = list(below)
    for key in sorted(above, key=int):
        position = min(int(key), len(merged))
        if position == len(merged):
            merged.append({})
        merged[position] = _merge(merged[position], above[key])
    return merged


def _leaves(table: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(table, dict):
        for key, value in table.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(table, list | tuple) and table and isinstance(table[0], dict):
        for position, value in enumerate(table):
            yield from _leaves(value, (*path, str(position)))
    else:
        yield path, table


def _holds(table: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if isinstance(table, list) and part.isdigit() and int(part) < len(table):
            table = table[int(part)]
        elif isinstance(table, dict) and part in table:
            table = table[part]
        else:
            return False
    return True


def _problems(error: BaseException, kind: Any, path: str) -> Iterator[str]:
    """One line for each leaf of cattrs' tree of exceptions, with its path and what to do."""
    if isinstance(error, ClassValidationError):
        located, unlocated = error.group_exceptions()
        for inner, note in located:
            inner_kind = get_type_hints(kind).get(note.name) if is_dataclass(kind) else None
            yield from _problems(inner, inner_kind, _join(path, note.name))
        for inner in unlocated:
            yield from _problems(inner, kind, path)
    elif isinstance(error, IterableValidationError):
        elements, others = error.group_exceptions()
        element_kind = next(iter(get_args(kind)), None)
        for inner, item in elements:
            yield from _problems(inner, element_kind, _join(path, str(item.index)))
        for inner in others:
            yield from _problems(inner, kind, path)
    elif isinstance(error, cattrs.ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields):
            yield f"{_join(path, key)}: unknown key{_did_you_mean(key, kind)}"
    elif isinstance(error, KeyError):
        yield f"{_join(path, str(error.args[0]))}: missing"
    else:
        yield f"{path or 'configuration'}: {error}"


def _did_you_mean(key: str, kind: Any) -> str:
    known = [f.name for f in fields(kind)] if is_dataclass(kind) else []
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _strict_number(kind: type) -> Any:
    """TOML has types; a string where a number belongs is a mistake, not something to convert."""

    def structure_number(value: Any, _: type) -> Any:
        allowed = (int, float) if kind is float else (kind,)
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, allowed):
            raise TypeError(f"{value!r} is not {_TYPE_NAMES[kind]}")
        return kind(value)

    return structure_number


_TYPE_NAMES: Final = {int: "a whole number", float: "a number", bool: "true or false"}


def _structure_text(value: Any, _: type) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (int, float, bool):
        converter.register_structure_hook(kind, _strict_number(kind))
    converter.register_structure_hook(str, _structure_text)
    converter.register_structure_hook(Path, lambda value, _: Path(_structure_text(value, str)))
    converter.register_unstructure_hook(Path, str)
    return converter


_converter = _make_converter()
