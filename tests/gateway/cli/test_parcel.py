"""`perron parcel` at a terminal: a stand-in for the gateway at a real broker, and a real store to list."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.parcel import announce, change, list_parcels, parcel
from gateway.config.home import Home
from gateway.evidence.rollback import STORE_FILE
from gateway.protocol.ed25519 import SigningKey
from gateway.runtime.own_parcels import OwnParcelService, ParcelAnnouncement, ParcelView
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.clock_settings import ClockSection
from tests.gateway.cli.test_pause import asked, standing_in

GIVEN: dict[str, Any] = {
    "number": "8L20524752032", "day": None, "until": None, "hours": None, "carrier": None, "note": "", "today": False,
    "place": None,
}  # fmt: skip


async def fill(home: Home) -> list[str]:
    """Two parcels are announced by the gateway's own service; the second one is withdrawn."""
    home.storage.folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _utc: None)
    store = await Store.open(home.storage.folder / STORE_FILE, home=home, now=clock.now())
    try:
        service = OwnParcelService(home, store, clock, SigningKey.generate(), on_change=lambda _keys: None)
        ids = []
        day = clock.now().utc.date()
        for number in ("8L20524752032", "1Z999AA10123456784"):
            announcement = ParcelAnnouncement(
                number=number, entrance="front", place="hall", first_day=day, last_day=day + timedelta(days=2),
                note="shoes", comes_today=True,
            )  # fmt: skip
            view = await service.announce(announcement, None)
            assert isinstance(view, ParcelView), view
            ids.append(view.id)
        assert await service.cancel(ids[1], None) is None
        return ids
    finally:
        await store.close()


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_parcel_is_announced_and_the_answer_awaited(home: Home) -> None:
    async with standing_in(home) as wishes:
        said = await announce(home, "front", GIVEN | {"hours": "14:00-18:00", "today": True})
    assert said.startswith("Announced: front, hall; you tap at the scan.")
    (wish,) = map(asked, wishes)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", wish.pop("first_day"))
    assert wish == {
        "do": "announce_parcel", "number": "8L20524752032", "place": "hall", "hours": "14:00-18:00", "note": "",
        "comes_today": True,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_parcel_that_is_none_fails_with_the_gateway_s_reason(home: Home) -> None:
    async with standing_in(home, why="no parcel: too_short"):
        with pytest.raises(Failure, match="could be guessed at the door") as caught:
            await announce(home, "front", GIVEN)
        assert caught.value.code == ExitCode.NEGATIVE
    async with standing_in(home, why="not stored: full"):
        with pytest.raises(Failure, match="The gateway says no: not stored: full"):
            await announce(home, "front", GIVEN)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_the_store_lists_them_and_an_id_may_be_cut(home: Home) -> None:
    ids = await fill(home)
    lines = await asyncio.to_thread(list_parcels, home)
    assert len(lines) == 2
    first = next(line for line in lines if line.startswith(ids[0]))
    assert first.endswith("comes today, as you said  shoes")
    assert "Colissimo …2032" in first
    assert "8L2052" not in "".join(lines)
    assert "withdrawn" in next(line for line in lines if line.startswith(ids[1]))
    async with standing_in(home) as wishes:
        assert await change(home, None, ids[0][:14]) == f"It may come in today: {ids[0]}."
        assert await change(home, ids[0], None) == f"Withdrawn: {ids[0]}."
    assert [asked(wish) for wish in wishes] == [
        {"do": "parcel_today", "parcel": ids[0]}, {"do": "cancel_parcel", "parcel": ids[0]},
    ]  # fmt: skip
    with pytest.raises(Failure, match="No announced parcel has the id 'dpd'"):
        await change(home, "dpd", None)


@pytest.mark.parametrize("given", [{}, {"number": "8L20524752032", "show": True}, {"cancel": "a", "comes_today": "b"}])
def test_what_cannot_be_meant_is_refused_at_once(home_file: Path, given: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="Give one of a number") as caught:
        parcel(home=home_file, **given)
    assert caught.value.code == ExitCode.INVALID


def test_without_a_store_there_is_nothing_to_list(home: Home) -> None:
    with pytest.raises(Failure, match="There is no store"):
        list_parcels(home.model_copy(update={"storage": home.storage.model_copy(update={"folder": Path("nowhere")})}))
