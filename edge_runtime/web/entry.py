"""Letting people in: the cookie of a login, and codes that log in once."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.errors import ConfigError
from edge_runtime.web.accounts import Account, Accounts
from edge_runtime.web.answers import answer, refusal
from edge_runtime.web.bodies import taken
from edge_runtime.web.endpoints import PREFIX, Endpoint, RefusedError
from edge_runtime.web.guard import CODE_PATH, COOKIE
from edge_runtime.web.logins import LASTS_S, AttemptLimit, Logins
from edge_runtime.web.roles import Role
from edge_runtime.web.shapes import Who

CODE_LASTS_S: Final = 600.0
_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Nothing that is read for something else."""
_CODE_LENGTH: Final = 10
"""50 bits, for ten minutes, at thirty attempts a minute."""
_MOST_OPEN: Final = 16


class InviteOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is let in, and as what; an account of this name is made where there is none."""

    name: str
    role: str


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A code that logs in once, for how long, where the page is, and the SHA-256 fingerprint of
    its certificate (empty: it has none)."""

    code: str
    expires_s: float
    address: str
    fingerprint: str


class Code(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code from an invitation."""

    code: str


class Invitations:
    """Codes that were given out and not used yet. Memory only."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._open: dict[str, tuple[str, float]] = {}

    def make(self, name: str) -> str:
        """A code for `name`; the oldest of too many is void."""
        code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
        self._open[code] = (name, self._now_s() + CODE_LASTS_S)
        while len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]
        return code

    def take(self, code: str) -> str | None:
        """Whose code it is, once; None for an unknown, used or old one."""
        wanted = code.replace("-", "").replace(" ", "").upper()
        for known, (name, until_s) in list(self._open.items()):
            if self._now_s() >= until_s:
                del self._open[known]
            elif secrets.compare_digest(known.encode(), wanted.encode()):
                del self._open[known]
                return name
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the page is, and who may come in."""

    invitations: Invitations
    address: str = ""
    fingerprint: str = ""


def entry_endpoints(
    entry: Entry, accounts: Accounts, logins: Logins, attempts: AttemptLimit
) -> tuple[Endpoint, ...]:
    """Invite, and come in by a code."""

    async def invite(request: Request) -> Response:
        order = await taken(request, InviteOrder)
        known = accounts.named(order.name)
        if known is not None and known.role != order.role:
            raise RefusedError(409, f"{order.name} has the role {known.role}")
        if known is None:
            try:
                accounts.invite(order.name, order.role)
            except ConfigError as error:
                raise RefusedError(400, str(error)) from error
        code = entry.invitations.make(order.name)
        return answer(
            Invitation(
                code=code,
                expires_s=CODE_LASTS_S,
                address=entry.address,
                fingerprint=entry.fingerprint,
            )
        )

    async def come_in(request: Request) -> Response:
        refused = too_often(request, attempts)
        if refused is not None:
            return refused
        name = entry.invitations.take((await taken(request, Code)).code)
        account = accounts.named(name) if name else None
        if account is None:
            return refusal(401, "the code is wrong, used or too old")
        return welcome(request, logins, account)

    return (
        Endpoint(
            "POST",
            "/invitations",
            "A code that logs somebody in once, within ten minutes",
            invite,
            Invitation,
            takes=InviteOrder,
            role=Role.ADMINISTER,
            refusals=(409,),
        ),
        Endpoint(
            "POST",
            CODE_PATH.removeprefix(PREFIX),
            "Log in by a code: the answer sets a cookie",
            come_in,
            Who,
            takes=Code,
            refusals=(429,),
        ),
    )


def too_often(request: Request, attempts: AttemptLimit) -> Response | None:
    """Counts an attempt to log in; the refusal, if there were too many."""
    address = request.client.host if request.client else "local"
    wait_s = attempts.wait_s(address)
    if wait_s <= 0:
        return None
    return refusal(429, "too many attempts; wait a minute", {"retry-after": str(int(wait_s) + 1)})


def welcome(request: Request, logins: Logins, account: Account) -> Response:
    """The answer to a good login: who it is, and the cookie."""
    response = answer(Who(name=account.name, role=account.role))
    response.set_cookie(
        COOKIE,
        logins.begin(account.name),
        max_age=int(LASTS_S),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response
