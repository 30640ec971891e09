"""What only whoever runs the hub does: let a retailer in."""

from datetime import datetime

from sqlalchemy import insert

from gateway.hub.keys import kept, new_secret
from gateway.hub.store import Store, new_id
from gateway.hub.tables import api_keys, retailers


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
