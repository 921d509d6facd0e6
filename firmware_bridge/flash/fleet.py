"""Many devices: one first, then a few at a time, and no further when too many fail.

A run is kept in a file of JSON lines, one for each device that came to an end; the same command
with the same file goes on with those that are missing or failed.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from firmware_bridge.errors import BridgeError, UsageError
from firmware_bridge.flash.errors import FlashError, StoppedError

_MIN_ENDED: Final = 3
"""A rate of failures means nothing before so many devices have come to an end."""


@dataclass(frozen=True, slots=True)
class Member:
    """One device of the fleet, and where it streams if that is elsewhere."""

    device: str
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How it ended for one device; `outcome` as of `flash --json`, or why not."""

    device: str
    exit_code: int
    outcome: dict[str, object] | None = None
    error: str | None = None

    @property
    def is_good(self) -> bool:
        """The device runs the image."""
        return self.exit_code == 0

    def describe(self) -> dict[str, object]:
        """For `--json` and the run file."""
        return {
            "device": self.device,
            "exit_code": self.exit_code,
            "outcome": self.outcome,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """How carefully to go about it."""

    jobs: int = 4
    stop_at_rate: float = 0.2
    """Begin no further device once more than this share of the ended ones has failed."""


def read_members(path: Path) -> tuple[Member, ...]:
    """A device a line, `DEVICE [STREAM-PORT]`; the first is the canary. Raises UsageError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    members = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if len(words) > 2:
            raise UsageError(f"{path}, line {number}: DEVICE [STREAM-PORT] expected")
        if words:
            members.append(Member(*words))
    names = [member.device for member in members]
    if not members or len(set(names)) != len(names):
        raise UsageError(f"{path}: at least one device is expected, and each once")
    return tuple(members)


class RunFile:
    """What has come to an end, for one image. Every line is on disk before the next begins."""

    def __init__(self, path: Path, image: bytes) -> None:
        self._path = path
        self._image = hashlib.sha256(image).hexdigest()

    def done(self) -> set[str]:
        """Devices that run the image already. Raises UsageError for another image's file."""
        good: set[str] = set()
        for entry in self._entries():
            if entry.get("image") != self._image:
                raise UsageError(f"{self._path} belongs to another image; name a new --run-file")
            if entry.get("exit_code") == 0:
                good.add(str(entry["device"]))
        return good

    def add(self, report: Report) -> None:
        """Append one device's end."""
        line = json.dumps({"image": self._image, **report.describe()}) + "\n"
        with self._path.open("a+b") as file:
            file.seek(max(0, file.tell() - 1))
            torn = file.read(1) not in (b"", b"\n")  # the host died while it wrote
            file.write((b"\n" if torn else b"") + line.encode())
            file.flush()
            os.fsync(file.fileno())

    def _entries(self) -> Iterable[dict[str, Any]]:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # torn, see `add`


async def flash_all(
    members: tuple[Member, ...],
    flash_one: Callable[[Member], Awaitable[dict[str, object]]],
    run_file: RunFile,
    policy: Policy,
    report: Callable[[Report], None],
) -> None:
    """Flash all `members` but those that the run file has as done; `report` gets each end.

    Raises StoppedError when the canary or too many devices failed; devices that were begun then
    are still brought to their end.
    """
    done = run_file.done()
    waiting = [member for member in members if member.device not in done]
    ended = failed = 0

    async def bring_to_end(member: Member) -> None:
        nonlocal ended, failed
        end = await _end_of(member, flash_one)
        run_file.add(end)
        report(end)
        ended += 1
        failed += not end.is_good

    def has_to_stop() -> bool:
        return ended >= _MIN_ENDED and failed > policy.stop_at_rate * ended

    async def worker() -> None:
        while waiting and not has_to_stop():
            await bring_to_end(waiting.pop(0))

    if waiting and not done:
        await bring_to_end(waiting.pop(0))
        if failed:
            raise StoppedError(f"the canary {members[0].device} failed; no other was touched")
    await asyncio.gather(*(worker() for _ in range(policy.jobs)))
    if waiting:
        raise StoppedError(f"{failed} of {ended} failed; {len(waiting)} were not begun")
    if failed:
        raise StoppedError(f"{failed} of {ended} failed; all were tried")


async def _end_of(
    member: Member, flash_one: Callable[[Member], Awaitable[dict[str, object]]]
) -> Report:
    try:
        return Report(member.device, 0, await flash_one(member))
    except FlashError as error:
        return Report(member.device, error.exit_code, error=str(error))
    except BridgeError as error:
        return Report(member.device, 2 if isinstance(error, UsageError) else 1, error=str(error))
