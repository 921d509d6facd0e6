"""Events as HTTP POSTs, signed as standardwebhooks.com has it, and tried until they are taken.

A receiver that answers 2xx has it. What it refuses for good (4xx but 408, 425, 429) is told once
and left out: it must not hold up what comes behind it. Anything else waits, longer each time, and
is told as late once it is; `webhook-id` is the event's own id, the same at every try.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errors import ConfigError
from edge_runtime.events import (
    AlarmCleared,
    AlarmRaised,
    AlarmStateChanged,
    BeatClassified,
    BeatDetected,
    Event,
    Priority,
)
from edge_runtime.integrations.message import encoded
from edge_runtime.integrations.outbox import DAY_S, FOLDER, Outbox
from edge_runtime.integrations.settings import WebhookConfig, secret_of
from edge_runtime.integrations.spool import Spool
from edge_runtime.publication import Published
from edge_runtime.threads import InQueue
from firmware_bridge.links.reconnect import Backoff

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses, which may be secrets

ANSWERED_WITHIN_S: Final = 15.0
_LONGEST_WAIT_S: Final = 300.0
_ALARM_AFTER_S: Final = 300.0
_SECRET: Final = "whsec_"
_SHORTEST_SECRET: Final = 24
"""Bytes; the least that the specification allows."""
_LATER: Final = frozenset({408, 425, 429})


class Webhook:
    """One receiver as one of the daemon's views. Raises ConfigError and StoreError."""

    def __init__(
        self,
        settings: WebhookConfig,
        directory: Path,
        desk: AlarmDesk,
        dropped: Dropped | None = None,
        *,
        utc_s: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._utc_s = utc_s
        self._key = key_of(settings.secret_file)
        self._verify = tls_of(settings.ca)
        outbox = Outbox(
            directory / FOLDER / f"webhook-{settings.name}.sqlite3",
            keep_s=settings.spool_days * DAY_S,
            most_bytes=int(settings.spool_mb * (1 << 20)),
        )
        self._spool = Spool(outbox, self._disk_fails)
        self._trouble = f"webhook_{settings.name}"
        self._refused = 0
        if dropped is not None:
            dropped.watch(self._dropped)

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Put what is to be told where it waits to be delivered."""
        for one in published:
            if self._tells(one.event):
                self._spool.put(one)

    def say(self, source: str, message: str) -> None:
        """For people at this machine."""

    def keep(self, sources: Sequence[str]) -> None:
        """Whatever the sources."""

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            async with (
                asyncio.TaskGroup() as group,
                httpx.AsyncClient(verify=self._verify, timeout=ANSWERED_WITHIN_S) as client,
            ):
                group.create_task(self._spool.run())
                await self._deliver(client)
        finally:
            self._spool.close()

    async def _deliver(self, client: httpx.AsyncClient) -> None:
        backoff = Backoff(1.0, jitter=0.3, longest_s=_LONGEST_WAIT_S)
        loop, away_since_s = asyncio.get_running_loop(), None
        while True:
            batch = await self._spool.next_batch(1)
            problem = ""
            for one in batch.published:
                problem = await self._post(client, one, late=batch.late)
            if not problem:
                await self._spool.delivered(batch)
                if away_since_s is not None:
                    log.warning("webhook %s: it takes events again", self._settings.name)
                    self._desk.trouble_over(self._trouble)
                    backoff.reset()
                    away_since_s = None
                continue
            if away_since_s is None:
                away_since_s = loop.time()
                log.warning("webhook %s: %s; events wait on disk", self._settings.name, problem)
            elif loop.time() - away_since_s > _ALARM_AFTER_S:
                words = f"webhook {self._settings.name} cannot be delivered: {problem}"
                self._desk.trouble(self._trouble, words, Priority.LOW, lasts_s=None)
            await asyncio.sleep(backoff.next_s())

    async def _post(self, client: httpx.AsyncClient, one: Published, *, late: bool) -> str:
        """Why it is to be tried again; empty when it is done with."""
        body = encoded(one, late=late)
        headers = signature(self._key, one.id, int(self._utc_s()), body)
        headers["content-type"] = "application/json"
        try:
            async with (
                asyncio.timeout(ANSWERED_WITHIN_S),
                # What it answers is not read: it could be long.
                client.stream("POST", self._settings.url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, TimeoutError) as error:
            return str(error) or type(error).__name__
        if httpx.codes.is_success(status):
            return ""
        if httpx.codes.is_client_error(status) and status not in _LATER:
            self._refused += 1
            if self._refused == 1:
                log.error("webhook %s refuses events for good: %d", self._settings.name, status)
            return ""
        return f"it answers {status}"

    def _tells(self, event: Event) -> bool:
        if isinstance(event, AlarmRaised | AlarmCleared | AlarmStateChanged):
            return True
        return self._settings.events == "all" and not isinstance(
            event, BeatDetected | BeatClassified
        )

    def _disk_fails(self, problem: str) -> None:
        self._desk.trouble("outbox", problem)
        log.error("webhook %s: %s", self._settings.name, problem)

    def _dropped(self) -> Mapping[Drop, int]:
        return {Drop.UNSENT_MESSAGES: self._spool.dropped + self._refused}


def signature(key: bytes, identity: str, utc_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a signed webhook (standardwebhooks.com, version 1)."""
    signed = hmac.new(key, f"{identity}.{utc_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(utc_s),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def key_of(file: Path) -> bytes:
    """The key out of a secret's file. Raises ConfigError."""
    text = secret_of(file)
    try:
        key = base64.b64decode(text.removeprefix(_SECRET), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_SECRET) or len(key) < _SHORTEST_SECRET:
        raise ConfigError(
            f"{file}: no secret of a webhook: {_SECRET} and {_SHORTEST_SECRET} bytes or more as "
            f'base64; make one by: echo "{_SECRET}$(openssl rand -base64 32)"'
        )
    return key


def tls_of(ca: Path | None) -> ssl.SSLContext | bool:
    """What checks the other side: authorities of `ca`, or the usual ones. Raises ConfigError."""
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ConfigError(f"{ca}: cannot be used: {error}") from error
