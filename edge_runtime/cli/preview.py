"""`edge-runtime preview`: what other limits would have raised in the last hours."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.preview import MOST_HOURS, NOT_PREVIEWED, preview
from edge_runtime.store.reading import read_only


@click.command("preview")
@config_option
@set_option
@click.option(
    "--hours",
    type=click.FloatRange(0.1, MOST_HOURS),
    default=24.0,
    show_default=True,
    help="How far back.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(file: Path | None, settings: tuple[str, ...], hours: float, as_json: bool) -> None:
    """Try limits on what is stored, beside those of the configuration.

    \b
        edge-runtime preview --set rules.tachycardia.above_bpm=110

    Says for each rule how many alarms it would have raised in the last 24 h, with the
    configuration's limits and with those of --set. Rules that need more than stored beats, classes
    and quality are left out. It changes nothing.
    """
    with exit_status():
        now, _ = config.load(file, ())
        then, _ = config.load(file, settings)
        since = datetime.now(UTC) - timedelta(hours=hours)
        with closing(read_only(then.store.directory)) as connection:
            found = preview(connection, now.rules, then.rules, since)
    if as_json:
        answer = {
            "hours": round(found.hours, 3),
            "rules": {rule: {"now": a, "then": b} for rule, a, b in found.rows()},
            "not_previewed": list(NOT_PREVIEWED),
        }
        click.echo(json.dumps(answer))
        return
    click.echo(f"{found.hours:.1f} h of beats stored in the last {hours:g} h")
    for rule, before, after in found.rows():
        click.echo(f"  {rule:24} {before:5} now, {after:5} with these limits")
    if not found.rows():
        click.echo("  no alarm with either")
