"""An endpoint of the API as a value: what it takes, what it answers, who may call it.

Routes, checks and OpenAPI are all made from these; there is no second description to drift.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_runtime.web.answers import refusal
from edge_runtime.web.guard import Caller
from edge_runtime.web.roles import Role

PREFIX: Final = "/api/v1"
SESSION_NAME: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
"""What may become part of a path or of a command line."""
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: a whole number from `low` to `high`."""

    name: str
    meaning: str
    low: int
    high: int
    default: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` is below /api/v1, with `{names}` as Starlette writes them. `answers` None: not JSON of
    a struct. `role` None: who may read may call it."""

    method: str
    path: str
    summary: str
    handle: Handler
    answers: type[msgspec.Struct] | None = None
    media_type: str = "application/json"
    takes: type[msgspec.Struct] | None = None
    query: tuple[Parameter, ...] = ()
    role: Role | None = None
    refusals: tuple[int, ...] = ()

    def route(self) -> Route:
        """As Starlette wants it, behind its role."""

        async def handle(request: Request) -> Response:
            caller: Caller = request.scope["caller"]
            if self.role is not None and (caller.role is None or caller.role < self.role):
                return refusal(403, f"this needs the role {self.role.name.lower()}")
            try:
                return await self.handle(request)
            except RefusedError as refused:
                return refusal(refused.status, str(refused))

        return Route(PREFIX + self.path, handle, methods=[self.method])


class RefusedError(Exception):
    """A handler cannot do what was asked; the message says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def number(request: Request, parameter: Parameter) -> int:
    """The value of a query parameter. Raises RefusedError (400)."""
    text = request.query_params.get(parameter.name)
    if text is None:
        if parameter.default is None:
            raise RefusedError(400, f"{parameter.name} is missing: {parameter.meaning}")
        return parameter.default
    negative = text.startswith("-")
    if len(text) > 18 or not text[negative:].isascii() or not text[negative:].isdigit():
        raise RefusedError(400, f"{parameter.name} must be a whole number")
    value = int(text)
    if not parameter.low <= value <= parameter.high:
        raise RefusedError(
            400, f"{parameter.name} must be from {parameter.low} to {parameter.high}"
        )
    return value
