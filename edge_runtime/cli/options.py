"""Options that several commands share: which configuration, and changes to it."""

from pathlib import Path

import click

from edge_runtime import config

config_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help=f"Configuration file (TOML); without it {config.SYSTEM_FILE}, if that exists.",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, as in store.durability_s=2 or source.0.port=/dev/ttyUSB0. Repeatable.",
)
