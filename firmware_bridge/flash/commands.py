"""`firmware-bridge verify, images, flash, revert, logs`: options to calls, results to text.

What needs smpclient, numpy or an event loop is imported by the command that needs it.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from firmware_bridge.errors import BridgeError, UsageError
from firmware_bridge.flash.errors import FlashError

if TYPE_CHECKING:
    from firmware_bridge.flash.session import Progress, Session

DEFAULT_KEYS: Final = Path("/etc/ecg-edge/firmware-keys")

keys_option = click.option(
    "--keys",
    "key_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    envvar="ECG_EDGE_FIRMWARE_KEYS",
    help=f"Public key that the site trusts: a PEM file, or a folder of them. Repeatable. "
    f"Default: {DEFAULT_KEYS}.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
stream_option = click.option(
    "--stream",
    help="Serial port on which the sensor streams, where that is not DEVICE itself.",
)
no_stream_option = click.option(
    "--no-stream",
    is_flag=True,
    help="The device is no sensor of the own protocol: to answer is all that is tested.",
)


def register(group: click.Group) -> None:
    """Add the commands to `group`."""
    for command in (verify, images, flash, revert, logs):
        group.add_command(command)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Say what went wrong on stderr and leave with its exit code."""
    try:
        yield
    except FlashError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(error.exit_code)
    except BridgeError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@keys_option
@click.option("--board", help="Also require that the image is made for this board.")
@json_option
def verify(image: Path, key_paths: tuple[Path, ...], board: str | None, as_json: bool) -> None:
    """Check a firmware image before it goes anywhere near a device.

    IMAGE is what `imgtool sign` wrote. It is whole, its content has the hash it carries, and it is
    signed with one of the site's keys; with --board it also names that board.

    Exit status: 0 yes, 2 wrong usage, 10 no image, 11 truncated, 12 altered, 13 not signed with a
    key of the site, 14 for another board.
    """
    from firmware_bridge.flash.check import require_board, trusted_image  # noqa: PLC0415
    from firmware_bridge.flash.signature import load_keys  # noqa: PLC0415

    with reported_errors():
        trusted = trusted_image(image, load_keys(key_paths or (DEFAULT_KEYS,)))
        if board is not None:
            require_board(trusted.image, board)
        click.echo(json.dumps(trusted.describe()) if as_json else trusted.sentence())


@click.command()
@click.argument("device")
@json_option
def images(device: str, as_json: bool) -> None:
    """What DEVICE is and which firmware its slots hold; changes nothing.

    DEVICE is a serial port (/dev/ttyACM0, /dev/serial/by-id/...) or udp:HOST[:PORT]. Also says
    what its boot loader is known not to guard against.
    """
    from firmware_bridge.flash.exposure import exposure  # noqa: PLC0415

    with reported_errors():
        session = _session(device, None, no_stream=True)
        identity = _run(session.identify())
        notes = exposure(session.address, identity)
        if as_json:
            told = {
                "device": str(session.address),
                "board": identity.board,
                "boot_loader": identity.boot_loader,
                "refuses_downgrade": identity.refuses_downgrade,
                "buffer_bytes": identity.buffer_bytes,
                "slots": [slot.describe() for slot in identity.slots],
                "exposure": notes,
            }
            click.echo(json.dumps(told))
            return
        click.echo(f"board {identity.board or 'not told'}")
        for slot in identity.slots:
            states = ("active", "confirmed", "pending", "bootable")
            words = ", ".join(state for state in states if getattr(slot, state))
            click.echo(f"slot {slot.number}: {slot.version} ({words}) {slot.digest.hex()[:16]}")
        for note in notes:
            click.echo(f"note: {note}")


