"""The page Room in the fridge: somebody of the household says for how many things there is room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.web.auth.accounts import SessionSecrets
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER
from tests.shell.box import box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

pytestmark = IN_SHARED_BROWSER

ENGLISH = {"Accept-Language": "en"}


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with box(tmp_path, make_home(tmp_path)) as made, serve_site(made) as site:
        yield site


async def read(site: ServedSite, path: str = "/room") -> str:
    async with site.client(site.owner) as client, client.get(path, headers=ENGLISH) as answer:
        assert answer.status == 200
        return await answer.text()


async def say(
    site: ServedSite, free: str, do: str = "say", *, place: str = "fridge", person: SessionSecrets | None = None
) -> tuple[int, str]:
    async with (
        site.client(person or site.owner) as client,
        client.post(
            f"/room/front/{place}", data={"free": free, "do": do}, headers=ENGLISH, allow_redirects=False
        ) as answer,
    ):
        return answer.status, await answer.text()


async def test_somebody_counts_and_the_page_says_it_until_nobody_counts_any_more(site: ServedSite) -> None:
    assert "Nobody counts it" in await read(site)
    person = await site.guest(Role.HOUSEHOLD, "Bruno")
    assert (await say(site, "6", person=person))[0] == 303
    assert "Room for 6 more" in await read(site)
    assert (await say(site, "0"))[0] == 303
    assert "It is full" in await read(site)
    assert (await say(site, "", "forget"))[0] == 303
    assert "Nobody counts it" in await read(site)


@pytest.mark.parametrize("free", ["", "-1", "2.5", "1000", "many", "²", "9" * 5000])
async def test_what_is_no_count_is_said_and_changes_nothing(site: ServedSite, free: str) -> None:
    status, page = await say(site, free)
    assert status == 422
    assert "Write a whole number, 0 to 999." in page
    assert site.box.store.free_room.all() == {}


async def test_only_a_fridge_of_the_house_is_counted(site: ServedSite) -> None:
    assert (await say(site, "6", place="hall"))[0] == 404
    assert (await say(site, "6", place="cellar"))[0] == 404
    assert site.box.store.free_room.all() == {}


async def test_an_installer_counts_nothing(site: ServedSite) -> None:
    assert (await say(site, "6", person=await site.guest(Role.INSTALLER)))[0] == 403


async def test_home_leads_there(site: ServedSite) -> None:
    assert 'href="/room"' in await read(site, "/")
