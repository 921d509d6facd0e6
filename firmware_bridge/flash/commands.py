"""`firmware-bridge verify, images, flash, revert, logs`: options to calls, results to text."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from firmware_bridge.errors import BridgeError, UsageError
from firmware_bridge.flash.errors import FlashError

DEFAULT_KEYS: Final = Path("/etc/ecg-edge/firmware-keys")

keys_option = click.option(
    "--keys",
    "key_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    envvar="ECG_EDGE_FIRMWARE_KEYS",
    help=f"Public key that the site trusts: a PEM file, or a folder of them. Repeatable. "
    f"Default: {DEFAULT_KEYS}.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def register(group: click.Group) -> None:
    """Add the commands to `group`."""
    group.add_command(verify)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Say what went wrong on stderr and leave with its exit code."""
    try:
        yield
    except FlashError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(error.exit_code)
    except BridgeError as error:
        click.echo(f"firmware-bridge: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@keys_option
@click.option("--board", help="Also require that the image is made for this board.")
@json_option
def verify(image: Path, key_paths: tuple[Path, ...], board: str | None, as_json: bool) -> None:
    """Check a firmware image before it goes anywhere near a device.

    IMAGE is what `imgtool sign` wrote. It is whole, its content has the hash it carries, and it is
    signed with one of the site's keys; with --board it also names that board.

    Exit status: 0 yes, 2 wrong usage, 10 no image, 11 truncated, 12 altered, 13 not signed with a
    key of the site, 14 for another board.
    """
    from firmware_bridge.flash.check import require_board, trusted_image  # noqa: PLC0415 - heavy
    from firmware_bridge.flash.signature import load_keys  # noqa: PLC0415

    with reported_errors():
        trusted = trusted_image(image, load_keys(key_paths or (DEFAULT_KEYS,)))
        if board is not None:
            require_board(trusted.image, board)
        if as_json:
            click.echo(json.dumps(trusted.describe()))
        else:
            click.echo(trusted.sentence())
