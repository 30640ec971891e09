"""A home leaves its hub by its own word, and what retailers had there ends."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.hub import admin
from gateway.hub.config import HubFile
from gateway.hub.database.tables import certificates, connections, deliveries, events, homes, jobs
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import HubUnavailable
from tests.announcing import connected_home
from tests.hubs import RunningHub
from tests.joins import JoiningBox, create_claim, lose_answer


async def test_a_home_that_leaves_is_let_in_no_longer_and_its_retailers_are_told(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    home = await connected_home(hub)
    await box.join(await create_claim(hub, file, home=home.id))
    anew = await create_claim(hub, file, home=home.id)
    made = await home.announce()
    assert await box.counts(file)
    assert await box.leaves(file)
    assert not await box.counts(file)
    async with hub.hub.store.reading() as tx:
        assert (await tx.execute(select(homes.c.revoked))).scalar_one() is not None
        assert all(row.ended is not None for row in await tx.execute(select(certificates)))
        assert (await tx.execute(select(connections.c.state))).scalar_one() == "revoked"
        row = (await tx.execute(select(deliveries.c.state, deliveries.c.reason))).one()
        assert tuple(row) == ("refused", "brand_not_permitted")
        assert all(row.due is None for row in await tx.execute(select(jobs)))
        told = [(row.type, row.object) for row in await tx.execute(select(events).order_by(events.c.number))]
    assert told[-2:] == [("connection.decided", home.connection), ("delivery.changed", made["id"])]
    assert await box.leaves(file), "said again it is the same"
    status, _ = await home.ask("POST", "/v1/deliveries", {"connection": home.connection, "delivery": home.promise()})
    assert status == 409
    with pytest.raises(enrolment.HubError, match="expired"):
        await JoiningBox.new(box.folder.parent / "other").join(anew)


async def test_an_answer_that_was_lost_is_asked_for_again(file: HubFile, hub: RunningHub, box: JoiningBox) -> None:
    await box.join(await create_claim(hub, file))
    with pytest.raises(HubUnavailable):
        await box.leaves(file, lose_answer)
    assert await box.leaves(file)


async def test_nobody_else_can_say_that_a_home_leaves(
    file: HubFile, hub: RunningHub, box: JoiningBox, tmp_path: Path
) -> None:
    other = JoiningBox.new(tmp_path / "other")
    for one in (box, other):
        await one.join(await create_claim(hub, file))

    def of(home: str, serial: int) -> enrolment.HttpPost:
        def ask(address: str, body: Mapping[str, object]) -> bytes:
            return enrolment.http_request(address, {**body, "home": home, "serial": f"{serial:x}"})

        return ask

    mine = box.identity
    assert not await other.leaves(file, of(mine.home, mine.certificate.serial_number)), "by another key"
    assert not await other.leaves(file, of(mine.home, other.identity.certificate.serial_number)), (
        "another's certificate"
    )
    assert not await other.leaves(file, of(f"home-{'a' * 26}", 1)), "a home that nobody knows"
    assert await box.counts(file)
    assert await other.counts(file)


async def test_an_old_word_of_leaving_ends_nothing_once_the_home_has_joined_anew(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    member = await box.join(await create_claim(hub, file))
    said: list[tuple[str, Mapping[str, object]]] = []

    def heard(address: str, body: Mapping[str, object]) -> bytes:
        said.append((address, body))
        return enrolment.http_request(address, body)

    assert await box.leaves(file, heard)
    await box.join(await create_claim(hub, file, home=member.home))
    assert await box.counts(file)
    with pytest.raises(enrolment.HubError, match="No certificate"):
        await asyncio.to_thread(enrolment.http_request, *said[0])
    assert await box.counts(file), "whoever kept the old word has nothing in his hand"


async def test_a_home_that_the_operator_revoked_keeps_what_retailers_have_there(
    file: HubFile, hub: RunningHub, box: JoiningBox
) -> None:
    """Its box is to join anew, under the name that it has."""
    home = await connected_home(hub)
    await box.join(await create_claim(hub, file, home=home.id))
    await admin.revoke_home(hub.hub.store, home.id, now=hub.hub.now())
    assert not await box.counts(file)
    async with hub.hub.store.reading() as tx:
        assert (await tx.execute(select(connections.c.state))).scalar_one() == "granted"
