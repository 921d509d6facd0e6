"""The application: the API, its description, and the page's few files out of memory."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_runtime.web.answers import JSON, refusal
from edge_runtime.web.api import Behind, endpoints
from edge_runtime.web.endpoints import PREFIX
from edge_runtime.web.guard import BodyTooLargeError, Door, Guard
from edge_runtime.web.openapi import openapi

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str
    tag: str


def application(behind: Behind, door: Door) -> Guard:
    """Everything that one listener serves."""
    table = endpoints(behind)
    description = msgspec.json.encode(openapi(table))

    async def describe(_request: Request) -> Response:
        return Response(description, media_type=JSON)

    files = page_files()
    routes = [
        *(endpoint.route() for endpoint in table),
        Route(f"{PREFIX}/openapi.json", describe, methods=["GET"]),
        *(_file_route(name, file) for name, file in files.items()),
        _file_route("", files["index.html"]),
    ]

    async def not_here(_request: Request, _error: Exception) -> Response:
        return refusal(404, "there is nothing here")

    async def not_so(_request: Request, error: Exception) -> Response:
        allowed = error.headers if isinstance(error, HTTPException) else None
        return refusal(405, "not with this method", allowed)

    async def too_large(_request: Request, _error: Exception) -> Response:
        return refusal(413, "the request is too large")

    handlers = {404: not_here, 405: not_so, BodyTooLargeError: too_large}
    inner = Starlette(routes=routes, exception_handlers=handlers)
    return Guard(inner, door, behind.accounts, behind.logins)


def page_files() -> dict[str, _File]:
    """The page's files by name. What is not among them has no address: no path is ever looked up
    on the disk."""
    files = {}
    for file in sorted(_STATIC.iterdir()):
        if file.suffix in _TYPES:
            body = file.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            files[file.name] = _File(body, _TYPES[file.suffix], tag)
    return files


def _file_route(name: str, file: _File) -> Route:
    async def give(request: Request) -> Response:
        headers = {"etag": file.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers=headers, media_type=file.media_type)

    return Route(f"/{name}", give, methods=["GET"])
