"""Turns an HTTP request into a call of an operation, and its result or problem into an HTTP response.

A client without a key learns nothing: the dispatcher checks host, rate limit and key before it reads a request. An
operation that changes something runs in one transaction, which also stores Idempotency-Key and response. So a hub that
is killed in the middle has done nothing, and no key is ever "still running" (409 in version 07 of
draft-ietf-httpapi-idempotency-key-header). Of two such requests at once one fails, and gets the other's response.

Nearly every request is new. So the dispatcher does not look first whether it was answered before: the unique index
refuses the second response, the transaction is undone, and the request runs again and looks (`looks_first`).
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from functools import cached_property
from json import JSONDecodeError
from typing import Any, Final, Protocol

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response as HttpResponse
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.hub.api.idempotency import REPLAYED_HEADER, IdempotentRequest, store_response, stored_response
from gateway.hub.api.rate_limit import ApiRateLimits
from gateway.hub.api.validation_errors import problem_of, problem_of_request
from gateway.hub.database.tables import jobs
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.authentication import RememberedCallers, authenticate_browser, unenrolment_notice
from gateway.hub.http.client_address import client_address, is_ip_address
from gateway.hub.http.operation import (
    IDEMPOTENCY_HEADER,
    ApiAccess,
    ApiCaller,
    ApiOperation,
    ApiRequest,
    RequestContext,
    Requester,
    Response,
)
from gateway.hub.http.problem import MEDIA_TYPE, ApiProblem, Code, concurrent_request
from gateway.hub.http.request_record import (
    MONITORING,
    REQUEST_ID_HEADER,
    UNKNOWN_OPERATION,
    RequestRecord,
    current_request,
    record_request,
)
from gateway.hub.worker import WorkerContext
from gateway.protocol.strict_json import loads
from gateway.system.http_limits import RequestTurns
from gateway.system.text import error_line

log = structlog.get_logger(__name__)

REQUESTS_PER_ITERATION = 4  # of the event loop, which each occupies for half a millisecond
MAX_JSON_DEPTH = 12  # levels of a body
BODY_TIMEOUT_S = 20.0  # seconds for a body
MAX_METHOD_CHARS = 16  # of a method in the log
COMMON_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_UNAVAILABLE = ApiProblem(Code.UNAVAILABLE, "Send the request again in a moment.", headers={"Retry-After": "2"})
CROSS_ORIGIN_PREFIX = "/v1/household/"
"""A page that a box serves calls these addresses, so from another origin. The hub answers them to a page of any origin
and ignores cookies (the Fetch standard, 3.3)."""
_CORS_HEADERS: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", f"Retry-After, {REQUEST_ID_HEADER}".encode()),
)
_REQUEST_ID: Final = REQUEST_ID_HEADER.lower().encode()
_PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST", "Access-Control-Max-Age": "7200",
    "Access-Control-Allow-Headers": f"Authorization, Content-Type, {IDEMPOTENCY_HEADER}",
}  # fmt: skip
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
_CODES_OF_STATUS = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED}

Validate = Callable[[Request], Coroutine[Any, Any, HttpResponse]]  # FastAPI's handler of a route


class _Run(Protocol):
    """Runs the handler in a transaction."""

    async def __call__(self, tx: Transaction, *, looks_first: bool = True) -> Response[BaseModel]: ...


class RequestGate:
    """Stands in front of FastAPI's app: admits each request, and answers each failure as RFC 9457 defines.

    It refuses requests for another host name, and lets few requests begin in each iteration of the event loop.
    `operations`: those that take a body only are served here, because FastAPI's way to a handler, which also finds
    parameters, costs an announcement a tenth of its CPU.
    """

    def __init__(
        self,
        app: ASGIApp,
        dispatcher: "ApiDispatcher",
        on_end: Callable[[RequestRecord], None],
        operations: Iterable[ApiOperation],
    ) -> None:
        self._app, self._dispatcher, self._on_end = app, dispatcher, on_end
        self._turns = RequestTurns(REQUESTS_PER_ITERATION)
        self._direct = {(each.method, each.path): each for each in operations if each.takes_body_only}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI), under a record of its own, whose id each answer has."""
        await self._turns.take()
        method, monotonic = scope["method"][:MAX_METHOD_CHARS], self._dispatcher.context.monotonic
        record = record_request(method, monotonic=monotonic)
        try:
            await self._answer(ApiRequest(scope, receive), send, record)
        finally:
            self._on_end(record)

    async def _answer(self, request: Request, send: Send, record: RequestRecord) -> None:
        own_headers = [(_REQUEST_ID, record.id.encode())]
        if request.scope["path"].startswith(CROSS_ORIGIN_PREFIX):
            own_headers += _CORS_HEADERS

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.answer_begins(message["status"])
                message["headers"] = [*message["headers"], *own_headers]
            await send(message)

        problem: ApiProblem | None = ApiProblem(Code.INTERNAL)
        with self._dispatcher.context.containment.piece("api", request.method):
            problem = await self._serve(request, send_on)
        if problem is not None and record.status is None:  # else the server closes the connection in mid-response
            response = self._dispatcher.problem_response(request, problem)
            await response(request.scope, request.receive, send_on)

    async def _serve(self, request: Request, send: Send) -> ApiProblem | None:
        """Have the app serve it, or return why not."""
        scope = request.scope
        # A HEAD is served as a GET, of whose response the server sends the head alone.
        as_get = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        operation = self._direct.get((as_get["method"], as_get["path"]))
        try:
            if operation is not None:
                current_request().operation = operation.name
                await self._dispatcher.admit(request)
                response = await self._dispatcher.serve(operation, request)
                await response(scope, request.receive, send)
                return None
            try:
                await self._dispatcher.admit(request)
            except ApiProblem:  # no route will record the operation's name
                current_request().operation = _record_name(as_get)
                raise
            await self._app(as_get, request.receive, send)
        except ApiProblem as problem:
            return problem
        except ClientDisconnect:
            log.debug("client_left")
        except asyncio.CancelledError:  # the process ends, and this task with it
            return _UNAVAILABLE
        except (DBAPIError, OSError) as error:
            log.error("request_failed", operation=current_request().operation, why=error_line(error))
            is_unavailable = isinstance(error, OSError)  # a full disk or a restarting database: nothing was done
            return _UNAVAILABLE if is_unavailable else ApiProblem(Code.INTERNAL)
        return None


