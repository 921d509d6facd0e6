"""Tells the service manager that all parts move: systemd's notify protocol (sd_notify(3)).

Fed only while the loop, the engine thread and the writer thread all made progress or had nothing
to do; a part that hangs lets the watchdog expire, and the service manager starts anew.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 5.0
_LOOKS: Final = 3
"""Within the service manager's patience: one look may fall on a part that is just busy."""


def look_every_s() -> float:
    """How often to ask `Watchdog.stuck`: as the service manager's patience needs, at most 5 s."""
    patience_us = os.environ.get("WATCHDOG_USEC", "")
    if not patience_us.isdigit() or not int(patience_us):
        return _LOOK_EVERY_S
    return min(_LOOK_EVERY_S, int(patience_us) / 1e6 / _LOOKS)


@dataclass(slots=True)
class Part:
    """One watched part: `progress` counts what it did, `pending` what it has not done yet, with
    what it is doing now."""

    name: str
    progress: Callable[[], int]
    pending: Callable[[], int]
    _last: int = -1

    def moved(self) -> bool:
        """Since the last call something was done, or there was nothing to do."""
        progress = self.progress()
        moved = progress != self._last or self.pending() == 0
        self._last = progress
        return moved


class Watchdog:
    """Ask `stuck()` regularly, not more often than every few seconds."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    def stuck(self) -> list[str]:
        """Names of the parts that did not move; feeds the service manager when there are none."""
        stuck = [part.name for part in self._parts if not part.moved()]
        if not stuck:
            notify("WATCHDOG=1")
        return stuck


def notify_reloading() -> None:
    """The configuration is read again; `READY=1` follows. systemd wants the moment with it."""
    now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify(f"RELOADING=1\nMONOTONIC_USEC={now_us}")


def notify(state: str) -> None:
    """Send `state` to the service manager, if there is one that listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A leading @ means Linux's abstract namespace.
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect(name)
            channel.sendall(state.encode())
    except OSError as error:
        # Monitoring goes on; a service manager that hears nothing acts by itself.
        log.debug("NOTIFY_SOCKET %s: %s", address, error)
