"""`edge-runtime pair`: make a chest strap a source of the daemon."""

import json
from pathlib import Path
from typing import Any

import click

from edge_runtime import config
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.errors import ConfigError
from firmware_bridge.errors import UsageError
from firmware_bridge.known_devices import FILE_NAME
from firmware_bridge.strap_commands import (
    NONE_SEEN,
    adapter_option,
    pair_strap,
    passkey_option,
    running_daemon,
    seen_straps,
)


@click.command("pair")
@click.argument("address", required=False)
@click.option("--name", default="strap", show_default=True, help="What to call it.")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(0.1, 60),
    default=5.0,
    show_default=True,
    help="How long to look for straps when no ADDRESS is given.",
)
@passkey_option
@adapter_option
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    address: str | None,
    name: str,
    seconds: float,
    passkey_file: Path | None,
    adapter: str | None,
    file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find the strap you wear, remember it, and have the daemon read it from now on.

    Moisten and wear it first, and close the phone or watch app that holds it. Where several straps
    are near, their addresses are listed: name yours as ADDRESS.

    What is written, a file beside the recordings (devices.toml in `store.directory`), is all that
    `edge-runtime run` needs. The strap's serial is pinned: another one is refused. Of a sensor that
    has a passkey it is asked for, and the link is encrypted. A strap paired under the name of an
    older one takes its place. `edge-runtime devices` lists them. A running daemon pairs it by
    itself and reads it at once.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        if any(s.name == name and s.driver != "ble" for s in loaded.source):
            raise UsageError(f"a source of the configuration is called {name!r}; give --name")
        devices = running_daemon(loaded.store.directory)
        known = loaded.store.directory / FILE_NAME
        try:
            if address is None:
                address = _only_one(seen_straps(devices, seconds, adapter))
            told = pair_strap(devices, known, name, address, passkey_file, adapter)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"{error.name} is missing; straps need Bluetooth: pip install 'ecg-edge[ble]'"
            ) from error
    if as_json:
        click.echo(json.dumps(told | {"file": str(known)}))
        return
    click.echo(f"{told['name']}: {told['model'] or told['family']} {told['serial']}".rstrip())
    reader = "`edge-runtime run`" if devices is None else "the daemon"
    click.echo(f"remembered in {known}; {reader} reads it from now on", err=True)


def _only_one(seen: list[dict[str, Any]]) -> str:
    """Its address. Raises UsageError that lists what there is to choose from."""
    if not seen:
        raise UsageError(NONE_SEEN)
    if len(seen) > 1:
        lines = [f"edge-runtime pair {one['address']}   # {one['name']}" for one in seen]
        raise UsageError("\n".join(["several straps are near; name yours:", *lines]))
    return str(seen[0]["address"])
