"""`edge-runtime reload`: let the running daemon read its configuration again."""

import json
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.asking import ask
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option


@click.command("reload")
@config_option
@set_option
@json_option
def command(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Let the running daemon read its configuration again, and say what changes when.

    It reads the file and the --set values it was started with; those given here only tell where it
    listens (store.directory). With a mistake nothing changes, and the exit status is 1. Without
    web.enabled: kill -HUP, or systemctl reload ecg-edge.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        answer = ask(loaded.store.directory, "POST", "/reload", {})
    if as_json:
        click.echo(json.dumps(answer))
        return
    for one in answer["changes"]:
        click.echo(f"{one['key']} {one['text']} ({one['effect']})")
    if not answer["changes"]:
        click.echo("nothing has changed")
