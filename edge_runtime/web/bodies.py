"""What a request brings, decoded."""

import asyncio
from typing import Final, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from edge_runtime.web.answers import JSON
from edge_runtime.web.endpoints import RefusedError

_BODY_WITHIN_S: Final = 10.0
_Taken = TypeVar("_Taken", bound=msgspec.Struct)


async def taken(request: Request, kind: type[_Taken]) -> _Taken:
    """The request's body. Raises RefusedError (400, 415)."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != JSON:
        raise RefusedError(415, f"send {JSON}")
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            body = await request.body()
        return msgspec.json.decode(body, type=kind)
    except (TimeoutError, ClientDisconnect) as error:
        raise RefusedError(400, "the body did not come") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(400, f"the body is not understood: {error}") from error
