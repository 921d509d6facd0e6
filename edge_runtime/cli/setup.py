"""`edge-runtime setup`: from a bare machine to a running daemon, by questions or a file."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from edge_runtime import config, saved_settings, setting_up
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.invite import invitation, show
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.cli.setup_questions import Found, Questions, serial_ports
from edge_runtime.config import Config
from edge_runtime.errors import ConfigError, EdgeRuntimeError
from edge_runtime.setting_up import Answers
from edge_runtime.store.disk import make_private_directory
from edge_runtime.wearers import WEARERS_FILE, Wearers
from firmware_bridge import port_info
from firmware_bridge.errors import LinkError
from firmware_bridge.known_devices import FILE_NAME as DEVICES_FILE
from firmware_bridge.strap_commands import pair_strap, running_daemon, seen_straps

_SCAN_S: Final = 5.0
_SENSOR_WITHIN_S: Final = 10.0
"""A sensor of the own protocol answers within a second; some boards start anew when opened."""
_ANSWERS_WITHIN_S: Final = 60.0
"""A daemon that has just been started loads its models first, on a slow board for half a minute."""
_ASK_AGAIN_S: Final = 1.0
_UNIT: Final = "ecg-edge.service"


@click.command("setup")
@click.option(
    "--answers",
    "answers_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file with the answers, for images and fleets: nothing is asked.",
)
@config_option
@set_option
def command(answers_file: Path | None, file: Path | None, settings: tuple[str, ...]) -> None:
    """Find the sensor, pair it, ask what has to be known, and start the service.

    Asks for the sensor, the mains frequency, the wearer's pseudonym, and who may open the page. The
    answers go into settings.toml in the store.directory, over the configuration file, which is
    never written; run it again to change one. As administrator on a machine with the package:

    \b
        sudo edge-runtime setup

    An answers file has the keys sensor (a port's path, a strap's address, or "none"), driver, name,
    mains_hz, wearer, page ("off", "here", "lan") and service (false: do not start it). What it
    leaves out stays as it is.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        if answers_file is None:
            answers = Questions(loaded, lambda: _look(directory), _examine).ask()
        else:
            answers = setting_up.read_answers(answers_file)
        _apply(loaded, answers, file, settings)
        loaded, _ = config.load(file, settings)
        _start(answers, loaded)


def _look(directory: Path) -> tuple[Sequence[Found], Sequence[str]]:
    """Sensors that are there; and why some could not be looked for."""
    found = serial_ports()
    click.echo("   looking for straps ...", err=True)
    try:
        seen = seen_straps(running_daemon(directory), _SCAN_S, None)
    except ModuleNotFoundError:
        return found, ["straps are not looked for: pip install 'ecg-edge[ble]'"]
    except LinkError as error:
        return found, [f"straps are not looked for: {error}"]
    straps = [Found(one["address"], f"{one['name']} ({one['rssi_dbm']} dBm)") for one in seen]
    return [*found, *straps], []


def _examine(port: str, driver: str) -> dict[str, Any]:
    return port_info.examine(port, driver, None, within_s=_SENSOR_WITHIN_S)


def _apply(loaded: Config, answers: Answers, file: Path | None, told: tuple[str, ...]) -> None:
    directory = loaded.store.directory
    make_private_directory(directory)
    before = saved_settings.read(directory)
    table = setting_up.settings(before, answers)
    config.load(file, told, table)  # refused before anything is changed
    if answers.is_strap:
        assert answers.sensor is not None
        known = directory / DEVICES_FILE
        try:
            pair_strap(running_daemon(directory), known, answers.name, answers.sensor, None, None)
        except ModuleNotFoundError as error:
            raise ConfigError("straps need Bluetooth: pip install 'ecg-edge[ble]'") from error
    written = saved_settings.write(directory, table)
    loaded, _ = config.load(file, told)
    _name_wearer(loaded, answers)
    Audit(directory).record(this_user(), "setup")
    saved_settings.give_to_owner(
        directory, *(directory / name for name in (DEVICES_FILE, WEARERS_FILE, "audit.jsonl"))
    )
    click.echo(f"saved in {written}", err=True)


def _name_wearer(loaded: Config, answers: Answers) -> None:
    sources = {source.name: source.subject for source in loaded.source}
    if answers.wearer is None or not sources:
        return
    name = answers.name if answers.name in sources else next(iter(sources))
    Wearers(loaded.store.directory, sources).change(name, answers.wearer)


def _start(answers: Answers, loaded: Config) -> None:
    """Enable the service, where it is wanted, where there is one and who asks may."""
    if not loaded.source:
        click.echo("no sensor yet: run `edge-runtime setup` again once there is one")
        return
    if not answers.service:
        return
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        click.echo("no systemd here: `edge-runtime run` starts monitoring")
        return
    if os.geteuid() != 0:
        click.echo(f"sudo systemctl enable --now {_UNIT}   # starts monitoring")
        return
    for arguments in (("enable", _UNIT), ("restart", _UNIT)):
        done = subprocess.run(
            ["systemctl", *arguments], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise EdgeRuntimeError(f"systemctl {arguments[0]}: {done.stderr.strip()}")
    click.echo("monitoring; `edge-runtime status` says what it sees")
    if loaded.web.lan:
        let_in(
            loaded.store.directory, os.environ.get("SUDO_USER") or this_user(), _ANSWERS_WITHIN_S
        )
    elif loaded.web.enabled:
        click.echo(f"the page: {loaded.web.address}")


def let_in(directory: Path, name: str, within_s: float) -> None:
    """Show `name` the way to the page from another device, as administrator, once the daemon
    answers; where it does not in time, how to ask for it later."""
    until_s = time.monotonic() + within_s
    while True:
        try:
            made = invitation(directory, name, "administer")
        except EdgeRuntimeError as error:
            if time.monotonic() < until_s:
                time.sleep(_ASK_AGAIN_S)
                continue
            click.echo(f"the page does not answer yet: {error}", err=True)
            click.echo(f"let somebody in: edge-runtime invite {name} --role administer")
        else:
            click.echo(f"the page, for {name} to administer, from a telephone or another computer:")
            show(made)
        return
