"""Describes one operation of the API, and makes a route of FastAPI of it, from which FastAPI makes the document."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum, auto
from functools import partial
from inspect import Parameter, Signature, cleandoc
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any, Generic, Literal, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

from fastapi import APIRouter, Body, Header, Query, Request
from fastapi.responses import JSONResponse
from fastapi.responses import Response as HttpResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.domain.delivery.promise import WireModel
from gateway.domain.frozen import Frozen
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.problem import MEDIA_TYPE, Code
from gateway.hub.http.request_record import current_request
from gateway.hub.signing_key import HubKeyPair
from gateway.system.destinations import DestinationPolicy

M_co = TypeVar("M_co", bound=BaseModel, covariant=True)

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class ApiAccess(StrEnum):
    """What a key may do."""

    NONE = auto()  # everybody, without a key
    READ = auto()
    CARRIER = auto()  # what one carrier needs for the retailer's deliveries that it brings, and nothing else
    FULL = auto()
    BROWSER = auto()  # a browser of a household, by a token that it signs itself; pages of other origins may ask this


Model = WireModel  # a body: frozen, strict, without unknown fields


class ApiParameters(BaseModel):
    """Parameters of a request, which are text in HTTP, so numbers are parsed from text."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RetailerLimits(Frozen):
    """The limits that the operator set for one retailer; None: those of hub.yaml."""

    writes: int | None = None
    reads: int | None = None
    writes_a_day: int | None = None


class ApiCaller(Frozen):
    """The caller of a valid API key. Homes and deliveries of the sandbox and real ones never mix.

    `carrier`: the carrier whose own key it is; such a key sees that carrier's deliveries and nothing else.
    """

    retailer: str
    key: str
    right: ApiAccess
    sandbox: bool
    limits: RetailerLimits = RetailerLimits()
    carrier: str | None = None


class HouseholdBrowser(Frozen):
    """A browser of a home's household; the hub does not know which person uses it."""

    home: str
    browser: str


Requester = ApiCaller | HouseholdBrowser | None  # None: the operation needs no key


class WakeUps(Frozen):
    """Wakes the workers that publish jobs to homes and that send webhooks."""

    jobs: Callable[[], None]
    messages: Callable[[], None]


AskHome = Callable[[HouseholdBrowser, str], Awaitable[str]]  # gateway.hub.boxes.browser_relay.BrowserRelay.ask
# gateway.hub.api.rate_limit.ApiRateLimits.take_items: counts the items of a batch beyond the first
TakeItems = Callable[[int], Mapping[str, str]]
# gateway.hub.api.sse.SseStreams.follow: the caller, the number to begin after, the types (empty: all), the seconds
FollowEvents = Callable[[ApiCaller, int, frozenset[str], float], AsyncGenerator[bytes, None]]


class HubTransaction(Frozen):
    """A transaction and its time, and what the hub needs to write to homes: its own address and key."""

    tx: Transaction
    now: datetime
    url: str
    signer: HubKeyPair


class RequestContext(HubTransaction):
    """What a handler needs beside the request; a handler that raises has changed nothing.

    The workers are woken after the commit. `destination_policy` says to which addresses webhooks may go. `request_id`
    is the one in the answer's header `Request-Id`, in the log and in the events that the request causes. `take_items`
    counts a request's further items against the requester's limits, and returns the headers with these limits.
    `looks_first`: the handler looks for what the database would refuse as done before. Otherwise it may leave that to
    the database: the request then runs again, and looks first.
    """

    requester: Requester
    request_id: str
    looks_first: bool
    take_items: TakeItems
    follow_events: FollowEvents
    ask_home: AskHome
    destination_policy: DestinationPolicy

    @property
    def caller(self) -> ApiCaller:
        """The caller of an operation that needs an API key."""
        if not isinstance(self.requester, ApiCaller):
            raise TypeError("this operation needs no API key")
        return self.requester

    @property
    def browser(self) -> HouseholdBrowser:
        """The browser that calls an operation for browsers."""
        if not isinstance(self.requester, HouseholdBrowser):
            raise TypeError("this operation is not for browsers")
        return self.requester


