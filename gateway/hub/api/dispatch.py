"""Turns an HTTP request into a call of an operation, and its result or problem into an HTTP response.

A client without a key learns nothing: the dispatcher checks host, rate limit and key before it reads a request. An
operation that changes something runs in one transaction, which also stores Idempotency-Key and response. So a hub that
is killed in the middle has done nothing, and no key is ever "still running" (409 in version 07 of
draft-ietf-httpapi-idempotency-key-header; here the second request waits for the first one's transaction).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from hashlib import sha256
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any, Final

import structlog
from aiohttp import ETag, web
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.api.idempotency import IdempotentRequest, store_response, stored_response
from gateway.hub.api.openapi import document
from gateway.hub.api.rate_limit import ApiRateLimits
from gateway.hub.api.validation_errors import details_of
from gateway.hub.database.store import UNAVAILABLE_ERRORS, HubStore
from gateway.hub.http.authentication import authenticate_browser, authenticate_caller, unenrolment_notice
from gateway.hub.http.client_address import client_address
from gateway.hub.http.operation import (
    ApiAccess,
    ApiCaller,
    ApiOperation,
    EventStreams,
    HouseholdBrowser,
    HubSigner,
    QueryRelay,
    RequestContext,
    Response,
    ResponseStream,
    WakeUps,
)
from gateway.hub.http.problem import MEDIA_TYPE, ApiProblem, Code, ErrorLocation
from gateway.hub.http.ssrf import DestinationPolicy
from gateway.protocol.strict_json import loads
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
MAX_JSON_DEPTH = 12  # levels of a body
BODY_TIMEOUT_S = 20.0  # seconds for a body
API_VERSION = "1.0.0"

_STORE_UNAVAILABLE = ApiProblem(Code.UNAVAILABLE, "Send the request again in a moment.", headers={"Retry-After": "2"})
_CONCURRENT_REQUEST = ApiProblem(Code.CONFLICT, "Another request did this at the same moment.")
_BAD_HOST = ApiProblem(Code.BAD_HOST)
CROSS_ORIGIN_PREFIX = "/v1/household/"
"""A page that a box serves calls these addresses, so from another origin. The hub answers them to a page of any origin
and ignores cookies (the Fetch standard, 3.3)."""
_CORS_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
_PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST", "Access-Control-Max-Age": "7200",
    "Access-Control-Allow-Headers": f"Authorization, Content-Type, {IDEMPOTENCY_HEADER}",
}  # fmt: skip
_COMMON_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ApiDispatcher:
    """Serves all operations of the API. `url` is the hub's own address, without a slash at its end."""

    def __init__(  # noqa: PLR0913 - the parts of the API, one argument each
        self,
        operations: Sequence[ApiOperation],
        *,
        store: HubStore,
        url: str,
        now: Callable[[], datetime],
        rate_limits: ApiRateLimits,
        wake_ups: WakeUps,
        destination_policy: DestinationPolicy,
        signer: HubSigner,
        streams: EventStreams,
        relay: QueryRelay,
        containment: Containment,
        behind_proxy: bool = False,
    ) -> None:
        self._containment = containment
        self._key, self._streams, self._relay, self._behind_proxy = signer, streams, relay, behind_proxy
        self._operations, self._store, self._url = operations, store, url
        self._now, self._rate_limits, self._wake_ups = now, rate_limits, wake_ups
        self._destination_policy = destination_policy
        self._host = url.partition("://")[2].partition("/")[0]

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The OpenAPI document, built when it is first requested, so that it does not delay the start."""
        return document(self._operations, title="Perron hub", version=API_VERSION, url=self._url)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all operations and of the document."""
        served = [web.route(one.method, one.path, self._handler_of(one)) for one in self._operations]
        across = sorted({one.path for one in self._operations if one.right is ApiAccess.BROWSER})
        served += [web.options(path, _preflight) for path in across]
        return [*served, web.get("/openapi.json", self._serve_document)]

    @web.middleware
    async def answer_problems(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer each failure as RFC 9457 defines, and refuse requests for another host name."""
        answer = await self._handle_errors(request, handler)
        if request.path.startswith(CROSS_ORIGIN_PREFIX):
            answer.headers.update(_CORS_HEADERS)
        return answer

    async def _handle_errors(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        with self._containment.piece("api", f"{request.method} {request.path}"):
            try:
                authorization = request.headers.get("Authorization")
                await self._rate_limits.admit(client_address(request, behind_proxy=self._behind_proxy), authorization)
                return (
                    await handler(request) if request.host == self._host else self._problem_response(request, _BAD_HOST)
                )
            except ApiProblem as problem:
                return self._problem_response(request, problem)
            except web.HTTPException as error:
                return self._problem_response(request, _problem_of(error))
            except (DBAPIError, OSError) as error:
                log.error("request_failed", path=request.path, why=str(error).splitlines()[0])
                away = isinstance(error, UNAVAILABLE_ERRORS)  # a full disk or a restarting database: nothing was done
                return self._problem_response(request, _STORE_UNAVAILABLE if away else ApiProblem(Code.INTERNAL))
        if request.writer.output_size and request.transport is not None:
            request.transport.abort()  # a second response would be read as the end of the first
        return self._problem_response(request, ApiProblem(Code.INTERNAL))

    @cached_property
    def _serialized_document(self) -> tuple[bytes, ETag]:
        written = json.dumps(self.document).encode()
        return written, ETag(sha256(written).hexdigest()[:32])

    async def _serve_document(self, request: web.Request) -> web.Response:
        written, tag = self._serialized_document
        had = request.if_none_match or ()
        same = any(one.value in {tag.value, "*"} for one in had)
        answer = web.Response(status=HTTPStatus.NOT_MODIFIED) if same else web.Response(
            body=written, content_type="application/json", charset="utf-8"
        )  # fmt: skip
        answer.etag = tag
        answer.headers.update({**_COMMON_HEADERS, "Cache-Control": "no-cache"})  # cached, and validated by its tag
        return answer

    def _handler_of(self, one: ApiOperation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def served(request: web.Request) -> web.StreamResponse:
            headers: dict[str, str] = {}
            caller = await self._authenticate_caller(request, one)
            member = await self._authenticate_browser(request, one)
            if member is not None:
                headers |= await self._rate_limits.take_for_browser(member.home, member.browser, writes=one.writes)
            elif caller is not None:
                headers |= await self._rate_limits.take_for_retailer(
                    caller.retailer, writes=one.writes, sandbox=caller.sandbox
                )
            elif one.writes:
                headers |= await self._rate_limits.take_for_address(
                    client_address(request, behind_proxy=self._behind_proxy), strict=one.strict_limit
                )
            parts, raw = await _parse_parts(request, one)
            reply = await self._execute(request, one, caller or member, parts, raw)
            if isinstance(reply, Response) and reply.later is not None:
                reply = await reply.later()
            if isinstance(reply, Response) and reply.stream is not None:
                return await _send_stream(
                    request, reply.stream, {**_COMMON_HEADERS, **headers, "Content-Type": one.media_type}
                )
            return _http_response(reply, {**_COMMON_HEADERS, **headers})

        return served

    async def _authenticate_caller(self, request: web.Request, one: ApiOperation) -> ApiCaller | None:
        if one.right in {ApiAccess.NONE, ApiAccess.BROWSER}:
            return None
        async with self._store.reading() as tx:
            caller = await authenticate_caller(tx, request.headers.get("Authorization", ""), self._now())
        self._rate_limits.remember_credentials(request.headers.get("Authorization", ""), are_valid=caller is not None)
        if caller is None:
            raise ApiProblem(Code.UNAUTHENTICATED, headers={"WWW-Authenticate": 'Bearer realm="perron"'})
        if one.right is ApiAccess.FULL and caller.right is not ApiAccess.FULL:
            raise ApiProblem(Code.FORBIDDEN, "This key may read only.")
        return caller

    async def _authenticate_browser(self, request: web.Request, one: ApiOperation) -> HouseholdBrowser | None:
        if one.right is not ApiAccess.BROWSER:
            return None
        async with self._store.reading() as tx:
            found = await authenticate_browser(tx, request.headers.get("Authorization", ""), self._url, self._now())
        self._rate_limits.remember_credentials(request.headers.get("Authorization", ""), are_valid=found is not None)
        if found is None:
            await self._rate_limits.take_for_address(client_address(request, behind_proxy=self._behind_proxy))
            async with self._store.reading() as tx:
                sealed = await unenrolment_notice(tx, request.headers.get("Authorization", ""))
            headers = {"WWW-Authenticate": 'Bearer realm="perron household"'}
            raise ApiProblem(Code.UNAUTHENTICATED, headers=headers, sealed=sealed)
        return found

    async def _execute(
        self,
        request: web.Request,
        one: ApiOperation,
        caller: ApiCaller | HouseholdBrowser | None,
        parts: tuple[BaseModel, ...],
        raw: bytes,
    ) -> Response | web.Response:
        now = self._now()
        if not one.writes:
            async with self._store.reading() as tx:
                return await one.handler(self._request_context(tx, now, parts, caller))
        key = request.headers.get(IDEMPOTENCY_HEADER) if one.idempotency else None
        if key is not None and not (0 < len(key) <= 255 and all("!" <= char <= "~" for char in key)):
            raise ApiProblem.at(
                IDEMPOTENCY_HEADER, "pattern", "1 to 255 printable ASCII characters without a space", where="header"
            )
        asked = None if caller is None or key is None else IdempotentRequest(
            caller=caller, key=key, authorization=request.headers.get("Authorization", ""), method=one.method,
            path=request.path, body=raw,
        )  # fmt: skip
        call = partial(self._request_context, now=now, parts=parts, caller=caller, raw=raw)
        try:
            return await self._execute_write(one, call, asked, now)
        except IntegrityError as error:  # a concurrent request won; with its key its response is stored
            if asked is None:
                raise _CONCURRENT_REQUEST from error
        try:
            return await self._execute_write(one, call, asked, now)
        except IntegrityError as error:
            raise _CONCURRENT_REQUEST from error

    async def _execute_write(
        self,
        one: ApiOperation,
        call: Callable[[AsyncConnection], RequestContext],
        asked: IdempotentRequest | None,
        now: datetime,
    ) -> Response | web.Response:
        """Run an operation that changes something, in one transaction with its Idempotency-Key and response."""
        async with self._store.writing() as tx:
            answered = None if asked is None else await stored_response(tx, asked, now)
            if answered is not None:
                return answered
            reply = await one.handler(call(tx))
            if asked is not None:
                await _keep_response(tx, asked, reply)
        self._wake_ups.jobs()
        self._wake_ups.messages()
        return reply

    def _request_context(
        self,
        tx: AsyncConnection,
        now: datetime,
        parts: tuple[BaseModel, ...],
        caller: ApiCaller | HouseholdBrowser | None,
        raw: bytes = b"",
    ) -> RequestContext:
        return RequestContext(
            tx=tx,
            now=now,
            url=self._url,
            signer=self._key,
            streams=self._streams,
            relay=self._relay,
            parts=parts,
            optional_caller=caller if isinstance(caller, ApiCaller) else None,
            optional_browser=caller if isinstance(caller, HouseholdBrowser) else None,
            body=raw,
            destination_policy=self._destination_policy,
        )

    def _problem_response(self, request: web.Request, problem: ApiProblem) -> web.Response:
        said = problem.document(self._url, request.path)
        return web.Response(
            text=said.model_dump_json(exclude_none=True, by_alias=True),
            status=problem.status,
            content_type=MEDIA_TYPE,
            headers={**_COMMON_HEADERS, **problem.headers},
        )


async def _preflight(_request: web.Request) -> web.Response:
    """Tell a browser what a page of another origin may request here (CORS)."""
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT_HEADERS)


async def _parse_parts(request: web.Request, one: ApiOperation) -> tuple[tuple[BaseModel, ...], bytes]:
    found: list[BaseModel] = []
    if one.path_model is not None:
        try:
            found.append(one.path_model.model_validate(dict(request.match_info)))
        except ValidationError as error:
            raise ApiProblem(Code.NOT_FOUND) from error
    given = request.query
    twice = [name for name in set(given) if len(given.getall(name)) > 1]
    if twice:
        raise ApiProblem.at(twice[0], "repeated", "This parameter stands twice.", where="query")
    if one.query is not None:
        found.append(_parse(one.query, "query", lambda model: model.model_validate(dict(given))))
    elif given:
        raise ApiProblem.at(next(iter(given)), "extra_forbidden", "No such parameter is known here.", where="query")
    if one.headers is not None:
        names = [field.alias or name for name, field in one.headers.model_fields.items()]
        sent = {name: request.headers[name] for name in names if name in request.headers}
        found.append(_parse(one.headers, "header", lambda model: model.model_validate(sent)))
    if one.body is None:
        return tuple(found), b""
    if one.optional_body and not request.can_read_body:
        return (*found, one.body()), b""
    raw = await _read_body(request, one.max_body_bytes)
    found.append(_parse(one.body, "body", lambda model: model.model_validate_json(raw)))
    return tuple(found), raw


async def _send_stream(request: web.Request, stream: ResponseStream, headers: Mapping[str, str]) -> web.StreamResponse:
    """Send the parts of a stream until it ends or the client has gone."""
    response = web.StreamResponse(headers=headers)
    try:
        await response.prepare(request)
        async for part in stream:
            await response.write(part)
    except ConnectionError:
        log.debug("stream_left", path=request.path)
    finally:
        stream.close()
    return response


async def _read_body(request: web.Request, largest: int) -> bytes:
    if request.content_type != "application/json" or request.charset not in (None, "utf-8"):
        raise ApiProblem(Code.UNSUPPORTED_MEDIA_TYPE)
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > largest:
                    raise ApiProblem(Code.TOO_LARGE, f"At most {largest} bytes.")
    except TimeoutError as error:
        raise ApiProblem(Code.TOO_SLOW, headers={"Connection": "close"}) from error
    try:
        loads(bytes(raw), deepest=MAX_JSON_DEPTH)
    except ValueError as error:
        cause = error.__cause__
        place = f" at line {cause.lineno}, column {cause.colno}" if isinstance(cause, JSONDecodeError) else ""
        raise ApiProblem(Code.MALFORMED_JSON, f"{error}{place}.") from error
    return bytes(raw)


def _parse(model: type[BaseModel], where: ErrorLocation, read: Callable[[type[BaseModel]], BaseModel]) -> BaseModel:
    try:
        return read(model)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise ApiProblem(
            Code.INVALID, errors=[one for each in found for one in details_of(each, where)][:20]
        ) from error


async def _keep_response(tx: AsyncConnection, asked: IdempotentRequest, reply: Response) -> None:
    answer = _http_response(reply, {})
    body = answer.body if isinstance(answer.body, bytes) else b""
    kept = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    await store_response(tx, asked, reply.status, kept, body)


def _http_response(reply: Response | web.Response, headers: Mapping[str, str]) -> web.Response:
    if isinstance(reply, web.Response):
        reply.headers.update(headers)
        return reply
    if reply.body is None:
        return web.Response(status=reply.status, headers={**headers, **reply.headers})
    return web.Response(
        body=reply.body.model_dump_json(by_alias=True).encode(),
        status=reply.status,
        content_type="application/json",
        headers={**headers, **reply.headers},
    )


def _problem_of(error: web.HTTPException) -> ApiProblem:
    match error.status:
        case HTTPStatus.NOT_FOUND:
            return ApiProblem(Code.NOT_FOUND)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return ApiProblem(Code.METHOD_NOT_ALLOWED, headers={"Allow": error.headers.get("Allow", "")})
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return ApiProblem(Code.TOO_LARGE)
        case status if status < HTTPStatus.BAD_REQUEST:
            raise error
        case _:
            return ApiProblem(Code.INTERNAL)
