"""`edge-runtime support`: what one may send to a stranger who helps."""

import json
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.errors import StoreError
from edge_runtime.support import support_dump


@click.command("support")
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@config_option
@set_option
def command(output: Path, file: Path | None, settings: tuple[str, ...]) -> None:
    """Write what helps to find a fault to the file OUTPUT (-: standard output), as JSON.

    It holds versions, numbers and switches of the configuration, and counts of what is stored. It
    holds no signal, no text that a person or a device wrote, no name, address, path or token: read
    it before you send it.
    """
    with exit_status():
        loaded, layers = config.load(file, settings)
        text = json.dumps(support_dump(loaded, layers), indent=1)
        if output == Path("-"):
            click.echo(text)
        else:
            try:
                output.write_text(text + "\n", encoding="utf-8")
            except OSError as error:
                raise StoreError(f"{output}: cannot be written ({error.strerror})") from error
        if loaded.store.directory.is_dir():
            Audit(loaded.store.directory).record(this_user(), "support")
