"""Implements the operator's commands: add a retailer, make a claim for a box, revoke a home."""

from datetime import datetime, timedelta

from sqlalchemy import insert, select

from gateway.hub.boxes.unenrolment import revoke_certificates
from gateway.hub.database.store import HubStore, new_id, new_secret
from gateway.hub.database.tables import api_keys, claims, homes, retailers
from gateway.hub.http.authentication import secret_digest
from gateway.protocol.enrolment import ClaimCode, secret_key

CLAIM_LIFETIME = timedelta(hours=24)


class HomeNotFound(LookupError):  # noqa: N818 - it names what is the matter
    """The hub knows no home of this id; each command about one home raises it."""


async def create_retailer(store: HubStore, name: str, *, now: datetime, sandbox: bool = False) -> tuple[str, str]:
    """Make a retailer and its first API key; return the retailer's id and the key's token, which is stored nowhere."""
    retailer, key, secret = new_id("ret"), new_id("key"), new_secret()
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id=retailer, name=name, created=now))
        row = {"id": key, "retailer": retailer, "sha256": secret_digest(secret), "label": "first", "right": "full"}
        await tx.execute(insert(api_keys).values(**row, sandbox=sandbox, created=now))
    return retailer, f"{key}_{secret}"


async def create_claim(
    store: HubStore, *, url: str, fingerprint: str, now: datetime, home: str | None = None
) -> ClaimCode:
    """Make a claim by which one box can join within a day, and return its code.

    `fingerprint` is that of the hub's authority. With `home` that home joins again.
    """
    code = ClaimCode(url=url, claim=new_id("claim"), secret=new_secret(), authority=fingerprint)
    async with store.writing() as tx:
        if home is not None and await tx.scalar(select(homes.c.id).where(homes.c.id == home)) is None:
            raise HomeNotFound(home)
        row = {"id": code.claim, "sha256": secret_key(code.secret), "home": home}
        await tx.execute(insert(claims).values(**row, created=now, expires=now + CLAIM_LIFETIME))
    return code


async def revoke_home(store: HubStore, home: str, *, now: datetime) -> None:
    """Revoke a home's certificates, and end each claim by which it could join again."""
    async with store.writing() as tx:
        if not await revoke_certificates(tx, home, now):
            raise HomeNotFound(home)
