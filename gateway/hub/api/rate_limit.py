"""Limits a retailer's reads and writes per second and writes per day, and all unknown clients together.

Responses carry the headers of draft-ietf-httpapi-ratelimit-headers-11. Each process counts for itself, so each hub of a
cluster has its own limits.

Each item of a batch counts. The hub admits a batch as a whole while the retailer is within its limit, and counts its
items afterwards: after 100 items at 20 a second it admits the next request five seconds later.
"""

import math
from collections.abc import Callable, Mapping
from hashlib import sha256

from gateway.domain.frozen import replace
from gateway.hub.config import Limits
from gateway.hub.http.client_address import NETWORK_LIMIT_FACTOR, wider_network
from gateway.hub.http.operation import ApiCaller, ApiOperation, HouseholdBrowser, Requester
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.http.request_windows import DAY, HOUR, MINUTE, SECOND, RequestLimit, RequestWindows

ANONYMOUS_WINDOW_S = 10  # a page and its parts are requested at once, so requests are averaged
MAX_KNOWN_KEYS = 10_000  # digests of credentials that were valid lately
MAX_OWED_S = 3600.0  # seconds that the items of batches can take to be paid for; a longer time is a clock set back
HOME_LIMIT_FACTOR = 3  # times the limit of one browser, for a whole home


class ApiRateLimits:
    """The rate limits of all callers; who reaches one gets an `ApiProblem`. `wall` returns seconds since 1970.

    `on_refusal` is called with the name of each limit that refuses.
    """

    def __init__(
        self,
        configured: Limits,
        *,
        wall: Callable[[], float],
        on_refusal: Callable[[str], None] = lambda _limit: None,
    ) -> None:
        self._on_refusal = on_refusal
        self._wall, self._windows = wall, RequestWindows(wall)
        self._valid_credentials: dict[bytes, None] = {}  # oldest first
        self._paid_at: dict[tuple[str, str], float] = {}  # when the items of a retailer's batches are paid for
        self._read_limits: dict[str, RequestLimit] = {"reads": RequestLimit(configured.reads, SECOND)}
        self._write_limits: dict[str, RequestLimit] = {
            "writes": RequestLimit(configured.writes, SECOND),
            "writes-a-day": RequestLimit(configured.writes_a_day, DAY),
        }
        sandbox_day = RequestLimit(min(configured.sandbox_writes_a_day, configured.writes_a_day), DAY)
        self._sandbox_limits = self._write_limits | {"writes-a-day": sandbox_day}
        self._browser_limits = {  # of a browser, and of its home
            "questions": _with_group(configured.questions, SECOND, HOME_LIMIT_FACTOR),
            "orders": _with_group(configured.orders, HOUR, HOME_LIMIT_FACTOR),
        }
        requests = configured.stranger_requests * ANONYMOUS_WINDOW_S
        of_requests = _with_group(requests, ANONYMOUS_WINDOW_S, NETWORK_LIMIT_FACTOR)
        self._anonymous_limits = {  # of an address, and of its network
            **dict.fromkeys(("stranger-requests", "monitoring"), of_requests),
            "strangers": _with_group(configured.strangers, MINUTE, NETWORK_LIMIT_FACTOR),
            "sandboxes": _with_group(configured.sandboxes, HOUR, NETWORK_LIMIT_FACTOR),
        }

    def take(self, requester: Requester, address: str, operation: ApiOperation) -> dict[str, str]:
        """Count one request, and return the headers that tell the requester's limits; `address` is the client's.

        A request of a browser counts for all browsers of its home too. Without a key only what writes is counted.
        """
        match requester:
            case HouseholdBrowser():
                kind = "orders" if operation.writes else "questions"
                of_browser, of_home = self._browser_limits[kind]
                self._take({f"{kind}-of-home": of_home}, requester.home)
                return self._take({kind: of_browser}, f"{requester.home}/{requester.browser}")
            case ApiCaller():
                items = self._limits_of(requester, operation)
                self._refuse_unpaid(items, requester.retailer)
                return self._take(items, requester.retailer)
            case None if operation.writes:
                return self.take_for_address(address, "sandboxes" if operation.strict_limit else "strangers")
            case _:
                return {}

    def take_items(self, requester: Requester, operation: ApiOperation, items: int) -> dict[str, str]:
        """Count that many further items of an admitted request, and return the headers that tell the limits then.

        A batch of more items than are left of the day's limit is refused whole, with an `ApiProblem`.
        """
        if not isinstance(requester, ApiCaller) or items <= 0:
            return {}
        second, *longer = self._limits_of(requester, operation).items()
        headers = self._take(dict(longer), requester.retailer, cost=items) if longer else {}
        name, item = second
        owed = (requester.retailer, name)
        now = self._wall()
        self._paid_at = {whose: at for whose, at in self._paid_at.items() if at > now}
        self._paid_at[owed] = max(now, self._paid_at.get(owed, now)) + items * item.seconds / item.amount
        of_second = _headers(name, item, remaining=0, seconds=self._unpaid_s(owed))
        return {header: ", ".join(filter(None, (first, headers.get(header)))) for header, first in of_second.items()}

    def _limits_of(self, caller: ApiCaller, operation: ApiOperation) -> Mapping[str, RequestLimit]:
        """Return the limits that an operation counts against, that of a second first."""
        if not operation.writes:
            return _with_own(self._read_limits, {"reads": caller.limits.reads})
        items = self._sandbox_limits if caller.sandbox else self._write_limits
        return _with_own(items, {"writes": caller.limits.writes, "writes-a-day": caller.limits.writes_a_day})

    def _refuse_unpaid(self, items: Mapping[str, RequestLimit], whose: str) -> None:
        name, item = next(iter(items.items()))
        wait = self._unpaid_s((whose, name))
        if wait:
            headers = _headers(name, item, remaining=0, seconds=wait) | {"Retry-After": str(wait)}
            detail = f"The items of your batch are counted until then: try again in {wait} s."
            raise ApiProblem(Code.RATE_LIMITED, detail, headers=headers)

    def _unpaid_s(self, owed: tuple[str, str]) -> int:
        """Return the seconds until the items of a retailer's batches are paid for; a clock set back forgets them."""
        if owed not in self._paid_at:
            return 0
        left = self._paid_at[owed] - self._wall()
        if left <= 0 or left > MAX_OWED_S:
            self._paid_at.pop(owed, None)
            return 0
        return math.ceil(left)

    def admit(self, address: str, authorization: str | None, kind: str = "stranger-requests") -> None:
        """Count one request of an address, before anything else is done for it.

        A client with credentials that were valid lately is not counted, so that others at its address do not block it.
        """
        if authorization is None or _digest(authorization) not in self._valid_credentials:
            self.take_for_address(address, kind)

    def remember_credentials(self, authorization: str, *, are_valid: bool) -> None:
        """Remember whether these credentials are valid."""
        digest = _digest(authorization)
        self._valid_credentials.pop(digest, None)
        if are_valid:
            self._valid_credentials[digest] = None
            if len(self._valid_credentials) > MAX_KNOWN_KEYS:
                del self._valid_credentials[next(iter(self._valid_credentials))]

    def take_for_address(self, address: str, kind: str = "strangers") -> dict[str, str]:
        """Count one request of this kind of an address (`client_address`) without a key, and of its network."""
        network = wider_network(address)
        of_address, of_network = self._anonymous_limits[kind]
        headers = self._take({kind: of_address}, address)
        if network is not None:
            self._take({f"{kind}-around": of_network}, network)
        return headers

    def _take(self, items: Mapping[str, RequestLimit], whose: str, cost: int = 1) -> dict[str, str]:
        wait, policies, states = 0, list[str](), list[str]()
        for name, item in items.items():
            use = self._windows.take(name, whose, item, cost)
            policies.append(_policy(name, item))
            states.append(_state(name, use.remaining, use.seconds))
            if not use.is_granted:
                self._on_refusal(name)
                wait = max(wait, use.seconds)
        headers = {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}
        if wait:
            raise ApiProblem(
                Code.RATE_LIMITED, f"Try again in {wait} s.", headers={**headers, "Retry-After": str(wait)}
            )
        return headers


