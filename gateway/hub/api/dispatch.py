"""Turns an HTTP request into a call of an operation, and its result or problem into an HTTP response.

A client without a key learns nothing: the dispatcher checks host, rate limit and key before it reads a request. An
operation that changes something runs in one transaction, which also stores Idempotency-Key and response. So a hub that
is killed in the middle has done nothing, and no key is ever "still running" (409 in version 07 of
draft-ietf-httpapi-idempotency-key-header; here the second request waits for the first one's transaction).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
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

from gateway.hub.api.idempotency import IdempotentRequest, store_response, stored_response
from gateway.hub.api.openapi import document
from gateway.hub.api.rate_limit import ApiRateLimits
from gateway.hub.api.validation_errors import problem_of
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.authentication import authenticate_browser, authenticate_caller, unenrolment_notice
from gateway.hub.http.client_address import client_address, is_ip_address
from gateway.hub.http.operation import ApiAccess, ApiCaller, ApiOperation, RequestContext, Requester, Response
from gateway.hub.http.problem import MEDIA_TYPE, ApiProblem, Code, ErrorLocation
from gateway.hub.http.request_record import MONITORING, REQUEST_ID_HEADER, current_request
from gateway.hub.worker import WorkerContext
from gateway.protocol.strict_json import loads

log = structlog.get_logger(__name__)

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
MAX_JSON_DEPTH = 12  # levels of a body
BODY_TIMEOUT_S = 20.0  # seconds for a body
API_VERSION = "1.0.0"

_STORE_UNAVAILABLE = ApiProblem(Code.UNAVAILABLE, "Send the request again in a moment.", headers={"Retry-After": "2"})
CROSS_ORIGIN_PREFIX = "/v1/household/"
"""A page that a box serves calls these addresses, so from another origin. The hub answers them to a page of any origin
and ignores cookies (the Fetch standard, 3.3)."""
_CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"Retry-After, {REQUEST_ID_HEADER}",
}
_PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST", "Access-Control-Max-Age": "7200",
    "Access-Control-Allow-Headers": f"Authorization, Content-Type, {IDEMPOTENCY_HEADER}",
}  # fmt: skip
_CODES_OF_STATUS = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED, 413: Code.TOO_LARGE}
_COMMON_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


AnyResponse = Response[BaseModel] | web.Response  # a new one, or one that was stored for its Idempotency-Key


@dataclass
class ApiDispatcher:
    """Serves all operations of the API. `request_context` makes what a handler needs, for one transaction."""

    operations: Sequence[ApiOperation]
    context: WorkerContext
    rate_limits: ApiRateLimits
    request_context: Callable[[Transaction, datetime, Requester, ApiOperation], RequestContext]
    behind_proxy: bool

    @cached_property
    def _host(self) -> str:
        return self.context.url.partition("://")[2].partition("/")[0]

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The OpenAPI document, built when it is first requested, so that it does not delay the start."""
        return document(self.operations, title="Perron hub", version=API_VERSION, url=self.context.url)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all operations and of the document."""
        routes = [
            web.route(each.method, each.path, partial(self._serve, each), name=each.name) for each in self.operations
        ]
        cross_origin = sorted({each.path for each in self.operations if each.right is ApiAccess.BROWSER})
        routes += [web.options(path, _preflight) for path in cross_origin]
        return [*routes, web.get("/openapi.json", self._serve_document)]

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
        with self.context.containment.piece("api", f"{request.method} {current_request().operation}"):
            try:
                authorization = request.headers.get("Authorization")
                await self.rate_limits.admit(self._address_of(request), authorization)
                is_monitoring = current_request().operation in MONITORING and is_ip_address(request.host)
                if request.host != self._host and not is_monitoring:  # DNS rebinding needs a name
                    return self._problem_response(request, ApiProblem(Code.BAD_HOST))
                return await handler(request)
            except ApiProblem as problem:
                return self._problem_response(request, problem)
            except web.HTTPException as error:
                return self._problem_response(request, _problem_of(error))
            except (DBAPIError, OSError) as error:
                log.error("request_failed", operation=current_request().operation, why=str(error).splitlines()[0])
                away = isinstance(error, OSError)  # a full disk or a restarting database: nothing was done
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
        same = any(known.value in {tag.value, "*"} for known in request.if_none_match or ())
        answer = web.Response(status=HTTPStatus.NOT_MODIFIED) if same else web.Response(
            body=written, content_type="application/json", charset="utf-8"
        )  # fmt: skip
        answer.etag = tag
        answer.headers.update({**_COMMON_HEADERS, "Cache-Control": "no-cache"})  # cached, and validated by its tag
        return answer

    async def _serve(self, operation: ApiOperation, request: web.Request) -> web.StreamResponse:
        requester = await self._authenticate(request, operation)
        headers = _COMMON_HEADERS | await self.rate_limits.take(requester, self._address_of(request), operation)
        parts, raw = await _parse_parts(request, operation)
        response = await self._execute(request, operation, requester, parts, raw)
        if isinstance(response, Response) and response.later is not None:
            response = Response(await response.later())
        if isinstance(response, Response) and response.stream is not None:
            return await _send_stream(request, response.stream, {**headers, "Content-Type": operation.media_type})
        return _http_response(operation, response, headers)

    async def _authenticate(self, request: web.Request, operation: ApiOperation) -> Requester:
        if operation.right is ApiAccess.NONE:
            return None
        authorization, is_for_browsers = request.headers.get("Authorization", ""), operation.right is ApiAccess.BROWSER
        async with self.context.store.reading() as tx:
            requester: Requester = (
                await authenticate_browser(tx, authorization, self.context.url, self.context.now())
                if is_for_browsers
                else await authenticate_caller(tx, authorization, self.context.now())
            )
        self.rate_limits.remember_credentials(authorization, are_valid=requester is not None)
        if requester is None and not is_for_browsers:
            raise ApiProblem(Code.UNAUTHENTICATED, headers={"WWW-Authenticate": 'Bearer realm="perron"'})
        if requester is None:
            await self.rate_limits.take_for_address(self._address_of(request))
            async with self.context.store.reading() as tx:
                sealed = await unenrolment_notice(tx, authorization)
            headers = {"WWW-Authenticate": 'Bearer realm="perron household"'}
            raise ApiProblem(Code.UNAUTHENTICATED, headers=headers, sealed=sealed)
        current_request().retailer = requester.retailer if isinstance(requester, ApiCaller) else None
        refusal = operation.refusal_of(requester) if isinstance(requester, ApiCaller) else None
        if refusal is not None:
            raise ApiProblem(Code.FORBIDDEN, refusal)
        return requester

    def _address_of(self, request: web.Request) -> str:
        return client_address(request, behind_proxy=self.behind_proxy)

    async def _execute(
        self,
        request: web.Request,
        operation: ApiOperation,
        requester: Requester,
        parts: Mapping[str, object],
        raw: bytes,
    ) -> AnyResponse:
        now = self.context.now()

        async def run(tx: Transaction) -> Response[BaseModel]:
            answer = await operation.handler(self.request_context(tx, now, requester, operation), **parts)
            return answer if isinstance(answer, Response) else Response(answer)

        if not operation.writes:
            async with self.context.store.reading() as tx:
                return await run(tx)
        key = request.headers.get(IDEMPOTENCY_HEADER) if operation.idempotency else None
        if key is not None and not (0 < len(key) <= 255 and all("!" <= char <= "~" for char in key)):
            raise ApiProblem.at(
                IDEMPOTENCY_HEADER, "pattern", "1 to 255 printable ASCII characters without a space", where="header"
            )
        keyed = None if requester is None or key is None else IdempotentRequest(
            caller=requester, key=key, authorization=request.headers.get("Authorization", ""), method=operation.method,
            path=request.path, body=raw,
        )  # fmt: skip

        async def write() -> AnyResponse:
            async with self.context.store.writing() as tx:
                stored = None if keyed is None else await stored_response(tx, keyed, now)
                if stored is not None:
                    return stored
                response = await run(tx)
                if keyed is not None:
                    await store_response(tx, keyed, _http_response(operation, response, {}))
            self.context.wake_ups.jobs()
            self.context.wake_ups.messages()
            return response

        concurrent_request = ApiProblem(Code.CONFLICT, "Another request did this at the same moment.")
        try:
            return await write()
        except IntegrityError as error:  # a concurrent request won; with its key its response is stored
            if keyed is None:
                raise concurrent_request from error
        try:
            return await write()
        except IntegrityError as error:
            raise concurrent_request from error

    def _problem_response(self, request: web.Request, problem: ApiProblem) -> web.Response:
        record = current_request()
        record.code = problem.code
        document = problem.document(self.context.url, request.path, record.id)
        return web.Response(
            text=document.model_dump_json(exclude_none=True, by_alias=True),
            status=problem.code.kind.status,
            content_type=MEDIA_TYPE,
            headers={**_COMMON_HEADERS, **problem.headers},
        )


async def _preflight(_request: web.Request) -> web.Response:
    """Tell a browser what a page of another origin may request here (CORS)."""
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT_HEADERS)


async def _parse_parts(request: web.Request, operation: ApiOperation) -> tuple[dict[str, object], bytes]:
    parts: dict[str, object] = {}
    if operation.path_model is not None:
        try:
            parts |= dict(operation.path_model.model_validate(dict(request.match_info)))
        except ValidationError as error:
            raise ApiProblem(Code.NOT_FOUND) from error
    given = request.query
    twice = [name for name in set(given) if len(given.getall(name)) > 1]
    if twice:
        raise ApiProblem.at(twice[0], "repeated", "This parameter stands twice.", where="query")
    if operation.query is not None:
        parts["query"] = _parse("query", partial(operation.query.model_validate, dict(given)))
    elif given:
        raise ApiProblem.at(next(iter(given)), "extra_forbidden", "No such parameter is known here.", where="query")
    if operation.headers is not None:
        names = [field.alias or name for name, field in operation.headers.model_fields.items()]
        sent = {name: request.headers[name] for name in names if name in request.headers}
        parts["headers"] = _parse("header", partial(operation.headers.model_validate, sent))
    if operation.body is None:
        return parts, b""
    if operation.optional_body and not request.can_read_body:
        return {**parts, "body": operation.body()}, b""
    raw = await _read_body(request, operation.max_body_bytes)
    parts["body"] = _parse("body", partial(operation.body.model_validate_json, raw))
    return parts, raw


async def _send_stream(
    request: web.Request, stream: AsyncGenerator[bytes, None], headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    async with aclosing(stream):
        first = await anext(stream)  # before the response begins, it may still become a problem
        try:
            await response.prepare(request)
            await response.write(first)
            async for part in stream:
                await response.write(part)
        except ConnectionError:
            log.debug("stream_left")
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


def _parse(where: ErrorLocation, validate: Callable[[], BaseModel]) -> BaseModel:
    try:
        return validate()
    except ValidationError as error:
        raise problem_of(error, where) from error


def _http_response(operation: ApiOperation, response: AnyResponse, headers: Mapping[str, str]) -> web.Response:
    if isinstance(response, web.Response):
        response.headers.update(headers)
        return response
    return web.Response(
        body=None if response.body is None else response.body.model_dump_json(by_alias=True).encode(),
        status=response.status or operation.statuses[0],
        content_type=None if response.body is None else "application/json",
        headers={**headers, **response.headers},
    )


def _problem_of(error: web.HTTPException) -> ApiProblem:
    if error.status < HTTPStatus.BAD_REQUEST:
        raise error
    allowed = {"Allow": error.headers.get("Allow", "")} if error.status == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return ApiProblem(_CODES_OF_STATUS.get(error.status, Code.INTERNAL), headers=allowed)
