"""The page Returns: what a courier is to take with him, its label, and where it lies."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer_v2
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

pytestmark = IN_SHARED_BROWSER

ENGLISH = {"Accept-Language": "en"}
RETURN = "RB123456785GB"
DIGEST = "9" * 64


async def announce(made: ShellBox, **changes: object) -> None:
    """A shop wants its courier to take a parcel with him."""
    offer = make_offer_v2(**{"id": "back", "parcels": (), "collect": (RETURN,), "courier_sha256": DIGEST, **changes})
    answer = await receive(made.store, offer, now=NOW)
    assert answer.result.accepted, answer.result


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        async with serve_site(made) as site:
            yield site


async def read(site: ServedSite, path: str, person: SessionSecrets | None = None) -> str:
    async with site.client(person or site.owner) as client, client.get(path, headers=ENGLISH) as answer:
        assert answer.status == 200
        return await answer.text()


async def post(site: ServedSite, person: SessionSecrets | None = None, **fields: str) -> int:
    async with (
        site.client(person or site.owner) as client,
        client.post(
            "/returns", data={"delivery": "shop.back", **fields}, headers=ENGLISH, allow_redirects=False
        ) as answer,
    ):
        return answer.status


async def test_the_label_is_on_the_page_and_the_courier_reads_where_it_lies(site: ServedSite) -> None:
    assert "No shop wants to collect anything." in await read(site, "/returns")
    await announce(site.box)
    page = await read(site, "/returns")
    assert RETURN in page
    assert "<svg" in page
    assert "Not ready yet" in page
    assert await post(site, do="ready", lies="on the bench, left") == 303
    page = await read(site, "/returns")
    assert "It lies ready" in page
    assert "on the bench, left" in page
    said = site.box.store.returns.prepared("shop.back")
    assert said is not None
    assert said.by == site.owner.user.person
    assert await post(site, do="not_ready") == 303
    assert "Not ready yet" in await read(site, "/returns")


async def test_somebody_who_lives_there_may_say_it_too(site: ServedSite) -> None:
    await announce(site.box)
    somebody = await site.guest(Role.HOUSEHOLD, "Bruno")
    assert await post(site, somebody, do="ready", lies="in the hall") == 303


async def test_home_names_what_the_courier_takes_with_him(site: ServedSite) -> None:
    await announce(site.box)
    page = await read(site, "/")
    assert "The courier takes with him:" in page
    assert f"…{RETURN[-4:]}" in page


@pytest.mark.parametrize(("lies", "status"), [("x" * 121, 422), ("left\u202eright", 422), ("<b>bench</b>", 303)])
async def test_what_somebody_writes_is_bounded_and_shown_as_it_is(site: ServedSite, lies: str, status: int) -> None:
    await announce(site.box)
    assert await post(site, do="ready", lies=lies) == status
    assert "<b>bench" not in await read(site, "/returns")


async def test_a_delivery_that_collects_nothing_has_nothing_to_prepare(site: ServedSite) -> None:
    assert await post(site, do="ready", lies="here") == 409
    await announce(site.box)
    async with site.client(site.owner) as client:
        fields = {"delivery": "shop.nothing", "do": "ready", "lies": "x"}
        async with client.post("/returns", data=fields, headers=ENGLISH, allow_redirects=False) as answer:
            assert answer.status == 409


async def test_the_courier_reads_what_he_takes_and_not_where_it_lies_before_the_door_opens(site: ServedSite) -> None:
    await announce(site.box)
    assert await post(site, do="ready", lies="on the bench") == 303
    async with site.client(None) as client, client.get(f"/c/{DIGEST}", headers=ENGLISH) as answer:
        page = await answer.text()
    assert f"…{RETURN[-4:]}" in page
    assert "on the bench" not in page
