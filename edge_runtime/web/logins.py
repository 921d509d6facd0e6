"""Logins that are open, and how often one may try. Memory only: a restart logs everybody out."""

import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LASTS_S: Final = 12 * 3600.0
"""A shift."""
_MOST_OPEN: Final = 256
ATTEMPTS: Final = 5
WINDOW_S: Final = 60.0
_ATTEMPTS_OF_ALL: Final = 30
"""From all addresses together: one attacker has many."""


@dataclass(frozen=True, slots=True)
class Login:
    """Whose cookie it is, until when of the monotonic clock."""

    name: str
    until_s: float


class Logins:
    """Cookies that were given out. At most 256: the oldest is logged out by the next."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._open: OrderedDict[str, Login] = OrderedDict()

    def begin(self, name: str) -> str:
        """The value of a new cookie for `name`."""
        cookie = secrets.token_urlsafe(32)
        self._open[cookie] = Login(name, self._now_s() + LASTS_S)
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return cookie

    def name(self, cookie: str) -> str | None:
        """Who holds this cookie; None when it is unknown or too old."""
        login = self._open.get(cookie)
        if login is None:
            return None
        if self._now_s() >= login.until_s:
            del self._open[cookie]
            return None
        return login.name

    def end(self, cookie: str) -> None:
        """Log out."""
        self._open.pop(cookie, None)


class AttemptLimit:
    """At most 5 attempts a minute from one address, 30 from all."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._attempts: deque[tuple[float, str]] = deque(maxlen=_ATTEMPTS_OF_ALL)

    def wait_s(self, address: str) -> float:
        """Count an attempt from `address`: 0 if it may go on, else how long it has to wait."""
        now_s = self._now_s()
        while self._attempts and now_s - self._attempts[0][0] >= WINDOW_S:
            self._attempts.popleft()
        own = [at_s for at_s, who in self._attempts if who == address]
        if len(own) >= ATTEMPTS:
            return own[-ATTEMPTS] + WINDOW_S - now_s
        if len(self._attempts) >= _ATTEMPTS_OF_ALL:
            return self._attempts[0][0] + WINDOW_S - now_s
        self._attempts.append((now_s, address))
        return 0.0
