"""`firmware-bridge scan`, `info`, `pair`, `list`, `capture`: straps from the command line."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from firmware_bridge.driver_names import BOARD_NAMES
from firmware_bridge.errors import BridgeError, UsageError
from firmware_bridge.known_devices import SYSTEM_FILE, KnownDevice, read_known, remember

if TYPE_CHECKING:
    from firmware_bridge.through_daemon import DaemonDevices

NONE_SEEN: Final = (
    "no strap seen: moisten and wear it, come nearer, or close the phone or watch app that holds it"
)

_json = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
adapter_option = click.option(
    "--adapter", help="BlueZ's name of the adapter, as hci1; else its default."
)
passkey_option = click.option(
    "--passkey-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the sensor's passkey; else it is asked for on the terminal.",
)
_driver = click.option(
    "--driver",
    help=f"What is on a port: {', '.join(('serial', *BOARD_NAMES))}, or what another package "
    "brings; serial (the own protocol) unless said.",
)
_baud = click.option(
    "--baud", type=click.IntRange(1200, 12_000_000), help="Of a port; else its driver's own."
)
_daemon = click.option(
    "--daemon",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=SYSTEM_FILE.parent,
    show_default=True,
    help="store.directory of a daemon that may be running: it then does this.",
)
_known = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=SYSTEM_FILE,
    show_default=True,
    help="Where paired straps are remembered.",
)


@click.command("scan")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(0.1, 60),
    default=5.0,
    show_default=True,
    help="How long to listen.",
)
@adapter_option
@_daemon
@_json
def scan(seconds: float, adapter: str | None, directory: Path, as_json: bool) -> None:
    """List the straps that advertise: address, signal strength in dBm, name.

    A strap that is not worn, too far away or held by a phone or watch does not advertise; nor does
    one that a running daemon reads, which is said.
    """
    with _exit_status():
        devices = running_daemon(directory)
        read = [] if devices is None else [d for d in devices.read() if d["driver"] == "ble"]
        seen = seen_straps(devices, seconds, adapter)
    if as_json:
        click.echo(json.dumps(seen))
        return
    for one in seen:
        click.echo(f"{one['address']}  {one['rssi_dbm']:4d} dBm  {one['name']}")
    for one in read:
        click.echo(f"{one['port']} is read by the daemon as {one['source']}", err=True)
    if not seen and not read:
        click.echo(NONE_SEEN, err=True)


@click.command("info")
@click.argument("device")
@_driver
@_baud
@adapter_option
@_daemon
@_json
def info(
    device: str,
    driver: str | None,
    baud: int | None,
    adapter: str | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Connect to DEVICE and tell what it is.

    Of a strap's Bluetooth address: model, serial, firmware, battery. Of a port: model, firmware,
    rate, leads, and how loss is told. Of what a running daemon reads, the daemon tells what it
    knows.
    """
    with _exit_status():
        devices = running_daemon(directory)
        read = None if devices is None else devices.reading(device)
        told = _examined(devices, device, driver, baud, adapter) if read is None else _as_read(read)
    _print(told, as_json)


