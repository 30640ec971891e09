"""A process with a box's real store and mark that uses one delivery after another and prints what leaves the box.

    python -m tests.gateway.storage.visits FOLDER HOW_MANY

On standard output: `unlock N` where the unlock would be published, `locked N` where "locked again" would be told,
`stop` and `lift` where the owner would hear that they hold, `ring N` where only the bell has rung.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

from gateway.domain.delivery.result import DoorResult
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.events import HomeChanged
from gateway.domain.visit.state import Phase
from gateway.evidence.rollback import STORE_FILE, MarkWriter, load_own_key
from gateway.protocol.hash_chain import ChainHead
from gateway.storage.models import CommitResult
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    entrance_state,
    make_step,
    receive,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import NOW, make_home, make_offer

CHECKPOINT_COMMITS = 9  # so that the WAL begins anew several times
VISITS_A_START = 4


async def make_box(folder: Path, how_many: int) -> None:
    """Make a box with so many deliveries, as one that was ended in good order."""
    async with open_box(folder) as store:
        for number in range(how_many):
            code = f"d{number}"
            await receive(store, make_offer(id=code, parcels=(code,), entrance="garage", courier_sha256=None))


class LateMarks(MarkWriter):
    """The box's marks; it syncs a mark that no caller waits for only after the unlock has left."""

    def finish(self, head: ChainHead, now: Now) -> None:
        time.sleep(0.005)  # in the writer's thread
        super().finish(head, now)


@asynccontextmanager
async def open_box(folder: Path) -> AsyncIterator[Store]:
    """The store with its mark, as a gateway that begins has it."""
    key, _, _ = load_own_key(folder)
    store = await Store.open(folder / STORE_FILE, home=make_home(), now=NOW)
    try:
        await store.rollback.set_signer(key.public.text)
        store.box.mark_with(LateMarks(folder, box="box-1", key=key))
        await store.box.record_start(NOW)
        assert await store.box.mark(NOW)
        yield store
    finally:
        await store.close()


def say(word: str) -> None:
    """Print what leaves the box."""
    os.write(1, f"{word}\n".encode())


async def visit(store: Store, number: int) -> None:
    """One visit: bell, decisions that are stored beside, intent, unlock, used, locked again."""
    name, key = f"visit-{number}", f"shop.d{number}"
    delivery = visit_delivery(store, key)
    state = entrance_state(delivery, visit=name, phase=Phase.RINGING)
    ringing = asyncio.ensure_future(store.commit(make_step(state, c.RingBell(visit=name))))
    if number % 3 != 1:  # else the store is so busy that the intent is stored before a mark of the bell
        await ringing
    say(f"ring {number}")
    if number % 3 == 0:
        await asyncio.sleep(0.03)  # the bell rings long enough for its mark
    beside = [
        asyncio.ensure_future(store.commit(make_step(state, event=HomeChanged(somebody_home=on, away=not on))))
        for on in (False, True)
    ]
    await asyncio.sleep(0)
    outcome = await store.commit(reserve_step(delivery, visit=name))
    assert isinstance(outcome, CommitResult)
    assert outcome.is_marked
    say(f"unlock {number}")
    for storing in (ringing, *beside):
        assert isinstance(await storing, CommitResult)
    inside, locked = (entrance_state(delivery, visit=name, phase=phase) for phase in (Phase.INSIDE, Phase.LOCKED_AGAIN))
    await store.commit(make_step(inside, c.ConsumeOpening(visit=name, delivery=key)))
    result = c.ReportDoorResult(visit=name, delivery=key, door_result=DoorResult.LOCKED_AGAIN)
    await store.commit(make_step(locked, result))
    say(f"locked {number}")


async def run(folder: Path, how_many: int) -> None:
    """Use all deliveries; stop and start the box in between."""
    for first in range(0, how_many, VISITS_A_START):
        async with open_box(folder) as store:
            for number in range(first, min(first + VISITS_A_START, how_many)):
                await visit(store, number)
                if number % 4 == 1:
                    await store.entrances.set_stop("front", IN_WINDOW, on=number % 8 == 1)
                    say("stop" if number % 8 == 1 else "lift")


if __name__ == "__main__":
    with mock.patch("gateway.storage.writer.IDLE_CHECKPOINT_COMMITS", CHECKPOINT_COMMITS):
        asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
