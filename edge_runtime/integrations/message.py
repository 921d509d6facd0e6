"""The form in which an event leaves the machine: the published event, and what a stranger to it
needs beside."""

from typing import Final

import msgspec

from edge_runtime.events import AlarmCleared, AlarmRaised, AlarmStateChanged, Event
from edge_runtime.publication import Published

NOTICE: Final = "Not a medical device, not for emergencies."

_encoder: Final = msgspec.json.Encoder()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`id`, `source`, `session`, `number`, `time` and `event` as in `Published`.

    `alarm` is the alarm's own id, SESSION/NUMBER, the same in the page, the API and every message
    about it. `published_late`: it waited until its receiver could be reached; it is history, and
    nothing should be set off by it.
    """

    id: str
    source: str
    session: str
    number: int
    time: str
    alarm: str | msgspec.UnsetType = msgspec.UNSET
    published_late: bool
    notice: str = NOTICE
    event: Event


def message(published: Published, *, late: bool) -> Message:
    """What is sent of `published`."""
    return Message(
        id=published.id,
        source=published.source,
        session=published.session,
        number=published.number,
        time=published.time,
        alarm=alarm_id(published) or msgspec.UNSET,
        published_late=late,
        event=published.event,
    )


def encoded(published: Published, *, late: bool) -> bytes:
    """The message as JSON."""
    return _encoder.encode(message(published, late=late))


def alarm_id(published: Published) -> str:
    """The id of the alarm that an event is about; empty where it is about none, or about all."""
    match published.event:
        case AlarmRaised(alarm=alarm) | AlarmCleared(alarm=alarm) | AlarmStateChanged(alarm=alarm):
            return f"{published.session}/{alarm}" if alarm else ""
        case _:
            return ""
