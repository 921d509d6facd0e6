"""OpenAPI 3.1 of the API, made from its endpoints and structs: `python -m edge_runtime.web.openapi`
writes docs/openapi.json."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from edge_runtime.web.endpoints import PREFIX, Endpoint
from edge_runtime.web.shapes import Frame, Problem

API_VERSION: Final = "1.0"
_MEANING: Final = {
    400: "the request makes no sense",
    401: "no login",
    403: "not from this page, or not with this role",
    404: "no such thing",
    409: "not now",
    413: "too large",
    415: "not JSON",
    421: "another host name",
    429: "too many attempts",
    503: "too many readers",
}
_EVERYWHERE: Final = (401, 403, 421)


def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The description as a JSON object."""
    kinds = [Problem, Frame]
    for endpoint in endpoints:
        kinds += [kind for kind in (endpoint.answers, endpoint.takes) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    references = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        place = paths.setdefault(PREFIX + endpoint.path, {})
        place[endpoint.method.lower()] = _operation(endpoint, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ecg-edge",
            "version": API_VERSION,
            "summary": "A wearer's ECG as the daemon sees it. Not a medical device.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "login": {"type": "apiKey", "in": "cookie", "name": "ecg_edge_login"},
            },
        },
    }


def _operation(endpoint: Endpoint, references: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if endpoint.answers is not None:
        content = {"schema": references[endpoint.answers]}
    responses = {"200": {"description": "OK", "content": {endpoint.media_type: content}}}
    for status in sorted({*_EVERYWHERE, *endpoint.refusals, *_refusals_of(endpoint)}):
        responses[str(status)] = {
            "description": _MEANING[status],
            "content": {"application/json": {"schema": references[Problem]}},
        }
    name = re.sub(r"[^a-z]+", "_", endpoint.path).strip("_")
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}_{name}",
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": responses,
    }
    if endpoint.takes is not None:
        taken = {"application/json": {"schema": references[endpoint.takes]}}
        operation["requestBody"] = {"required": True, "content": taken}
    if endpoint.role is not None:
        operation["security"] = [{"token": []}, {"login": []}]
        operation["description"] = f"Needs the role `{endpoint.role.name.lower()}`."
    return operation


def _refusals_of(endpoint: Endpoint) -> set[int]:
    return ({400} if endpoint.query else set()) | ({400, 413, 415} if endpoint.takes else set())


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found = []
    for one in endpoint.query:
        schema: dict[str, Any] = {"type": "integer", "minimum": one.low, "maximum": one.high}
        if one.default is not None:
            schema["default"] = one.default
        found.append(
            {
                "name": one.name,
                "in": "query",
                "description": one.meaning,
                "required": one.default is None,
                "schema": schema,
            }
        )
    return found


if __name__ == "__main__":
    from edge_runtime.web.api import described

    sys.stdout.write(json.dumps(described(), indent=1) + "\n")
