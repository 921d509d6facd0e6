"""`edge-runtime invite`: let somebody in from another device, by a code that works once."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from edge_runtime import config
from edge_runtime.cli.asking import ask
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.web.roles import ROLES


@click.command("invite")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(list(ROLES)),
    default="view",
    show_default=True,
    help="view, acknowledge (marks, alarms), or administer (everything).",
)
@config_option
@set_option
@json_option
def command(
    name: str, role: str, file: Path | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Let NAME in: prints an address with a code in it, and the same as a QR code.

    The code logs in once, within ten minutes, for twelve hours; `edge-runtime account remove NAME`
    ends that. The browser warns of the certificate, which nobody else vouches for: go on only where
    it shows the fingerprint that is printed here. Needs a running daemon, with web.lan for devices
    other than this one.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        made = invitation(loaded.store.directory, name, role)
    if as_json:
        click.echo(json.dumps(made))
    else:
        show(made)


def invitation(directory: Path, name: str, role: str) -> dict[str, Any]:
    """A code that lets `name` in once, from the daemon whose store.directory this is: what it
    answers, and the `url` with the code in it. Raises EdgeRuntimeError where none answers."""
    made = ask(directory, "POST", "/invitations", {"name": name, "role": role})
    # Behind a #, so that no server or proxy ever sees it in an address.
    return {**made, "url": f"{made['address']}#code={made['code']}"}


def show(made: dict[str, Any]) -> None:
    """An invitation for a person in front of the terminal, and for their telephone's camera."""
    _draw(made["url"])
    click.echo(made["url"])
    click.echo(f"code         {made['code']}, once, within {made['expires_s'] / 60:.0f} minutes")
    if made["fingerprint"]:
        click.echo(f"fingerprint  {made['fingerprint']}")


def _draw(address: str) -> None:
    try:
        import segno  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        click.echo("no QR code: pip install 'ecg-edge[lan]'", err=True)
        return
    code: Any = segno.make(address, error="l", micro=False)
    code.terminal(out=sys.stdout, compact=True)
