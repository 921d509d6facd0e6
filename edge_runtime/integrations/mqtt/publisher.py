"""One source at the broker: its own connection, so that its will can speak for it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import aiomqtt
import msgspec

from edge_runtime.alarms.desk import DAEMON
from edge_runtime.availability import Availability
from edge_runtime.integrations.message import encoded
from edge_runtime.integrations.mqtt import discovery
from edge_runtime.integrations.mqtt.broker import Broker, Connection, RefusedError
from edge_runtime.integrations.mqtt.topics import Topics, slug
from edge_runtime.integrations.settings import MqttConfig
from edge_runtime.integrations.spool import Spool
from edge_runtime.integrations.state import SourceState
from firmware_bridge.links.reconnect import Backoff

log = logging.getLogger(__name__)

_BATCH: Final = 10
_LOOK_EVERY_S: Final = 0.5
_GOODBYE_WITHIN_S: Final = 2.0
_BROKER: Final = (aiomqtt.MqttError, RefusedError, OSError)
"""What a broker, or the way to it, may do to us. A TimeoutError is an OSError."""
LIVES: Final = 3
"""A live value expires after so many of its intervals."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Told of the broker: it can be reached, or what is wrong."""

    source: str
    problem: str


class SourcePublisher:
    """Publishes `state` and what `spool` holds, and comes back whenever the connection is lost.

    `told` hears of each change between reached and not reached.
    """

    def __init__(
        self,
        settings: MqttConfig,
        node: str,
        broker: Broker,
        state: SourceState,
        spool: Spool,
        told: Callable[[Reached], None],
    ) -> None:
        self._settings = settings
        self._node = node
        self._broker = broker
        self._state = state
        self._spool = spool
        self._told = told
        self._topics = Topics(f"{settings.topic}/{slug(node)}", state.name)
        self._expires_s = int(LIVES * settings.live_every_s)
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Something changed that is worth telling before its time. In the loop."""
        self._changed.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        backoff = Backoff(jitter=0.3)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._spool.run())
            while True:
                _end_if_cancelled()
                problem = await self._connect(backoff)
                self._told(Reached(self._state.name, problem))
                await asyncio.sleep(backoff.next_s())

    async def _connect(self, backoff: Backoff) -> str:
        """Be connected for as long as it lasts; what ended it."""
        client_id = f"ecg-edge-{slug(self._node)}-{slug(self._state.name)}"
        try:
            async with self._broker.connection(client_id, self._topics.availability) as connection:
                await self._announce(connection)
                self._told(Reached(self._state.name, ""))
                backoff.reset()
                _end_if_cancelled()
                await self._talk(connection)
        except _BROKER as error:
            return str(error)
        except BaseExceptionGroup as group:
            ours, others = group.split(_BROKER)
            if others is not None or ours is None:
                raise
            return _words(ours)
        return "the connection ended"

    async def _announce(self, connection: Connection) -> None:
        if self._settings.discovery:
            payload = discovery.discovery(
                self._topics, self._node, self._state.name, version("ecg-edge"), self._expires_s
            )
            topic = discovery.discovery_topic(
                self._settings.discovery, self._node, self._state.name
            )
            await connection.keep(topic, discovery.encoded(payload))

    async def _talk(self, connection: Connection) -> None:
        # Until Python 3.13 a TaskGroup whose task fails leaves its parent marked as cancelled.
        tasks = [
            asyncio.create_task(part)
            for part in (connection.lost(), self._tell_state(connection), self._deliver(connection))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            await _cancelled(tasks)
            # A clean end silences the will: say it ourselves.
            with contextlib.suppress(*_BROKER):
                async with asyncio.timeout(_GOODBYE_WITHIN_S):
                    await connection.keep(self._topics.availability, Availability.OFFLINE)
            raise
        finally:
            await _cancelled(tasks)

    async def _tell_state(self, connection: Connection) -> None:
        """Availability when it changes, values in their interval, alarms also in between."""
        loop, told = asyncio.get_running_loop(), None
        due_s = loop.time()
        while True:
            _end_if_cancelled()
            now = Availability.ONLINE if self._state.name == DAEMON else self._state.availability()
            if now is not told:
                await connection.keep(self._topics.availability, now.value)
                told = now
            in_time = loop.time() >= due_s
            if in_time or self._changed.is_set():
                self._changed.clear()
                alarms = msgspec.json.encode(self._state.alarms())
                await connection.keep(self._topics.alarms, alarms, self._expires_s)
            if in_time:
                due_s = loop.time() + self._settings.live_every_s
                if now is Availability.ONLINE and self._state.name != DAEMON:
                    values = msgspec.json.encode(self._state.values())
                    await connection.keep(self._topics.live, values, self._expires_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._changed.wait()

    async def _deliver(self, connection: Connection) -> None:
        """What is fresh as events, what had to wait as history."""
        while True:
            _end_if_cancelled()
            batch = await self._spool.next_batch(_BATCH)
            if batch.published:
                await connection.send(
                    [
                        (
                            self._topics.event(one.event, late=batch.late),
                            encoded(one, late=batch.late),
                        )
                        for one in batch.published
                    ]
                )
            await self._spool.delivered(batch)


async def _cancelled(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _end_if_cancelled() -> None:
    """Until Python 3.12 `asyncio.wait_for`, which aiomqtt uses, loses a cancellation that comes
    together with what it waits for."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _words(group: BaseException) -> str:
    """The first of what went wrong, in words."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return str(group)
