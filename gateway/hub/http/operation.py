"""Describes one operation of the API: request, responses, access and handler. The document is built from these."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.http.problem import Code
from gateway.hub.http.ssrf import DEFAULT_POLICY, DestinationPolicy
from gateway.protocol.hub_signed import HubClaims

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


class Model(BaseModel):
    """What travels: frozen, strict, nothing unknown in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ApiParameters(BaseModel):
    """Parameters, which are all text in HTTP: so numbers are read from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCaller:
    """Whose key came with the request. Homes and deliveries of the sandbox and real ones never meet."""

    retailer: str
    key: str
    right: ApiAccess
    sandbox: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdBrowser:
    """A browser of a home's household. Whose it is the hub does not know."""

    home: str
    browser: str


def _no_wake_up() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUps:
    """Who is woken when there is work: who rings at homes, who sends webhooks."""

    jobs: Callable[[], None] = _no_wake_up
    messages: Callable[[], None] = _no_wake_up


class HubSigner(Protocol):
    """The hub's own key."""

    kid: str
    x: str

    def sign(self, claims: HubClaims) -> bytes:
        """Sign what a brand asked for by its API key."""
        ...

    def seal(self, secret: str, whose: str) -> str:
        """Write a secret for the store."""
        ...


class ResponseStream(Protocol):
    """An answer that goes on."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give its parts as they come."""
        ...

    def close(self) -> None:
        """It is over, also where it was never begun."""
        ...


class QueryRelay(Protocol):
    """Whoever asks homes for their households."""

    async def ask(self, member: HouseholdBrowser, sealed: str) -> str:
        """Hand on a question that nobody here can read, and return the answer to it.

        Raises:
            Problem: the home is not there, or says nothing.
        """
        ...


class EventStreams(Protocol):
    """Whoever follows a retailer's events."""

    def follow(self, caller: "ApiCaller", *, after: int, types: frozenset[str], seconds: float) -> ResponseStream:
        """Give the events behind number `after`, of these types (none: all), for so long.

        Raises:
            Problem: the retailer follows them often enough.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One request, understood. `tx` is one transaction; a handler that raises leaves nothing of it.

    Both `bells` are rung once what was changed is whole on the disk. `url` is the hub's own address, `allowed`
    where webhooks may go.
    """

    tx: AsyncConnection
    now: datetime
    url: str
    key: HubSigner
    streams: EventStreams
    asker: QueryRelay
    parts: tuple[BaseModel, ...]
    caller: ApiCaller | None = None
    by: HouseholdBrowser | None = None
    body: bytes = b""
    allowed: DestinationPolicy = DEFAULT_POLICY

    @property
    def who(self) -> ApiCaller:
        """The caller of an operation that needs a key."""
        if self.caller is None:
            raise TypeError("this operation is everybody's")
        return self.caller

    @property
    def member(self) -> HouseholdBrowser:
        """The browser that calls, of an operation that is for one."""
        if self.by is None:
            raise TypeError("this operation is no browser's")
        return self.by

    def of(self, model: type[P]) -> P:
        """The part of the request that was declared as this model."""
        return next(part for part in self.parts if isinstance(part, model))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is answered. `later`: not yet; what is comes once it has been waited for, outside any transaction."""

    status: int
    body: BaseModel | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    stream: ResponseStream | None = None
    later: Callable[[], Awaitable["Response"]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationLink:
    """An operation that can follow: its parameter is taken from this answer (an OpenAPI runtime expression)."""

    operation: str
    parameters: Mapping[str, str]


Handler = Callable[[RequestContext], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One operation. `name` is its operationId; `answers` maps each good status to its model (None: no body).

    `refuses`: what it can answer beside what follows from the rest (a body can be malformed, a path unknown ...).
    `headers`: a model whose fields have the headers' names as aliases. `media`: of what is answered. `largest`: bytes
    of body. `scarce`: without a key few of it an hour. `asks`: it changes nothing, whatever its method.
    """

    name: str
    method: Method
    path: str
    summary: str
    tag: str
    handler: Handler
    answers: Mapping[int, type[BaseModel] | None]
    right: ApiAccess = ApiAccess.FULL
    path_model: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    media: str = "application/json"
    body: type[BaseModel] | None = None
    bare: bool = False  # its body may be left out: then it is an empty object
    refuses: frozenset[Code] = frozenset()
    links: tuple[OperationLink, ...] = ()
    largest: int = 65_536
    scarce: bool = False
    asks: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes something: then it takes an Idempotency-Key where it is a POST."""
        return self.method != "GET" and not self.asks

    @property
    def idempotency(self) -> bool:
        """Whether a repeated Idempotency-Key gets the first answer again."""
        return self.writes and self.method == "POST" and self.right is not ApiAccess.NONE

    @property
    def problems(self) -> frozenset[Code]:
        """Everything that it can refuse."""
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
        if self.idempotency:
            found |= {Code.IDEMPOTENCY_KEY_REUSED}
        if self.body is not None:
            found |= {
                Code.MALFORMED_JSON, Code.INVALID, Code.TOO_LARGE, Code.TOO_SLOW, Code.UNSUPPORTED_MEDIA_TYPE,
            }  # fmt: skip
        return frozenset(found)
