"""Retailers who announce deliveries by HTTP, steadily, whatever happens to the hubs meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp

from tests.scale.enrolling import HomeFleet

REQUEST_TIMEOUT_S = 10.0  # seconds for one answer


@dataclass
class AnnouncedDelivery:
    """One delivery that was announced. Instants in seconds, monotonic."""

    home: str
    asked: float
    answered: float


@dataclass
class LoadDriver:
    """All of them. `urls`: the hubs' addresses, asked in turn, all under the name of the first.

    A POST without an answer is sent again, as it was.
    """

    urls: Sequence[str]
    fleet: HomeFleet
    window: timedelta = timedelta(hours=4)
    # By the delivery's name: answered 201, so promised to the home
    made: dict[str, AnnouncedDelivery] = field(default_factory=dict)
    again: int = 0  # POSTs that were sent again
    _number: int = 0
    _is_stopped: bool = False

    def stop(self) -> None:
        """Announce no more; what was begun is waited for."""
        self._is_stopped = True

    async def send(self, count: int) -> None:
        """Announce so many, all at once."""
        async with self.session() as http:
            await asyncio.gather(*(self.one(http) for _ in range(count)))

    async def steadily(self, rate: float, seconds: float) -> None:
        """Announce `rate` a second. Whoever is late does not make the next one late."""
        began = time.monotonic()
        async with self.session() as http, asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                if self._is_stopped:
                    return
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                group.create_task(self.one(http))

    @contextlib.asynccontextmanager
    async def session(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - aiohttp's own
        """A client."""
        own = {"Host": urlsplit(self.urls[0]).netloc}
        async with aiohttp.ClientSession(
            headers=own,
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=200),
        ) as http:
            yield http

    async def one(self, http: aiohttp.ClientSession) -> None:
        """Announce one, until there is an answer."""
        self._number += 1
        number = self._number
        one = self.fleet.homes[number % len(self.fleet.homes)]
        name, start = f"d-{number}", datetime.now(UTC)
        window = {"start": start.isoformat(), "end": (start + self.window).isoformat()}
        body = {
            "connection": one.connection,
            "delivery": {"name": name, "entrance": "front", "carrier": "Chronopost", "place": "hall",
                         "window": window, "parcels": ["XY123456785FR"]},
        }  # fmt: skip
        asked, tries = time.monotonic(), 0
        while True:
            url = self.urls[(number + tries) % len(self.urls)]
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                headers = {"Authorization": f"Bearer {one.token}", "Idempotency-Key": name}
                async with http.post(f"{url}/v1/deliveries", json=body, headers=headers) as answer:
                    await answer.read()  # otherwise the client closes the connection
                    if answer.status == 201:
                        self.made[name] = AnnouncedDelivery(one.home, asked, time.monotonic())
                        return
                    said = await answer.text()
                    assert answer.status >= 500 or answer.status in (409, 429), said
            tries += 1
            self.again += 1
            await asyncio.sleep(min(2.0, 0.1 * 2**tries))
