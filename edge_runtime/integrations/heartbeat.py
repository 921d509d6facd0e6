"""A sign of life to another machine: when it stays out, that machine tells people."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import httpx

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.availability import Availability
from edge_runtime.integrations.settings import HeartbeatConfig, secret_of
from edge_runtime.integrations.state import SourceState
from edge_runtime.publication import Published
from edge_runtime.threads import InQueue

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses, which may be secrets

_ANSWERED_WITHIN_S: Final = 10.0


class Heartbeat:
    """One of the daemon's views. Raises ConfigError."""

    def __init__(self, settings: HeartbeatConfig, sources: Sequence[str], desk: AlarmDesk) -> None:
        self._settings = settings
        self._desk = desk
        file = settings.url_file
        self._url = settings.url if file is None else secret_of(file)
        self._states = {name: SourceState(name, desk) for name in sources}
        self._problem = ""

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Note that the source is alive."""
        state = self._states.get(source)
        if state is not None:
            state.see(item, published)

    def say(self, source: str, message: str) -> None:
        """For people at this machine."""

    def keep(self, sources: Sequence[str]) -> None:
        """These are to be monitored from now on."""
        known = self._states
        self._states = {name: known.get(name) or SourceState(name, self._desk) for name in sources}

    async def run(self) -> None:
        """Beat until cancelled."""
        async with httpx.AsyncClient(timeout=_ANSWERED_WITHIN_S) as client:
            while True:
                if self._is_well():
                    self._tell(await self._beat(client))
                await asyncio.sleep(self._settings.every_s)

    def _is_well(self) -> bool:
        states = list(self._states.values())
        if not self._settings.monitoring:
            return True
        return all(state.availability() is Availability.ONLINE for state in states)

    async def _beat(self, client: httpx.AsyncClient) -> str:
        """What is wrong, if anything."""
        try:
            async with (
                asyncio.timeout(_ANSWERED_WITHIN_S),
                client.stream("GET", self._url) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return type(error).__name__  # the address may be a secret
        return "" if httpx.codes.is_success(status) else f"it answers {status}"

    def _tell(self, problem: str) -> None:
        """Each change once."""
        if problem != self._problem:
            log.warning("heartbeat: %s", problem or "it is heard again")
            self._problem = problem
