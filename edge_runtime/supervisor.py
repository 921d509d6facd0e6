"""The daemon on one page: start in order, run, stop in reverse.

One asyncio loop (links, views, signals), one engine thread, one writer thread.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.config_effects import Change
from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errands import Errands
from edge_runtime.errors import ConfigError, EdgeRuntimeError
from edge_runtime.followers import Followers, MakeDriver
from edge_runtime.gathering import Gathering
from edge_runtime.loans import Loans
from edge_runtime.memory import release_free_memory
from edge_runtime.publication import Published
from edge_runtime.reload import Plan, Reloader
from edge_runtime.site_rules import SiteBook
from edge_runtime.threads import (
    AnyEngine,
    AnyStore,
    Ended,
    EngineThread,
    InQueue,
    RulesChanged,
    WriterThread,
)
from edge_runtime.update.keeper import ModelKeeper
from edge_runtime.watchdog import Part, Watchdog, look_every_s, notify, notify_reloading
from firmware_bridge.stream import StreamItem, StreamOpened

log = logging.getLogger(__name__)

_STUCK_AFTER_S: Final = 10.0
"""A disk that takes nothing for so long is broken."""
_STOP_WITHIN_S: Final = 30.0
"""What is buffered may need a while on a slow card; the service manager's limit is 40 s."""


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
    """The way of a person's own items (a mark) and wishes to the engine, while the daemon runs."""

    def __init__(self, dropped: Dropped | None = None) -> None:
        self._dropped = dropped or Dropped()
        self._put: Callable[[str, InQueue], None] | None = None
        self._reopen: Callable[[str], None] = lambda _source: None

    def open(self, put: Callable[[str, InQueue], None], reopen: Callable[[str], None]) -> None:
        """Where items go from now on, and who opens a source anew."""
        self._put, self._reopen = put, reopen

    def put(self, source: str, item: StreamItem) -> None:
        """Never blocks. What comes before the engine runs belongs to no stream, and is dropped."""
        if self._put is not None:
            self._put(source, item)
        else:
            self._dropped.add(Drop.EARLY_MARKS, source=source)

    def begin_anew(self, source: str, reason: str) -> None:
        """End the session of `source`, and let the next one begin with a stream of its own: no
        memory of the last one's signal goes with it."""
        if self._put is not None:
            self._put(source, Ended(reason))
            self._reopen(source)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the supervisor runs; the command line builds it from the configuration."""

    drivers: dict[str, MakeDriver]
    make_engine: Callable[[StreamOpened], AnyEngine]
    store: AnyStore | None
    views: tuple[View, ...]
    desk: AlarmDesk | None = None
    site: SiteBook | None = None
    inbox: Inbox = field(default_factory=Inbox)
    reloader: Reloader | None = None
    dropped: Dropped = field(default_factory=Dropped)
    errands: Errands = field(default_factory=Errands)
    models: ModelKeeper | None = None
    loans: Loans = field(default_factory=Loans)
    gathering: Callable[[], Gathering | None] = lambda: None


@dataclass(slots=True)
class Supervisor:
    """Runs `parts` until SIGINT, SIGTERM, the end of all sources, or the failure of a thread.

    SIGHUP reads the configuration again, where there is one. With `again_after_s` (the safe mode)
    it ends after so long, or on SIGHUP, to be followed by another run.
    """

    parts: Parts
    duration_s: float | None = None
    again_after_s: float | None = None
    _failure: tuple[str, BaseException] | None = None
    _loop_progress: int = 0
    _again: bool = False
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reloads: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> bool:
        """Monitor; True when another run is to follow.

        Raises EdgeRuntimeError when a thread died; all else was stopped in order.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._over.set)

        def failed(name: str, error: BaseException) -> None:
            self._failure = self._failure or (name, error)
            loop.call_soon_threadsafe(self._over.set)

        def refused(source: str, message: str) -> None:
            followers.refuse(source, message)

        store = self.parts.store
        writer = WriterThread(store, self._trouble, failed) if store else None
        engine = EngineThread(
            self.parts.make_engine,
            self._show,
            writer,
            refused,
            failed,
            self.parts.dropped,
            self.parts.gathering,
        )
        followers = Followers(engine.put, self._say, self._see_bug)
        if writer:
            writer.start()
        views = [self._task("view", view.run()) for view in self._views]
        if self.parts.site is not None:
            views.append(self._task("site rules", self.parts.site.run()))
        if self.parts.desk is not None:
            self.parts.desk.connect(engine.put)
        engine.start()
        self.parts.inbox.open(engine.put, followers.open_anew)
        if writer:
            self.parts.errands.open(writer.put_errand)
        for name, make in self.parts.drivers.items():
            followers.begin(name, make)
        self.parts.loans.connect(followers)
        watch = self._task("watchdog", self._watch(engine, writer))
        self._take_reloads(followers, engine)
        keeping = self._keep_models(followers)
        if self.again_after_s is not None:
            loop.add_signal_handler(signal.SIGHUP, self._end_for_another)
            loop.call_later(self.again_after_s, self._end_for_another)
        notify("READY=1")
        await self._until_over(followers)

        if self._again:
            notify_reloading()
        else:
            notify("STOPPING=1")
        await _cancelled([watch, *keeping, *self._reloads])
        await followers.end_all()
        engine.stop()
        await self._joined("engine", engine)
        await _cancelled(views)
        if writer:
            writer.stop()
            await self._joined("writer", writer)
        if self._failure is not None:
            name, error = self._failure
            raise EdgeRuntimeError(f"{name} failed: {error!r}") from error
        if self.parts.models is not None:
            self.parts.models.stopped()
        return self._again

    def _end_for_another(self) -> None:
        self._again = True
        self._over.set()

    def _task(self, name: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """`work` as a task that does not fail in silence: the daemon stops and says so."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._see_failure)
        return task

    def _see_failure(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._see_bug(task.get_name(), error)

    def _see_bug(self, name: str, error: BaseException) -> None:
        self._failure = self._failure or (name, error)
        self._over.set()

    async def _until_over(self, followers: Followers) -> None:
        async def until_told() -> None:
            await self._over.wait()

        ends = [asyncio.create_task(end) for end in (followers.until_idle(), until_told())]
        await asyncio.wait(ends, timeout=self.duration_s, return_when=asyncio.FIRST_COMPLETED)
        await _cancelled(ends)

    def _take_reloads(self, followers: Followers, engine: EngineThread) -> None:
        """From now on SIGHUP, and whoever asks the reloader, reads the configuration again."""
        reloader = self.parts.reloader
        if reloader is None:
            return

        async def reload() -> tuple[Change, ...]:
            async with self._reloading:
                return await self._reload(reloader, followers, engine)

        async def reload_on_signal() -> None:
            try:
                await reload()
            except ConfigError:
                log.debug("told where it was found")

        def begin() -> None:
            task = self._task("reload", reload_on_signal())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

        reloader.connect(reload)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin)

    def _keep_models(self, followers: Followers) -> list["asyncio.Task[None]"]:
        """From now on a new bundle set comes in when nobody is in alarm."""
        models = self.parts.models
        if models is None:
            return []

        async def reopen(reason: str) -> None:
            async with self._reloading:
                await followers.reopen_all(reason)

        models.connect(reopen, self._say)
        return [self._task("models", models.run())]

    async def _reload(
        self, reloader: Reloader, followers: Followers, engine: EngineThread
    ) -> tuple[Change, ...]:
        notify_reloading()
        try:
            if self.parts.site is not None:
                await asyncio.to_thread(self.parts.site.look)
            plan = await asyncio.to_thread(reloader.plan)
        except ConfigError as error:
            message = f"{error}; the configuration loaded before stays in force"
            log.error("configuration: %s", message)
            if self.parts.desk is not None:
                self.parts.desk.trouble("configuration", message, lasts_s=None)
            raise
        else:
            await self._apply(plan, reloader, followers, engine)
            return plan.changes
        finally:
            notify("READY=1")

    async def _apply(
        self, plan: Plan, reloader: Reloader, followers: Followers, engine: EngineThread
    ) -> None:
        for change in plan.changes or ("nothing has changed",):
            log.warning("configuration: %s", change)
        desk = self.parts.desk
        if desk is not None:
            desk.trouble_over("configuration")
            if plan.alarms is not None:
                desk.configure(plan.alarms)
        await followers.end(plan.ended, "the configuration changed")
        reloader.accept(plan)
        for name, make in plan.begun.items():
            followers.begin(name, make)
        if plan.rules is not None:
            lines = tuple(str(one) for one in plan.changes if one.key.startswith("rules."))
            for source in plan.config.source:
                if source.name not in plan.begun:
                    engine.put(source.name, RulesChanged(plan.rules, lines))

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

    async def _joined(self, name: str, worker: EngineThread | WriterThread) -> None:
        """Wait for a thread that was told to stop, for as long as it gets on."""
        until_s, progress = time.monotonic() + _STOP_WITHIN_S, -1
        while worker.progress != progress and time.monotonic() < until_s:
            progress = worker.progress
            if await asyncio.to_thread(worker.join, _STUCK_AFTER_S):
                return
        error = TimeoutError("still not done, long after it was told to stop")
        self._failure = self._failure or (name, error)


async def _cancelled(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