@click.command()
@click.argument("device")
@click.argument("image", type=click.Path(path_type=Path))
@keys_option
@click.option("--board", help="What the device is, where it cannot tell itself.")
@click.option("--allow-downgrade", is_flag=True, help="Older firmware than what runs is meant.")
@stream_option
@no_stream_option
@click.option(
    "--self-test",
    "self_test_s",
    type=click.FloatRange(2, 600),
    default=5.0,
    show_default=True,
    help="Seconds for which the new firmware has to stream well.",
)
@click.option(
    "--boot",
    "boot_s",
    type=click.FloatRange(1, 3600),
    default=90.0,
    show_default=True,
    help="Seconds that the device may take from reset to answering.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@json_option
def flash(
    device: str,
    image: Path,
    key_paths: tuple[Path, ...],
    board: str | None,
    allow_downgrade: bool,
    stream: str | None,
    no_stream: bool,
    self_test_s: float,
    boot_s: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring IMAGE onto DEVICE, without a brick.

    DEVICE is a serial port or udp:HOST[:PORT] with an SMP server (Zephyr's MCUmgr) and MCUboot.
    The image is verified as by `verify`; board and version must fit; nobody else may use the port
    and the battery must be at 30 % or more. It is uploaded to the second slot, tried at a
    restart, and confirmed only if the device then streams valid frames at the rate it states.
    Otherwise the old firmware comes back. After an interruption at any point the same command goes
    on from there.

    \b
    Exit status:
      0  installed (or already so)       15  a downgrade, not asked for
      1  no device                       16  no room on the device
      2  wrong usage                     17  refused: in use, battery, state
     10  no image                        18  link cut; go on with the same command
     11  truncated                       19  vanished after its reset
     12  altered                         20  failed its test, old firmware runs
     13  not signed with a site's key    21  a run over many devices was stopped
     14  for another board
    """
    from firmware_bridge.flash.check import trusted_image  # noqa: PLC0415
    from firmware_bridge.flash.plan import Wishes  # noqa: PLC0415
    from firmware_bridge.flash.signature import load_keys  # noqa: PLC0415

    with reported_errors():
        trusted = trusted_image(image, load_keys(key_paths or (DEFAULT_KEYS,)))
        session = _session(
            device, stream, no_stream=no_stream, self_test_s=self_test_s, boot_s=boot_s
        )
        with _shown(session):
            wishes = Wishes(board, allow_downgrade)
            outcome = _run(session.flash(trusted, wishes, dry_run=dry_run))
        if as_json:
            click.echo(json.dumps(outcome.describe()))
        else:
            click.echo(outcome.sentence())


@click.command()
@click.argument("device")
@stream_option
@no_stream_option
@json_option
def revert(device: str, stream: str | None, no_stream: bool, as_json: bool) -> None:
    """Go back to the firmware in DEVICE's other slot.

    Firmware that is on trial is taken back by a restart. Confirmed firmware is replaced by the
    other one as if that were new: tried, tested as by `flash`, and confirmed. Exit status as of
    `flash`.
    """
    with reported_errors():
        session = _session(device, stream, no_stream=no_stream)
        with _shown(session):
            outcome = _run(session.revert())
        click.echo(json.dumps(outcome.describe()) if as_json else outcome.sentence())


@click.command()
@click.argument("device")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(0, 3600),
    default=10.0,
    show_default=True,
    help="Seconds to listen.",
)
@click.option("--file", "path", help="Read this file of the device (MCUmgr's file group) instead.")
@json_option
def logs(device: str, seconds: float, path: str | None, as_json: bool) -> None:
    """What DEVICE writes about itself: its text on the serial port, or a log file it keeps.

    With --json every line is an object. A sensor that streams on the same port is told to stop.
    """
    from firmware_bridge.flash.device import Device, open_device  # noqa: PLC0415

    async def read() -> list[str]:
        async with open_device(session.address, session.timing.answer_s) as opened:
            return await _text_of(opened)

    async def _text_of(opened: Device) -> list[str]:
        if path is not None:
            content = await opened.read_file(path)
            return content.decode(errors="replace").splitlines()
        await opened.listen(seconds)
        return list(opened.console)

    with reported_errors():
        session = _session(device, None, no_stream=True)
        for line in _run(read()):
            click.echo(json.dumps({"text": line}) if as_json else line)


def _session(
    device: str,
    stream: str | None,
    *,
    no_stream: bool,
    self_test_s: float = 5.0,
    boot_s: float = 90.0,
) -> "Session":
    """A session with the device. Raises UsageError, or RefusedError when it is in use."""
    from firmware_bridge.flash.address import SerialAddress, parse_address  # noqa: PLC0415
    from firmware_bridge.flash.holders import require_free  # noqa: PLC0415
    from firmware_bridge.flash.session import Session, Timing  # noqa: PLC0415
    from firmware_bridge.links.serial import SerialSensor  # noqa: PLC0415

    address = parse_address(device)
    port = stream or (address.path if isinstance(address, SerialAddress) else None)
    if port is None and not no_stream:
        raise UsageError(f"{device}: say on which port it --stream's, or --no-stream")
    ports = {port, address.path if isinstance(address, SerialAddress) else None}
    for used in filter(None, ports):
        require_free(Path(used))
    driver = None if no_stream or port is None else (lambda: SerialSensor("flashed", port))
    return Session(address, driver, Timing(self_test_s=self_test_s, boot_s=boot_s))


def _run(work: Any) -> Any:
    """The result of a coroutine. smpclient's own log would repeat what we say."""
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415

    for name in ("smpclient", "smp"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    return asyncio.run(work)


@contextmanager
def _shown(session: "Session") -> Iterator[None]:
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
