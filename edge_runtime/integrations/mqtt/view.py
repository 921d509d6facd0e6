"""MQTT as one of the daemon's views."""

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.alarms.desk import DAEMON, AlarmDesk
from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errors import StoreError
from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    AlarmStateChanged,
    BeatClassified,
    BeatDetected,
    Priority,
)
from edge_runtime.integrations.mqtt.broker import Broker
from edge_runtime.integrations.mqtt.publisher import Reached, SourcePublisher
from edge_runtime.integrations.mqtt.topics import slug
from edge_runtime.integrations.outbox import DAY_S, FOLDER, Outbox
from edge_runtime.integrations.settings import MqttConfig
from edge_runtime.integrations.spool import Spool
from edge_runtime.integrations.state import SourceState
from edge_runtime.publication import Published
from edge_runtime.threads import InQueue

log = logging.getLogger(__name__)

_TROUBLE: Final = "mqtt"
_LOOK_EVERY_S: Final = 1.0
_ALARM_AFTER_S: Final = 60.0
"""A broker that restarts is no trouble."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What belongs to one source."""

    state: SourceState
    spool: Spool
    publisher: SourcePublisher


class MqttView:
    """One publisher for each source, and one for the daemon itself (its own alarms).

    Beats stay here: they are in the store and the API. Raises ConfigError and StoreError.
    """

    def __init__(
        self,
        settings: MqttConfig,
        directory: Path,
        sources: Sequence[str],
        desk: AlarmDesk,
        dropped: Dropped | None = None,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._desk = desk
        self._node = settings.name or socket.gethostname()
        self._broker = Broker(settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._away_since_s: dict[str, float] = {}
        self._problem = ""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told = {name: self._made(name) for name in (*sources, DAEMON)}
        if dropped is not None:
            dropped.watch(self._dropped)

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Note what holds now, and put what happened where it waits to be delivered."""
        told = self._told.get(source)
        if told is None:
            return
        told.state.see(item, published)
        for one in published:
            if not isinstance(one.event, BeatDetected | BeatClassified):
                told.spool.put(one)
            if isinstance(one.event, AlarmRaised | AlarmCleared | AlarmStateChanged):
                self._wake(told.publisher)

    def say(self, source: str, message: str) -> None:
        """For people at this machine."""

    def keep(self, sources: Sequence[str]) -> None:
        """Begin with those that are new, say of those that are gone that they are offline."""
        wanted = {*sources, DAEMON}
        for name in wanted - self._told.keys():
            try:
                self._told[name] = self._made(name)
            except StoreError as error:
                self._disk_fails(str(error))
                continue
            self._begin(name)
        for name in self._told.keys() - wanted:
            task = self._tasks.pop(name, None)
            if task is not None:
                task.cancel()

    async def run(self) -> None:
        """Publish until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            for name in self._told:
                self._begin(name)
            await self._watch()
        finally:
            self._loop = None
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            for told in self._told.values():
                told.spool.close()

    def _made(self, name: str) -> _Told:
        outbox = Outbox(
            self._directory / FOLDER / f"mqtt-{slug(name)}.sqlite3",
            keep_s=self._settings.spool_days * DAY_S,
            most_bytes=int(self._settings.spool_mb * (1 << 20)),
        )
        state, spool = SourceState(name, self._desk), Spool(outbox, self._disk_fails)
        publisher = SourcePublisher(
            self._settings, self._node, self._broker, state, spool, self._heard
        )
        return _Told(state, spool, publisher)

    def _begin(self, name: str) -> None:
        if self._loop is not None:
            self._tasks[name] = self._loop.create_task(self._told[name].publisher.run())

    def _wake(self, publisher: SourcePublisher) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(publisher.wake)

    def _heard(self, reached: Reached) -> None:
        """Once away and once back, whatever the number of connections."""
        was_away = bool(self._away_since_s)
        if reached.problem:
            now_s = asyncio.get_running_loop().time()
            self._away_since_s.setdefault(reached.source, now_s)
        else:
            self._away_since_s.pop(reached.source, None)
        if reached.problem and reached.problem != self._problem:
            log.warning("mqtt: %s; what happens now waits on disk", reached.problem)
            self._problem = reached.problem
        elif was_away and not self._away_since_s:
            log.warning("mqtt: the broker is back")
            self._problem = ""
            self._desk.trouble_over(_TROUBLE)

    async def _watch(self) -> None:
        """A broker that stays away is a technical alarm of low priority; a bug ends the view."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            since_s = min(self._away_since_s.values(), default=None)
            if since_s is not None and loop.time() - since_s > _ALARM_AFTER_S:
                words = f"MQTT cannot be delivered: {self._problem}"
                self._desk.trouble(_TROUBLE, words, Priority.LOW, lasts_s=None)
            for task in self._tasks.values():
                if task.done():
                    task.result()

    def _disk_fails(self, problem: str) -> None:
        self._desk.trouble("outbox", problem)
        log.error("mqtt: %s", problem)

    def _dropped(self) -> Mapping[Drop, int]:
        """Any thread asks."""
        spools = [told.spool for told in list(self._told.values())]
        return {Drop.UNSENT_MESSAGES: sum(spool.dropped for spool in spools)}
