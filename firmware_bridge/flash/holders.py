"""Which other program has a port open: nobody flashes a sensor that is being monitored."""

import os
from collections.abc import Iterator
from pathlib import Path

from firmware_bridge.flash.errors import RefusedError


def holders(port: Path, processes: Path = Path("/proc")) -> Iterator[tuple[int, str]]:
    """Process id and name of every other process that has `port` open, as far as this user may
    know: root sees all, others their own."""
    if not processes.is_dir():  # no Linux
        return
    device = port.resolve()
    for folder in processes.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            opened = {descriptor.readlink() for descriptor in (folder / "fd").iterdir()}
            if device in opened:
                yield int(folder.name), (folder / "comm").read_text(encoding="utf-8").strip()
        except OSError:  # it has ended, or belongs to somebody else
            continue


def require_free(port: Path) -> None:
    """Raise RefusedError when another program uses `port`."""
    users = ", ".join(f"{name} (process {pid})" for pid, name in holders(port))
    if users:
        raise RefusedError(f"{port} is in use by {users}: end that session first")
