"""The daemon under the soak, and what it says of its links."""

import asyncio
import json
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.soak.stream import Stream

_LINE_BYTES: Final = 1 << 20
_STOP_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link went down or came up, as heard at `at` on the monotonic clock."""

    at: float
    up: bool
    reason: str


class Daemon:
    """`edge-runtime run` as it is, with `streams` for sources."""

    def __init__(self, streams: Sequence[Stream], store: Path, log: Path) -> None:
        settings = [f"store.directory={store}"]
        for k, stream in enumerate(streams):
            named = {"name": stream.name, **stream.settings}
            settings += [f"source.{k}.{key}={value}" for key, value in named.items()]
        self._arguments = [word for text in settings for word in ("--set", text)]
        self._log = log
        self._opened: set[str] = set()
        self._states: dict[str, list[LinkState]] = defaultdict(list)
        self._heard = asyncio.Condition()

    async def start(self) -> None:
        """Start the process."""
        with self._log.open("w") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "edge_runtime", "run", "--json"),
                *self._arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=_LINE_BYTES,
            )
        self._listening = asyncio.ensure_future(self._listen())

    async def stop(self) -> int:
        """End it as systemd would; its exit status."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_STOP_WITHIN_S):
            await self._listening
            return await self._process.wait()

    @property
    def is_alive(self) -> bool:
        """The process that was started still runs."""
        return self._process.returncode is None

    async def opened(self, stream: str, within_s: float) -> None:
        """Wait until its signal has begun. Raises TimeoutError."""
        await self._wait(lambda: stream in self._opened, within_s)

    async def down(self, stream: str, since: float, within_s: float) -> LinkState:
        """The link's first loss since then. Raises TimeoutError."""
        await self._wait(lambda: self.loss(stream, since) is not None, within_s)
        state = self.loss(stream, since)
        assert state is not None
        return state

    async def streaming(self, stream: str, within_s: float) -> LinkState:
        """Wait until the link is up and has stayed so; its last state. Raises TimeoutError."""
        await self._wait(lambda: self._states[stream][-1].up, within_s)
        return self._states[stream][-1]

    def loss(self, stream: str, since: float) -> LinkState | None:
        """The link's first loss since then, if there was any so far."""
        losses = (one for one in self._states[stream] if one.at >= since and not one.up)
        return next(losses, None)

    async def _wait(self, holds: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s), self._heard:
            await self._heard.wait_for(holds)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if b"link_state_changed" not in line and b"source_opened" not in line:
                continue
            told = json.loads(line)
            event = told.get("event", {})
            async with self._heard:
                if event.get("type") == "source_opened":
                    self._opened.add(told["source"])
                elif event.get("type") == "link_state_changed":
                    state = LinkState(time.monotonic(), event["up"], event["reason"])
                    self._states[told["source"]].append(state)
                self._heard.notify_all()
