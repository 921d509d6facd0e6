"""Phone notifications, through the API: who is told, and a test."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.web.answers import answer
from edge_runtime.web.endpoints import Endpoint, RefusedError
from edge_runtime.web.roles import Role
from edge_runtime.web.shapes import Done


class Tried(Protocol):
    """What the API needs of `edge_runtime.integrations.phone.Phone`."""

    name: str

    def test(self) -> Awaitable[str]:
        """Send a test; what is wrong, if anything."""
        ...


class PhoneTargets(msgspec.Struct, frozen=True, kw_only=True):
    """Names of who is notified."""

    phones: list[str]


def phone_endpoints(phones: Sequence[Tried]) -> tuple[Endpoint, ...]:
    """The list, and the test button."""

    async def listed(_request: Request) -> Response:
        return answer(PhoneTargets(phones=[one.name for one in phones]))

    async def test(request: Request) -> Response:
        name = request.path_params["phone"]
        found = next((one for one in phones if one.name == name), None)
        if found is None:
            raise RefusedError(404, f"no phone {name!r}")
        problem = await found.test()
        if problem:
            raise RefusedError(503, problem)
        return answer(Done())

    return (
        Endpoint("GET", "/phones", "Who is notified of alarms", listed, PhoneTargets),
        Endpoint(
            "POST",
            "/phones/{phone}/test",
            "Send a test notification",
            test,
            Done,
            role=Role.ADMINISTER,
            refusals=(404, 503),
        ),
    )
