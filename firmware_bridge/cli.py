"""`firmware-bridge`: sensors and boards from the command line."""

import json
import sys
from pathlib import Path

import click

from firmware_bridge.driver_names import BOARD_NAMES
from firmware_bridge.errors import BridgeError, UsageError
from firmware_bridge.flash import commands as flash_commands
from firmware_bridge.simulator.ble_options import BLE_DEVICES, Options, emulate
from firmware_bridge.strap_commands import STRAP_COMMANDS


class _Span(click.ParamType[tuple[float, float]]):
    """AT:SECONDS, both in seconds of the sensor's time."""

    name = "AT:SECONDS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """The pair of numbers."""
        try:
            at_s, length_s = map(float, str(value).split(":"))
        except ValueError:
            self.fail(f"{value!r} is not AT:SECONDS, for example 20:5", param, ctx)
        return at_s, length_s


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecg-edge")
def main() -> None:
    """Sensors and boards: find, pair, record, simulate them, and flash their firmware.

    Exit status: 0 done, 1 the device or a file failed, 2 wrong usage; `flash` and its kin have
    more (`firmware-bridge flash --help`).
    """


flash_commands.register(main)


@main.command()
@click.option(
    "--device",
    type=click.Choice(["sensor", *BOARD_NAMES, *BLE_DEVICES]),
    default="sensor",
    show_default=True,
    help="sensor: this project's own, on a serial port; ble-sensor: the same over Bluetooth; then "
    "boards of other makers, on a serial port. h10 (Polar), movesense, strap (heart rate and RR "
    "only). What is over Bluetooth is on a bus of its own.",
)
@click.option(
    "--bus",
    help="Bluetooth: join the D-Bus at this address instead of starting one.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 8),
    default=1,
    show_default=True,
    help="Bluetooth: how many straps.",
)
@click.option(
    "--reboot",
    "reboots",
    type=click.FloatRange(0),
    multiple=True,
    help="Bluetooth: lose the link at this second and come back with the clock reset. Repeatable.",
)
@click.option(
    "--link",
    type=click.Path(path_type=Path),
    default=Path("var/sensor"),
    show_default=True,
    help="Symlink under which the port appears.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    help="WFDB record to play instead of the demonstration recording.",
)
@click.option(
    "--scenario",
    "scenario_name",
    default="tour",
    show_default=True,
    help="tour, asystole, vt, leadoff, unplug, or none: the recording as it is.",
)
@click.option(
    "--rate",
    type=click.IntRange(100, 1000),
    help="Sampling rate of the simulated sensor in Hz: 500 unless said, a board's own.",
)
@click.option(
    "--leads",
    type=click.IntRange(1, 8),
    default=1,
    show_default=True,
    help="How many of the record's leads to send.",
)
@click.option("--drop", type=click.FloatRange(0, 1), default=0.0, help="Chance to lose a frame.")
@click.option(
    "--duplicate", type=click.FloatRange(0, 1), default=0.0, help="Chance to send a frame twice."
)
@click.option(
    "--bit-flip",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Chance to turn one bit of a frame.",
)
@click.option(
    "--reorder",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Chance to send a frame behind the next one.",
)
@click.option(
    "--stall",
    "stalls",
    type=_Span(),
    multiple=True,
    help="Fall silent at AT for SECONDS, then send what was held. Repeatable.",
)
@click.option(
    "--unplug",
    "unplugs",
    type=_Span(),
    multiple=True,
    help="Take the port away at AT for SECONDS. Repeatable.",
)
@click.option(
    "--clock-ppm",
    type=float,
    default=0.0,
    show_default=True,
    help="Error of the sensor's clock in parts per million.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1000),
    default=1.0,
    show_default=True,
    help="Times real time.",
)
@click.option(
    "--for",
    "duration_s",
    type=click.FloatRange(0),
    default=None,
    help="Stop after this many seconds; otherwise on Ctrl-C.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the faults.")
@click.option("--json", "as_json", is_flag=True, help="Say what is played as one JSON object.")
@click.option(
    "--with-parent", is_flag=True, help="End when the process that started this one ends."
)
def simulate(
    device: str,
    bus: str | None,
    count: int,
    reboots: tuple[float, ...],
    link: Path,
    record: Path | None,
    scenario_name: str,
    rate: int | None,
    leads: int,
    drop: float,
    duplicate: float,
    bit_flip: float,
    reorder: float,
    stalls: tuple[tuple[float, float], ...],
    unplugs: tuple[tuple[float, float], ...],
    clock_ppm: float,
    speed: float,
    duration_s: float | None,
    seed: int,
    as_json: bool,
    with_parent: bool,
) -> None:
    """Run a software sensor behind a pseudo terminal.

    It speaks this project's own protocol (docs/wire-protocol.md) at its true rate, and to the
    daemon it is a serial port like any other:

    \b
        firmware-bridge simulate --link /tmp/sensor --unplug 20:5 &
        edge-runtime run --set source.0.port=/tmp/sensor

    Boards of other makers speak their own formats, and the daemon is told which:

    \b
        firmware-bridge simulate --device cyton --link /tmp/board &
        edge-runtime run --set source.0.port=/tmp/board --set source.0.driver=cyton

    A strap over Bluetooth needs no adapter: it is reached through a D-Bus of its own, whose address
    is printed. Whoever has it as DBUS_SYSTEM_BUS_ADDRESS sees the strap instead of real ones:

    \b
        firmware-bridge simulate --device h10 --unplug 20:5 --json &
        export DBUS_SYSTEM_BUS_ADDRESS=...
        edge-runtime pair

    There --unplug takes the strap out of range, and --stall keeps the link but sends nothing.
    """
    from firmware_bridge.simulator import play_on_pty  # noqa: PLC0415 - numpy only when needed
    from firmware_bridge.simulator.faults import Faults  # noqa: PLC0415

    try:
        faults = Faults(drop, duplicate, bit_flip, stalls, unplugs, reorder)
        if device in BLE_DEVICES:
            # A strap has rates of its own, and makes them of the recording's.
            own_rate = play_on_pty.rate_of(device, rate) if device == "ble-sensor" else None
            emulate(
                Options(device, count, clock_ppm, reboots, seed, speed),
                play_on_pty.choose(record, scenario_name, own_rate, leads, faults),
                bus,
                duration_s=duration_s,
                with_parent=with_parent,
                as_json=as_json,
            )
            return
        rate_hz = play_on_pty.rate_of(device, rate)
        chosen = play_on_pty.choose(record, scenario_name, rate_hz, leads, faults)

        def announce() -> None:
            if as_json:
                click.echo(json.dumps(play_on_pty.describe(chosen, link)))
            else:
                words = "; ".join((chosen.recording.title, *chosen.recording.notes))
                click.echo(f"{link}: {words}", err=True)

        play_on_pty.run(
            play_on_pty.device_of(device, chosen.recording, clock_ppm),
            chosen.faults,
            link,
            speed=speed,
            duration_s=duration_s,
            seed=seed,
            with_parent=with_parent,
            ready=announce,
        )
    except BridgeError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)


for _command in STRAP_COMMANDS:
    main.add_command(_command)
