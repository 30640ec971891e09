"""A retailer's brand, its keys and a question to a home, for the tests of both."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select

from gateway.hub.boxes.box_events import HomeTransaction
from gateway.hub.database.tables import homes
from gateway.hub.deliveries.connections import on_decision
from gateway.protocol.box_hub import PermissionDecision, shard_of
from gateway.protocol.brand_statement import sign_proof
from gateway.protocol.keys import BoxKey
from gateway.protocol.support_code import new_support_code
from tests.hubs import RetailerAccess, RunningHub

ASKED_TERMS: dict[str, Any] = {"carriers": ["Chronopost"], "days": ["mon", "tue"], "hours": "08:00-18:00"}
GRANTED_DECISION = PermissionDecision(
    brand="lune", version=1, standing="granted", entrances=("garage",), places=("floor",), carriers=("Chronopost",),
    days=("mon", "tue"), hours="08:00-18:00",
)  # fmt: skip


@dataclass
class HubRetailer:
    """A retailer at a hub."""

    hub: RunningHub
    who: RetailerAccess
    key: BoxKey = field(default_factory=BoxKey.generate)

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask the API; status and body."""
        async with self.hub.http.request(method, path, json=body, headers=self.who.headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def brand(self, id_: str = "lune", name: str = "Maison Lune") -> tuple[int, Any]:
        """Make a brand."""
        return await self.call("POST", "/v1/brands", {"id": id_, "name": name})

    async def enrol(self, kid: str = "lune-1", brand: str = "lune", key: BoxKey | None = None) -> tuple[int, Any]:
        """Enrol a key of it."""
        key = key or self.key
        proof = sign_proof(key.sign, brand=brand, kid=kid, hub=self.hub.url)
        return await self.call("POST", f"/v1/brands/{brand}/keys", {"kid": kid, "x": key.public.text, "proof": proof})

    async def ask(self, **more: object) -> Any:  # noqa: ANN401 - JSON
        """Ask a home; what is answered."""
        status, made = await self.call("POST", "/v1/connections", {"brand": "lune", "asked": ASKED_TERMS, **more})
        assert status == 201, made
        return made

    async def home(self, name: str = "home-1", *, sandbox: bool = False) -> str:
        """Let a home join; its support code."""
        code = new_support_code()
        async with self.hub.hub.store.writing() as tx:
            await tx.execute(
                insert(homes).values(
                    id=name, shard=shard_of(name), sandbox=sandbox, support_code=code, joined=self.hub.hub.now(),
                    said={"timezone": "Europe/Paris", "entrances": []}, box_key=BoxKey.generate().public.text,
                )
            )  # fmt: skip
        return code

    async def says(self, url: str, code: str) -> tuple[int, str]:
        """Say a support code on the consent page; status and what the page shows then."""
        async with self.hub.http.post(url, data={"code": code}) as answer:
            return answer.status, await answer.text()

    async def decides(self, said: PermissionDecision, name: str = "home-1") -> bool:
        """The home's word, as the ingest takes it in; whether it changed anything."""
        async with self.hub.hub.store.writing() as tx:
            box = await HomeTransaction.begin(tx, name, self.hub.hub.now())
            assert box is not None
            return await on_decision(tx, box.home, said, box.now)

    async def rows(self, table: Any) -> list[Any]:  # noqa: ANN401 - a table
        """All of a table."""
        async with self.hub.hub.store.reading() as tx:
            return list((await tx.execute(select(table))).all())
