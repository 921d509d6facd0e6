"""`edge-runtime notify`: phone notifications, tried."""

import asyncio
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.errors import ConfigError, EdgeRuntimeError


@click.group("notify")
def command() -> None:
    """Notifications on phones: `[[phone]]` of the configuration."""


@command.command("test")
@click.argument("target")
@config_option
@set_option
def test(target: str, file: Path | None, settings: tuple[str, ...]) -> None:
    """Send a test to TARGET, the name of a `[[phone]]`. No daemon needs to run.

    Exit status 1 when its service did not take it.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        chosen = next((one for one in loaded.phone if one.name == target), None)
        if chosen is None:
            known = ", ".join(one.name for one in loaded.phone) or "none"
            raise ConfigError(f"there is no phone {target!r}; configured are: {known}")
        from edge_runtime.integrations.phone import Phone  # noqa: PLC0415 - slow import

        phone = Phone(chosen, loaded.store.directory, AlarmDesk())
        problem = asyncio.run(phone.test())
        if problem:
            raise EdgeRuntimeError(f"phone {target}: {problem}")
    click.echo(f"sent to {target}", err=True)
