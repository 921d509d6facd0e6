"""Names of topics. A source's own are below TOPIC/NODE/SOURCE."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from edge_runtime.events import AlarmCleared, AlarmRaised, AlarmStateChanged, Event

_ELSE: Final = re.compile(r"[^a-zA-Z0-9_-]+")


def slug(name: str) -> str:
    """`name` in letters that a topic and Home Assistant's ids may hold, and still one of a kind."""
    plain = _ELSE.sub("_", name)
    if plain == name:
        return name
    return f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one source; `prefix` is TOPIC/NODE."""

    prefix: str
    source: str

    @property
    def base(self) -> str:
        """What all begin with."""
        return f"{self.prefix}/{slug(self.source)}"

    @property
    def availability(self) -> str:
        """Retained; the broker itself says offline when the daemon is gone."""
        return f"{self.base}/availability"

    @property
    def live(self) -> str:
        """Retained values, newest only."""
        return f"{self.base}/live"

    @property
    def alarms(self) -> str:
        """Retained: which alarms hold now."""
        return f"{self.base}/alarms"

    def event(self, event: Event, *, late: bool) -> str:
        """Where an event goes: what waited goes where no automation listens."""
        kind = "history" if late else "events"
        return f"{self.base}/{kind}/{_of(event)}"


def _of(event: Event) -> str:
    if isinstance(event, AlarmRaised | AlarmCleared | AlarmStateChanged):
        return "alarm"
    return str(type(event).__struct_config__.tag)
