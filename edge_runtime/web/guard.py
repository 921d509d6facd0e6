"""What every request must pass before any handler sees it, as plain ASGI around the application.

Which host it names, where it comes from, who asks, and how much it brings. In this order: a page
of another site that rebinds its name to this machine learns nothing but that it is refused.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_runtime.web.accounts import Accounts
from edge_runtime.web.answers import refusal
from edge_runtime.web.logins import Logins
from edge_runtime.web.roles import ROLES, Role

COOKIE: Final = "ecg_edge_login"
MOST_BODY_BYTES: Final = 64 * 1024
LOGIN_PATH: Final = "/api/v1/login"
CODE_PATH: Final = "/api/v1/login/code"
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # nobody's name: what a page is reached by
_READING: Final = frozenset({"GET", "HEAD"})
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; media-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=()",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `role` is None for somebody who is not known."""

    name: str | None
    role: Role | None


LOCAL: Final = Caller("local", Role.ADMINISTER)
"""Whoever can open the command socket: its file's rights are the lock."""


@dataclass(frozen=True, slots=True)
class Door:
    """How one listener is reached. `hosts` are the Host headers it answers to (None: any, for the
    command socket), `everybody_reads` on loopback. `addresses`: also to any address in numbers,
    which no name can be rebound to."""

    hosts: frozenset[str] | None
    everybody_reads: bool
    addresses: bool = False

    def answers(self, name: str) -> bool:
        """Whether a Host header with this name, lower case and without port, is for us."""
        if self.hosts is None or name in self.hosts:
            return True
        return self.addresses and _is_address(name)


def name_of(request: Request) -> str:
    """Who asks, in words for a record."""
    caller: Caller = request.scope["caller"]
    return caller.name or "nobody known"


class Guard:
    """Refuses what may not pass; the rest goes on to `app` with `scope["caller"]` set. A body that
    turns out too large ends in BodyTooLargeError where it is read."""

    def __init__(self, app: ASGIApp, door: Door, accounts: Accounts, logins: Logins) -> None:
        self._app = app
        self._door = door
        self._accounts = accounts
        self._logins = logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return  # no WebSocket and no lifespan here: uvicorn runs without either
        sender = _with_headers(send, api=scope["path"].startswith("/api/"))
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await refused(scope, receive, sender)
            return
        await self._app(scope, _Body(receive).receive, sender)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why this request is not taken, or None, with the caller noted in `scope`."""
        host = headers.get("host", "")
        if not self._door.answers(_host_name(host)):
            return refusal(421, "this host name is not served here; see web.hosts")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES:
            return refusal(413, "the request is too large")
        scope["caller"] = caller = LOCAL if self._door.hosts is None else self._caller(headers)
        changes = scope["method"] not in _READING
        if changes and not _from_here(headers, f"{scope['scheme']}://{host}"):
            return refusal(403, "a change must come from this page or carry a token")
        if not scope["path"].startswith("/api/"):
            return None  # the page itself is no secret: it is how one logs in
        return self._api_refusal(scope["path"], headers, caller, changes=changes)

    def _api_refusal(
        self, path: str, headers: Headers, caller: Caller, *, changes: bool
    ) -> Response | None:
        if not _same_site(headers):
            return refusal(403, "another site has no business here")
        if path in {LOGIN_PATH, CODE_PATH}:
            return None
        if caller.role is None and (changes or not self._door.everybody_reads):
            return refusal(401, "log in first, or send a token")
        return None

    def _caller(self, headers: Headers) -> Caller:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            account = self._accounts.by_token(token)
        else:
            name = self._logins.name(cookie_of(headers))
            account = self._accounts.named(name) if name else None
        if account is None or account.role not in ROLES:
            return Caller(None, None)
        return Caller(account.name, ROLES[account.role])


class BodyTooLargeError(Exception):
    """More came than is taken; the application answers 413."""


class _Body:
    """Counts what a request brings."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > MOST_BODY_BYTES:
            raise BodyTooLargeError
        return message


def cookie_of(headers: Headers) -> str:
    """The login's cookie, empty where there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def allowed_hosts(listening: str, more: Iterable[str]) -> frozenset[str]:
    """Names that a Host header may hold, lower case, without port."""
    own = set() if listening in _ANY_ADDRESS else {listening.lower()}
    bracketed = {f"[{host}]" if ":" in host else host for host in own}
    return frozenset({"localhost", "127.0.0.1", "[::1]", *bracketed, *(h.lower() for h in more)})


def _host_name(header: str) -> str:
    if header.startswith("["):
        return header.partition("]")[0].lower() + "]"
    return header.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return not address.is_unspecified


def _from_here(headers: Headers, own: str) -> bool:
    """Not sent by a page of another site. A browser names the origin of every change it sends;
    what names none is no browser, and has no cookie that it was tricked to send."""
    origin = headers.get("origin")
    if origin is None:
        return not cookie_of(headers)
    return origin.lower() == own.lower()


def _same_site(headers: Headers) -> bool:
    """Not asked for by a page of another site, as browsers tell: it could not read the answer, but
    it could hold live streams open. `none` is an address that a person typed."""
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _with_headers(send: Send, *, api: bool) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            if api:
                headers["cache-control"] = "no-store"
        await send(message)

    return sender
