"""`firmware-bridge verify, images, flash, revert, logs`: options to calls, results to text.

What needs smpclient, numpy or an event loop is imported by the command that needs it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from firmware_bridge.errors import UsageError
from firmware_bridge.flash.address import ESP32_PREFIX
from firmware_bridge.flash.running import (
    identified,
    lent,
    reported_errors,
    run,
    session_for,
    shown,
)
from firmware_bridge.known_devices import SYSTEM_FILE

if TYPE_CHECKING:
    from firmware_bridge.flash.check import TrustedImage
    from firmware_bridge.flash.fleet import Member, Policy, Report
    from firmware_bridge.flash.plan import Wishes
    from firmware_bridge.flash.session import Outcome, Session

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
    with reported_errors():
        from firmware_bridge.flash.check import require_board, trusted_image  # noqa: PLC0415
        from firmware_bridge.flash.signature import load_keys  # noqa: PLC0415

        trusted = trusted_image(image, load_keys(_trusted(key_paths)))
        if board is not None:
            require_board(trusted.image, board)
        click.echo(json.dumps(trusted.describe()) if as_json else trusted.sentence())


@click.command()
@click.argument("device")
@json_option
def images(device: str, as_json: bool) -> None:
    """What DEVICE is and which firmware its slots hold; changes nothing.

    DEVICE is a serial port (/dev/ttyACM0, /dev/serial/by-id/...), a Bluetooth address or
    udp:HOST[:PORT]. Also says what its boot loader is known not to guard against.
    """
    with reported_errors():
        session, identity, notes = identified(device)
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
@click.argument("targets", nargs=-1, required=True, metavar="[DEVICE] IMAGE")
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
@click.option(
    "--end-session",
    is_flag=True,
    help="A running daemon that monitors DEVICE may stop that meanwhile.",
)
@click.option(
    "--daemon",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=SYSTEM_FILE.parent,
    show_default=True,
    help="store.directory of that daemon.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option(
    "--esp32-offset",
    type=lambda text: int(text, 0),
    metavar="ADDRESS",
    default="0x20000",
    show_default=True,
    help="With esp32: where the application lies in its flash.",
)
@click.option(
    "--kept",
    type=click.Path(path_type=Path),
    default=Path("esp32-before.bin"),
    show_default=True,
    help="With esp32: keeps what was there, until the run has come to its end.",
)
@click.option(
    "--all",
    "members_file",
    type=click.Path(path_type=Path),
    help="Flash the devices of this file, one a line: DEVICE [STREAM-PORT]. The first goes alone.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="With --all: how many devices at a time.",
)
@click.option(
    "--stop-at",
    "stop_at_rate",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="With --all: begin no more once a larger share has failed.",
)
@click.option(
    "--run-file",
    type=click.Path(path_type=Path),
    help="With --all: what has ended, to go on from. Default: FILE.run.jsonl.",
)
@json_option
def flash(
    targets: tuple[str, ...],
    key_paths: tuple[Path, ...],
    board: str | None,
    allow_downgrade: bool,
    stream: str | None,
    no_stream: bool,
    self_test_s: float,
    boot_s: float,
    end_session: bool,
    directory: Path,
    dry_run: bool,
    esp32_offset: int,
    kept: Path,
    members_file: Path | None,
    jobs: int,
    stop_at_rate: float,
    run_file: Path | None,
    as_json: bool,
) -> None:
    """Bring IMAGE onto DEVICE, without a brick.

    DEVICE is a serial port, a Bluetooth address or udp:HOST[:PORT] with an SMP server (Zephyr's
    MCUmgr) and MCUboot. The image is verified as by `verify`; board and version must fit; nobody
    else may use the device, and over Bluetooth it must be bonded (`pair`); the battery must be at
    30 % or more. It is uploaded to the second slot, tried at a
    restart, and confirmed only if the device then streams valid frames at the rate it states.
    Otherwise the old firmware comes back. After an interruption at any point the same command goes
    on from there.

    DEVICE may also be esp32:PORT, for a board that waits in its ROM's loader: the esptool program
    writes and verifies; --board has to be said, and what was there is read first and written back
    if the new firmware does not stream.

    With --all no DEVICE is given. Each device's end is reported on stdout and kept in the run file;
    the same command goes on with those that are missing or failed.

    \b
    Exit status:
      0  installed (or already so)       15  a downgrade, not asked for
      1  no device                       16  no room on the device
      2  wrong usage                     17  refused: in use, battery, state
     10  no image                        18  link cut; go on with the same command
     11  truncated                       19  vanished after its reset
     12  altered                         20  failed its test, old firmware runs
     13  not signed with a site's key    21  of many devices some failed
     14  for another board
    """
    with reported_errors():
        from firmware_bridge.flash.check import trusted_image  # noqa: PLC0415
        from firmware_bridge.flash.fleet import Member, Policy  # noqa: PLC0415
        from firmware_bridge.flash.plan import Wishes  # noqa: PLC0415
        from firmware_bridge.flash.signature import load_keys  # noqa: PLC0415

        expected = "IMAGE" if members_file else "DEVICE IMAGE"
        if len(targets) != len(expected.split()):
            raise UsageError(f"expected: flash {expected}")
        trusted = trusted_image(Path(targets[-1]), load_keys(_trusted(key_paths)))
        task = _Task(
            trusted, Wishes(board, allow_downgrade), no_stream, self_test_s, boot_s, dry_run
        )
        if members_file is None and targets[0].startswith(ESP32_PREFIX):
            _print(task.esp32(targets[0], stream, esp32_offset, kept), as_json=as_json)
        elif members_file is None:
            with lent(directory, targets[0], end_session=end_session):
                outcome = task.one(Member(targets[0], stream))
            _print(outcome, as_json=as_json)
        elif dry_run or stream:
            raise UsageError("--dry-run and --stream are for one device; a list names its streams")
        else:
            path = run_file or members_file.with_name(members_file.name + ".run.jsonl")
            task.all(members_file, path, Policy(jobs, stop_at_rate), as_json=as_json)


def _trusted(key_paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if not key_paths and not DEFAULT_KEYS.exists():
        raise UsageError(f"no key to check with: give --keys, or put public ones in {DEFAULT_KEYS}")
    return key_paths or (DEFAULT_KEYS,)


@dataclass(frozen=True, slots=True)
class _Task:
    """One image and what a person wished, for one device or many."""

    trusted: "TrustedImage"
    wishes: "Wishes"
    no_stream: bool
    self_test_s: float
    boot_s: float
    dry_run: bool

    def one(self, member: "Member") -> "Outcome":
        """Flash one device, with its progress shown."""
        session = self._session(member)
        with shown(session):
            outcome: Outcome = run(session.flash(self.trusted, self.wishes, dry_run=self.dry_run))
        return outcome

    def esp32(self, device: str, stream: str | None, offset: int, kept: Path) -> "Outcome":
        """Flash one board through its ROM, with its progress shown."""
        from firmware_bridge.flash.esp32 import Esp32Session, Esptool  # noqa: PLC0415
        from firmware_bridge.flash.fleet import Member  # noqa: PLC0415

        port = device.removeprefix(ESP32_PREFIX)
        streaming = self._session(Member(port, stream))
        session = Esp32Session(Esptool(port), streaming.driver, offset, kept, streaming.timing)
        with shown(session):
            outcome: Outcome = run(session.flash(self.trusted, self.wishes, dry_run=self.dry_run))
        return outcome

    def all(self, members_file: Path, run_file: Path, policy: "Policy", *, as_json: bool) -> None:
        """Flash the devices of a file, each reported as it ends."""
        from firmware_bridge.flash.fleet import RunFile, flash_all, read_members  # noqa: PLC0415

        async def flash_one(member: "Member") -> dict[str, object]:
            session = self._session(member)
            outcome = await session.flash(self.trusted, self.wishes, dry_run=False)
            return outcome.describe()

        def report(end: "Report") -> None:
            words = "installed" if end.is_good else f"failed ({end.exit_code}): {end.error}"
            click.echo(json.dumps(end.describe()) if as_json else f"{end.device}: {words}")

        kept = RunFile(run_file, self.trusted.image.data)
        run(flash_all(read_members(members_file), flash_one, kept, policy, report))

    def _session(self, member: "Member") -> "Session":
        return session_for(
            member.device,
            member.stream,
            no_stream=self.no_stream,
            self_test_s=self.self_test_s,
            boot_s=self.boot_s,
        )


def _print(outcome: "Outcome", *, as_json: bool) -> None:
    click.echo(json.dumps(outcome.describe()) if as_json else outcome.sentence())


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
        session = session_for(device, stream, no_stream=no_stream)
        with shown(session):
            outcome = run(session.revert())
        _print(outcome, as_json=as_json)


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
    with reported_errors():
        session = session_for(device, None, no_stream=True, changes=False)
        for line in run(_text_of(session, path, seconds)):
            click.echo(json.dumps({"text": line}) if as_json else line)


async def _text_of(session: "Session", path: str | None, seconds: float) -> list[str]:
    from firmware_bridge.flash.device import open_device  # noqa: PLC0415

    async with open_device(session.address, session.timing.answer_s) as opened:
        if path is not None:
            content = await opened.read_file(path)
            return content.decode(errors="replace").splitlines()
        await opened.listen(seconds)
        return list(opened.console)