@dataclass
class ApiDispatcher:
    """Serves the operations of the API. `request_context` makes what a handler needs, for one transaction."""

    context: WorkerContext
    rate_limits: ApiRateLimits
    request_context: Callable[[Transaction, datetime, Requester, ApiOperation, bool], RequestContext]
    behind_proxy: bool

    @cached_property
    def _callers(self) -> RememberedCallers:
        return RememberedCallers(self.context.store)

    @cached_property
    def _host(self) -> str:
        return self.context.url.partition("://")[2].partition("/")[0]

    async def admit(self, request: Request) -> None:
        """Refuse a request (`ApiProblem`) of an address that asks too much, or for another host name."""
        path, headers = request.scope["path"], request.headers
        authorization = headers.get("Authorization")
        kind = "monitoring" if path in MONITORING else "stranger-requests"
        try:
            self.rate_limits.admit(self._address_of(request), authorization, kind)
        except ApiProblem:  # others at its address sent too much; a valid key that it has not used lately still counts
            if authorization is None or not await self._callers.lists(authorization, self.context.now()):
                raise
        hosts = headers.getlist("Host")
        if hosts == [self._host]:
            return
        if path not in MONITORING or len(hosts) != 1 or not is_ip_address(hosts[0]):
            raise ApiProblem(Code.BAD_HOST)  # DNS rebinding needs a name

    async def serve(self, operation: ApiOperation, request: Request, validate: Validate | None = None) -> HttpResponse:
        """Return the response of one request of an operation.

        `validate` is FastAPI's own handler of the route; None: the operation takes a body only.
        """
        requester = await self._authenticate(request, operation)
        headers = COMMON_HEADERS | self.rate_limits.take(requester, self._address_of(request), operation)
        if operation.deprecated is not None:
            headers |= operation.deprecated.headers
        _check_query(request, operation)
        read = request if isinstance(request, ApiRequest) else ApiRequest(request.scope, request.receive)
        read.raw_body = b"" if operation.body is None else await _read_body(request, operation)

        async def run(parts: Mapping[str, Any]) -> HttpResponse:
            return await self._execute(read, operation, requester, parts)

        read.run = run
        try:
            response = await (_run_with_body(operation, read) if validate is None else validate(read))
        except RequestValidationError as error:
            raise problem_of_request(error) from error
        if REPLAYED_HEADER in response.headers:
            response.headers.update(headers)  # the limits are those of now
        else:  # a batch has counted its items meanwhile
            _add_missing(response, headers)
        return response

    async def _authenticate(self, request: Request, operation: ApiOperation) -> Requester:
        if operation.right is ApiAccess.NONE:
            return None
        authorization, is_for_browsers = request.headers.get("Authorization", ""), operation.right is ApiAccess.BROWSER
        if is_for_browsers:
            async with self.context.store.reading() as tx:
                requester: Requester = await authenticate_browser(
                    tx, authorization, self.context.url, self.context.now()
                )
        else:
            requester = await self._callers.find(authorization, self.context.now())
        self.rate_limits.remember_credentials(authorization, are_valid=requester is not None)
        if requester is None and not is_for_browsers:
            raise ApiProblem(Code.UNAUTHENTICATED, headers={"WWW-Authenticate": 'Bearer realm="perron"'})
        if requester is None:
            self.rate_limits.take_for_address(self._address_of(request))
            async with self.context.store.reading() as tx:
                sealed = await unenrolment_notice(tx, authorization)
            headers = {"WWW-Authenticate": 'Bearer realm="perron household"'}
            raise ApiProblem(Code.UNAUTHENTICATED, headers=headers, sealed=sealed)
        current_request().retailer = requester.retailer if isinstance(requester, ApiCaller) else None
        refusal = operation.refusal_of(requester) if isinstance(requester, ApiCaller) else None
        if refusal is not None:
            raise ApiProblem(Code.FORBIDDEN, refusal)
        return requester

    def _address_of(self, request: Request) -> str:
        return client_address(request, behind_proxy=self.behind_proxy)

    async def _execute(
        self, request: ApiRequest, operation: ApiOperation, requester: Requester, parts: Mapping[str, Any]
    ) -> HttpResponse:
        now = self.context.now()

        async def run(tx: Transaction, *, looks_first: bool = True) -> Response[BaseModel]:
            call = self.request_context(tx, now, requester, operation, looks_first)
            answer = await operation.handler(call, **parts)
            return answer if isinstance(answer, Response) else Response(answer)

        if operation.writes:
            return await self._write(request, operation, requester, run, now)
        async with self.context.store.reading() as tx:
            response = await run(tx)
        if response.later is not None:
            response = Response(await response.later())
        if response.stream is not None:
            return await _stream_response(response.stream, operation.media_type)
        return _http_response(operation, response)

    async def _write(
        self,
        request: ApiRequest,
        operation: ApiOperation,
        requester: Requester,
        run: "_Run",
        now: datetime,
    ) -> HttpResponse:
        key = request.headers.get(IDEMPOTENCY_HEADER) if operation.idempotency else None
        if key is not None and _IDEMPOTENCY_KEY.fullmatch(key) is None:
            raise ApiProblem.at(
                IDEMPOTENCY_HEADER, "pattern", "1 to 255 printable ASCII characters without a space", where="header"
            )
        keyed = None if requester is None or key is None else IdempotentRequest(
            caller=requester, key=key, authorization=request.headers.get("Authorization", ""), method=operation.method,
            path=request.scope["path"], body=request.raw_body,
        )  # fmt: skip

        async def write(*, looks_first: bool) -> HttpResponse:
            async with self.context.store.writing() as tx:
                stored = await stored_response(tx, keyed, now) if looks_first and keyed is not None else None
                if stored is not None:
                    return stored
                response = _http_response(operation, await run(tx, looks_first=looks_first))
                if keyed is not None:
                    await store_response(tx, keyed, response, now)
            if jobs.name in tx.changed:
                self.context.wake_ups.jobs()
            return response

        with contextlib.suppress(IntegrityError):  # it was done before, perhaps at this moment
            try:
                return await write(looks_first=operation.looks_first)
            except ApiProblem:  # perhaps because the same request was done before
                if keyed is None:
                    raise
                async with self.context.store.writing() as tx:
                    stored = await stored_response(tx, keyed, now)
                if stored is None:
                    raise
                return stored
        try:
            return await write(looks_first=True)
        except IntegrityError as error:
            raise concurrent_request() from error

    def problem_response(self, request: Request, problem: ApiProblem) -> HttpResponse:
        """Return the response that reports a problem."""
        record = current_request()
        record.code = problem.code
        document = problem.document(self.context.url, request.scope["path"], record.id)
        return HttpResponse(
            document.model_dump_json(exclude_none=True, by_alias=True),
            status_code=problem.code.kind.status,
            headers={**COMMON_HEADERS, **problem.headers, "Content-Type": f"{MEDIA_TYPE}; charset=utf-8"},
        )


