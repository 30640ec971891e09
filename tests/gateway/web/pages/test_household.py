"""The page of the people of the house."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.web.auth.roles import Role
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    made: ShellBox
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made), serve_site(made) as site:
        yield site


async def test_the_installation_can_be_called_done_only_where_an_installer_has_or_was_offered_access(
    site: ServedSite,
) -> None:
    async with site.client(site.owner) as client:
        assert "The installation is done" not in await _household(client)
        await client.post("/household/invite", data={"role": "installer"})
        assert "The installation is done" in await _household(client)
        await client.post("/household/hand-over")
        assert "The installation is done" not in await _household(client)
        await site.guest(Role.INSTALLER, "Ines")
        assert "The installation is done" in await _household(client)


async def _household(client: ClientSession) -> str:
    async with client.get("/household", headers=ENGLISH) as answer:
        return await answer.text()