class Response(Frozen, Generic[M_co], kw_only=False):
    """The response to a request. `status` None: the operation's own.

    `later`: the body comes once this has been awaited, outside any transaction.
    """

    body: M_co | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: AsyncGenerator[bytes, None] | None = None
    later: Callable[[], Awaitable[M_co]] | None = None


Handler = Callable[..., Awaitable[BaseModel | Response[Any] | None]]
"""Takes a `RequestContext`, and by name each parameter of the path and those of `query`, `headers` and `body` that the
operation has.

Their annotations are the types and models that validate these parts of the request. The annotated result is the model
of a good response: the model itself, `Response` of it, or None for no body.
"""

_BODY_CODES = (Code.MALFORMED_JSON, Code.TOO_LARGE, Code.TOO_SLOW, Code.UNSUPPORTED_MEDIA_TYPE)
H = TypeVar("H", bound=Handler)

# The operations that can follow, and their parameters in this response (OpenAPI's runtime expressions)
OperationLinks = Mapping[str, Mapping[str, str]]

IDEMPOTENCY_HEADER = "Idempotency-Key"
_IDEMPOTENCY_PARAMETER = {
    "name": IDEMPOTENCY_HEADER, "in": "header", "required": False,
    "description": "A repeated request with the same key and body within 24 h gets the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}  # fmt: skip


def links_to(parameter: str, *operations: str) -> OperationLinks:
    """Return links to operations whose path takes the response's `id` as this parameter."""
    return {name: {parameter: "$response.body#/id"} for name in operations}


class Deprecation(Frozen):
    """That an operation is deprecated since an instant, and when it may end (docs/retailer/versioning.md)."""

    since: datetime
    ends: datetime

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that tell a client so: RFC 9745 and RFC 8594."""
        ends = format_datetime(self.ends.astimezone(UTC), usegmt=True)
        return {"Deprecation": f"@{int(self.since.timestamp())}", "Sunset": ends}


class ApiOperation(Frozen):
    """One operation. `name` is its operationId. `headers`: a model whose fields have the headers' names as aliases.

    `answer`: the model of a good response; None: no body. `statuses`: those of good responses, the usual one first.
    `refuses`: the codes that do not follow from the rest (a body can be malformed, a path unknown ...).
    `strict_limit`: the strict rate limit of an hour holds for callers without a key. `only_asks`: it changes nothing,
    whatever its method. `optional_body`: a missing body counts as an empty object. `carriers`: a carrier's own key may
    call it too, for that carrier's deliveries. `location`: a good response has the address of the object that was made.
    `looks_first`: a repeated request is looked up before it runs, not only when it has failed, because to run it does
    more than the transaction undoes.
    """

    name: str
    method: Method
    path: str
    handler: Handler
    right: ApiAccess
    answer: type[BaseModel] | None
    statuses: tuple[int, ...]
    query: type[BaseModel] | None
    headers: type[BaseModel] | None
    body: type[BaseModel] | None
    media_type: str = "application/json"
    optional_body: bool = False
    refuses: AbstractSet[Code] = frozenset()
    links: OperationLinks = field(default_factory=dict)
    location: bool = False
    deprecated: Deprecation | None = None
    max_body_bytes: int = 65_536
    strict_limit: bool = False
    only_asks: bool = False
    carriers: bool = False
    looks_first: bool = False

    def refusal_of(self, caller: ApiCaller) -> str | None:
        """Return why this key may not call the operation; None: it may."""
        if caller.right is ApiAccess.CARRIER:
            return None if self.carriers else "This key is a carrier's: it may do what a carrier needs, nothing else."
        if self.right is ApiAccess.FULL and caller.right is not ApiAccess.FULL:
            return "This key may read only."
        return None

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and not self.only_asks

    @property
    def idempotency(self) -> bool:
        """Whether it accepts an Idempotency-Key, so that a repeated request gets the first response again."""
        return self.writes and self.method == "POST" and self.right is not ApiAccess.NONE

    @property
    def takes_body_only(self) -> bool:
        """Whether a body, or nothing, is all that it takes: no parameter of path or query and no header."""
        return self.query is None and self.headers is None and "{" not in self.path

    @property
    def problems(self) -> frozenset[Code]:
        """All codes with which it can refuse."""
        needs_key = self.right is not ApiAccess.NONE
        possible = {
            Code.UNAUTHENTICATED: needs_key,
            Code.FORBIDDEN: self.right is ApiAccess.FULL or (self.right is ApiAccess.READ and not self.carriers),
            Code.RETAILER_SUSPENDED: needs_key and self.right is not ApiAccess.BROWSER,
            Code.NOT_FOUND: "{" in self.path,
            Code.BAD_CURSOR: self.query is not None and "cursor" in self.query.model_fields,
            Code.IDEMPOTENCY_KEY_REUSED: self.idempotency,
            **dict.fromkeys(_BODY_CODES, self.body is not None),
        }
        # A parameter that an operation does not have is invalid, and an address may send too many requests of any kind.
        always = {Code.INTERNAL, Code.UNAVAILABLE, Code.BAD_HOST, Code.INVALID, Code.RATE_LIMITED}
        return frozenset(always | self.refuses | {code for code, can_occur in possible.items() if can_occur})


class ApiRequest(Request):
    """A request of the API whose body has been read and is strict JSON; FastAPI reads no body itself.

    `run` runs the handler with the validated parts of the request.
    """

    raw_body: bytes
    run: Callable[[Mapping[str, Any]], Awaitable[HttpResponse]]

    async def body(self) -> bytes:
        """Return the body."""
        return self.raw_body

    async def json(self) -> bytes:
        """Return the body as it came: our models validate JSON, not what a JSON parser made of it."""
        return self.raw_body


class Dispatcher(Protocol):
    """Serves one request of an operation; `validate` is FastAPI's handler, which calls `ApiRequest.run`."""

    async def serve(
        self,
        operation: ApiOperation,
        request: Request,
        validate: Callable[[Request], Coroutine[Any, Any, HttpResponse]],
    ) -> HttpResponse:
        """Return the response, or raise `ApiProblem`."""


class OperationRoute(APIRoute):
    """FastAPI's route of one operation. The app's dispatcher admits each request before FastAPI reads it."""

    @property
    def operation(self) -> ApiOperation:
        """The operation."""
        operation: ApiOperation = self.endpoint.operation  # type: ignore[attr-defined] # set by `OperationGroup.add`
        return operation

    @property
    def record_name(self) -> str:
        """Under which name its requests are recorded: the operation's."""
        return self.operation.name

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, HttpResponse]]:
        """Return what serves a request (FastAPI's hook for custom routes)."""
        validate, operation = super().get_route_handler(), self.operation

        async def serve(request: Request) -> HttpResponse:
            dispatcher: Dispatcher = request.app.state.dispatcher
            return await dispatcher.serve(operation, request, validate)

        return serve

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""
        current_request().operation = self.record_name
        await super().handle(scope, receive, send)


