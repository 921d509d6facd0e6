"""The views a command can show: terminal, JSON lines, or the log."""

import logging
import sys
from collections.abc import Sequence

from edge_runtime.events import AlarmCleared, AlarmRaised, LinkStateChanged, Notice
from edge_runtime.publication import Published
from edge_runtime.sinks.json_lines import JsonLines
from edge_runtime.summary import Summary
from edge_runtime.threads import Ended
from firmware_bridge.stream import StreamItem

log = logging.getLogger("edge_runtime")


class SummaryView:
    """Counts what happened, for the lines at the end."""

    def __init__(self) -> None:
        self.summaries: dict[str, Summary] = {}

    def see(self, source: str, item: StreamItem | Ended, published: Sequence[Published]) -> None:
        """Count the events and the samples."""
        summary = self.summaries.setdefault(source, Summary(source))
        summary.reach(item)
        for one in published:
            summary.see(one.event)

    def say(self, source: str, message: str) -> None:
        """Nothing to count."""

    async def run(self) -> None:
        """Nothing to draw."""


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
