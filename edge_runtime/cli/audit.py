"""`edge-runtime audit`: who looked at, took out or changed what."""

import json
import sys
from pathlib import Path

import click
import msgspec

from edge_runtime import config
from edge_runtime.audit import Entry, entries
from edge_runtime.cli.failing import FAILED, exit_status, reader_may_leave
from edge_runtime.cli.options import config_option, set_option


@click.command("audit")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Print the audit log: views, exports, what was done to alarms, changes, deletions.

    Each line of the file hashes the one before. Exit status 1 when a line is damaged, was changed
    or taken out; only the end of the file could be cut off unseen.
    """
    problems: list[str] = []
    with exit_status():
        loaded, _ = config.load(file, settings)
        with reader_may_leave():
            for one in entries(loaded.store.directory):
                if isinstance(one, str):
                    problems.append(one)
                else:
                    click.echo(_json(one) if as_json else _line(one))
    for problem in problems:
        click.echo(f"edge-runtime: {problem}", err=True)
    if problems:
        sys.exit(FAILED)


def _json(entry: Entry) -> str:
    return json.dumps({**msgspec.to_builtins(entry)})


def _line(entry: Entry) -> str:
    about = " ".join(f"{name}={value}" for name, value in entry.about.items() if value != "")
    return f"{entry.time} {entry.by}: {entry.act} {about}".rstrip()
