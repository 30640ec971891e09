"""Describes one request, and decides after each try whether to repeat it, when, and what the caller gets.

Pure: `exchange` and `follow` are generators that yield what to do next (send, wait, read) and are sent what came of it.
The clients of client.py do it, one blocking and one with asyncio, so each rule is written once.
"""

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from itertools import count
from types import MappingProxyType
from typing import Generic, Literal, Protocol, Self, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel

from .errors import HubUnreachableError, NotFoundError, RefusedError, refusal
from .event_stream import EventStreamReader

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
QueryValue = str | int | datetime | None
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E")
V = TypeVar("V", bound="HasId")

_MAYBE_DONE = frozenset({500, 502, 503, 504})  # the hub or a proxy before it failed, perhaps after the commit
_FIRST_EVENT_INTERVAL_S = 1.0
_EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How a client repeats a request without an answer, or with one that allows it (429, 500, 502, 503, 504).

    Before the n-th repetition the client waits for a random time between 0 and `first_s` doubled n-1 times, at most
    `max_s` (full jitter), and in addition for what `Retry-After` says. If a hub asks for more than `max_retry_after_s`,
    the client does not try again.
    """

    tries: int = 5
    first_s: float = 0.5
    max_s: float = 8.0
    max_retry_after_s: float = 60.0

    def delay_s(self, failures: int, chance: float) -> float:
        """Return the wait after so many failures (1: the first), for a `chance` of 0 to 1."""
        return chance * min(self.max_s, self.first_s * 2.0 ** min(failures - 1, 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest(Generic[T_co]):
    """One request of the API, and how its answer is read: `read` takes the body and raises ValueError for another one.

    `only_reads`: a POST that changes nothing. `idempotency_key`: the caller's own name for this request; without one
    the client makes one.
    """

    method: Method
    path: str
    read: Callable[[bytes], T_co]
    query: Mapping[str, QueryValue] = field(default_factory=lambda: MappingProxyType({}))
    body: BaseModel | None = None
    takes_idempotency_key: bool = False
    idempotency_key: str | None = None
    only_reads: bool = False

    @property
    def is_repeatable(self) -> bool:
        """Whether the request may be sent again although an earlier one may have taken effect."""
        match self.method:
            case "POST":
                return self.takes_idempotency_key or self.only_reads
            case "PATCH":  # another version of a delivery: it is made once only if it names the version that it changes
                makes_version = self.body is not None and not {"delivery", "token"}.isdisjoint(
                    type(self.body).model_fields
                )
                return not makes_version or getattr(self.body, "version", None) is not None
            case "GET" | "PUT" | "DELETE":
                return True

    def following(self, cursor: str) -> Self:
        """Return the request for the page that begins at a cursor; `HubUnreachableError` if this is that page."""
        if self.query.get("cursor") == cursor:
            raise HubUnreachableError("A list does not end: its next page is the same one. No hub answers so.")
        return replace(self, query={**self.query, "cursor": cursor})

    def to_send(self, new_key: Callable[[], str]) -> "Send":
        """Return what goes over the network."""
        headers = {"Accept": "application/json, application/problem+json"}
        content = b""
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            content = self.body.model_dump_json(by_alias=True, exclude_unset=True).encode()
        if self.takes_idempotency_key:
            headers["Idempotency-Key"] = self.idempotency_key or new_key()
        given = {name: _query_text(value) for name, value in self.query.items() if value is not None}
        return Send(self.method, self.path + (f"?{urlencode(given)}" if given else ""), headers, content)


@dataclass(frozen=True, slots=True)
class Send:
    """Send this once. `target`: path and query."""

    method: Method
    target: str
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole. The names of `headers` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """There is no answer. `arrived`: the hub may have got the request."""

    reason: str
    arrived: bool


def exchange(
    request: ApiRequest[T_co],
    retries: Retries,
    *,
    chance: Callable[[], float],
    new_key: Callable[[], str],
    now: Callable[[], datetime],
) -> Generator[Send | Sleep, Reply | Fault | None, T_co]:
    """Send a request until it is answered, and return the answer; every try has the same Idempotency-Key.

    Raises:
        RefusedError: the hub refuses it.
        HubUnreachableError: no try got an answer, or what answers is not a hub.
    """
    send, maybe_done = request.to_send(new_key), False
    for tried in count(1):
        outcome = yield send
        if isinstance(outcome, Reply) and outcome.status < HTTPStatus.MULTIPLE_CHOICES:
            return read_answer(request.read, outcome.body)
        error, may_repeat, least_s = _judge(request, outcome, maybe_done=maybe_done, now=now)
        if maybe_done and request.method == "DELETE" and isinstance(error, NotFoundError):
            return request.read(b"")  # an earlier try deleted it
        if not may_repeat or tried >= retries.tries or least_s > retries.max_retry_after_s:
            raise error
        maybe_done = maybe_done or not isinstance(outcome, Reply) or outcome.status in _MAYBE_DONE
        yield Sleep(least_s + retries.delay_s(tried, chance()))
    raise AssertionError("the last try has returned or raised")


def _judge(
    request: ApiRequest[object], outcome: Reply | Fault | None, *, maybe_done: bool, now: Callable[[], datetime]
) -> tuple[HubUnreachableError | RefusedError, bool, float]:
    """Return the exception of an outcome, whether to send the request again, and after how many seconds at least."""
    match outcome:
        case Reply(status=status):
            error = refusal(status, outcome.body, maybe_done=maybe_done)
            passes = status == HTTPStatus.TOO_MANY_REQUESTS or (
                request.is_repeatable
                # An earlier try that the client gave up may still be at work under this Idempotency-Key.
                and (status in _MAYBE_DONE or (maybe_done and error.code == "conflict"))
            )
            return error, passes, _retry_after_s(outcome, now)
        case Fault(reason=reason, arrived=arrived):
            silent = HubUnreachableError(f"The hub does not answer ({reason}).")
            return silent, request.is_repeatable or not arrived, 0.0
        case None:
            raise TypeError("a request that was sent has an outcome")


def read_answer(read: Callable[[bytes], T_co], body: bytes) -> T_co:
    """Return an answer; one that is not a hub's raises HubUnreachableError."""
    try:
        return read(body)
    except ValueError as error:
        raise HubUnreachableError("What answers is not a hub, or one of another version of the API.") from error


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a stream by this request; the outcome is `Connected`, or a `Reply` or `Fault`."""

    send: Send


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream is open."""


