"""`edge-runtime mark`: write something down at this moment of the recording."""

import json
from pathlib import Path
from urllib.parse import quote

import click

from edge_runtime import config
from edge_runtime.cli.asking import ask
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option


@click.command("mark")
@click.argument("source")
@click.argument("text")
@click.option(
    "--ago",
    "ago_s",
    type=click.FloatRange(0, 86_400),
    default=0.0,
    metavar="SECONDS",
    help="It was so long ago.",
)
@config_option
@set_option
@json_option
def command(
    source: str,
    text: str,
    ago_s: float,
    file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Mark this moment of SOURCE with TEXT, as in `edge-runtime mark chest dizzy`.

    The mark becomes an event of the recording, beside the beats; all of a session are its diary
    (`edge-runtime sessions show`). Exit status 1 when no daemon
    answers, or nothing comes from that source yet.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        path = f"/sources/{quote(source, safe='')}/marks"
        answer = ask(loaded.store.directory, "POST", path, {"text": text, "ago_s": ago_s})
    if as_json:
        click.echo(json.dumps(answer))
