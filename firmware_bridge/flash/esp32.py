"""ESP32 boards through their ROM's loader, by the esptool program (GPL, so run and never imported).

For boards without a running SMP server: a first installation, a rescue. The ROM has no slots and no
trial, so what was there is read first and kept in a file until the new firmware has proven itself;
otherwise it is written back. The ROM's loader itself cannot be overwritten.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from firmware_bridge.driver import Driver
from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.flash.check import TrustedImage, require_board, require_no_downgrade
from firmware_bridge.flash.errors import LinkCutError, RevertedError
from firmware_bridge.flash.image import version_of
from firmware_bridge.flash.plan import Wishes
from firmware_bridge.flash.probe import Watched, watch
from firmware_bridge.flash.session import Outcome, Progress, Timing, silent

SECTOR_BYTES: Final = 4096
_SLOWEST_BYTES_S: Final = 2000
"""A tenth of what 115200 baud carries, and twice what the ROM's own reading takes."""
_CONNECT_S: Final = 60.0


def esptool_program() -> str | None:
    """Where esptool is: beside this Python, or on the PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("esptool", path=os.pathsep.join((beside, os.environ.get("PATH", ""))))


@dataclass(frozen=True, slots=True)
class Esptool:
    """The program, for one port. `options` come before its command."""

    port: str
    options: tuple[str, ...] = ()

    async def read(self, offset: int, size: int) -> bytes:
        """Flash content. Raises LinkError or UsageError."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "flash"
            await self._run(size, "read-flash", hex(offset), hex(size), str(file))
            return file.read_bytes()

    async def write(self, offset: int, data: bytes) -> None:
        """Write and verify (esptool compares the MD5 of what the chip then holds). Raises
        LinkError or UsageError."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "flash"
            file.write_bytes(data)
            await self._run(len(data), "write-flash", hex(offset), str(file))

    async def _run(self, size: int, *command: str) -> None:
        program = esptool_program()
        if program is None:
            raise UsageError("ESP32 boards need esptool: `pip install 'ecg-edge[flash,esp32]'`")
        process = await asyncio.create_subprocess_exec(
            program,
            *("--port", self.port, *self.options, *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_CONNECT_S + size / _SLOWEST_BYTES_S):
                said, _ = await process.communicate()
        except TimeoutError as error:
            raise LinkError(f"{self.port}: esptool does not come to an end") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            lines = said.decode(errors="replace").strip().splitlines()
            raise LinkError(f"{self.port}: esptool: {lines[-1] if lines else 'failed'}")


@dataclass(slots=True)
class Esp32Session:
    """Flashes one board. `offset`: where its application (MCUboot's first slot) lies; `kept`: the
    file with what was there, which exists only while a run has not come to its end."""

    tool: Esptool
    driver: Callable[[], Driver] | None
    offset: int
    kept: Path
    timing: Timing = field(default_factory=Timing)
    tell: Callable[[Progress], None] = silent

    async def flash(self, trusted: TrustedImage, wishes: Wishes, *, dry_run: bool) -> Outcome:
        """Bring `trusted` onto the board. Safe to call again after any end.

        Raises LinkError (nothing was written), UsageError or a FlashError.
        """
        began = time.monotonic()
        image = trusted.image
        require_board(image, wishes.board)
        self.tell(Progress("reading what the board holds"))
        size = -(-len(image.data) // SECTOR_BYTES) * SECTOR_BYTES
        before = await self._before(size)
        running = version_of(before)
        if running is not None and not wishes.allow_downgrade:
            require_no_downgrade(image, running)
        installed = before.startswith(image.data)
        watched = Watched()
        if not dry_run and not installed:
            watched = await self._replace(before, image.data)
        planned = "already installed" if installed else "would begin with: write"
        return Outcome(
            self.tool.port,
            planned if dry_run or installed else "installed",
            str(running or "unknown"),
            str(image.version),
            time.monotonic() - began,
            watched.measured_hz,
        )

    async def _before(self, size: int) -> bytes:
        """What was there before this run, or before the one that never ended."""
        if self.kept.exists():
            return self.kept.read_bytes()
        return await self.tool.read(self.offset, size)

    async def _replace(self, before: bytes, data: bytes) -> Watched:
        fresh = self.kept.with_name(self.kept.name + ".new")
        fresh.write_bytes(before)
        fresh.replace(self.kept)
        self.tell(Progress("writing"))
        await self._write(data)
        watched = Watched()
        if self.driver is not None:
            self.tell(Progress("self-test: does it stream"))
            watched = await watch(self.driver(), self.timing.self_test_s)
        if watched.fault is not None and self.driver is not None:
            self.tell(Progress("writing back what was there"))
            await self._write(before)
            self.kept.unlink()
            raise RevertedError(f"self-test failed: {watched.fault}; what was there is back")
        self.kept.unlink()
        return watched

    async def _write(self, data: bytes) -> None:
        try:
            await self.tool.write(self.offset, data)
        except LinkError as error:
            raise LinkCutError(
                f"{error}; the board may hold a part of it and waits in its ROM: give the same "
                f"command again (what was there before is in {self.kept})"
            ) from error
