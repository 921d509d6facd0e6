"""`edge-runtime status`: what the running daemon sees."""

import json
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.asking import ask
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option


@click.command("status")
@config_option
@set_option
@json_option
def command(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Ask the running daemon for its sources: rate, quality, link, battery, beats, gaps; and for
    what it had to drop.

    It is asked over the command socket in its store.directory, so the configuration must be the
    daemon's own, and have web.enabled. Exit status 1 when none answers.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        answer = ask(loaded.store.directory, "GET", "/status")
    if as_json:
        click.echo(json.dumps(answer))
        return
    if (models := answer["models"]) is not None:
        trial = ", on trial" if models["on_trial"] else ""
        signed = "SIGNED BY NOBODY" if models["origin"] == "unsigned" else models["origin"]
        click.echo(f"models: {models['name']} {models['version']}, {signed}{trial}")
    for one in answer["sources"]:
        rate = one["heart_rate_bpm"]
        beats = ", ".join(f"{n} {label}" for label, n in one["beats"].items()) or "none"
        click.echo(f"{one['source']}: {one['availability']}")
        click.echo(f"  rate     {'-' if rate is None else f'{rate:.0f}/min'}")
        click.echo(f"  quality  {one['quality']} {one['quality_reason']}".rstrip())
        click.echo(f"  beats    {beats}")
        click.echo(f"  gaps     {one['gaps']}, {one['missing_s']:.1f} s")
    for one in answer["dropped"]:
        where = f" ({one['source']})" if one["source"] else ""
        click.echo(f"dropped: {one['count']} {one['kind'].replace('_', ' ')}{where}")