class PageRoute(Route):
    """A route of a page."""

    @property
    def record_name(self) -> str:
        """Under which name its requests are recorded: the pattern of its address, which may contain a secret."""
        return self.path

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""
        current_request().operation = self.record_name
        await super().handle(scope, receive, send)


class OperationGroup(APIRouter):
    """The operations of one tag, in the order of the document: FastAPI's router, whose decorator is `add`.

    The decorator takes method, path, name, and the fields of `ApiOperation` that differ from their defaults. The first
    sentence of a handler's docstring is the summary of its operation, the whole docstring its description. Without
    `right` an operation needs a key: for GET one that may read, else one that may do everything.
    """

    def __init__(self, tag: str, *, right: ApiAccess | None = None) -> None:
        super().__init__(tags=[tag], route_class=OperationRoute)
        self._right = right

    def __iter__(self) -> Iterator[OperationRoute]:
        """Yield the operations' routes."""
        return (route for route in self.routes if isinstance(route, OperationRoute))

    def add(self, method: Method, path: str, name: str, **details: Any) -> Callable[[H], H]:  # noqa: ANN401 - see above
        """Return the decorator that adds a handler's operation."""

        def decorate(handler: H) -> H:
            models = get_type_hints(handler, include_extras=True)
            answer = next(iter(get_args(models["return"])), models["return"])
            answer = None if answer is type(None) else answer
            defaults = {
                "right": self._right or (ApiAccess.READ if method == "GET" else ApiAccess.FULL),
                "statuses": (204 if answer is None else 200,),
            }
            operation = ApiOperation(
                name=name, method=method, path=path, handler=handler, answer=answer, query=models.get("query"),
                headers=models.get("headers"), body=models.get("body"), **(defaults | details),
            )  # fmt: skip
            self.add_api_route(
                path, _endpoint(operation, models), methods=[method], operation_id=name, summary=_summary(handler),
                description=cleandoc(handler.__doc__ or ""),
                response_model=answer if operation.media_type == "application/json" else None,
                status_code=operation.statuses[0], response_class=_RESPONSE_CLASSES[operation.media_type],
                responses=_responses(operation), deprecated=operation.deprecated is not None or None,
                openapi_extra=_openapi_extra(operation),
            )  # fmt: skip
            return handler

        return decorate


