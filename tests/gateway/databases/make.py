"""Make the database that storage/test_schema.py keeps of a version; run once for each new migration.

python -m tests.gateway.databases.make
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.domain.visit import commands as c
from gateway.storage.schema import migration_scripts
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import commit_reservation, entrance_state, make_step, open_store, receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.gateway.people import digest, invitation, newcomer, sign_in_entry

DAY = timedelta(days=1)


async def fill(folder: Path) -> None:
    """One spent delivery, one to come, a stop, seven broker sessions; an owner, one who left, an invitation."""
    async with open_store(folder) as store:
        for name, letter in (("spent", "a"), ("coming", "b")):
            await receive(store, make_offer(id=name, parcels=(name,), courier_sha256=letter * 64))
        await commit_reservation(store, "shop.spent")
        await store.commit(make_step(entrance_state(), c.ConsumeOpening(visit="v1", delivery="shop.spent")))
        await store.entrances.set_stop("front", NOW, on=True)
        for _ in range(7):
            await store.box.next_session_number()
        await fill_people(store)


async def fill_people(store: Store) -> None:
    """Anna claimed the box and is signed in, Bob was removed, somebody is invited; a stranger tried passwords."""
    register = store.accounts
    await register.set_claim_code(digest("code"), NOW)
    await register.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
    for name in ("bob", "carol"):
        await register.add_invitation(invitation(name), NOW, lives=DAY)
    await register.redeem_invitation(invitation("bob"), newcomer("Bob", "household"), sign_in_entry("bob"), NOW)
    await register.remove_account("p-bob", NOW, by="p-anna")
    await register.set_failure_counts({("name", 7): 3, ("pair", 9): 2})


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        asyncio.run(fill(Path(made)))
        kept = Path(__file__).parent / f"{len(migration_scripts()):04}.sqlite"
        kept.write_bytes((Path(made) / "perron.sqlite").read_bytes())
