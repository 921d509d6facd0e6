"""A simulated sensor behind a pseudo terminal: to the daemon it is a serial port."""

import errno
import os
import pty
import select
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Final

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.device import SimulatedDevice
from firmware_bridge.simulator.faults import Faults, FaultyLine

_STEP_S: Final = 0.02
"""A packet of ten samples at 500 Hz."""
_QUEUE_BYTES: Final = 64 * 1024
"""What the sensor holds while its line is stalled; older frames are lost beyond that."""


class PtyPort:
    """A pty under a stable symlink, as udev's /dev/serial/by-id names are."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._master: int | None = None
        self._slave: int | None = None
        self._queue = bytearray()
        if link.exists() and not link.is_symlink():
            raise UsageError(f"{link} exists and is not a link; choose another --link")

    def plug(self) -> None:
        """Make the port appear."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.link.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.link.with_name(self.link.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.link)

    def unplug(self) -> None:
        """Make the port vanish; what was queued is lost."""
        self.link.unlink(missing_ok=True)
        for descriptor in (self._slave, self._master):
            if descriptor is not None:
                os.close(descriptor)
        self._master = self._slave = None
        self._queue.clear()

    @property
    def is_plugged(self) -> bool:
        """The port is there."""
        return self._master is not None

    def exchange(self, timeout_s: float) -> bytes:
        """Send what is queued and wait up to `timeout_s`; bytes that the host sent."""
        if self._master is None:
            time.sleep(timeout_s)
            return b""
        self._flush()
        readable, _, _ = select.select([self._master], [], [], timeout_s)
        return os.read(self._master, 4096) if readable else b""

    def send(self, data: bytes) -> None:
        """Queue bytes; beyond the queue's length the oldest are lost, as in a small device."""
        self._queue += data
        del self._queue[: max(0, len(self._queue) - _QUEUE_BYTES)]

    def _flush(self) -> None:
        assert self._master is not None
        while self._queue:
            try:
                sent = os.write(self._master, self._queue[:4096])
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                    return  # nobody reads; the queue holds it
                raise
            del self._queue[:sent]


def play(
    sensor: SimulatedDevice,
    port: PtyPort,
    faults: Faults,
    *,
    seed: int,
    speed: float,
    ready: Callable[[], None],
    should_stop: Callable[[float], bool],
    line: FaultyLine | None = None,
) -> None:
    """Run `sensor` in real time (times `speed`) until `should_stop(elapsed_s)`; `ready` is called
    once the port is there. `line`: what frames pass through; by itself one made of `faults`."""
    line = line or FaultyLine(faults, seed)
    port.plug()
    ready()
    started = time.monotonic()
    try:
        while not should_stop(elapsed := (time.monotonic() - started) * speed):
            frames = sensor.frames_until(elapsed)
            if faults.is_unplugged(elapsed):
                if port.is_plugged:
                    port.unplug()
            else:
                if not port.is_plugged:
                    port.plug()
                port.send(b"".join(map(line.carry, frames)))
            if faults.is_stalled(elapsed):
                time.sleep(_STEP_S)
                continue
            for answer in sensor.receive(port.exchange(_STEP_S)):
                port.send(line.carry(answer))
    finally:
        port.unplug()
