"""`edge-runtime config`: every value and where it came from."""

import json
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, set_option


@click.command("config")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object: key to value and origin.")
def command(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Print each setting with its value and its origin."""
    with exit_status():
        loaded, layers = config.load(file, settings)
    rows = list(config.explain(loaded, layers))
    if as_json:
        table = {key: {"value": value, "origin": origin} for key, value, origin in rows}
        click.echo(json.dumps(table, default=str))
        return
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        click.echo(f"{key:<{width}}  {value!s:<40}  {origin}")