def _record_name(scope: Scope) -> str:
    """Return under which name a request is recorded, as its route would."""
    routes = (route for route in scope["app"].routes if route.matches(scope)[0] is Match.FULL)
    return next((route.record_name for route in routes), UNKNOWN_OPERATION)


async def preflight(_request: Request) -> HttpResponse:
    """Tell a browser what a page of another origin may request here (CORS)."""
    return HttpResponse(status_code=204, headers=_PREFLIGHT_HEADERS)


async def raise_problem(request: Request, error: Exception) -> HttpResponse:
    """Raise what the router refused as a problem (FastAPI's handler of `HTTPException`)."""
    if not isinstance(error, HTTPException):
        raise error
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else {}
    raise ApiProblem(_CODES_OF_STATUS.get(error.status_code, Code.INTERNAL), headers=headers) from error


def _allowed(request: Request) -> str:
    """Return the methods of all routes of this path; the router itself names those of the first one."""
    names: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match.value:
            names |= route.methods
    return ",".join(sorted(names | ({"HEAD"} if "GET" in names else set())))


def _check_query(request: Request, operation: ApiOperation) -> None:
    if not request.scope["query_string"]:
        return
    given = request.query_params
    twice = [name for name in given if len(given.getlist(name)) > 1]
    if twice:
        raise ApiProblem.at(twice[0], "repeated", "This parameter stands twice.", where="query")
    if operation.query is None:
        raise ApiProblem.at(next(iter(given)), "extra_forbidden", "No such parameter is known here.", where="query")


