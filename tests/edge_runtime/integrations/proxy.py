"""A wire between two programs on loopback that a test can cut, mend and hang up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Wire:
    """`port` leads to `target` while it is whole."""

    target: int
    port: int = 0
    _whole: asyncio.Event = field(default_factory=asyncio.Event)
    _ends: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """From now on no byte gets through; neither side is told."""
        self._whole.clear()

    def mend(self) -> None:
        """Whole again. What was on its way is lost with its connections."""
        self.hang_up()
        self._whole.set()

    def hang_up(self) -> None:
        """Every connection is reset."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._ends.append(writer)
        await self._whole.wait()
        if writer.transport.is_closing():
            return
        there, here = await asyncio.open_connection("127.0.0.1", self.target)
        self._ends.append(here)
        await asyncio.gather(self._copy(reader, here), self._copy(there, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(65_536):
                await self._whole.wait()
                if writer.transport.is_closing():
                    return
                writer.write(part)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Wire]:
    """A wire to `target`, whole."""
    wire = Wire(target)
    wire.mend()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(wire.carry(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        wire.hang_up()
        await asyncio.gather(*tasks, return_exceptions=True)
