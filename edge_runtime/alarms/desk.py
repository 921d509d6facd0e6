"""Where people meet the alarms: the in-process interface of the command socket, API and page.

Any thread may call. What a person does is answered at once, published as `AlarmStateChanged` in
the session it concerns, and kept in a small file, so that a restart forgets neither a latched alarm
nor that alarms are off. Troubles of the daemon itself (store, clock, sound) are technical alarms
here: no engine raises them.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final, Protocol

import msgspec

from edge_runtime.alarms.signals import (
    ALL,
    AlarmSettings,
    AlarmSignals,
    Change,
    Changes,
    ShownAlarm,
)
from edge_runtime.audit import Audit
from edge_runtime.events import AlarmCleared, AlarmKind, AlarmRaised, Explanation, Priority
from edge_runtime.publication import Published
from edge_runtime.threads import Ended, PeopleActed
from firmware_bridge.errors import RecordError
from firmware_bridge.records.writing import replace_file

log = logging.getLogger(__name__)

DAEMON: Final = "daemon"
"""Source and session of technical alarms about the daemon itself."""
_EVERY_S: Final = 0.25
TROUBLE_LASTS_S: Final = 150.0
"""A store that still fails says so once a minute; after twice that silence it works again."""


@dataclass(frozen=True, slots=True)
class Board:
    """What a page or a panel shows of the alarms at one moment."""

    alarms: tuple[ShownAlarm, ...]
    off: bool
    paused_for_s: float
    sounding: Priority | None


class Sounder(Protocol):
    """What the desk needs of an audible sink."""

    def sound(self, priority: Priority | None, now_s: float) -> str | None:
        """Begin, go on with or end bursts of this priority; returns what is wrong with it."""
        ...

    def close(self) -> None:
        """Silence."""
        ...


class AlarmDesk:
    """The alarms of all sources. `state_file` None: nothing survives a restart."""

    def __init__(
        self,
        settings: AlarmSettings | None = None,
        state_file: Path | None = None,
        sounder: Sounder | None = None,
        now_s: Callable[[], float] = time.monotonic,
        audit: Audit | None = None,
    ) -> None:
        self._audit = audit
        self._signals = AlarmSignals(settings)
        self._state_file = state_file
        self._sounder = sounder
        self._now_s = now_s
        self._lock = threading.Lock()
        self._post: Callable[[str, PeopleActed], None] = lambda _source, _acted: None
        self._sessions: dict[str, str] = {}  # source -> its running session
        self._troubles: dict[str, tuple[int, float]] = {}  # name -> its alarm, over when
        self._next_trouble = 1
        self._kept = b""
        self._restore()

    def configure(self, settings: AlarmSettings) -> None:
        """Other times from now on."""
        with self._lock:
            self._signals.configure(settings)

    def connect(self, post: Callable[[str, PeopleActed], None]) -> None:
        """From now on changes go to `post`: source, and what to publish in its session."""
        self._post = post

    def see(self, source: str, item: object, published: Sequence[Published]) -> None:
        """Take what the engine thread shows to views. Never blocks."""
        with self._lock:
            changes: Changes = []
            for one in published:
                self._sessions[source] = one.session
                changes += self._signals.see(source, one.session, one.event, self._now_s())
            if isinstance(item, Ended) and source in self._sessions:
                self._signals.end_session(self._sessions.pop(source))
        self._tell(changes)

    def say(self, source: str, message: str) -> None:
        """A line about a source is no alarm."""

    def board(self) -> Board:
        """What is to be shown now."""
        with self._lock:
            now_s, signals = self._now_s(), self._signals
            return Board(
                signals.shown, signals.off, signals.paused_for_s(now_s), signals.sounding(now_s)
            )

    def acknowledge(self, session: str, alarm: int, by: str) -> bool:
        """A person has seen this alarm: no sound until its condition ends. False: no such."""
        return self._do(lambda now_s: self._signals.acknowledge(session, alarm, by, now_s))

    def reset(self, by: str) -> bool:
        """End all latched signals whose condition is over. False: there was none."""
        return self._do(lambda _: self._signals.reset(by))

    def pause_audio(self, by: str, seconds: float | None = None) -> bool:
        """No sound for a while. Raises ValueError for more than 120 s."""
        return self._do(lambda now_s: self._signals.pause_audio(by, now_s, seconds))

    def resume_audio(self, by: str) -> bool:
        """End the pause. False: there was none."""
        return self._do(lambda now_s: self._signals.resume_audio(by, now_s))

    def switch_off(self, by: str) -> bool:
        """No sound until `switch_on`. False: it was off."""
        return self._do(lambda now_s: self._signals.switch_off(by, now_s))

    def switch_on(self, by: str) -> bool:
        """Sound again. False: it was on."""
        return self._do(lambda _: self._signals.switch_on(by))

    def forget(self, session: str) -> None:
        """This session is deleted: nothing of it is shown or kept any more."""
        with self._lock:
            self._signals.forget(session)
        self._keep()

    def trouble(
        self,
        name: str,
        message: str,
        priority: Priority = Priority.MEDIUM,
        lasts_s: float | None = TROUBLE_LASTS_S,
    ) -> None:
        """Something of the daemon itself fails, as in `store`; to be said again while it does.

        It is over `lasts_s` after it was said last; None: with `trouble_over` alone.
        """
        with self._lock:
            now_s = self._now_s()
            known = self._troubles.get(name)
            number = self._next_trouble if known is None else known[0]
            self._troubles[name] = (number, inf if lasts_s is None else now_s + lasts_s)
            if known is None:
                self._next_trouble += 1
                event = _technical(number, name, message, priority)
                self._signals.see(DAEMON, DAEMON, event, now_s)

    def trouble_over(self, name: str) -> None:
        """It works again."""
        with self._lock:
            self._end_trouble(name)

    async def run(self) -> None:
        """Let the people's clock run until cancelled."""
        try:
            while True:
                self.tick()
                await asyncio.sleep(_EVERY_S)
        finally:
            if self._sounder is not None:
                self._sounder.close()

    def tick(self) -> None:
        """What the time has brought; then the sound, and the file."""
        with self._lock:
            now_s = self._now_s()
            for name, (_, over_s) in list(self._troubles.items()):
                if now_s > over_s:
                    self._end_trouble(name)
            changes = self._signals.tick(now_s)
            sounding = self._signals.sounding(now_s)
        self._tell(changes)
        self._sound(sounding, now_s)
        self._keep()

    def _do(self, act: Callable[[float], Changes]) -> bool:
        with self._lock:
            changes = act(self._now_s())
        self._tell(changes)
        if self._audit is not None:
            for one in changes:
                self._audit.record(one.by, one.state, session=one.session, alarm=one.alarm)
        self._keep()
        return bool(changes)

    def _tell(self, changes: Sequence[Change]) -> None:
        for change in changes:
            log.info("alarms: %s by %s", change.state, change.by)
            with self._lock:
                concerned = [
                    source
                    for source, session in self._sessions.items()
                    if change.alarm == ALL or session == change.session
                ]
            for source in concerned:
                self._post(
                    source, PeopleActed(change.alarm, change.state, change.by, change.session)
                )

    def _sound(self, priority: Priority | None, now_s: float) -> None:
        if self._sounder is None:
            return
        problem = self._sounder.sound(priority, now_s)
        if problem is not None:
            self.trouble("audible", problem, lasts_s=None)
        else:
            self.trouble_over("audible")

    def _end_trouble(self, name: str) -> None:
        known = self._troubles.pop(name, None)
        if known is not None:
            event = AlarmCleared(at=0, decided=0, alarm=known[0], rule=name, reason="works again")
            self._signals.see(DAEMON, DAEMON, event, self._now_s())

    def _restore(self) -> None:
        if self._state_file is None or not self._state_file.exists():
            return
        try:
            self._signals.restore(json.loads(self._state_file.read_bytes()), self._now_s())
        except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
            log.error("%s cannot be read; no alarm of before is shown: %s", self._state_file, error)

    def _keep(self) -> None:
        """Write the file where something a restart must not forget has changed."""
        if self._state_file is None:
            return
        with self._lock:
            now_s = self._now_s()
            saved = self._signals.snapshot(now_s)
        stable = json.dumps({**saved, "paused_for_s": 0, "shown": _without_age(saved["shown"])})
        if stable.encode() == self._kept:
            return
        try:
            replace_file(self._state_file, json.dumps(saved).encode(), sync=True)
        except RecordError as error:
            log.error("%s", error)
            return
        self._kept = stable.encode()


def _without_age(shown: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name != "age_s"} for row in shown]


def _technical(number: int, name: str, message: str, priority: Priority) -> AlarmRaised:
    return AlarmRaised(
        at=0,
        decided=0,
        alarm=number,
        rule=name,
        kind=AlarmKind.TECHNICAL,
        priority=priority,
        text=message,
        latched=False,
        explanation=Explanation(rule=name, source="the daemon itself", sentence=message, values={}),
    )
