"""What a stranger may see of a daemon in trouble: numbers, switches, and this program's own words.

Nothing that a person or a device wrote gets in: no signal, no text of an event, no name of a
source, wearer, account, host or file, no address, no token. Not by looking for them, but by letting
only values pass whose kind cannot hold any.
"""

import dataclasses
import os
import platform
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from edge_runtime.audit import Entry, entries
from edge_runtime.config import Config, Layer, explain
from edge_runtime.disk_encryption import encryption
from edge_runtime.errors import StoreError
from edge_runtime.events import AlarmKind, Priority
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.disk import is_open
from edge_runtime.store.housekeeping import free_bytes
from edge_runtime.store.overview import bytes_below
from edge_runtime.store.raw import signals_of
from edge_runtime.store.reading import read_only
from edge_runtime.store.removal import RAW_FOLDER, STRIPS_FOLDER
from firmware_bridge.driver_names import OWN_NAMES
from firmware_bridge.stream import GapReason

_HIDDEN: Final = "(text)"
_PACKAGES: Final = (
    "ecg-edge", "numpy", "scipy", "msgspec", "cattrs", "click", "ai-edge-litert", "tflite-runtime",
    "bleak", "pyserial", "serialx", "starlette", "uvicorn", "rule-engine", "smpclient",
)  # fmt: skip
_TABLES: Final = ("session", "beat", "event", "episode", "alarm", "gap", "segment", "review")
_ACTS: Final = frozenset(
    {"view", "export", "delete", "review", "wearer", "acknowledged", "reset", "audio_paused",
     "audio_resumed", "alarm_off", "alarm_on", "identify", "forget identity", "view identity",
     "account set", "account token", "account remove", "backup", "restore", "repair", "support"}
)  # fmt: skip
_LATEST: Final = 30


def support_dump(config: Config, layers: Sequence[Layer]) -> dict[str, Any]:
    """Everything, as plain data."""
    directory = config.store.directory
    return {
        "program": _program(),
        "configuration": list(_configuration(config, layers)),
        "place": _place(directory),
        "store": _store(directory),
        "acts": _acts(directory),
    }


def _program() -> dict[str, Any]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "sqlite": sqlite3.sqlite_version,
        "packages": versions,
    }


def _configuration(config: Config, layers: Sequence[Layer]) -> Iterator[dict[str, Any]]:
    """Each key with its value; of texts only those that are one of a few that we named."""
    choices = frozenset((*_choices(Config), *OWN_NAMES))
    for key, value, origin in explain(config, layers):
        yield {
            "key": key,
            "value": _passed(value, choices),
            "set": origin != "default",
        }


def _choices(kind: Any) -> Iterator[str]:
    if dataclasses.is_dataclass(kind):
        for inner in get_type_hints(kind).values():
            yield from _choices(inner)
    elif get_origin(kind) is Literal:
        yield from (choice for choice in get_args(kind) if isinstance(choice, str))
    else:
        for inner in get_args(kind):
            yield from _choices(inner)


def _passed(value: Any, choices: frozenset[str]) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and value in choices:
        return value
    if isinstance(value, list | tuple):
        return [_passed(one, choices) for one in value]
    return _HIDDEN


def _place(directory: Path) -> dict[str, Any]:
    if not directory.is_dir():
        return {"exists": False}
    return {
        "exists": True,
        "free_bytes": free_bytes(directory),
        "raw_bytes": bytes_below(directory / RAW_FOLDER),
        "strip_bytes": bytes_below(directory / STRIPS_FOLDER),
        "open_to_others": is_open(directory),
        "encryption": encryption(directory).value,
    }


def _store(directory: Path) -> dict[str, Any]:
    try:
        with closing(read_only(directory)) as connection:
            return _counted(connection, directory)
    except (StoreError, sqlite3.Error) as error:
        return {"cannot be read": type(error).__name__}


def _counted(connection: sqlite3.Connection, directory: Path) -> dict[str, Any]:
    def one(query: str, *values: object) -> Any:
        return connection.execute(query, values).fetchone()[0]

    gaps = dict(connection.execute("SELECT reason, count(*) FROM gap GROUP BY reason"))
    alarms = {
        f"{kind} {priority}": one(
            "SELECT count(*) FROM alarm WHERE kind = ? AND priority = ?", kind.value, priority.value
        )
        for kind in AlarmKind
        for priority in Priority
    }
    latest = connection.execute(
        "SELECT stream, started_utc_ns, ended_utc_ns, going,"
        " (SELECT count(*) FROM beat WHERE session = session.id),"
        " (SELECT count(*) FROM gap WHERE session = session.id),"
        " (SELECT count(*) FROM segment WHERE session = session.id)"
        " FROM session ORDER BY id DESC LIMIT ?",
        (_LATEST,),
    )
    return {
        "schema": one("PRAGMA user_version"),
        "whole": one("PRAGMA quick_check(1)") == "ok",
        "database_bytes": (directory / FILE_NAME).stat().st_size,
        "rows": {table: one(f"SELECT count(*) FROM {table}") for table in _TABLES},
        "gaps": {reason.value: gaps.get(reason.value, 0) for reason in GapReason},
        "alarms": alarms,
        "latest_sessions": [_session(row) for row in latest],
    }


def _session(row: tuple[Any, ...]) -> dict[str, Any]:
    """Its numbers; when it began by the day alone."""
    stream, started_utc_ns, ended_utc_ns, going, beats, gaps, segments = row
    try:
        signals = [
            {
                "kind": signal.kind.value,
                "rate_hz": float(signal.rate_hz),
                "leads": len(signal.leads),
            }
            for signal in signals_of(stream)
        ]
    except msgspec.MsgspecError:
        signals = []
    return {
        "day": started_utc_ns // (86_400 * 10**9),
        "seconds": None if ended_utc_ns is None else (ended_utc_ns - started_utc_ns) // 10**9,
        "going": bool(going),
        "beats": beats,
        "gaps": gaps,
        "segments": segments,
        "signals": signals,
    }


def _acts(directory: Path) -> dict[str, int]:
    counts = {"damaged lines": 0, "other": 0}
    try:
        for one in entries(directory):
            if isinstance(one, Entry):
                act = one.act if one.act in _ACTS else "other"
            else:
                act = "damaged lines"
            counts[act] = counts.get(act, 0) + 1
    except StoreError:
        counts["unreadable"] = 1
    return counts
