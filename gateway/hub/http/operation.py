"""Describes one operation of the API: request, responses, access and handler. The document is built from these."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Literal, Protocol, Required, TypedDict, TypeVar, Unpack

from pydantic import BaseModel, BeforeValidator, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.http.problem import Code
from gateway.hub.http.ssrf import DEFAULT_POLICY, DestinationPolicy
from gateway.protocol.delivery_message import HubClaims

P = TypeVar("P", bound=BaseModel)

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class ApiAccess(StrEnum):
    """What a key may do."""

    NONE = auto()
    """Everybody, without a key."""

    READ = auto()
    FULL = auto()
    BROWSER = auto()
    """No key: a browser of a household, by a token that it signs itself. Pages of other origins may ask this."""


def _whole_float_to_int(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


AcceptWholeFloat = BeforeValidator(_whole_float_to_int)
"""JSON has one kind of number (RFC 8259, 6): 2.0 is 2."""


class Model(BaseModel):
    """A body: frozen, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ApiParameters(BaseModel):
    """Parameters of a request, which are text in HTTP, so numbers are parsed from text."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCaller:
    """The caller of a valid API key. Homes and deliveries of the sandbox and real ones never mix."""

    retailer: str
    key: str
    right: ApiAccess
    sandbox: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdBrowser:
    """A browser of a home's household; the hub does not know which person uses it."""

    home: str
    browser: str


def _no_wake_up() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUps:
    """Wakes the workers that publish jobs to homes and that send webhooks."""

    jobs: Callable[[], None] = _no_wake_up
    messages: Callable[[], None] = _no_wake_up


class HubSigner(Protocol):
    """The hub's own key."""

    kid: str
    x: str

    def sign(self, claims: HubClaims) -> bytes:
        """Sign what a brand requested by its API key."""
        ...

    def seal(self, secret: str, owner: str) -> str:
        """Encrypt a secret for the store."""
        ...


class ResponseStream(Protocol):
    """The parts of a streamed response."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts as they come."""
        ...

    def close(self) -> None:
        """End the stream, also if it never began."""
        ...


class QueryRelay(Protocol):
    """Relays queries of browsers to their homes."""

    async def ask(self, browser: HouseholdBrowser, sealed: str) -> str:
        """Send an encrypted query to the browser's home, and return the encrypted answer.

        Raises:
            ApiProblem: the home is not connected or does not answer.
        """
        ...


