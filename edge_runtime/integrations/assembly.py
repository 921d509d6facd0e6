"""From the configuration to the views that tell others."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.dropped import Dropped
from edge_runtime.errors import ConfigError
from edge_runtime.supervisor import View

if TYPE_CHECKING:
    from edge_runtime.config import Config


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
    return tuple(made)


def _mqtt(config: "Config", desk: AlarmDesk, dropped: Dropped) -> Integration:
    from edge_runtime.integrations.mqtt.view import MqttView  # noqa: PLC0415 - an extra

    sources = [source.name for source in config.source]
    return MqttView(config.mqtt, config.store.directory, sources, desk, dropped)


def _needing(key: str, extra: str, make: Callable[[], Integration]) -> Integration:
    """What `make` makes, out of an extra that is perhaps not installed."""
    try:
        return make()
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{key}: {error.name} is not installed; pip install 'ecg-edge[{extra}]'"
        ) from error
