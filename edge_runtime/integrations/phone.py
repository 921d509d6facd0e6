"""Alarms on people's phones, through apprise: that there is one, and where to look.

Information, never the only signal. What is told says no more than the name of the device, unless
the wearer's own configuration says so: a notification lies on other people's machines.
"""

import asyncio
import datetime
import importlib.util
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.alarms.desk import DAEMON, AlarmDesk
from edge_runtime.alarms.strips import FOLDER as STRIPS
from edge_runtime.alarms.strips import strip_name
from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errors import ConfigError
from edge_runtime.events import AlarmKind, AlarmRaised, AlarmStateChanged, Priority
from edge_runtime.integrations.message import NOTICE
from edge_runtime.integrations.notification import Notification, addresses, send
from edge_runtime.integrations.settings import PhoneConfig
from edge_runtime.publication import Published
from edge_runtime.sinks.strip_picture import strip_picture
from edge_runtime.threads import InQueue
from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.links.reconnect import Backoff

log = logging.getLogger(__name__)

_MOST_WAITING: Final = 32
_REMEMBERED: Final = 256
_GIVE_UP_S: Final = 600.0
"""Older news than that are on the page, not on a phone."""
_LOOK_EVERY_S: Final = 1.0
_STRIP_WITHIN_S: Final = 60.0
"""The strip is written once its last sample has come, 15 s after the alarm."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A notification that waits, since when, and the alarm whose strip is to follow."""

    notification: Notification
    since_s: float
    strip_of: tuple[str, int, int] | None = None


