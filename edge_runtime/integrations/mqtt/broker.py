"""One connection to the broker, as this project needs it: MQTT 5, publishing only."""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from typing import Any, Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_runtime.errors import ConfigError
from edge_runtime.integrations.outbox import DAY_S
from edge_runtime.integrations.settings import MqttConfig, secret_of

KEEPALIVE_S: Final = 10
"""The broker says offline after one and a half of it, when the machine lost its power."""
_ANSWERED_WITHIN_S: Final = 10.0
_GOOD: Final = 0x80
"""Reason codes from here on are refusals."""


_HUNG_UP: Final = (
    "the broker hung up without an answer; is it the right port, and does it want another "
    "certificate of this client?"
)


class RefusedError(Exception):
    """The broker takes messages, but not this one; the message says why."""


class Connection(aiomqtt.Client):
    """aiomqtt's client, that hears two things more: that a message which arrived was refused (by
    the broker's access list, or its quota), where it would count as delivered; and that the broker
    hung up without an answer, where it would wait for one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.refused = ""

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any
    ) -> None:
        if getattr(reason_code, "value", 0) >= _GOOD:
            self.refused = str(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None
    ) -> None:
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError(_HUNG_UP))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    async def keep(self, topic: str, payload: bytes | str, expires_s: int | None = None) -> None:
        """Publish, acknowledged and retained; with `expires_s` the broker forgets it after that."""
        properties = None
        if expires_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
            properties.MessageExpiryInterval = expires_s
        await self.publish(topic, payload, qos=1, retain=True, properties=properties)
        self._raise_refusal(topic)

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish `messages` (topic, payload), in order and all acknowledged when this returns."""
        async with asyncio.TaskGroup() as group:
            for topic, payload in messages:
                group.create_task(self.publish(topic, payload, qos=1))
        self._raise_refusal(messages[0][0])

    async def lost(self) -> None:
        """Wait for the end of the connection. Raises aiomqtt.MqttError then."""
        async for _ in self.messages:
            pass  # nothing is subscribed to

    def _raise_refusal(self, topic: str) -> None:
        if self.refused:
            raise RefusedError(f"the broker refuses what is published on {topic}: {self.refused}")


class _TidySocket(ssl.SSLSocket):
    """Closed when it cannot agree with the broker: paho leaves that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        """As its base has it."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class Broker:
    """Where to connect, and as whom. Raises ConfigError for files that are of no use."""

    def __init__(self, settings: MqttConfig, keepalive_s: int = KEEPALIVE_S) -> None:
        self._settings = settings
        self._keepalive_s = keepalive_s
        self._tls = _tls(settings) if settings.tls else None
        file = settings.password_file
        self._password = None if file is None else secret_of(file)
        # paho's own words go nowhere: what matters of them is told once, by the publisher.
        self._log = logging.getLogger(f"{__name__}.paho")
        self._log.setLevel(logging.CRITICAL)

    def connection(self, client_id: str, availability: str) -> Connection:
        """A connection to be entered; the will is `offline` on the topic `availability`."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        properties.SessionExpiryInterval = int(self._settings.spool_days * DAY_S)
        return Connection(
            self._settings.host,
            self._settings.port,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            username=self._settings.username,
            password=self._password,
            logger=self._log,
            will=aiomqtt.Will(availability, "offline", qos=1, retain=True),
            clean_start=False,
            timeout=_ANSWERED_WITHIN_S,
            keepalive=self._keepalive_s,
            properties=properties,
            tls_context=self._tls,
        )


def _tls(settings: MqttConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        context.sslsocket_class = _TidySocket
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"mqtt.ca, mqtt.certificate, mqtt.key: cannot be used: {error}"
        ) from error
    return context
