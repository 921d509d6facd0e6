"""`edge-runtime devices`: the straps that are paired."""

from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.asking import ask
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, set_option
from firmware_bridge.daemon_socket import is_there
from firmware_bridge.known_devices import FILE_NAME, forget, read_known
from firmware_bridge.strap_commands import print_known


@click.command("devices")
@click.option("--forget", "name", help="Forget the strap of this name or address.")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def command(name: str | None, file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List the straps that `edge-runtime pair` has remembered: name, address, model, serial.

    A running daemon lets go of one that is forgotten.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        known = loaded.store.directory / FILE_NAME
        if name is not None:
            click.echo(f"{forget(known, name).name} is forgotten", err=True)
            if is_there(loaded.store.directory):
                ask(loaded.store.directory, "POST", "/reload", {})
        devices = read_known(known)
    print_known(devices, as_json=as_json)