def _headers(name: str, item: RequestLimit, *, remaining: int, seconds: int) -> dict[str, str]:
    """Return the headers that describe one limit, of which `remaining` are left for so many seconds."""
    return {"RateLimit-Policy": _policy(name, item), "RateLimit": _state(name, remaining, seconds)}


def _policy(name: str, item: RequestLimit) -> str:
    return f'"{name}";q={item.amount};w={item.seconds}'


def _state(name: str, remaining: int, seconds: int) -> str:
    return f'"{name}";r={remaining};t={seconds}'


def _with_own(items: Mapping[str, RequestLimit], own: Mapping[str, int | None]) -> Mapping[str, RequestLimit]:
    """Return the limits of hub.yaml, with those in their place that the operator set for the retailer."""
    amounts = {name: amount for name, amount in own.items() if amount is not None}
    if not amounts:
        return items
    return {name: replace(item, amount=amounts.get(name, item.amount)) for name, item in items.items()}


def _with_group(amount: int, seconds: int, factor: int) -> tuple[RequestLimit, RequestLimit]:
    """Return the limit of one requester, and that of the group that it belongs to."""
    return RequestLimit(amount, seconds), RequestLimit(amount * factor, seconds)


def _digest(authorization: str) -> bytes:
    return sha256(authorization.encode(errors="replace")).digest()
