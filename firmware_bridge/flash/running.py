"""What commands that reach a device share: a session, an event loop, progress, exit codes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from firmware_bridge.errors import BridgeError, UsageError
from firmware_bridge.flash.errors import FlashError

if TYPE_CHECKING:
    from firmware_bridge.flash.device import Identity
    from firmware_bridge.flash.esp32 import Esp32Session
    from firmware_bridge.flash.session import Progress, Session


_EXTRA: Final = {"smpclient", "smp", "pydantic", "cryptography", "serialx", "bleak"}


LENT_FOR_S: Final = 1800.0
"""After so long a daemon monitors again, whatever has become of who flashes."""


@contextmanager
def reported_errors() -> Iterator[None]:
    """Say what went wrong on stderr and leave with its exit code."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        extras = "ble,flash" if error.name == "bleak" else "flash"
        needs = f"firmware-bridge: flashing needs `pip install 'ecg-edge[{extras}]'`"
        click.echo(needs, err=True)
        sys.exit(2)
    except FlashError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(error.exit_code)
    except BridgeError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)


@contextmanager
def lent(directory: Path, device: str, *, end_session: bool) -> Iterator[None]:
    """Nobody monitors the device meanwhile. A daemon that does, and whose store.directory this is,
    stops with `end_session`, and goes on afterwards. Raises RefusedError otherwise."""
    from firmware_bridge.daemon_socket import is_there  # noqa: PLC0415

    if not is_there(directory):
        yield
        return
    from firmware_bridge.flash.errors import RefusedError  # noqa: PLC0415
    from firmware_bridge.through_daemon import DaemonDevices  # noqa: PLC0415

    devices = DaemonDevices(directory)
    read = devices.reading(device)
    if read is None:
        yield
        return
    if not end_session:
        raise RefusedError(
            f"{device} is being monitored as source {read['source']!r}; to stop that for as long "
            f"as it is flashed, give --end-session"
        )
    devices.lend(device, LENT_FOR_S)
    try:
        yield
    finally:
        devices.give_back(device)


def session_for(
    device: str,
    stream: str | None,
    *,
    no_stream: bool,
    self_test_s: float = 5.0,
    boot_s: float = 90.0,
    changes: bool = True,
) -> "Session":
    """A session with the device. `changes`: other firmware may run afterwards, so that a bond is
    asked for over Bluetooth. Raises UsageError, or RefusedError when the device is in use."""
    from firmware_bridge.flash.address import (  # noqa: PLC0415
        BleAddress,
        SerialAddress,
        parse_address,
    )
    from firmware_bridge.flash.holders import require_free  # noqa: PLC0415
    from firmware_bridge.flash.session import Session, Timing  # noqa: PLC0415
    from firmware_bridge.links.serial import SerialSensor  # noqa: PLC0415

    address = parse_address(device)
    timing = Timing(self_test_s=self_test_s, boot_s=boot_s)
    if isinstance(address, BleAddress) and stream is None:
        from firmware_bridge.flash.over_bluetooth import session_over  # noqa: PLC0415

        return session_over(address, timing, no_stream=no_stream, changes=changes)
    port = stream or (address.path if isinstance(address, SerialAddress) else None)
    if port is None and not no_stream:
        raise UsageError(f"{device}: say where it streams (--stream PORT), or --no-stream")
    ports = {port, address.path if isinstance(address, SerialAddress) else None}
    for used in filter(None, ports):
        require_free(Path(used))
    driver = None if no_stream or port is None else (lambda: SerialSensor("flashed", port))
    return Session(address, driver, timing)


def identified(device: str) -> "tuple[Session, Identity, tuple[str, ...]]":
    """A session with the device, what it is, and how it is exposed; changes nothing.

    Raises BridgeError.
    """
    from firmware_bridge.flash.address import BleAddress  # noqa: PLC0415
    from firmware_bridge.flash.exposure import exposure  # noqa: PLC0415

    session = session_for(device, None, no_stream=True, changes=False)
    identity: Identity = run(session.identify())
    bonded = None
    if isinstance(session.address, BleAddress):
        from firmware_bridge.flash.over_bluetooth import is_bonded  # noqa: PLC0415

        bonded = is_bonded(session.address)
    return session, identity, exposure(session.address, identity, is_bonded=bonded)


def run(work: Any) -> Any:
    """The result of a coroutine. smpclient's own log would repeat what we say."""
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415

    for name in ("smpclient", "smp"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    return asyncio.run(work)


@contextmanager
def shown(session: "Session | Esp32Session") -> Iterator[None]:
    """Progress on stderr: a bar on a terminal, a line for each stage elsewhere."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        session.tell = _stage_lines()
        yield
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(now: "Progress") -> None:
            total = now.total_bytes or None
            bar.update(task, description=now.doing, completed=now.done_bytes, total=total)

        session.tell = tell
        yield


def _stage_lines() -> Callable[["Progress"], None]:
    last = ""

    def tell(now: "Progress") -> None:
        nonlocal last
        if now.doing != last:
            last = now.doing
            click.echo(last, err=True)

    return tell
