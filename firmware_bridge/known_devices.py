"""Straps that were paired: remembered in a small TOML file, one `[[device]]` each.

The file is written by programs (`edge-runtime pair`, `firmware-bridge pair`), whole or not at all;
a person may read it and delete from it.
"""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.toml_value import toml_value

FILE_NAME: Final = "devices.toml"
SYSTEM_FILE: Final = Path("/var/lib/edge-runtime") / FILE_NAME
_HEAD: Final = "# Written by `pair`. Delete a [[device]] to forget it.\n"


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """One strap. `serial` is pinned: empty where the strap tells none."""

    name: str
    address: str
    family: str
    serial: str = ""
    model: str = ""


def read_known(file: Path) -> list[KnownDevice]:
    """The devices of `file`, none where it does not exist. Raises UsageError for what it is not."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return [KnownDevice(**device) for device in table.get("device", [])]
    except (FileNotFoundError, NotADirectoryError):
        return []  # a folder that cannot exist holds none; the store itself says what is wrong
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise UsageError(f"{file}: not a list of known devices ({error}); delete it") from error


def remember(file: Path, device: KnownDevice) -> None:
    """Add `device`, in place of one with its address or name. Raises RecordError, UsageError."""
    others = [
        known
        for known in read_known(file)
        if known.address != device.address and known.name != device.name
    ]
    _write(file, [*others, device])


def forget(file: Path, name: str) -> KnownDevice:
    """Remove the device of that name or address. Raises UsageError where there is none."""
    known = read_known(file)
    found = [device for device in known if name in (device.name, device.address)]
    if not found:
        names = ", ".join(device.name for device in known) or "none"
        raise UsageError(f"no device {name!r} is known; there are: {names}")
    _write(file, [device for device in known if device != found[0]])
    return found[0]


def _write(file: Path, devices: list[KnownDevice]) -> None:
    blocks = [_HEAD]
    for device in devices:
        values = asdict(device)
        lines = [f"{f.name} = {toml_value(values[f.name])}" for f in fields(device)]
        blocks.append("\n".join(["[[device]]", *lines, ""]))
    fresh = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text("\n".join(blocks), encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise RecordError(f"{file}: cannot be written ({error.strerror})") from error
