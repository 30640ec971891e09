"""Homes that have joined and let one brand in, written into a hub's store in bulk: what a million joins would leave."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert

from gateway.hub import operator
from gateway.hub.authority import Authority, public_of
from gateway.hub.store import Store, new_id
from gateway.hub.supportcode import fresh
from gateway.hub.tables import brands, certificates, connections, homes
from gateway.hub.words import EntranceSaid, shard_of
from gateway.proof.keys import BoxKey

BRAND = "lune"
AT_ONCE = 500  # rows in one transaction
ENTRANCE = EntranceSaid(id="front", name="Front door", places=("hall",), courier_proof=False)


@dataclass(frozen=True)
class Identity:
    """What one simulated home is and has."""

    home: str
    connection: str
    key: str  # the box's Ed25519 key (PEM)
    pem: str | None  # the file with its certificate and key; None: it has none


@dataclass(frozen=True)
class Fleet:
    """A retailer with its key, and the homes that let it in."""

    token: str
    homes: tuple[Identity, ...]

    def write(self, file: Path) -> None:
        """Keep it, for another process."""
        file.write_text(json.dumps({"token": self.token, "homes": [asdict(home) for home in self.homes]}))

    @classmethod
    def read(cls, file: Path) -> "Fleet":
        """What `write` wrote."""
        known = json.loads(file.read_text())
        return cls(known["token"], tuple(Identity(**home) for home in known["homes"]))


async def enrol(store: Store, count: int, *, now: datetime, folder: Path, authority: Authority | None = None) -> Fleet:
    """Let homes join and a brand in. Their certificates go to `folder`, which is there; without `authority` none."""
    retailer, token = await operator.let_in(store, "Maison Lune", now=now)
    async with store.writing() as tx:
        await tx.execute(insert(brands).values(id=BRAND, retailer=retailer, name="Maison Lune", created=now))
    made: list[Identity] = []
    while len(made) < count:
        some = [_one(folder, authority, now) for _ in range(min(AT_ONCE, count - len(made)))]
        async with store.writing() as tx:
            await tx.execute(insert(homes), [row["home"] for _, row in some])
            if authority is not None:
                await tx.execute(insert(certificates), [row["certificate"] for _, row in some])
            await tx.execute(insert(connections), [{**row["connection"], "retailer": retailer} for _, row in some])
        made += [identity for identity, _ in some]
    return Fleet(token, tuple(made))


def _one(folder: Path, authority: Authority | None, now: datetime) -> tuple[Identity, dict[str, dict[str, Any]]]:
    home, key, connection = new_id("home"), BoxKey.fresh(), new_id("con")
    said = {"timezone": "Europe/Paris", "entrances": [ENTRANCE.model_dump(mode="json")]}
    rows: dict[str, dict[str, Any]] = {
        "home": {"id": home, "shard": shard_of(home), "sandbox": False, "support_code": fresh(), "joined": now,
                 "box_key": key.public.text, "said": said},
        "connection": {"id": connection, "brand": BRAND, "home": home, "state": "granted", "asked": {}, "version": 1,
                       "terms": {"hub_signed": True, "entrances": ["front"], "places": ["hall"],
                                 "carriers": ["Chronopost"]}, "sandbox": False, "consent_sha256": b"",
                       "created": now, "expires": now + timedelta(days=30), "decided": now},
    }  # fmt: skip
    pem = None
    if authority is not None:
        own = ec.generate_private_key(ec.SECP256R1())
        leaf = authority.certify(home, own.public_key(), now=now)
        pem = folder / f"{home}.pem"
        form = serialization.PrivateFormat.PKCS8
        private = own.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        pem.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
        rows["certificate"] = {
            "serial": f"{leaf.serial_number:x}", "home": home, "public": public_of(own.public_key()), "issued": now,
            "der": leaf.public_bytes(serialization.Encoding.DER), "expires": leaf.not_valid_after_utc, "used": now,
        }  # fmt: skip
    return Identity(home, connection, key.pem.decode(), None if pem is None else str(pem)), rows
