"""JSON answers of the API."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.responses import Response

from edge_runtime.web.shapes import Problem

JSON: Final = "application/json"


def answer(shape: msgspec.Struct, status: int = 200) -> Response:
    """`shape` as JSON."""
    return Response(msgspec.json.encode(shape), status, media_type=JSON)


def refusal(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    """Why a request is refused, as `Problem`."""
    body = msgspec.json.encode(Problem(error=why))
    return Response(body, status, dict(headers or {}), media_type=JSON)
