"""What only whoever runs the hub does: let a retailer in, make a claim for a box, revoke a home."""

from datetime import datetime, timedelta

from sqlalchemy import insert, select

from gateway.hub.authentication import kept, new_secret
from gateway.hub.store import Store, new_id
from gateway.hub.tables import api_keys, claims, homes, retailers
from gateway.hub.unenrolment import revoked
from gateway.protocol.enrolment import Code, secret_key

CLAIM_LIFE = timedelta(hours=24)


class NoHome(LookupError):  # noqa: N818 - it names what is the matter
    """The hub knows no home of this name."""


async def let_in(store: Store, name: str, *, now: datetime, sandbox: bool = False) -> tuple[str, str]:
    """Make a retailer and its first key; its id and the key's token, which is told this once."""
    retailer, key, secret = new_id("ret"), new_id("key"), new_secret()
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id=retailer, name=name, created=now))
        await tx.execute(
            insert(api_keys).values(
                id=key,
                retailer=retailer,
                sha256=kept(secret),
                label="first",
                right="full",
                sandbox=sandbox,
                created=now,
            )
        )
    return retailer, f"{key}_{secret}"


async def claim(store: Store, *, url: str, authority: str, now: datetime, home: str | None = None) -> Code:
    """Make a claim, good once and for a day; `authority`: its fingerprint. `home` lets a known one join anew.

    Raises:
        NoHome: there is none of this name.
    """
    made = Code(url=url, claim=new_id("claim"), secret=new_secret(), authority=authority)
    async with store.writing() as tx:
        if home is not None and await tx.scalar(select(homes.c.id).where(homes.c.id == home)) is None:
            raise NoHome(home)
        row = {"id": made.claim, "sha256": secret_key(made.secret), "home": home}
        await tx.execute(insert(claims).values(**row, created=now, expires=now + CLAIM_LIFE))
    return made


async def revoke(store: Store, home: str, *, now: datetime) -> None:
    """Let none of a home's certificates count from this instant on, and no claim that would let it join anew.

    Raises:
        NoHome: there is none of this name.
    """
    async with store.writing() as tx:
        if not await revoked(tx, home, now):
            raise NoHome(home)
