"""The views a command can show: terminal, JSON lines, or the log."""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.live import Live

from edge_runtime.events import AlarmCleared, AlarmRaised, LinkStateChanged, Notice
from edge_runtime.publication import Published
from edge_runtime.sinks.json_lines import JsonLines
from edge_runtime.sinks.live import LiveSource
from edge_runtime.sinks.terminal import draw
from edge_runtime.summary import Summary
from edge_runtime.threads import Ended
from firmware_bridge.stream import StreamItem

log = logging.getLogger("edge_runtime")

_PICTURES_PER_S: Final = 5


class SummaryView:
    """Counts what happened, for the lines at the end."""

    def __init__(self) -> None:
        self.summaries: dict[str, Summary] = {}

    def see(self, source: str, _item: StreamItem | Ended, published: Sequence[Published]) -> None:
        """Count the events."""
        summary = self.summaries.setdefault(source, Summary(source))
        for one in published:
            summary.see(one.event)

    def say(self, source: str, message: str) -> None:
        """Nothing to count."""

    async def run(self) -> None:
        """Nothing to draw."""


class TerminalView:
    """The live screen, for one source at a time (the first)."""

    def __init__(self, banner: Sequence[str]) -> None:
        self._banner = banner
        self._source: str | None = None
        self._live = LiveSource()

    def see(self, source: str, item: StreamItem | Ended, published: Sequence[Published]) -> None:
        """Follow the first source that speaks."""
        self._source = self._source or source
        if source == self._source:
            self._live.see(item, published, time.monotonic())

    def say(self, source: str, message: str) -> None:
        """A line among the messages."""
        self._live.say(f"{source}: {message}")

    async def run(self) -> None:
        """Draw a few pictures a second until cancelled."""
        console = Console()
        with Live(console=console, screen=True, auto_refresh=False) as screen:
            while True:
                picture = self._live.picture()
                screen.update(draw(picture, self._banner, time.monotonic(), console), refresh=True)
                await asyncio.sleep(1 / _PICTURES_PER_S)


class JsonView:
    """Every event as a JSON line on standard output."""

    def __init__(self) -> None:
        self._lines = JsonLines(sys.stdout.buffer)

    def see(self, _source: str, _item: StreamItem | Ended, published: Sequence[Published]) -> None:
        """Write the events."""
        self._lines.see(published)

    def say(self, source: str, message: str) -> None:
        """Standard output is data; the log has it."""

    async def run(self) -> None:
        """Nothing to draw."""


class LogView:
    """Alarms and links as log lines: what a service's journal should hold."""

    def see(self, source: str, _item: StreamItem | Ended, published: Sequence[Published]) -> None:
        """Log what a person must know."""
        for one in published:
            match event := one.event:
                case AlarmRaised():
                    log.warning("%s: ALARM %s %s", source, event.priority.value, event.text)
                case AlarmCleared():
                    log.warning("%s: alarm over: %s", source, event.rule)
                case LinkStateChanged():
                    log.warning(
                        "%s: link %s: %s", source, "up" if event.up else "down", event.reason
                    )
                case Notice():
                    log.warning("%s: %s", source, event.message)
                case _:
                    pass

    def say(self, source: str, message: str) -> None:
        """The supervisor has logged it."""

    async def run(self) -> None:
        """Nothing to draw."""
