"""Describes the headers of the API's responses, for the document."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from gateway.hub.http.operation import ApiAccess, ApiOperation

HEADER_PATH = "#/components/headers/"

_WAITS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def _header(name: str, description: str, example: str, **more: object) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example, "x-header": name, **more}


HEADERS: Mapping[str, Mapping[str, Any]] = {
    "RequestId": _header(
        "Request-Id", "The id of this request. Name it to the operator of the hub, who finds the request by it.",
        "req-k7wq2x4mzr3hvtya", required=True,
    ),
    "RateLimitPolicy": _header(
        "RateLimit-Policy",
        "Your limits (draft-ietf-httpapi-ratelimit-headers): `q` requests in `w` seconds, of each limit by its name.",
        '"writes";q=20;w=1, "writes-a-day";q=100000;w=86400',
    ),
    "RateLimit": _header(
        "RateLimit", "What is left of each limit: `r` requests, and the seconds `t` until all are available again.",
        '"writes";r=19;t=1, "writes-a-day";r=99999;t=86400',
    ),
    "RetryAfter": _header("Retry-After", "The seconds after which you may send the same request again.", "2"),
    "Location": _header("Location", "The path of the object.", "/v1/deliveries/dlv-...", required=True),
    "IdempotentReplayed": _header(
        "Idempotent-Replayed",
        "`true`: this is the stored answer to an earlier request with the same `Idempotency-Key`.", "true",
    ),
    "Deprecation": _header(
        "Deprecation", "Since when the operation is deprecated (RFC 9745).", "@1798761600", required=True
    ),
    "Sunset": _header(
        "Sunset", "The earliest end of the operation (RFC 8594).", "Sat, 01 Jan 2028 00:00:00 GMT", required=True
    ),
    "WwwAuthenticate": _header(
        "WWW-Authenticate", "How a request is authenticated (RFC 6750).", 'Bearer realm="perron"', required=True
    ),
}  # fmt: skip
"""By their names in the document; `x-header` is the name in a response."""


def header_components(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers of the operations' responses as components of the document."""
    used = {
        header["$ref"].removeprefix(HEADER_PATH)
        for operations in paths.values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for header in response["headers"].values()
    }
    return {
        name: {key: value for key, value in header.items() if key != "x-header"}
        for name, header in HEADERS.items()
        if name in used
    }


def response_headers(operation: ApiOperation, status: int) -> dict[str, Any]:
    """Return the headers of an operation's response of this status, as references to components."""
    return {HEADERS[name]["x-header"]: {"$ref": HEADER_PATH + name} for name in _names(operation, status)}


def _names(operation: ApiOperation, status: int) -> Iterator[str]:
    is_good = status < HTTPStatus.BAD_REQUEST
    yield "RequestId"
    is_limited = operation.right is not ApiAccess.NONE or operation.writes
    if is_limited and (is_good or status == HTTPStatus.TOO_MANY_REQUESTS):
        yield "RateLimitPolicy"
        yield "RateLimit"
    if status in _WAITS:
        yield "RetryAfter"
    if is_good and operation.location:
        yield "Location"
    if is_good and operation.idempotency:
        yield "IdempotentReplayed"
    if is_good and operation.deprecated is not None:
        yield "Deprecation"
        yield "Sunset"
    if status == HTTPStatus.UNAUTHORIZED:
        yield "WwwAuthenticate"
