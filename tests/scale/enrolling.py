"""Homes that have joined and let one brand in, written into a hub's store in bulk: what a million joins would leave."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert

from gateway.hub import admin
from gateway.hub.boxes.authority import HubAuthority, public_key_digest
from gateway.hub.database.store import HubStore, new_id
from gateway.hub.database.tables import brands, certificates, connections, homes
from gateway.protocol.box_hub import EntranceDescription, shard_of
from gateway.protocol.keys import BoxKey
from gateway.protocol.support_code import new_support_code

RETAILER_COUNT = 20  # each with a brand of its own: what is told one of them is told one after the other
MAX_ROWS_PER_TRANSACTION = 500  # rows in one transaction
ENTRANCE = EntranceDescription(id="front", name="Front door", places=("hall",), courier_proof=False)


@dataclass(frozen=True)
class HomeIdentity:
    """What one simulated home is and has."""

    home: str
    connection: str
    token: str  # the API key of the retailer whom it let in
    key: str  # the box's Ed25519 key (PEM)
    pem: str | None  # the file with its certificate and key; None: it has none


@dataclass(frozen=True)
class HomeFleet:
    """Homes, each of which has let one retailer in."""

    homes: tuple[HomeIdentity, ...]

    def write(self, file: Path) -> None:
        """Keep it, for another process."""
        file.write_text(json.dumps([asdict(home) for home in self.homes]))

    @classmethod
    def read(cls, file: Path) -> "HomeFleet":
        """What `write` wrote."""
        return cls(tuple(HomeIdentity(**home) for home in json.loads(file.read_text())))


async def enrol(
    store: HubStore, count: int, *, now: datetime, folder: Path, authority: HubAuthority | None = None
) -> HomeFleet:
    """Let homes join and brands in. Their certificates go to `folder`, which is there; without `authority` none."""
    shops = []
    for number in range(min(RETAILER_COUNT, count)):
        shops.append(await admin.create_retailer(store, f"Shop {number}", now=now))
        async with store.writing() as tx:
            row = {"id": f"shop-{number}", "retailer": shops[-1][0], "name": f"Shop {number}", "created": now}
            await tx.execute(insert(brands).values(row))
    made: list[HomeIdentity] = []
    while len(made) < count:
        some = []
        for at in range(len(made), min(len(made) + MAX_ROWS_PER_TRANSACTION, count)):
            number = at % len(shops)
            some.append(_make_home(folder, authority, now, (f"shop-{number}", *shops[number])))
        async with store.writing() as tx:
            await tx.execute(insert(homes), [row["home"] for _, row in some])
            if authority is not None:
                await tx.execute(insert(certificates), [row["certificate"] for _, row in some])
            await tx.execute(insert(connections), [row["connection"] for _, row in some])
        made += [identity for identity, _ in some]
    return HomeFleet(tuple(made))


def _make_home(
    folder: Path, authority: HubAuthority | None, now: datetime, shop: tuple[str, str, str]
) -> tuple[HomeIdentity, dict[str, dict[str, Any]]]:
    """One home and its rows. `shop`: the brand that it lets in, whose it is, and that one's API key."""
    brand, retailer, token = shop
    home, key, connection = new_id("home"), BoxKey.generate(), new_id("con")
    said = {"timezone": "Europe/Paris", "entrances": [ENTRANCE.model_dump(mode="json")]}
    rows: dict[str, dict[str, Any]] = {
        "home": {
            "id": home,
            "shard": shard_of(home),
            "sandbox": False,
            "support_code": new_support_code(),
            "joined": now,
            "box_key": key.public.text,
            "said": said,
        },
        "connection": {
            "id": connection,
            "brand": brand,
            "retailer": retailer,
            "home": home,
            "state": "granted",
            "asked": {},
            "version": 1,
            "terms": {"hub_signed": True, "entrances": ["front"], "places": ["hall"], "carriers": ["Chronopost"]},
            "sandbox": False,
            "consent_sha256": b"",
            "created": now,
            "expires": now + timedelta(days=30),
            "decided": now,
        },
    }
    pem = None
    if authority is not None:
        own = ec.generate_private_key(ec.SECP256R1())
        leaf = authority.certify(home, own.public_key(), now=now)
        pem = folder / f"{home}.pem"
        form = serialization.PrivateFormat.PKCS8
        private = own.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        pem.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
        rows["certificate"] = {
            "serial": f"{leaf.serial_number:x}",
            "home": home,
            "public": public_key_digest(own.public_key()),
            "issued": now,
            "der": leaf.public_bytes(serialization.Encoding.DER),
            "expires": leaf.not_valid_after_utc,
            "used": now,
        }
    return HomeIdentity(home, connection, token, key.pem.decode(), None if pem is None else str(pem)), rows
