"""`edge-runtime demo`: the daemon with a simulated sensor, no hardware and no configuration."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from edge_runtime import config, saved_settings
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import duration_option, json_view_option, view_option
from edge_runtime.cli.run import monitor
from edge_runtime.setting_desk import SettingDesk
from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.ble_options import BLE_DEVICES


@click.command("demo")
@click.option(
    "--scenario",
    default="tour",
    show_default=True,
    help="tour, asystole, vt, leadoff, unplug, or none: the recording as it is.",
)
@click.option(
    "--device",
    type=click.Choice(["sensor", *BLE_DEVICES]),
    default="sensor",
    show_default=True,
    help="sensor: a 500 Hz sensor on a serial port; ble-sensor: the same over Bluetooth. h10, "
    "movesense, strap: a strap over Bluetooth.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/demo"),
    show_default=True,
    help="Where events and signal go.",
)
@click.option(
    "--page",
    "port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="Serve the page on http://127.0.0.1:PORT/ (needs the extra `web`).",
)
@view_option
@json_view_option
@duration_option
def command(
    scenario: str,
    device: str,
    store: Path,
    port: int | None,
    view: str,
    as_json: bool,
    duration_s: float | None,
) -> None:
    """Monitor a simulated 500 Hz sensor that plays a real recording with ectopic beats.

    The sensor is a program of its own behind a pseudo terminal; the daemon reads it through the
    code that reads a real serial sensor. `tour` brings one lead-off and one asystole alarm within
    the first two minutes. About 2:20 comes an asystole alarm that is no edit: there the recording's
    lead itself collapses for seconds (its reference marks the signal and still labels beats).

    With --device h10 an emulated chest strap plays it. The daemon reaches it as a real one, through
    BlueZ's interface, on a D-Bus of its own: no adapter is needed or touched.

    It ends on Ctrl-C, or when the reader of its JSON lines has left.
    """
    with exit_status(), tempfile.TemporaryDirectory(prefix="ecg-edge-") as folder:
        link = Path(folder) / "sensor"
        with _simulated(device, link, scenario) as described:
            # Not this machine's configuration: a demonstration opens no real sensor.
            source = {"name": "demo", "port": str(link), "subject": described["title"]}
            if device in BLE_DEVICES:
                os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = described["bus"]
                source |= {"driver": "ble", "port": described["addresses"][0]}
                _bond(described)
            table: dict[str, Any] = {"source": [source], "store": {"directory": str(store)}}
            if port is not None:
                table["web"] = {"enabled": True, "port": port}
            # As a file, so that the page's settings have something to lie over.
            file = saved_settings.write(Path(folder) / "configuration", table)
            settings = SettingDesk(lambda saved: config.load(file, (), saved))
            loaded = settings.reread()
            title = f" SIMULATED SENSOR: {described['title']} "
            banner: tuple[str, ...] = (title, *_notes(described))
            if port is not None:
                banner = (title, f" the page: {loaded.web.address} ", *_notes(described))
            shown = "json" if as_json else view
            monitor(loaded, shown, banner, duration_s, ends_with_reader=True, settings=settings)


def _bond(described: dict[str, Any]) -> None:
    """With a sensor that has a passkey. Raises LinkError."""
    if described["passkey"] is not None:
        from firmware_bridge.links import pairing, passkeys  # noqa: PLC0415 - bleak when needed

        pairing.pair(described["addresses"][0], passkeys.Known(described["passkey"]))


def _notes(described: dict[str, Any]) -> Iterator[str]:
    # The screen has one row for each line of the banner.
    columns = shutil.get_terminal_size().columns - 2
    for line in textwrap.wrap("; ".join(described["notes"]), columns):
        yield f" {line} "


@contextmanager
def _simulated(device: str, link: Path, scenario: str) -> Iterator[dict[str, Any]]:
    """A sensor process behind `link`, or a strap on a bus of its own; yields what it plays. Raises
    UsageError with its words."""
    where = ["--device", device] if device in BLE_DEVICES else ["--link", str(link)]
    arguments = ["simulate", *where, "--scenario", scenario, "--json", "--with-parent"]
    # A session of its own: Ctrl-C is for the daemon, which ends the sensor afterwards.
    process = subprocess.Popen(
        [sys.executable, "-m", "firmware_bridge", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise UsageError(process.stderr.read().strip().removeprefix("firmware-bridge: "))
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
        process.stderr.close()
