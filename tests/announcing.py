"""A retailer with a brand, a home and a connection between both, put straight into a hub's store."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from gateway.domain.delivery.promise import Cancel, Claims, DeliveryResult, Offer, State, Update
from gateway.hub.boxes.box_events import EventOutcome, HomeTransaction
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import brand_keys, brands, connections, homes, jobs
from gateway.hub.deliveries.box_statements import STATEMENTS
from gateway.hub.http.authentication import secret_digest
from gateway.hub.sandbox.home import signed_statement
from gateway.protocol.box_hub import BrandAnswer, BrowserStatus, PermissionDecision, token_digest
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.delivery_message import sign_delivery
from gateway.protocol.delivery_record import END_STATES, DeliveryRecord, RecordEntry
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.keys import BoxKey
from tests.boxes import EventJournal
from tests.hubs import RetailerAccess, RunningHub
from tests.remotebrowser import RemoteBrowser

TOMORROW = timedelta(days=1)
BRAND_KEY = SigningKey.from_seed(bytes(range(32)))
TERMS: dict[str, Any] = {"entrances": ["front"], "places": ["hall"], "carriers": ["Chronopost"], "days": ["mon", "tue"],
         "hours": "00:00-24:00", "openings": 1, "hub_signed": True}  # fmt: skip


@dataclass
class ConnectedHome:
    """A home that one retailer's brand is connected to."""

    hub: RunningHub
    retailer: RetailerAccess
    brand: str
    id: str
    connection: str
    journal: EventJournal

    @property
    def headers(self) -> dict[str, str]:
        """The retailer's."""
        return self.retailer.headers

    def promise(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """What a retailer might promise for tomorrow."""
        start = datetime.now(UTC) + TOMORROW
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
        plain = {"entrance": "front", "carrier": "Chronopost", "place": "hall", "window": window}
        return {**plain, "parcels": ["XY123456785FR"], **more}

    def offer(self, name: str = "order-1") -> Offer:
        """The same as a brand writes it."""
        return Offer.model_validate_json(json.dumps({**self.promise(), "id": name, "version": 1}))

    def token(self, said: Offer | Update | Cancel, **more: Any) -> str:  # noqa: ANN401 - claims
        """A message as the brand signs it."""
        now = int(datetime.now(UTC).timestamp())
        claims = {"iss": self.brand, "aud": self.id, "iat": now, "nbf": now, "exp": now + 86_400,
                  "jti": new_id("jti"), "delivery": said, **more}  # fmt: skip
        return sign_delivery(Claims.model_validate(claims), BRAND_KEY, kid=f"{self.brand}-1").decode()

    async def ask(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask the hub; status and what it said."""
        own = self.headers if headers is None else headers
        async with self.hub.http.request(method, path, json=body, headers=own) as answer:
            return answer.status, {} if answer.status == 204 else await answer.json(content_type=None)

    async def announce(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Announce one by plain JSON."""
        status, said = await self.ask(
            "POST", "/v1/deliveries", {"connection": self.connection, "delivery": self.promise(**more)}
        )
        assert status == 201, said
        return said

    async def says(
        self,
        said: DeliveryResult | PermissionDecision | BrowserStatus | BrandAnswer,
        account: DeliveryRecord | None = None,
    ) -> EventOutcome:
        """Let the home's box say it: the next event of its chain, taken in as from the line."""
        async with self.hub.hub.store.writing() as tx:
            home = await HomeTransaction.begin(tx, self.id, self.hub.hub.now())
            assert home is not None
            return await home.on_event(self.journal.add(said, account))

    async def stands(
        self, delivery: Mapping[str, Any], state: str, *, lines: Sequence[RecordEntry] = (), **more: object
    ) -> EventOutcome:
        """Let the box say how a delivery stands; with the house's result too it gives its account."""
        said = {"box": "box", "at": self.hub.hub.now(), "brand": self.brand, "delivery": delivery["order_id"],
                "version": delivery["version"], "state": State(state), **more}  # fmt: skip
        result = DeliveryResult.model_validate(said, strict=False)
        over = result.state in END_STATES and result.house is not None
        took = await self.took(delivery) if over else None
        return await self.says(result, self.journal.account(result, lines, message_sha256=took) if over else None)

    async def took(self, delivery: Mapping[str, Any]) -> str | None:
        """What its box notes of the message that it took: of this version, as the hub sent it."""
        async with self.hub.hub.store.reading() as tx:
            sent = (await tx.scalars(select(jobs.c.token).where(jobs.c.delivery == delivery["id"]))).all()
        named = {json.loads(payload_of(token))["delivery"]["version"]: token_digest(token) for token in sent}
        return named.get(delivery["version"])

    async def states_features(self) -> None:
        """Let its box say to the brand what it understands: all that a box of this release does."""
        now = self.hub.hub.now()
        said = signed_statement(self.id, self.brand, TERMS["entrances"], now, self.journal.key)
        async with self.hub.hub.store.writing() as tx:
            new = {"said": {STATEMENTS: {self.brand: said.decode()}}}
            await tx.execute(update(homes).where(homes.c.id == self.id).values(**new))

    async def decide(self, state: str) -> None:
        """The connection stands so now."""
        async with self.hub.hub.store.writing() as tx:
            new = {"state": state, "home": self.id, "terms": TERMS if state == "granted" else None}
            await tx.execute(update(connections).where(connections.c.id == self.connection).values(**new))


async def connected_home(
    hub: RunningHub, retailer: RetailerAccess | None = None, *, state: str = "granted", sandbox: bool = False
) -> ConnectedHome:
    """Make one."""
    retailer = retailer or await hub.retailer(sandbox=sandbox)
    now, key, id_ = hub.hub.now(), BoxKey.generate(), new_id("home")
    home = ConnectedHome(hub, retailer, new_id("lune"), id_, new_id("con"), EventJournal(id_, key))
    async with hub.hub.store.writing() as tx:
        await tx.execute(
            insert(brands).values(
                id=home.brand, sandbox=sandbox, retailer=retailer.id, name="Lune", created=now,
            )
        )  # fmt: skip
        await tx.execute(
            insert(brand_keys).values(
                kid=f"{home.brand}-1", sandbox=sandbox, brand=home.brand, x=BRAND_KEY.public.text, created=now,
            )
        )  # fmt: skip
        await tx.execute(
            insert(homes).values(
                id=home.id, shard=0, sandbox=sandbox, support_code=new_id("s")[-12:], box_key=key.public.text, said={},
                joined=now,
            )
        )  # fmt: skip
        await tx.execute(
            insert(connections).values(
                id=home.connection,
                retailer=retailer.id,
                brand=home.brand,
                home=home.id,
                sandbox=sandbox,
                state=state,
                asked={"carriers": ["Chronopost"]},
                terms=TERMS if state == "granted" else None,
                version=1,
                reference="customer 7",
                consent_sha256=secret_digest("x"),
                created=now,
                expires=now + timedelta(days=30),
            )
        )
    return home


async def enrolled_browser(home: ConnectedHome) -> RemoteBrowser:
    """A browser of this home's household, which the home has told the hub of."""
    one = RemoteBrowser(browser=f"brw-{1:032x}", home=home.id, hub=home.hub.url)
    sign = Jwk.of(one.sign.public_key())
    assert await home.says(BrowserStatus(browser=one.browser, sign=sign, ended=False)) is EventOutcome.KEPT
    return one


def payload_of(token: bytes) -> bytes:
    """What is inside."""
    payload = token.split(b".")[1]
    return urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


async def sent_jobs(home: ConnectedHome) -> list[tuple[str, bytes]]:
    """What the hub has for a home: each job's kind and token, oldest first."""
    async with home.hub.hub.store.reading() as tx:
        rows = await tx.execute(select(jobs).where(jobs.c.home == home.id).order_by(jobs.c.created))
        return [(row.kind, row.token) for row in rows]
