"""`edge-runtime run`: monitor the configured sources."""

import asyncio
import faulthandler
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import click

from edge_runtime import assembly, config
from edge_runtime.cli.failing import exit_status, reader_may_leave
from edge_runtime.cli.options import (
    config_option,
    duration_option,
    json_view_option,
    set_option,
    view_option,
)
from edge_runtime.cli.views import JsonView, LogView, SummaryView
from edge_runtime.config import Config
from edge_runtime.errors import ConfigError
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.supervisor import Supervisor, View


@click.command("run")
@config_option
@set_option
@view_option
@json_view_option
@duration_option
def command(
    file: Path | None,
    settings: tuple[str, ...],
    view: str,
    as_json: bool,
    duration_s: float | None,
) -> None:
    """Monitor: read the sensors, classify, raise alarms, store everything.

    Sources come from the configuration file (or --set):

    \b
        [[source]]
        name = "chest"
        port = "/dev/serial/by-id/usb-..."

    A sensor that is not there is waited for. Ctrl-C ends cleanly and prints a summary. A reader of
    JSON lines that is late or has left never stops the monitoring: it loses the oldest events.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        if not loaded.source:
            raise ConfigError(
                "no source is configured; add [[source]] with name and port to the configuration "
                "file, or try `edge-runtime demo`, which brings a simulated one"
            )
        monitor(
            loaded,
            "json" if as_json else view,
            (),
            duration_s,
            reread=lambda: config.load(file, settings)[0],
        )


def monitor(
    loaded: Config,
    view: str,
    banner: tuple[str, ...],
    duration_s: float | None,
    *,
    ends_with_reader: bool = False,
    reread: Callable[[], Config] | None = None,
) -> None:
    """Run the daemon until it is told to stop; then the summary. Raises this project's errors.

    `ends_with_reader`: also stop when who reads the JSON lines has left. `reread`: how to read the
    configuration again on SIGHUP. Raises ConfigError.
    """
    faulthandler.enable()  # a watchdog's SIGABRT then shows where each thread hung
    if view == "auto":
        view = "terminal" if sys.stdout.isatty() else "log"
    bundles = load_bundle_set(loaded.bundles.directory)
    summary = SummaryView()
    if view == "terminal":
        _log_to_file(loaded.store.directory / "edge-runtime.log")
    shown = (
        JsonView(ends_with_reader=ends_with_reader)
        if view == "json"
        else _view_for_people(view, banner)
    )
    parts = assembly.build(loaded, bundles, (shown, summary), reread)
    asyncio.run(Supervisor(parts, duration_s).run())
    summaries = list(summary.summaries.values())
    if isinstance(shown, JsonView):
        shown.close({"summary": [one.as_dict() for one in summaries]})
        return
    with reader_may_leave():
        for one in summaries:
            click.echo("\n".join(one.lines()), err=view == "log")
        click.echo(f"stored in {loaded.store.directory}", err=view == "log")


def _view_for_people(view: str, banner: tuple[str, ...]) -> View:
    if view == "terminal":
        # rich is a tenth of a headless daemon's memory: only who looks at it pays for it.
        from edge_runtime.cli.terminal_view import TerminalView  # noqa: PLC0415

        return TerminalView(banner)
    return LogView()


def _log_to_file(file: Path) -> None:
    """Log lines would tear the screen apart."""
    file.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    logging.basicConfig(
        filename=file, level=root.level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
