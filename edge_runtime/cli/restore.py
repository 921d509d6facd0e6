"""`edge-runtime restore`: a store out of a backup."""

import json
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.cli.progress import file_progress
from edge_runtime.store.backup import checked, restore


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--check", is_flag=True, help="Only look whether every file is as it was.")
@config_option
@set_option
@json_option
def command(
    folder: Path, check: bool, file: Path | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Make the store out of the backup in FOLDER, where there is none yet.

    Every file is compared with its hash first. A session that was running when the backup was made
    ends with it. No daemon may run. Exit status 1 for a backup that is not as it was made, and
    where a store is already.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        with file_progress("checking" if check else "restoring") as told:
            made = checked(folder, told) if check else restore(folder, loaded.store.directory, told)
        if not check:
            count = len(made.sessions)
            Audit(loaded.store.directory).record(this_user(), "restore", sessions=count)
    answer = {"folder": str(folder), "sessions": made.sessions, "files": len(made.files)}
    words = f"{len(made.sessions)} sessions, {len(made.files)} files, all as they were"
    click.echo(json.dumps(answer) if as_json else words)
