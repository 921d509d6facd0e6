"""Settings that `edge-runtime setup` chose: a file beside the recordings, below a person's own.

`settings.toml` in the store.directory is a layer of the configuration over
/etc/edge-runtime/config.toml, which no program ever writes. It is written whole or not at all.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edge_runtime.errors import ConfigError
from edge_runtime.store.disk import make_private_directory
from firmware_bridge.records.writing import replace_file
from firmware_bridge.toml_value import toml_value

FILE_NAME: Final = "settings.toml"
_HEAD: Final = (
    "# Written by `edge-runtime setup` and by the settings of the page; change it there.\n"
)


def read(directory: Path) -> dict[str, Any]:
    """The nested table that was saved, empty where none was. Raises ConfigError."""
    file = directory / FILE_NAME
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error


def over(table: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """`saved` as a layer over `table`: its sources come behind those configured by hand, and one
    whose name or port is configured by hand is left to that."""
    sources = saved.get("source", [])
    configured = table.get("source", [])
    if not isinstance(sources, list) or not isinstance(configured, list):
        return dict(saved)  # `structure` says what is wrong
    taken = {
        one.get(key) for one in configured if isinstance(one, dict) for key in ("name", "port")
    }
    added = [one for one in sources if not {one.get("name"), one.get("port")} & taken]
    others = {key: value for key, value in saved.items() if key != "source"}
    if not added:
        return others
    return others | {"source": {str(len(configured) + k): one for k, one in enumerate(added)}}


def write(directory: Path, table: Mapping[str, Any]) -> Path:
    """Save `table` in place of what was saved; it belongs to whom the directory belongs to.

    Values are texts, numbers, truths, tables of those, and lists of tables. Raises StoreError,
    RecordError.
    """
    make_private_directory(directory)
    file = directory / FILE_NAME
    replace_file(file, "\n".join([_HEAD, *_lines(table, ())]).encode(), sync=True)
    give_to_owner(directory, file)
    return file


def give_to_owner(directory: Path, *files: Path) -> None:
    """Files that root wrote in the daemon's directory are the daemon's."""
    if os.geteuid() != 0:
        return
    owner = directory.stat()
    for file in files:
        if file.exists():
            os.chown(file, owner.st_uid, owner.st_gid)


def _lines(table: Mapping[str, Any], path: Sequence[str]) -> Iterator[str]:
    plain = {k: v for k, v in table.items() if not isinstance(v, dict | list)}
    yield from (f"{key} = {toml_value(value)}" for key, value in plain.items())
    for key, value in table.items():
        name = ".".join((*path, key))
        for one in value if isinstance(value, list) else ():
            yield from ("", f"[[{name}]]", *_lines(one, (*path, key)))
        if isinstance(value, dict):
            yield from ("", f"[{name}]", *_lines(value, (*path, key)))
    if not path:
        yield ""
