"""From a table that a person wrote to a dataclass; from what is wrong with it to words.

Every problem is one line: the path of the key, and what to change. Nothing is converted silently:
TOML has types, and a string where a number belongs is a mistake.
"""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import cattrs
from cattrs import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from edge_runtime.rules.bounds import OutOfBoundsError, outside
from firmware_bridge.driver_names import OWN_NAMES, DriverName, driver_names

_TYPE_NAMES: Final = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    str | int: "a string or a whole number",
}


def make_converter() -> cattrs.Converter:
    """A converter that takes values of the right type only and refuses unknown keys."""
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in _TYPE_NAMES:
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook(Path, _structure_path)
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook_func(lambda kind: kind is DriverName, _structure_driver)
    converter.register_structure_hook_func(_is_choice, _structure_choice)
    converter.register_structure_hook_factory(
        _is_list, lambda kind: _structure_list(converter, kind)
    )
    converter.register_structure_hook_factory(
        is_dataclass, lambda kind: _structure_table(converter, kind)
    )
    return converter


def problems(error: BaseException, table: Any, kind: type) -> list[str]:
    """A line for everything that is wrong with `table` as a `kind`; `error` is cattrs' view."""
    return sorted({*_refused(error, kind, ""), *_out_of_bounds(table, kind, "")})


def _refused(error: BaseException, kind: Any, path: str) -> Iterator[str]:
    """One line for each leaf of cattrs' tree of exceptions."""
    if isinstance(error, ClassValidationError):
        located, unlocated = error.group_exceptions()
        for inner, note in located:
            inner_kind = get_type_hints(kind).get(note.name) if is_dataclass(kind) else None
            yield from _refused(inner, inner_kind, _join(path, note.name))
        for inner in unlocated:
            yield from _refused(inner, kind, path)
    elif isinstance(error, IterableValidationError):
        elements, others = error.group_exceptions()
        element_kind = next(iter(get_args(kind)), None)
        for inner, item in elements:
            yield from _refused(inner, element_kind, _join(path, str(item.index)))
        for inner in others:
            yield from _refused(inner, kind, path)
    elif isinstance(error, cattrs.ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields):
            yield f"{_join(path, key)}: unknown key{_did_you_mean(key, kind)}"
    elif isinstance(error, KeyError):
        yield f"{path}: missing"
    elif not isinstance(error, OutOfBoundsError):  # those are found below, with their own paths
        yield f"{path or 'configuration'}: {error}"


def _out_of_bounds(table: Any, kind: Any, path: str) -> Iterator[str]:
    """Numbers outside their bounds, even in tables that have other mistakes as well."""
    if _is_list(kind) and isinstance(table, list):
        for position, element in enumerate(table):
            yield from _out_of_bounds(element, get_args(kind)[0], _join(path, str(position)))
    if not is_dataclass(kind) or not isinstance(table, dict):
        return
    kinds = get_type_hints(kind)
    for setting in fields(kind):
        value, here = table.get(setting.name), _join(path, setting.name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            problem = outside(setting, value)
            if problem:
                yield f"{here}: {problem}"
        else:
            yield from _out_of_bounds(value, kinds[setting.name], here)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _did_you_mean(key: str, kind: Any) -> str:
    known = [f.name for f in fields(kind)] if is_dataclass(kind) else []
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _strict(kind: Any) -> Callable[[Any, type], Any]:
    allowed: Any = (int, float) if kind is float else kind

    def structure(value: Any, _: type) -> Any:
        right = isinstance(value, allowed) and isinstance(value, bool) is (kind is bool)
        if not right:
            raise TypeError(f"{value!r} is not {_TYPE_NAMES[kind]}")
        return float(value) if kind is float else value

    return structure


def _structure_path(value: Any, _: type) -> Path:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is not a path")
    return Path(value).expanduser()


def _structure_choice(value: Any, kind: Any) -> Any:
    choices = get_args(kind)
    if isinstance(value, bool) or value not in choices:
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, choices))}")
    return value


def _structure_driver(value: Any, _: Any) -> DriverName:
    if not isinstance(value, str) or (value not in OWN_NAMES and value not in driver_names()):
        close = difflib.get_close_matches(str(value), driver_names(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, driver_names()))}{hint}")
    return DriverName(value)


def _structure_list(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    element = get_args(kind)[0]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is not a list; in a file each element begins with [[...]]")
        return tuple(converter.structure(value, list[element]))  # type: ignore[valid-type] # at run time

    return structure


def _structure_table(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:
    from_table = make_dict_structure_fn(
        kind,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
    )

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is not a table of settings")
        return from_table(value, kind)

    return structure
