"""A sandbox at a running hub, for tests: got as everybody gets one, by one request without a key."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.hubs import RunningHub

ENDED_STATES = {"delivered", "partly_delivered", "not_delivered", "refused", "cancelled", "expired"}


@dataclass
class SandboxClient:
    """One sandbox."""

    hub: RunningHub
    said: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """What goes with each request."""
        return {"Authorization": f"Bearer {self.said['api_key']}"}

    def promise(self, *parcels: str, hours: float = 5, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """A delivery whose window is hours away."""
        start = datetime.now(UTC) + timedelta(hours=hours)
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
        plain = {"entrance": "garage", "carrier": "Chronopost", "place": "shelf", "window": window}
        return {**plain, "parcels": list(parcels), **more}

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Ask the hub; status and what it said."""
        async with self.hub.http.request(method, path, json=body, headers=self.headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def announce(self, *parcels: str, **more: Any) -> str:  # noqa: ANN401 - JSON
        """Announce a delivery by plain JSON; its id."""
        body = {"connection": self.said["connection"], "delivery": self.promise(*parcels, **more)}
        status, said = await self.ask("POST", "/v1/deliveries", body)
        assert status == 201, said
        return str(said["id"])

    async def until(self, delivery: str, *states: str) -> dict[str, Any]:
        """Wait until a delivery stands so; how it stands."""
        async with asyncio.timeout(30):
            while True:
                _, said = await self.ask("GET", f"/v1/deliveries/{delivery}")
                if said["state"] in states:
                    return said
                await asyncio.sleep(0.05)

    async def until_answered(self, delivery: str, version: int) -> None:
        """Wait until the home has spoken of a version."""
        async with asyncio.timeout(30):
            while (await self.ask("GET", f"/v1/deliveries/{delivery}"))[1]["answered"] != version:  # noqa: ASYNC110 - what is waited for is the hub's, and rings no bell here
                await asyncio.sleep(0.05)

    async def told(self, delivery: str) -> list[dict[str, Any]]:
        """What the retailer was told of a delivery, oldest first."""
        _, said = await self.ask("GET", "/v1/events?limit=100")
        return [one for one in said["data"] if one["about"] == delivery]


async def create_sandbox(hub: RunningHub) -> SandboxClient:
    """Get one."""
    async with hub.http.post("/v1/sandbox") as answer:
        assert answer.status == 201, await answer.text()
        return SandboxClient(hub, await answer.json())
