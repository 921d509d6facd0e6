"""One task for each source: open its device, pass its items on, try again while the daemon runs.

All in the loop's thread but `refuse`. A source may be begun and ended while the others go on.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from edge_runtime.threads import Ended, InQueue
from firmware_bridge.driver import Driver
from firmware_bridge.errors import BridgeError, LinkError
from firmware_bridge.links.reconnect import Backoff

MakeDriver = Callable[[], Driver]

_READ_WELL_S: Final = 60.0
"""A stream that lasted so long was no failed start: what ends it is told and retried at once."""


class Followers:
    """The sources that are followed.

    Args:
        put: takes each item, with its source's name; never blocks.
        say: a line for a person about a source.
        failed: takes the bug that ended a task, and the task's name.
    """

    def __init__(
        self,
        put: Callable[[str, InQueue], None],
        say: Callable[[str, str], None],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._put, self._say, self._failed = put, say, failed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._makers: dict[str, MakeDriver] = {}
        self._lent: dict[str, asyncio.TimerHandle] = {}
        self._idle = asyncio.Event()
        self._unreadable: set[str] = set()
        self._told: dict[str, str] = {}

    def begin(self, name: str, make_driver: MakeDriver) -> None:
        """Follow a source that is not followed now."""
        self._idle.clear()
        self._makers[name] = make_driver
        self._forget_loan(name)
        task = asyncio.create_task(self._follow(name, make_driver), name=f"source {name}")
        self._tasks[name] = task
        task.add_done_callback(self._see_end)

    async def end(self, names: Sequence[str], reason: str) -> None:
        """Let go of these sources: their ports are free and their sessions over on return."""
        tasks = [task for name in names if (task := self._tasks.pop(name, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in names:
            self._forget_loan(name)
            self._unreadable.discard(name)
            self._told.pop(name, None)
            self._put(name, Ended(reason))

    async def lend(self, name: str, for_s: float) -> bool:
        """Let go of a source until `give_back`, at most for so long. False: it is not followed."""
        if name not in self._tasks:
            return False
        await self.end([name], "lent to another program")
        loop = asyncio.get_running_loop()
        self._lent[name] = loop.call_later(for_s, self.give_back, name)
        return True

    def give_back(self, name: str) -> None:
        """Follow again what was lent; nothing where it was not, or not any more."""
        if name in self._lent:
            self.begin(name, self._makers[name])

    async def end_all(self) -> None:
        """Let go of every source."""
        await self.end([*self._tasks, *self._lent], "stopped")

    async def reopen_all(self, reason: str) -> None:
        """End the session of every source that is still followed, and open it anew."""
        names = [name for name, task in self._tasks.items() if not task.done()]
        await self.end(names, reason)
        for name in names:
            self.begin(name, self._makers[name])

    async def until_idle(self) -> None:
        """Until every source has come to its end, as files do."""
        await self._idle.wait()

    def refuse(self, source: str, message: str) -> None:
        """Called in the engine thread: what `source` sends cannot be read."""
        self._unreadable.add(source)
        self._say_once(source, f"{message}; opening it anew")

    def open_anew(self, source: str) -> None:
        """Close its device and open it again: what comes then is another stream."""
        self._unreadable.add(source)

    def _forget_loan(self, name: str) -> None:
        loan = self._lent.pop(name, None)
        if loan is not None:
            loan.cancel()

    def _see_end(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(task.get_name(), error)
        # One that is let go is not among them any more: others follow it, or the daemon stops.
        if task in self._tasks.values() and all(one.done() for one in self._tasks.values()):
            self._idle.set()

    async def _follow(self, name: str, make_driver: MakeDriver) -> None:
        """One source. One whose items the engine refused is opened anew: what it sends from its
        next StreamOpened on is another session.
        """
        backoff = Backoff()
        while True:
            try:
                if await self._pass_on(name, make_driver(), backoff):
                    return  # a file that is read to its end
            except BridgeError as error:
                if not isinstance(error, LinkError):
                    self._put(name, Ended(str(error)))
                self._say_once(name, str(error))
            await asyncio.sleep(backoff.next_s())
            self._unreadable.discard(name)

    async def _pass_on(self, name: str, driver: Driver, backoff: Backoff) -> bool:
        """The items of one stream; True when it came to its end, False when it is refused."""
        loop = asyncio.get_running_loop()
        stream, began_s = driver.stream(), loop.time()
        try:
            async for item in stream:
                if name in self._unreadable:  # seen soon: a live source ticks when it is silent
                    return False
                self._put(name, item)
                if loop.time() - began_s > _READ_WELL_S:
                    backoff.reset()
                    self._told.pop(name, None)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()  # the port is free before it is opened again
        return True

    def _say_once(self, source: str, message: str) -> None:
        """A port that stays away, or a device that stays unreadable, is told once."""
        if self._told.get(source) != message:
            self._told[source] = message
            self._say(source, message)
