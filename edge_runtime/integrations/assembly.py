"""From the configuration to the views that tell others."""

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.dropped import Dropped
from edge_runtime.errors import ConfigError
from edge_runtime.integrations.settings import WebhookConfig
from edge_runtime.supervisor import View

if TYPE_CHECKING:
    from edge_runtime.config import Config
    from edge_runtime.integrations.phone import Phone


class Integration(View, Protocol):
    """A view that is told when the configured sources change."""

    def keep(self, sources: Sequence[str]) -> None:
        """From now on these are the sources. In the loop's thread."""
        ...


def integrations(config: "Config", desk: AlarmDesk, dropped: Dropped) -> tuple[Integration, ...]:
    """Those that are configured. Raises ConfigError and StoreError."""
    made: list[Integration] = []
    if config.mqtt.enabled:
        made.append(_needing("mqtt.enabled", "mqtt", lambda: _mqtt(config, desk, dropped)))
    made += [
        _needing("webhook", "webhooks", partial(_webhook, config, one, desk, dropped))
        for one in config.webhook
    ]
    if config.heartbeat.enabled:
        made.append(_needing("heartbeat", "webhooks", lambda: _heartbeat(config, desk)))
    if config.lsl.enabled:
        made.append(_needing("lsl.enabled", "lsl", _lsl))
    return tuple(made)


def phones(config: "Config", desk: AlarmDesk, dropped: Dropped) -> tuple["Phone", ...]:
    """Who is notified; each is a view as well. Raises ConfigError."""
    if not config.phone:
        return ()
    from edge_runtime.integrations.phone import Phone  # noqa: PLC0415 - numpy and asyncio

    return tuple(Phone(one, config.store.directory, desk, dropped) for one in config.phone)


def _mqtt(config: "Config", desk: AlarmDesk, dropped: Dropped) -> Integration:
    from edge_runtime.integrations.mqtt.view import MqttView  # noqa: PLC0415 - an extra

    sources = [source.name for source in config.source]
    return MqttView(config.mqtt, config.store.directory, sources, desk, dropped)


def _webhook(
    config: "Config", one: WebhookConfig, desk: AlarmDesk, dropped: Dropped
) -> Integration:
    from edge_runtime.integrations.webhook import Webhook  # noqa: PLC0415 - an extra

    return Webhook(one, config.store.directory, desk, dropped)


def _heartbeat(config: "Config", desk: AlarmDesk) -> Integration:
    from edge_runtime.integrations.heartbeat import Heartbeat  # noqa: PLC0415 - an extra

    return Heartbeat(config.heartbeat, [source.name for source in config.source], desk)


def _lsl() -> Integration:
    try:
        from edge_runtime.integrations.lsl import LslOutlets  # noqa: PLC0415 - an extra
    except RuntimeError as error:
        raise ConfigError(f"lsl.enabled: liblsl is missing: {error}") from error
    return LslOutlets(socket.gethostname())


def _needing(key: str, extra: str, make: Callable[[], Integration]) -> Integration:
    """What `make` makes, out of an extra that is perhaps not installed."""
    try:
        return make()
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{key}: {error.name} is not installed; pip install 'ecg-edge[{extra}]'"
        ) from error
