"""The daemon on one page: start in order, run, stop in reverse.

One asyncio loop (links, views, signals), one engine thread, one writer thread.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.memory import release_free_memory
from edge_runtime.publication import Published
from edge_runtime.site_rules import SiteBook
from edge_runtime.threads import AnyEngine, AnyStore, Ended, EngineThread, InQueue, WriterThread
from edge_runtime.watchdog import Part, Watchdog, look_every_s, notify
from firmware_bridge.driver import Driver
from firmware_bridge.errors import BridgeError, LinkError
from firmware_bridge.links.reconnect import Backoff
from firmware_bridge.stream import StreamItem, StreamOpened

log = logging.getLogger(__name__)

_STOP_WITHIN_S: Final = 10.0
"""A disk that needs longer to take what is buffered is broken; systemd's limit is 90 s."""
_READ_WELL_S: Final = 60.0
"""A stream that lasted so long was no failed start: what ends it is told and retried at once."""


class View(Protocol):
    """Something that shows what happens: terminal, JSON lines, the web page."""

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Called in the engine thread for each item; must not block."""
        ...

    def say(self, source: str, message: str) -> None:
        """A line for a person about a source that has no stream yet."""
        ...

    async def run(self) -> None:
        """Draw until cancelled."""
        ...


class Inbox:
    """The way of a person's own items (a mark) to the engine, while the daemon runs."""

    def __init__(self) -> None:
        self._put: Callable[[str, StreamItem], None] | None = None

    def open(self, put: Callable[[str, StreamItem], None]) -> None:
        """Where items go from now on."""
        self._put = put

    def put(self, source: str, item: StreamItem) -> None:
        """Never blocks. What comes before the engine runs belongs to no stream, and is dropped."""
        if self._put is not None:
            self._put(source, item)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the supervisor runs; the command line builds it from the configuration."""

    drivers: dict[str, Callable[[], Driver]]
    make_engine: Callable[[StreamOpened], AnyEngine]
    store: AnyStore | None
    views: tuple[View, ...]
    desk: AlarmDesk | None = None
    site: SiteBook | None = None
    inbox: Inbox = field(default_factory=Inbox)


@dataclass(slots=True)
class Supervisor:
    """Runs `parts` until SIGINT, SIGTERM, the end of all sources, or the failure of a thread."""

    parts: Parts
    duration_s: float | None = None
    _failure: tuple[str, BaseException] | None = None
    _loop_progress: int = 0
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _unreadable: set[str] = field(default_factory=set)
    _told: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Monitor. Raises EdgeRuntimeError when a thread died; all else was stopped in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._over.set)

        def failed(name: str, error: BaseException) -> None:
            self._failure = self._failure or (name, error)
            loop.call_soon_threadsafe(self._over.set)

        store = self.parts.store
        writer = WriterThread(store, self._trouble, failed) if store else None
        engine = EngineThread(self.parts.make_engine, self._show, writer, self._refuse, failed)
        if writer:
            writer.start()
        if self.parts.desk is not None:
            self.parts.desk.connect(engine.put)
        engine.start()
        self.parts.inbox.open(engine.put)
        views = [self._task("view", view.run()) for view in self._views]
        if self.parts.site is not None:
            views.append(self._task("site rules", self.parts.site.run()))
        sources = [
            self._task(f"source {name}", self._follow(name, make, engine))
            for name, make in self.parts.drivers.items()
        ]
        watch = self._task("watchdog", self._watch(engine, writer))
        notify("READY=1")
        await self._until_over(sources)

        notify("STOPPING=1")
        await _cancelled([watch, *sources])
        for name in self.parts.drivers:
            engine.put(name, Ended("stopped"))
        engine.stop()
        await self._joined("engine", engine)
        if writer:
            writer.stop()
            await self._joined("writer", writer)
        await _cancelled(views)
        if self._failure is not None:
            name, error = self._failure
            raise EdgeRuntimeError(f"{name} failed: {error!r}") from error

    def _task(self, name: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """`work` as a task that does not fail in silence: the daemon stops and says so."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._see_failure)
        return task

    def _see_failure(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failure = self._failure or (task.get_name(), error)
            self._over.set()

    async def _until_over(self, sources: list["asyncio.Task[None]"]) -> None:
        all_sources = asyncio.gather(*sources, return_exceptions=True)
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait(
            (all_sources, over), timeout=self.duration_s, return_when=asyncio.FIRST_COMPLETED
        )
        over.cancel()

    async def _follow(
        self, name: str, make_driver: Callable[[], Driver], engine: EngineThread
    ) -> None:
        """One source: open, pass items on, and try again for as long as the daemon runs.

        One whose items the engine refused is opened anew: what it sends from its next StreamOpened
        on is another session.
        """
        backoff = Backoff()
        while True:
            try:
                if await self._pass_on(name, make_driver(), engine, backoff):
                    return  # a file that is read to its end
            except BridgeError as error:
                if not isinstance(error, LinkError):
                    engine.put(name, Ended(str(error)))
                self._say_once(name, str(error))
            await asyncio.sleep(backoff.next_s())
            self._unreadable.discard(name)

    async def _pass_on(
        self, name: str, driver: Driver, engine: EngineThread, backoff: Backoff
    ) -> bool:
        """The items of one stream; True when it came to its end, False when it is refused."""
        loop = asyncio.get_running_loop()
        stream, began_s = driver.stream(), loop.time()
        try:
            async for item in stream:
                if name in self._unreadable:  # seen soon: a live source ticks when it is silent
                    return False
                engine.put(name, item)
                if loop.time() - began_s > _READ_WELL_S:
                    backoff.reset()
                    self._told.pop(name, None)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()  # the port is free before it is opened again
        return True

    async def _watch(self, engine: EngineThread, writer: WriterThread | None) -> None:
        def loop_progress() -> int:
            return self._loop_progress

        parts = [
            Part("loop", loop_progress, lambda: 0),
            Part("engine", lambda: engine.progress, engine.waiting),
        ]
        if writer is not None:
            parts.append(Part("writer", lambda: writer.progress, writer.waiting))
        watchdog, every_s = Watchdog(parts), look_every_s()
        while True:
            await asyncio.sleep(every_s)
            self._loop_progress += 1
            release_free_memory()
            for name in watchdog.stuck():
                log.error("%s makes no progress", name)

    @property
    def _views(self) -> tuple[View, ...]:
        desk = self.parts.desk
        return self.parts.views if desk is None else (desk, *self.parts.views)

    def _show(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        for view in self._views:
            view.see(source, item, published)

    def _say(self, source: str, message: str) -> None:
        log.warning("%s: %s", source, message)
        for view in self._views:
            view.say(source, message)

    def _trouble(self, part: str, message: str) -> None:
        """A part of the daemon fails: told, and a technical alarm."""
        if self.parts.desk is not None:
            self.parts.desk.trouble(part, message)
        self._say(part, message)

    def _refuse(self, source: str, message: str) -> None:
        """Called in the engine thread: what `source` sends cannot be read."""
        self._unreadable.add(source)
        self._say_once(source, f"{message}; opening it anew")

    def _say_once(self, source: str, message: str) -> None:
        """A port that stays away, or a device that stays unreadable, is told once."""
        if self._told.get(source) != message:
            self._told[source] = message
            self._say(source, message)

    async def _joined(self, name: str, worker: EngineThread | WriterThread) -> None:
        if not await asyncio.to_thread(worker.join, _STOP_WITHIN_S):
            error = TimeoutError(f"not done within {_STOP_WITHIN_S:.0f} s of being told to stop")
            self._failure = self._failure or (name, error)


async def _cancelled(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
