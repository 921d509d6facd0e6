"""Options that several commands share: which configuration, what to show, and for how long."""

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
view_option = click.option(
    "--view",
    type=click.Choice(["auto", "terminal", "log", "json"]),
    default="auto",
    show_default=True,
    help="auto: terminal where there is one, otherwise the log.",
)
json_view_option = click.option("--json", "as_json", is_flag=True, help="Same as --view json.")
duration_option = click.option(
    "--for",
    "duration_s",
    type=click.FloatRange(0.1),
    default=None,
    help="Stop after this many seconds; otherwise on Ctrl-C or SIGTERM.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
