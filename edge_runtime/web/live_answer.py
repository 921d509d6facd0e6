"""The live stream as an HTTP answer: server-sent events to one reader.

A reader that does not read holds nothing but its socket's buffer, and is let go after half a
minute of that.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from edge_runtime.web.answers import refusal
from edge_runtime.web.feed import LiveFeed, TooManyReadersError

_WRITTEN_WITHIN_S: Final = 30.0


class LiveAnswer(Response):
    """Everything that happens from now on, until the reader leaves."""

    def __init__(self, feed: LiveFeed, written_within_s: float = _WRITTEN_WITHIN_S) -> None:
        super().__init__(media_type="text/event-stream")
        self._feed = feed
        self._written_within_s = written_within_s
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the reader leaves, is late, or the daemon stops."""
        async with aclosing(self._feed.follow()) as parts:
            try:
                first = await anext(parts)
            except TooManyReadersError:
                refused = refusal(503, "too many pages are open; close one", {"retry-after": "5"})
                await refused(scope, receive, send)
                return
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            if scope["method"] == "HEAD":
                await self._write(send, b"", more=False)
                return
            await self._write(send, first, more=True)
            leaving = asyncio.create_task(_left(receive))
            writing = asyncio.create_task(self._write_all(parts, send))
            try:
                await asyncio.wait((leaving, writing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (leaving, writing):
                    task.cancel()
                await asyncio.gather(leaving, writing, return_exceptions=True)

    async def _write_all(self, parts: AsyncGenerator[bytes], send: Send) -> None:
        async for part in parts:
            await self._write(send, part, more=True)
        await self._write(send, b"", more=False)

    async def _write(self, send: Send, part: bytes, *, more: bool) -> None:
        """Raises TimeoutError for a reader that does not read."""
        async with asyncio.timeout(self._written_within_s):
            await send({"type": "http.response.body", "body": part, "more_body": more})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