@click.command("pair")
@click.argument("address")
@click.option("--name", default="strap", show_default=True, help="What to call it.")
@_known
@passkey_option
@adapter_option
@_daemon
@_json
def pair(
    address: str,
    name: str,
    file: Path,
    passkey_file: Path | None,
    adapter: str | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Bond with the strap at ADDRESS where it can, remember it, and pin its serial.

    Another device that answers there is refused from then on. A sensor of this project's own asks
    for its passkey. Owners of a strap use `edge-runtime pair`, which also finds it. A running
    daemon pairs it by itself, remembers it in its own file, and reads it from then on.
    """
    with _exit_status():
        told = pair_strap(running_daemon(directory), file, name, address, passkey_file, adapter)
    _print(told, as_json)


def seen_straps(
    devices: "DaemonDevices | None", seconds: float, adapter: str | None
) -> list[dict[str, Any]]:
    """What advertises, the strongest first; `devices` looks where a daemon runs.

    Raises LinkError.
    """
    if devices is not None:
        return devices.scan(seconds)
    from firmware_bridge.links import pairing  # noqa: PLC0415 - bleak only when needed

    return [asdict(one) for one in pairing.scan(seconds, adapter)]


def pair_strap(
    devices: "DaemonDevices | None",
    file: Path,
    name: str,
    address: str,
    passkey_file: Path | None,
    adapter: str | None,
) -> dict[str, Any]:
    """Pair the strap, through `devices` where a daemon runs; a `KnownDevice`, and `bonded`.

    Raises BridgeError.
    """
    from firmware_bridge.links import pairing, passkeys  # noqa: PLC0415 - bleak when needed
    from firmware_bridge.links.strap_families import GUARDED  # noqa: PLC0415 - numpy

    person = passkeys.person(passkey_file)
    if devices is not None:
        guarded = devices.examine(address)["family"] in GUARDED
        passkey = passkeys.asked(person) if guarded else None
        return devices.pair(address, name, passkey)
    examined = pairing.pair(address, person, adapter)
    device = KnownDevice(name, address, examined.family, examined.serial, examined.model)
    remember(file, device)
    return asdict(device) | {"bonded": examined.bonded}


@click.command("list")
@_known
@_json
def list_known(file: Path, as_json: bool) -> None:
    """List the straps that are remembered: name, address, model, serial."""
    with _exit_status():
        known = read_known(file)
    print_known(known, as_json=as_json)


@click.command("capture")
@click.argument("device")
@click.argument("record", type=click.Path(path_type=Path))
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(0.1),
    help="Stop after so many seconds of the device's time; otherwise on Ctrl-C.",
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.IntRange(100, 1000),
    help="Sampling rate of a strap that has several, or of a board that is set to another than its "
    "maker's; else its own choice.",
)
@click.option(
    "--accelerometer",
    "accelerometer_hz",
    type=click.IntRange(1, 1000),
    metavar="HZ",
    help="Take a Polar strap's acceleration too, at this rate, into RECORD_acc.",
)
@_driver
@_baud
@adapter_option
@_daemon
@_json
def capture(
    device: str,
    record: Path,
    seconds: float | None,
    rate_hz: int | None,
    accelerometer_hz: int | None,
    driver: str | None,
    baud: int | None,
    adapter: str | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Write the ECG of DEVICE to the WFDB record RECORD: RECORD.hea and RECORD.dat.

    DEVICE is a strap's Bluetooth address, or the path of a serial port: of a sensor that speaks
    this project's own protocol, or of the board that --driver names. Samples that were lost are
    marked invalid, so the record keeps time. `edge-runtime replay RECORD` analyses it. What a
    running daemon reads is taken from the daemon.
    """
    with _exit_status():
        from firmware_bridge import capture_command  # noqa: PLC0415 - numpy and bleak only when needed

        devices = running_daemon(directory)
        read = None if devices is None else devices.reading(device)
        if devices is None or read is None:
            chosen = capture_command.driver_of(
                device, rate_hz, adapter, driver, baud, accelerometer_hz
            )
        else:
            chosen = devices.driver(read["source"])
        captured = capture_command.run(chosen, record, seconds)
    _print(asdict(captured), as_json)


STRAP_COMMANDS: Final[tuple[click.Command, ...]] = (scan, info, pair, list_known, capture)


def running_daemon(directory: Path) -> "DaemonDevices | None":
    """The devices of the daemon with this store.directory, None where none answers."""
    from firmware_bridge import daemon_socket  # noqa: PLC0415 - `--help` needs no HTTP

    if not daemon_socket.is_there(directory):
        return None
    from firmware_bridge.through_daemon import DaemonDevices  # noqa: PLC0415 - numpy

    return DaemonDevices(directory)


def _examined(
    devices: "DaemonDevices | None",
    device: str,
    driver: str | None,
    baud: int | None,
    adapter: str | None,
) -> dict[str, Any]:
    """What a device that no daemon reads says of itself. Raises BridgeError."""
    from firmware_bridge.capture_command import is_port  # noqa: PLC0415 - numpy when needed

    if driver is not None or is_port(device):
        from firmware_bridge import port_info  # noqa: PLC0415 - numpy only when needed

        return port_info.examine(device, driver, baud)
    if devices is not None:
        return devices.examine(device)
    from firmware_bridge.links import pairing  # noqa: PLC0415 - bleak only when needed

    told = asdict(pairing.examine(device, adapter))
    return told | _boot_loader(device) if told["takes_firmware"] else told


def _boot_loader(device: str) -> dict[str, Any]:
    """What guards the device's firmware, as far as that can be known from here."""
    try:
        from firmware_bridge.flash.running import identified  # noqa: PLC0415 - an extra

        _, identity, notes = identified(device)
    except ModuleNotFoundError:
        return {"boot_loader": "pip install 'ecg-edge[flash]' tells"}
    except BridgeError as error:
        return {"boot_loader": f"tells nothing: {error}"}
    return {"boot_loader": identity.boot_loader or "not told", "exposure": "; ".join(notes)}


def _as_read(read: dict[str, Any]) -> dict[str, Any]:
    """What a daemon tells of a device that it reads."""
    status = read["status"] or {}
    told = {key: status.get(key) for key in ("family", "model", "firmware", "battery_percent")}
    told |= {"availability": status.get("availability", "not seen yet")}
    return {"address": read["port"], "serial": read["serial"]} | told | {"source": read["source"]}


def print_known(known: list[KnownDevice], *, as_json: bool) -> None:
    """One line for each strap, or one JSON list."""
    if as_json:
        click.echo(json.dumps([asdict(device) for device in known]))
        return
    for device in known:
        line = f"{device.name}  {device.address}  {device.model}  {device.serial}"
        click.echo(line.rstrip())


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values))
        return
    for key, value in values.items():
        click.echo(f"{key:16}{'' if value is None else value}".rstrip())


@contextmanager
def _exit_status() -> Iterator[None]:
    """This package's errors as a message on standard error and the documented exit status."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = {"serialx": "serial", "pylsl": "lsl"}.get(error.name or "", "ble")
        missing = f"{error.name} is missing; pip install 'ecg-edge[{extra}]'"
        click.echo(f"firmware-bridge: {missing}", err=True)
        sys.exit(2)
    except BridgeError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