class Phone:
    """One target as one of the daemon's views. Raises ConfigError."""

    def __init__(
        self,
        settings: PhoneConfig,
        directory: Path,
        desk: AlarmDesk,
        dropped: Dropped | None = None,
        *,
        local_now: Callable[[], datetime.datetime] = datetime.datetime.now,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._directory = directory
        self._desk = desk
        self._local_now = local_now
        self._urls = _urls(settings)
        self._raised: OrderedDict[tuple[str, int], AlarmRaised] = OrderedDict()
        self._texts: deque[_Due] = deque()
        self._pictures: deque[_Due] = deque()
        self._troubles: set[int] = set()
        self._unsent = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        if dropped is not None:
            dropped.watch(self._dropped)

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Note what a person is to be told."""
        for one in published:
            match event := one.event:
                case AlarmRaised():
                    self._raised[one.session, event.alarm] = event
                    while len(self._raised) > _REMEMBERED:
                        self._raised.popitem(last=False)
                    if self._settings.when == "raised":
                        self._tell(source, one.session, event)
                case AlarmStateChanged(state="escalated") if self._settings.when == "escalated":
                    raised = self._raised.get((one.session, event.alarm))
                    if raised is not None:
                        self._tell(source, one.session, raised)
                case _:
                    pass

    def say(self, source: str, message: str) -> None:
        """For people at this machine."""

    def keep(self, sources: Sequence[str]) -> None:
        """Whatever the sources."""

    async def run(self) -> None:
        """Send until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._news.set()
        try:
            async with asyncio.TaskGroup() as group:
                # A picture waits for its strip; no text waits for a picture.
                group.create_task(self._work_off(self._pictures))
                await self._work_off(self._texts)
        finally:
            self._loop = None

    async def _work_off(self, waiting: deque[_Due]) -> None:
        backoff, told = Backoff(2.0, longest_s=60.0), ""
        while True:
            self._see_the_daemon()
            if not waiting:
                await self._some_news()
                continue
            due = waiting[0]
            problem = await self._send(due)
            if problem and time.monotonic() - due.since_s < _GIVE_UP_S:
                if problem != told:
                    log.warning("phone %s: %s", self.name, problem)
                    told = problem
                await asyncio.sleep(backoff.next_s())
                continue
            if due in waiting:  # it may have had to make room
                waiting.remove(due)
                self._unsent += bool(problem)
            if not problem:
                backoff.reset()
                told = ""

    async def test(self) -> str:
        """Send a notification that says it is a test; what is wrong, if anything."""
        body = f"This is a test of {self.name}. It is no alarm.\n{NOTICE}"
        return await send(self._urls, Notification("ECG test", body))

    async def _send(self, due: _Due) -> str:
        if due.strip_of is None:
            return await send(self._urls, due.notification)
        picture = await self._picture(*due.strip_of)
        if picture is None:
            return ""  # there is no such strip: the text has been told
        try:
            attached = Notification(due.notification.title, due.notification.body, str(picture))
            return await send(self._urls, attached)
        finally:
            picture.unlink(missing_ok=True)

    async def _picture(self, session: str, alarm: int, at: int) -> Path | None:
        """A picture of the signal around an alarm, in a file; None if it does not come."""
        loop = asyncio.get_running_loop()
        record = self._directory / STRIPS / session / strip_name(alarm)
        until_s = loop.time() + _STRIP_WITHIN_S
        while not record.with_suffix(".hea").exists():
            if loop.time() > until_s:
                return None
            await asyncio.sleep(_LOOK_EVERY_S)
        file = record.with_suffix(f".{self.name}.png")
        try:
            file.write_bytes(await asyncio.to_thread(strip_picture, record, at))
        except (OSError, RecordError, UsageError) as error:
            log.warning("phone %s: no picture of the strip: %s", self.name, error)
            return None
        return file

    def _tell(self, source: str, session: str, raised: AlarmRaised) -> None:
        settings = self._settings
        if not self._wanted(raised) or (self._is_quiet() and raised.priority is not Priority.HIGH):
            return
        since_s = time.monotonic()
        self._put(self._texts, _Due(self._words(source, raised), since_s))
        if settings.strip and raised.trace is not None:
            title = f"ECG of {source}"
            strip_of = (session, raised.alarm, raised.decided)
            about = Notification(title, f"Around the alarm.\n{NOTICE}")
            self._put(self._pictures, _Due(about, since_s, strip_of))
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    def _put(self, waiting: deque[_Due], due: _Due) -> None:
        waiting.append(due)
        if len(waiting) > _MOST_WAITING:
            waiting.popleft()
            self._unsent += 1

    def _words(self, source: str, raised: AlarmRaised) -> Notification:
        place = "the daemon itself" if source == DAEMON else f"device {source}"
        lines = [f"Alarm on {place}, {self._local_now():%H:%M}."]
        if self._settings.values:
            lines.append(f"{raised.text} ({raised.priority.value}): {raised.explanation.sentence}")
        page = self._settings.page
        lines.append(f"Open the page: {page}" if page else "Open the page.")
        return Notification("ECG alarm", "\n".join([*lines, NOTICE]))

    def _wanted(self, raised: AlarmRaised) -> bool:
        if raised.kind is AlarmKind.TECHNICAL:
            return self._settings.technical
        chosen = {
            Priority.HIGH: self._settings.high,
            Priority.MEDIUM: self._settings.medium,
            Priority.LOW: self._settings.low,
        }
        return chosen[raised.priority]

    def _is_quiet(self) -> bool:
        if not self._settings.quiet:
            return False
        begin, end = map(datetime.time.fromisoformat, self._settings.quiet.split("-"))
        now = self._local_now().time()
        return begin <= now < end if begin <= end else now >= begin or now < end

    def _see_the_daemon(self) -> None:
        """Its own troubles are on the desk alone."""
        shown = [one for one in self._desk.board().alarms if one.source == DAEMON]
        for one in shown:
            if one.raised.alarm not in self._troubles and self._settings.when == "raised":
                self._tell(DAEMON, DAEMON, one.raised)
        self._troubles = {one.raised.alarm for one in shown}

    async def _some_news(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def _dropped(self) -> Mapping[Drop, int]:
        return {Drop.UNSENT_MESSAGES: self._unsent}


def _urls(settings: PhoneConfig) -> list[str]:
    if importlib.util.find_spec("apprise") is None:
        raise ConfigError(
            f"phone {settings.name}: apprise is not installed; pip install 'ecg-edge[phone]'"
        )
    try:
        found = addresses(settings.url_file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{settings.url_file}: cannot be read: {error}") from error
    if not found:
        raise ConfigError(f"{settings.url_file}: holds no address")
    return found