class _EventStream(HttpResponse):
    """Names the media type of a stream in the document: it is text, of which a client must not read JSON."""

    media_type = "text/event-stream"


_RESPONSE_CLASSES: Mapping[str, type[HttpResponse]] = {
    each.media_type: each for each in (JSONResponse, _EventStream) if each.media_type
}


def _summary(handler: Handler) -> str:
    """Return the first sentence of its docstring."""
    return re.split(r"\.\s", cleandoc(handler.__doc__ or ""))[0].rstrip(".")


def _endpoint(operation: ApiOperation, models: Mapping[str, Any]) -> Callable[..., Awaitable[HttpResponse]]:
    """Return FastAPI's endpoint; FastAPI reads from its signature what it validates."""

    async def endpoint(request: ApiRequest, **parts: Any) -> HttpResponse:  # noqa: ANN401 - the parts of the request
        return await request.run(parts)

    kinds: Mapping[str, Callable[[Any], object]] = {
        "query": lambda model: Annotated[model, Query()],
        "headers": lambda model: Annotated[model, Header()],
        "body": lambda model: Annotated[Any, Body(), _JsonOf(model)],
    }
    keyword = partial(Parameter, kind=Parameter.KEYWORD_ONLY)
    parameters = [keyword("request", annotation=ApiRequest)]
    for name, model in models.items():
        if name != "return" and model is not RequestContext:
            parameters.append(keyword(name, annotation=kinds[name](model) if name in kinds else model))
    endpoint.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # inspect reads it
    endpoint.operation = operation  # type: ignore[attr-defined] # `OperationRoute.operation` reads it
    return endpoint


class _JsonOf(NamedTuple):
    """Has FastAPI validate the JSON text of a body, as strict models need it, and document it as the model.

    No annotation names the model itself, so pydantic builds it at its first use (`defer_build`).
    """

    model: type[BaseModel]

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def _read(self, raw: bytes) -> BaseModel:
        return self.model.model_validate_json(raw)

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        self.model.model_rebuild()
        ours = self.model.__pydantic_core_schema__
        return handler(core_schema.no_info_plain_validator_function(self._read, json_schema_input_schema=ours))


def _responses(operation: ApiOperation) -> dict[int | str, dict[str, Any]]:
    """Return what the document says of the operation's responses beyond the model of the good one."""
    links = {
        name: {"operationId": name, "parameters": dict(parameters)} for name, parameters in operation.links.items()
    }
    summary = _summary(operation.handler)
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": summary, **({"links": links} if links else {})} for status in operation.statuses
    }
    for status in operation.statuses[1:]:
        responses[status]["model"] = operation.answer
    problems = sorted(operation.problems, key=lambda code: (code.kind.status, code))
    for status, codes in groupby(problems, key=attrgetter("kind.status")):
        responses[int(status)] = {
            "description": "; ".join(f"`{code}`: {code.kind.title}" for code in codes),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Document"}}},
        }
    return responses


def _openapi_extra(operation: ApiOperation) -> dict[str, Any]:
    scheme = "browser" if operation.right is ApiAccess.BROWSER else "key"
    extra: dict[str, Any] = {"security": [] if operation.right is ApiAccess.NONE else [{scheme: []}]}
    if operation.idempotency:
        extra["parameters"] = [_IDEMPOTENCY_PARAMETER]
    if operation.optional_body:
        extra["requestBody"] = {"required": False}
    return extra