class EventStreams(Protocol):
    """Makes streams of a retailer's events."""

    def follow(self, caller: "ApiCaller", *, after: int, types: frozenset[str], seconds: float) -> ResponseStream:
        """Return a stream of the events after number `after`, of these types (empty: all), for so many seconds.

        Raises:
            ApiProblem: the retailer has the maximum number of streams.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One validated request. `tx` is a transaction; a handler that raises has changed nothing.

    The workers are woken after the commit. `url` is the hub's own address. `destination_policy` says to which addresses
    webhooks may go.
    """

    tx: AsyncConnection
    now: datetime
    url: str
    signer: HubSigner
    streams: EventStreams
    relay: QueryRelay
    parts: tuple[BaseModel, ...]
    optional_caller: ApiCaller | None = None
    optional_browser: HouseholdBrowser | None = None
    body: bytes = b""
    destination_policy: DestinationPolicy = DEFAULT_POLICY

    @property
    def caller(self) -> ApiCaller:
        """The caller of an operation that needs an API key."""
        if self.optional_caller is None:
            raise TypeError("this operation is everybody's")
        return self.optional_caller

    @property
    def browser(self) -> HouseholdBrowser:
        """The browser that calls an operation for browsers."""
        if self.optional_browser is None:
            raise TypeError("this operation is no browser's")
        return self.optional_browser

    def part(self, model: type[P]) -> P:
        """Return the part of the request that was declared as this model."""
        return next(part for part in self.parts if isinstance(part, model))


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request. `later`: it comes once this has been awaited, outside any transaction."""

    body: BaseModel | None = None
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    stream: ResponseStream | None = None
    later: Callable[[], Awaitable["Response"]] | None = None


Handler = Callable[[RequestContext], Awaitable[Response]]
ResponseModels = Mapping[int, type[BaseModel] | None]
"""The model of each good status; None: no body."""

OperationLinks = Mapping[str, Mapping[str, str]]
"""The operations that can follow, and their parameters in this response (OpenAPI's runtime expressions)."""


def links_to(parameter: str, *operations: str) -> OperationLinks:
    """Return links to operations whose path takes the response's `id` as this parameter."""
    return {name: {parameter: "$response.body#/id"} for name in operations}


class OperationDetails(TypedDict, total=False):
    """The arguments of a handler's decorator beside path and name; `ApiOperation` has their meanings and defaults."""

    answers: Required[ResponseModels]
    right: ApiAccess
    path_model: type[BaseModel]
    query: type[BaseModel]
    headers: type[BaseModel]
    body: type[BaseModel]
    optional_body: bool
    media_type: str
    refuses: AbstractSet[Code]
    links: OperationLinks
    max_body_bytes: int
    strict_limit: bool
    only_asks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One operation. `name` is its operationId. `headers`: a model whose fields have the headers' names as aliases.

    `refuses`: the codes that do not follow from the rest (a body can be malformed, a path unknown ...).
    `strict_limit`: the strict rate limit of an hour holds for callers without a key. `only_asks`: it changes nothing,
    whatever its method. `optional_body`: a missing body counts as an empty object.
    """

    name: str
    method: Method
    path: str
    summary: str
    tag: str
    handler: Handler
    right: ApiAccess
    answers: ResponseModels
    path_model: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    media_type: str = "application/json"
    body: type[BaseModel] | None = None
    optional_body: bool = False
    refuses: AbstractSet[Code] = frozenset()
    links: OperationLinks = MappingProxyType({})
    max_body_bytes: int = 65_536
    strict_limit: bool = False
    only_asks: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and not self.only_asks

    @property
    def idempotency(self) -> bool:
        """Whether it accepts an Idempotency-Key, so that a repeated request gets the first response again."""
        return self.writes and self.method == "POST" and self.right is not ApiAccess.NONE

    @property
    def problems(self) -> frozenset[Code]:
        """All codes with which it can refuse."""
        found = {Code.INTERNAL, Code.UNAVAILABLE, Code.BAD_HOST, *self.refuses}
        if self.right is not ApiAccess.NONE:
            found |= {Code.UNAUTHENTICATED}
        if self.right is not ApiAccess.NONE or self.writes:
            found |= {Code.RATE_LIMITED}
        if self.right is ApiAccess.FULL:
            found |= {Code.FORBIDDEN}
        if self.path_model is not None:
            found |= {Code.NOT_FOUND}
        if self.query is not None or self.headers is not None or self.idempotency:
            found |= {Code.INVALID}
        if self.query is not None and "cursor" in self.query.model_fields:
            found |= {Code.BAD_CURSOR}
        if self.idempotency:
            found |= {Code.IDEMPOTENCY_KEY_REUSED}
        if self.body is not None:
            found |= {
                Code.MALFORMED_JSON, Code.INVALID, Code.TOO_LARGE, Code.TOO_SLOW, Code.UNSUPPORTED_MEDIA_TYPE,
            }  # fmt: skip
        return frozenset(found)


class OperationGroup(list[ApiOperation]):
    """The operations of one tag, in the order of the document; a decorator adds each.

    The first sentence of a handler's docstring is the summary of its operation. Without `right` an operation
    needs a key: for GET one that may read, else one that may do everything.
    """

    def __init__(self, tag: str, *, right: ApiAccess | None = None) -> None:
        super().__init__()
        self._tag, self._right = tag, right

    def get(self, path: str, name: str, **details: Unpack[OperationDetails]) -> Callable[[Handler], Handler]:
        """Add a GET."""
        return self._adder("GET", path, name, details)

    def post(self, path: str, name: str, **details: Unpack[OperationDetails]) -> Callable[[Handler], Handler]:
        """Add a POST."""
        return self._adder("POST", path, name, details)

    def patch(self, path: str, name: str, **details: Unpack[OperationDetails]) -> Callable[[Handler], Handler]:
        """Add a PATCH."""
        return self._adder("PATCH", path, name, details)

    def delete(self, path: str, name: str, **details: Unpack[OperationDetails]) -> Callable[[Handler], Handler]:
        """Add a DELETE."""
        return self._adder("DELETE", path, name, details)

    def _adder(self, method: Method, path: str, name: str, details: OperationDetails) -> Callable[[Handler], Handler]:
        details.setdefault("right", self._right or (ApiAccess.READ if method == "GET" else ApiAccess.FULL))

        def add(handler: Handler) -> Handler:
            summary = (handler.__doc__ or "").partition(".\n")[0].rstrip(".")
            self.append(
                ApiOperation(
                    name=name, method=method, path=path, summary=summary, tag=self._tag, handler=handler,
                    **details,
                )
            )  # fmt: skip
            return handler

        return add
