"""`python -m edge_runtime.config_docs` prints docs/configuration.md, out of the dataclasses."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from edge_runtime.config import SHIPPED_BUNDLES, SYSTEM_FILE, Config
from edge_runtime.config_effects import Effect, effect_of
from edge_runtime.rules.bounds import bounds
from firmware_bridge.driver_names import OWN_NAMES, DriverName

_HEAD: Final = f"""# Configuration

Made by `python -m edge_runtime.config_docs`; change the dataclasses, not this page.

A TOML file, named with `--config` or found at `{SYSTEM_FILE}`; `--set KEY=VALUE` changes
single values, as in `--set store.durability_s=2` or `--set source.0.port=/dev/ttyUSB0`.
What `edge-runtime setup` saved in the store.directory lies between the two.
`edge-runtime config` prints every value with its origin, `edge-runtime check` all mistakes.

A running daemon reads it again on SIGHUP (`systemctl reload ecg-edge`) and `edge-runtime reload`;
each table says when a change then takes effect. One with a mistake changes nothing: the last good
one stays in force, with a technical alarm.
"""


def reference() -> str:
    """The page, Markdown."""
    return "\n".join([_HEAD, *_sections(Config, "", Effect.RESTART)])


def _sections(kind: Any, path: str, effect: Effect) -> Iterator[str]:
    """A section for the table at `path`, then for the tables inside it."""
    kinds = get_type_hints(kind)
    inner: list[tuple[Any, str, Effect]] = []
    rows: list[str] = []
    for setting in dataclasses.fields(kind):
        value_kind = kinds[setting.name]
        here = f"{path}.{setting.name}" if path else setting.name
        element = next(iter(get_args(value_kind)), None)
        if dataclasses.is_dataclass(value_kind):
            inner.append((value_kind, here, effect_of(setting, effect)))
        elif dataclasses.is_dataclass(element):
            inner.append((element, f"[{here}]", effect_of(setting, effect)))
        else:
            rows.append(_row(setting, value_kind))
    if path:
        yield f"## `[{path}]`\n\n{_paragraph(kind)} Takes effect: {effect.value}.\n"
    if rows:
        yield "| key | value | default |\n| --- | --- | --- |"
        yield "\n".join(rows) + "\n"
    for inner_kind, inner_path, inner_effect in inner:
        yield from _sections(inner_kind, inner_path, inner_effect)


def _paragraph(kind: Any) -> str:
    return " ".join((kind.__doc__ or "").split())


def _row(setting: Any, kind: Any) -> str:
    return f"| `{setting.name}` | {_value(setting, kind)} | {_default(setting)} |"


def _value(setting: Any, kind: Any) -> str:
    limits = bounds(setting)
    if limits is not None:
        return f"{limits[0]:,g} to {limits[1]:,.10g}"
    words: dict[Any, str] = {
        str: "text",
        bool: "`true` or `false`",
        Path: "path",
        str | int: "text or number",
    }
    words[tuple[str, ...]] = "list of texts"
    words[DriverName] = ", ".join(f'`"{name}"`' for name in OWN_NAMES) + ", or one that was added"
    if kind in words:
        return words[kind]
    choices = [choice for choice in get_args(kind) if choice is not type(None)]
    texts = [words.get(choice, f"`{choice!r}`".replace("'", '"')) for choice in choices]
    return ", ".join(texts)


def _default(setting: Any) -> str:
    if setting.default is dataclasses.MISSING:
        return "required"
    words = {None: "none", SHIPPED_BUNDLES: "the set that is shipped", "": "empty", (): "`[]`"}
    if setting.default in words:
        return words[setting.default]
    if isinstance(setting.default, bool):
        return f"`{str(setting.default).lower()}`"
    return f"`{setting.default}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
