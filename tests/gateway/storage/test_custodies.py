"""What the store itself refuses of a parcel at a reception, whoever asks."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.custody import CourierScanned, CustodyAnswer, CustodyEvent
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.storage.custodies import CustodyAct, CustodyFacts, CustodyResult, Reception
from tests.gateway.domain.delivery.shop import make_window
from tests.shell.desk import DESK, MARC, DeskBox, desk_box
from tests.shell.house import PARCEL

HOURS = {MARC: "08:00-19:00"}


def _scanned(facts: CustodyFacts) -> CustodyEvent:
    return CourierScanned(scan="s1", on_duty=facts.on_duty, refusal=facts.refusal)


async def _offer(desk: DeskBox, now: Now, reception: str = DESK) -> CustodyResult | None:
    (match,) = desk.box.store.deliveries.matches(PARCEL, now)
    act = CustodyAct(delivery=match.delivery.id, parcel=PARCEL, event=_scanned)
    return await desk.box.store.custodies.decide(act, Reception(id=reception, hours=HOURS), now)


async def test_a_parcel_is_offered_at_the_reception_of_its_delivery_only(tmp_path: Path) -> None:
    async with desk_box(tmp_path, runs=False) as desk:
        await desk.announce()
        now = desk.box.clock.now()
        assert await _offer(desk, now, "another") is None
        assert await _offer(desk, now) is not None


@pytest.mark.parametrize(
    ("after", "trusted", "refusal"),
    [
        (timedelta(hours=-1), True, Refusal.OUTSIDE_WINDOW),
        (timedelta(minutes=60), True, None),
        (timedelta(minutes=60), False, Refusal.CLOCK_UNTRUSTED),
        (timedelta(hours=2), True, Refusal.EXPIRED),
    ],
)
async def test_a_parcel_is_offered_in_its_window_only(
    tmp_path: Path, after: timedelta, *, trusted: bool, refusal: Refusal | None
) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        assert await desk.desk.set_duty(MARC, on=True)
        now = replace(desk.box.clock.now(), utc=make_window().start + after, trusted=trusted)
        offered = await _offer(desk, now)
        assert offered is not None
        assert offered.answer is not None
        word = CustodyAnswer.GO if refusal is None else CustodyAnswer.NO
        assert (offered.answer.answer, offered.answer.refusal) == (word, refusal)
