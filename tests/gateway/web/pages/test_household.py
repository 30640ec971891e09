"""The page of the people of the house."""

from aiohttp import ClientSession

from gateway.web.auth.roles import Role
from tests.shell.site import ServedSite

ENGLISH = {"Accept-Language": "en"}


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
