"""Describes one operation of the API: request, responses, access and handler. The document is built from these."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from gateway.domain.delivery.promise import WireModel
from gateway.domain.frozen import Frozen
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.problem import Code
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

    `carrier`: of a carrier's own key, which sees that carrier's deliveries and nothing else.
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
# gateway.hub.api.sse.SseStreams.follow: the caller, the number to begin after, the types (empty: all), the seconds
# gateway.hub.api.rate_limit.ApiRateLimits.take_items: counts the items of a batch beyond the first
TakeItems = Callable[[int], Awaitable[Mapping[str, str]]]
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
    counts a request's further items against the requester's limits, and returns the headers that tell them.
    """

    requester: Requester
    request_id: str
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
    headers: Mapping[str, str] = MappingProxyType({})
    stream: AsyncGenerator[bytes, None] | None = None
    later: Callable[[], Awaitable[M_co]] | None = None


Handler = Callable[..., Awaitable[BaseModel | Response[Any] | None]]
"""Takes a `RequestContext`, and by name each parameter of the path and those of `query`, `headers` and `body` that the
operation has.

Their annotations are the types and models that validate these parts of the request. The annotated result is the model
of a good response: the model itself, `Response` of it, or None for no body.
"""

_PATH_PARAMETER = re.compile(r"\{(\w+)\}", re.ASCII)
_BODY_CODES = (Code.MALFORMED_JSON, Code.TOO_LARGE, Code.TOO_SLOW, Code.UNSUPPORTED_MEDIA_TYPE)
H = TypeVar("H", bound=Handler)

# The operations that can follow, and their parameters in this response (OpenAPI's runtime expressions)
OperationLinks = Mapping[str, Mapping[str, str]]


def links_to(parameter: str, *operations: str) -> OperationLinks:
    """Return links to operations whose path takes the response's `id` as this parameter."""
    return {name: {parameter: "$response.body#/id"} for name in operations}


class ApiOperation(Frozen):
    """One operation. `name` is its operationId. `headers`: a model whose fields have the headers' names as aliases.

    `answer`: the model of a good response; None: no body. `statuses`: those of good responses, the usual one first.
    `refuses`: the codes that do not follow from the rest (a body can be malformed, a path unknown ...).
    `strict_limit`: the strict rate limit of an hour holds for callers without a key. `only_asks`: it changes nothing,
    whatever its method. `optional_body`: a missing body counts as an empty object. `carriers`: a carrier's own key may
    call it too, for that carrier's deliveries.
    """

    name: str
    method: Method
    path: str
    summary: str
    tag: str
    handler: Handler
    right: ApiAccess
    answer: type[BaseModel] | None
    statuses: tuple[int, ...]
    path_model: type[BaseModel] | None
    query: type[BaseModel] | None
    headers: type[BaseModel] | None
    body: type[BaseModel] | None
    media_type: str = "application/json"
    optional_body: bool = False
    refuses: AbstractSet[Code] = frozenset()
    links: OperationLinks = MappingProxyType({})
    max_body_bytes: int = 65_536
    strict_limit: bool = False
    only_asks: bool = False
    carriers: bool = False

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
    def problems(self) -> frozenset[Code]:
        """All codes with which it can refuse."""
        needs_key = self.right is not ApiAccess.NONE
        is_validated = any((self.query, self.headers, self.body, self.idempotency))
        possible = {
            Code.UNAUTHENTICATED: needs_key,
            Code.RATE_LIMITED: needs_key or self.writes,
            Code.FORBIDDEN: self.right is ApiAccess.FULL or (self.right is ApiAccess.READ and not self.carriers),
            Code.RETAILER_SUSPENDED: needs_key and self.right is not ApiAccess.BROWSER,
            Code.NOT_FOUND: self.path_model is not None,
            Code.INVALID: is_validated,
            Code.BAD_CURSOR: self.query is not None and "cursor" in self.query.model_fields,
            Code.IDEMPOTENCY_KEY_REUSED: self.idempotency,
            **dict.fromkeys(_BODY_CODES, self.body is not None),
        }
        always = {Code.INTERNAL, Code.UNAVAILABLE, Code.BAD_HOST}
        return frozenset(always | self.refuses | {code for code, can_occur in possible.items() if can_occur})


class OperationGroup(list[ApiOperation]):
    """The operations of one tag, in the order of the document; a decorator adds each.

    The decorator takes method, path, name, and the fields of `ApiOperation` that differ from their defaults. The first
    sentence of a handler's docstring is the summary of its operation. Without `right` an operation needs a key: for GET
    one that may read, else one that may do everything.
    """

    def __init__(self, tag: str, *, right: ApiAccess | None = None) -> None:
        super().__init__()
        self._tag, self._right = tag, right

    def add(self, method: Method, path: str, name: str, **details: Any) -> Callable[[H], H]:  # noqa: ANN401 - see above
        """Return the decorator that adds a handler's operation."""

        def decorate(handler: H) -> H:
            models = get_type_hints(handler, include_extras=True)
            parameters: dict[str, Any] = {key: (models[key], ...) for key in _PATH_PARAMETER.findall(path)}
            answer = next(iter(get_args(models["return"])), models["return"])
            answer = None if answer is type(None) else answer
            defaults = {
                "right": self._right or (ApiAccess.READ if method == "GET" else ApiAccess.FULL),
                "statuses": (204 if answer is None else 200,),
            }
            self.append(
                ApiOperation(
                    name=name, method=method, path=path, tag=self._tag, handler=handler, answer=answer,
                    summary=re.split(r"\.\s", handler.__doc__ or "")[0].rstrip("."),
                    path_model=create_model("Path", __base__=ApiParameters, **parameters) if parameters else None,
                    query=models.get("query"), headers=models.get("headers"),
                    body=models.get("body"), **(defaults | details),
                )
            )  # fmt: skip
            return handler

        return decorate