async def _stream_response(stream: AsyncGenerator[bytes, None], media_type: str) -> HttpResponse:
    first = await anext(stream)  # before the response begins, it may still become a problem

    async def parts() -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(stream):
            yield first
            async for part in stream:
                yield part

    return StreamingResponse(parts(), headers={"Content-Type": media_type})


async def _read_body(request: Request, operation: ApiOperation) -> bytes:
    """Return a body that is strict JSON of at most the operation's size."""
    if operation.optional_body and not _has_body(request):
        return b"{}"
    headers = request.headers
    if not _is_json(headers.get("Content-Type", "")):
        raise ApiProblem(Code.UNSUPPORTED_MEDIA_TYPE)
    codings = ",".join(headers.getlist("Content-Encoding"))
    if codings.strip().lower() not in {"", "identity"}:
        detail = "Send the body without Content-Encoding."
        raise ApiProblem(Code.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Encoding": "identity"})
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            raw = await _receive_body(request, operation.max_body_bytes)
    except TimeoutError as error:
        raise ApiProblem(Code.TOO_SLOW, headers={"Connection": "close"}) from error
    try:
        loads(raw, deepest=MAX_JSON_DEPTH)
    except ValueError as error:
        cause = error.__cause__
        place = f" at line {cause.lineno}, column {cause.colno}" if isinstance(cause, JSONDecodeError) else ""
        raise ApiProblem(Code.MALFORMED_JSON, f"{error}{place}.") from error
    return raw


async def _receive_body(request: Request, max_bytes: int) -> bytes:
    raw = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        raw += message.get("body", b"")
        if len(raw) > max_bytes:
            raise ApiProblem(Code.TOO_LARGE, f"At most {max_bytes} bytes.")
        if not message.get("more_body", False):
            return bytes(raw)


def _has_body(request: Request) -> bool:
    headers = request.headers
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"


def _is_json(content_type: str) -> bool:
    """Return whether it is JSON in UTF-8, which is the only encoding of JSON between systems (RFC 8259, 8.1)."""
    if content_type == "application/json":
        return True
    message = EmailMessage()
    message["Content-Type"] = content_type
    charset = message.get_content_charset()
    return message.get_content_type() == "application/json" and charset in (None, "utf-8")


async def _run_with_body(operation: ApiOperation, request: ApiRequest) -> HttpResponse:
    if operation.body is None:
        return await request.run({})
    try:
        body = operation.body.model_validate_json(request.raw_body)
    except ValidationError as error:
        raise problem_of(error, "body") from error
    return await request.run({"body": body})


def _add_missing(response: HttpResponse, headers: Mapping[str, str]) -> None:
    """Add the headers that a response does not have. Starlette's `setdefault` copies its headers for each."""
    known = {name for name, _ in response.raw_headers}
    for name, value in headers.items():
        encoded = name.lower().encode("latin-1")
        if encoded not in known:
            response.raw_headers.append((encoded, value.encode("latin-1")))


def _http_response(operation: ApiOperation, response: Response[BaseModel]) -> HttpResponse:
    body, headers = response.body, dict(response.headers)
    if body is not None:
        headers["Content-Type"] = "application/json"
    return HttpResponse(
        None if body is None else body.model_dump_json(by_alias=True).encode(),
        status_code=response.status or operation.statuses[0],
        headers=headers,
    )
