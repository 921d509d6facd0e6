"""`edge-runtime backup`: a copy of the store, beside the running daemon."""

import json
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.cli.progress import file_progress
from edge_runtime.store.backup import back_up


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path))
@config_option
@set_option
@json_option
def command(folder: Path, file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Copy the store to FOLDER, which must not exist yet; the daemon may be running.

    It holds sessions, events, signal, strips, reviews and the audit log, as of one moment, and a
    list of all files with their hashes; no accounts, and nothing of who somebody is. `sessions
    delete` names the backups that still hold a session. Exit status 1 when it could not be made;
    then nothing is left of it.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        with file_progress("backing up") as told:
            made = back_up(loaded.store.directory, folder, told)
        Audit(loaded.store.directory).record(this_user(), "backup", sessions=len(made.sessions))
    answer = {"folder": str(folder), "sessions": made.sessions, "files": len(made.files)}
    words = f"{folder}: {len(made.sessions)} sessions, {len(made.files)} files"
    click.echo(json.dumps(answer) if as_json else words)
