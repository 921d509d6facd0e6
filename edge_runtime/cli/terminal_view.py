"""The terminal view of a running daemon: follows the first source and draws it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.live import Live

from edge_runtime.publication import Published
from edge_runtime.sinks.live import LiveSource
from edge_runtime.sinks.terminal import draw
from edge_runtime.threads import InQueue

_PICTURES_PER_S: Final = 5


class TerminalView:
    """The live screen, for one source at a time (the first)."""

    def __init__(self, banner: Sequence[str]) -> None:
        self._banner = banner
        self._source: str | None = None
        self._live = LiveSource()

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
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