@dataclass(frozen=True, slots=True)
class ReadPart:
    """Read the next part of the stream; the outcome is its bytes, empty at the end or at a fault."""


@dataclass(frozen=True, slots=True)
class Emit(Generic[T_co]):
    """Hand this event to the caller."""

    event: T_co


EventSteps = Generator[Send | Sleep | Connect | ReadPart | Emit[E], Reply | Fault | Connected | bytes | None, None]


class HasId(Protocol):
    """An event."""

    @property
    def id(self) -> str:
        """The event's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRequests(Generic[V]):
    """The requests for one selection of events: their stream, the newest of them, and a page from the oldest on."""

    stream: ApiRequest[V]
    newest: ApiRequest[Sequence[V]]
    oldest: ApiRequest[Sequence[V]]


def follow(
    requests: EventRequests[V],
    after: str | None,
    retries: Retries,
    *,
    chance: Callable[[], float],
    now: Callable[[], datetime],
) -> EventSteps[V]:
    """Follow events without end: after each fault connect again, and continue after the last event.

    `after`: the id of the event after which to begin; None: after the newest event, which the client reads first. While
    there is no event, the client reads the list once a second.

    Raises:
        RefusedError: the hub refuses it for good, such as a key that was revoked.
        HubUnreachableError: what answers is not a hub; or `after` is None and the hub does not answer.
    """
    listed = partial(exchange, chance=chance, new_key=str, now=now)
    if after is None:
        after = next((event.id for event in (yield from listed(requests.newest, retries))), None)
    while after is None:
        yield Sleep(_FIRST_EVENT_INTERVAL_S)
        for event in (yield from listed(requests.oldest, replace(retries, tries=sys.maxsize))):
            after = event.id
            yield Emit(event)
    reader, send, failures = EventStreamReader(last=after), requests.stream.to_send(str), 0
    while True:
        headers = {"Accept": _EVENT_STREAM, "Last-Event-ID": str(reader.last_event_id)}
        outcome, least_s = (yield Connect(replace(send, headers=headers))), 0.0
        if isinstance(outcome, Connected):
            while isinstance(part := (yield ReadPart()), bytes) and part:
                for message in read_answer(lambda part: list(reader.feed(part)), part):
                    failures = 0
                    yield Emit(read_answer(requests.stream.read, message.data.encode()))
            reader.discard_unfinished()
        elif isinstance(outcome, Reply):
            error, may_repeat, least_s = _judge(requests.stream, outcome, maybe_done=False, now=now)
            if not may_repeat:
                raise error
        failures += 1
        yield Sleep(least_s + retries.delay_s(failures, chance()))


def _retry_after_s(reply: Reply, now: Callable[[], datetime]) -> float:
    """Return for how many seconds an answer asks to wait: `Retry-After` is a number or a date (RFC 9110, 10.2.3)."""
    text = reply.headers.get("retry-after", "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now()).total_seconds())
    except (TypeError, ValueError):  # none, or no date with a zone
        return 0.0


def _query_text(value: str | int | datetime) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
