"""How much one retailer may ask: so many writes and reads a second, so many writes a day; without a key, one address.

Told as draft-ietf-httpapi-ratelimit-headers-11 says. Counted in this process: each hub of a cluster has its own ration.
"""

import ipaddress
import math
from collections.abc import Callable, Mapping

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from gateway.hub.api.problem import Code, Problem
from gateway.hub.file import Limits


def neighbourhood(address: str) -> str:
    """Whose an address is, as far as that can be told: of IPv6 a whole /64 is one subscriber's (RFC 6177)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Rations:
    """All retailers' rations. `wall` is the seconds since 1970 by which the library counts."""

    def __init__(self, limits: Limits, *, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._reads: dict[str, RateLimitItem] = {"reads": RateLimitItemPerSecond(limits.reads)}
        self._writes: dict[str, RateLimitItem] = {
            "writes": RateLimitItemPerSecond(limits.writes),
            "writes-a-day": RateLimitItemPerDay(limits.writes_a_day),
        }
        self._sandbox: dict[str, RateLimitItem] = {
            **self._writes, "writes-a-day": RateLimitItemPerDay(min(limits.sandbox_writes_a_day, limits.writes_a_day))
        }  # fmt: skip
        self._strangers: dict[str, RateLimitItem] = {"strangers": RateLimitItemPerHour(limits.strangers)}

    async def take(self, retailer: str, *, writes: bool, sandbox: bool = False) -> dict[str, str]:
        """Take one request off a retailer's ration; what is told of what is left.

        Raises:
            Problem: nothing is left.
        """
        if not writes:
            return await self._take(retailer, self._reads)
        return await self._take(retailer, self._sandbox if sandbox else self._writes)

    async def take_stranger(self, address: str) -> dict[str, str]:
        """Take one request off an address's ration; the same.

        Raises:
            Problem: nothing is left.
        """
        return await self._take(address, self._strangers)

    async def _take(self, whose: str, rations: Mapping[str, RateLimitItem]) -> dict[str, str]:
        policies, left, wait = [], [], 0
        for name, item in rations.items():
            granted = await self._limiter.hit(item, name, whose)
            stats = await self._limiter.get_window_stats(item, name, whose)
            seconds = max(1, math.ceil(stats.reset_time - self._wall()))
            policies.append(f'"{name}";q={item.amount};w={item.get_expiry()}')
            left.append(f'"{name}";r={stats.remaining};t={seconds}')
            if not granted:
                wait = max(wait, seconds)
        told = {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
        if wait:
            raise Problem(Code.RATE_LIMITED, f"Try again in {wait} s.", headers={**told, "Retry-After": str(wait)})
        return told
