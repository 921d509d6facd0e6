"""`edge-runtime run`: monitor the configured sources."""

import asyncio
import faulthandler
import logging
import sys
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
from edge_runtime.dropped import Dropped
from edge_runtime.errors import ConfigError, StoreError
from edge_runtime.release_trial import ReleaseTrial
from edge_runtime.setting_desk import SettingDesk
from edge_runtime.start_log import StartLog, SteadyView
from edge_runtime.supervisor import Parts, Supervisor, View
from edge_runtime.update.choice import first_set, require_signed

log = logging.getLogger(__name__)

_STDERR = 2
"""The descriptor itself: a signal handler writes to it when Python no longer can."""


@click.command("run")
@config_option
@set_option
@view_option
@json_view_option
@duration_option
@click.option(
    "--unsigned",
    is_flag=True,
    help="Run the set in bundles.directory although nobody has signed it; shown all the time.",
)
def command(
    file: Path | None,
    settings: tuple[str, ...],
    view: str,
    as_json: bool,
    duration_s: float | None,
    unsigned: bool,
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
    if unsigned:
        settings = (*settings, "bundles.unsigned=true")
    with exit_status():
        loaded, _ = config.load(file, settings)
        require_signed(loaded)
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
            settings=SettingDesk(lambda saved: config.load(file, settings, saved)),
        )


def monitor(
    loaded: Config,
    view: str,
    banner: tuple[str, ...],
    duration_s: float | None,
    *,
    settings: SettingDesk,
    ends_with_reader: bool = False,
) -> None:
    """Run the daemon until it is told to stop; then the summary. Raises this project's errors.

    `settings`: how to read the configuration again, on SIGHUP, and to change it.
    `ends_with_reader`: a demonstration, no service: it also stops when who reads the JSON lines has
    left, and counts no crashes.
    """
    faulthandler.enable(_STDERR)  # a watchdog's SIGABRT then shows where each thread hung
    if view == "auto":
        view = "terminal" if sys.stdout.isatty() else "log"
    summary, dropped = SummaryView(), Dropped()
    if view == "terminal":
        _log_to_file(loaded.store.directory / "edge-runtime.log")
    shown = (
        JsonView(dropped, ends_with_reader=ends_with_reader)
        if view == "json"
        else _view_for_people(view, banner)
    )
    views = (shown, summary)
    if ends_with_reader:
        asyncio.run(Supervisor(_usual_parts(loaded, views, settings, dropped), duration_s).run())
    else:
        _run_counted(loaded, views, duration_s, settings, dropped)
    summaries = list(summary.summaries.values())
    if isinstance(shown, JsonView):
        shown.close({"summary": [one.as_dict() for one in summaries]})
        return
    with reader_may_leave():
        for one in summaries:
            click.echo("\n".join(one.lines()), err=view == "log")
        click.echo(f"stored in {loaded.store.directory}", err=view == "log")


def _usual_parts(
    loaded: Config,
    views: tuple[View, ...],
    settings: SettingDesk,
    dropped: Dropped,
) -> Parts:
    return assembly.build(loaded, first_set(loaded), views, settings, dropped)


def _run_counted(
    loaded: Config,
    views: tuple[View, ...],
    duration_s: float | None,
    settings: SettingDesk,
    dropped: Dropped,
) -> None:
    """Run as a service does: a crash loop ends in the safe mode, and that in another try."""
    trial = ReleaseTrial.of_environment()
    starts = StartLog(loaded.store.directory, loaded.safe_mode, trial=trial)
    try:
        crashes = starts.begin()
        if crashes:
            if not asyncio.run(_recording_only(loaded, views, duration_s, crashes).run()):
                return starts.ended()
            starts.leave_safe_mode()
            loaded = _reread_or_same(loaded, settings)
        steady = SteadyView(starts, 60 * loaded.safe_mode.stable_minutes)
        parts = _usual_parts(loaded, (*views, steady), settings, dropped)
        asyncio.run(Supervisor(parts, duration_s).run())
    except (ConfigError, StoreError, KeyboardInterrupt):
        starts.ended()  # a person stopped it, or has to change something: no crash
        raise
    return starts.ended()


def _recording_only(
    loaded: Config, views: tuple[View, ...], duration_s: float | None, crashes: int
) -> Supervisor:
    """The safe mode, with its words said wherever somebody looks."""
    minutes = loaded.safe_mode.stable_minutes
    why = (
        f"SAFE MODE, NOT MONITORING: the daemon ended {crashes} times without being told to; it "
        f"only records now, and tries again in {minutes:g} min or on SIGHUP (systemctl reload "
        "ecg-edge); the log says what it died of"
    )
    log.error("%s", why)
    parts = assembly.build_recording(loaded, views, why)
    for name in parts.drivers:
        for view in views:
            view.say(name, why)
    return Supervisor(parts, duration_s, again_after_s=60 * minutes)


def _reread_or_same(loaded: Config, settings: SettingDesk) -> Config:
    """The configuration as somebody may have mended it by now."""
    try:
        return settings.reread()
    except ConfigError as error:
        log.error("configuration: %s; the one loaded before stays in force", error)
        return loaded


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
