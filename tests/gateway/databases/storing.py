"""A process that reserves one delivery after another and says each time what it holds for stored.

    python -m tests.gateway.databases.storing FOLDER HOW_MANY [LIMIT]

It prints `ack N` when the store has confirmed, `failed N` when the disk has not, `used N` when it was reserved before.
With LIMIT no file may grow by more than so many bytes until the first failure.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

from gateway.domain.visit.events import DiskChanged
from gateway.domain.visit.state import Entrance
from gateway.storage.models import CommitResult, StoreFailed
from tests.gateway.domain.delivery.house import commit_reservation, make_step, open_store, receive
from tests.gateway.domain.delivery.shop import make_home, make_offer


def delivery_name(number: int) -> str:
    """Call the deliveries so."""
    return f"d{number}"


async def make_store(folder: Path, how_many: int) -> None:
    """Make a store with so many deliveries to the garage."""
    async with open_store(folder, make_home()) as store:
        for number in range(how_many):
            code = delivery_name(number)
            await receive(store, make_offer(id=code, parcels=(code,), entrance="garage", courier_sha256=None))


def largest_file_bytes(folder: Path) -> int:
    """The size of the largest file, in bytes."""
    return max(file.stat().st_size for file in folder.iterdir())


async def run(folder: Path, how_many: int, limit: int | None) -> None:
    """Reserve them all, whatever happens."""
    async with open_store(folder, make_home()) as store:
        for number in range(how_many):
            if limit is not None and number == 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes(folder) + limit, resource.RLIM_INFINITY))
            try:
                outcome = await commit_reservation(store, f"shop.{delivery_name(number)}", visit=f"visit-{number}")
            except StoreFailed:
                os.write(1, b"failed %d\n" % number)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                # As the entrance does: it decides that the disk is bad, and nothing is reserved before that is stored
                bad = Entrance(id="garage", disk_ok=False)
                await store.commit(make_step(bad, event=DiskChanged(ok=False)))
            else:
                word = b"ack" if isinstance(outcome, CommitResult) else b"used"
                os.write(1, b"%s %d\n" % (word, number))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else None))
