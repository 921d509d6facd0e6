"""The views a command can show: terminal, JSON lines, or the log."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Final

from edge_runtime.dropped import Drop, Dropped
from edge_runtime.events import AlarmCleared, AlarmRaised, LinkStateChanged, Notice
from edge_runtime.publication import Published
from edge_runtime.sinks.json_lines import LiveJsonLines, unbuffered
from edge_runtime.summary import Summary
from edge_runtime.threads import InQueue

log = logging.getLogger("edge_runtime")

_LOOK_FOR_READER_S: Final = 0.25
_LAST_LINES_WITHIN_S: Final = 2.0
"""Ctrl-C ends promptly, also before a pipe that nobody reads."""


class SummaryView:
    """Counts what happened, for the lines at the end."""

    def __init__(self) -> None:
        self.summaries: dict[str, Summary] = {}

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
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
    """Every event as a JSON line on standard output.

    A daemon monitors on when its reader has left; with `ends_with_reader` that counts as Ctrl-C.
    """

    def __init__(self, dropped: Dropped, *, ends_with_reader: bool = False) -> None:
        self._ends_with_reader = ends_with_reader
        self._lines = LiveJsonLines(
            unbuffered(sys.stdout.fileno()), lost=lambda n: dropped.add(Drop.JSON_EVENTS, n)
        )

    def see(self, _source: str, _item: InQueue, published: Sequence[Published]) -> None:
        """Hand the events to the thread that writes them."""
        self._lines.see(published)

    def say(self, source: str, message: str) -> None:
        """Standard output is data; the log has it."""

    async def run(self) -> None:
        """Wait for the reader to leave, where that is the end."""
        while self._ends_with_reader and not self._lines.ended:
            await asyncio.sleep(_LOOK_FOR_READER_S)
        if self._ends_with_reader:
            signal.raise_signal(signal.SIGINT)  # the supervisor's own way to a clean end

    def close(self, last: object) -> None:
        """Write `last` as the last line, and wait a moment for a slow reader."""
        self._lines.close(json.dumps(last).encode() + b"\n", _LAST_LINES_WITHIN_S)


class LogView:
    """Alarms and links as log lines: what a service's journal should hold."""

    def see(self, source: str, _item: InQueue, published: Sequence[Published]) -> None:
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
