"""The owner's page about robots: which ones may come in, and links for the people who watch them."""

from typing import Any

from aiohttp import web

from gateway.config.devices import RobotDevice
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.auth.supervisors import SupervisorAccess, read_key
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import Page, form_texts, get, post


class RobotsPage(Page):
    """The page of robots and supervisors."""

    def __init__(self, authorizer: Authorizer, access: SupervisorAccess) -> None:
        super().__init__(authorizer)
        self._access = access

    @get("/robots", UserRight.SEE_HISTORY)
    async def _page(self, request: web.Request, _user: CurrentUser, *, link: str | None = None) -> web.Response:
        """Show robots and supervisors; `link` was just made, and is shown only now."""
        return self._render_page(request, "robots", robots=self._robots(), supervisors=self._supervisors(), link=link)

    def _robots(self) -> list[dict[str, Any]]:
        return [
            {
                "name": device.name or id_,
                "operator": self._home.operators[device.operator].name,
                "entrances": [
                    section.name
                    for section in self._home.entrances.values()
                    if section.robots is not None and id_ in section.robots.devices
                ],
            }
            for id_, device in self._home.devices.items()
            if isinstance(device, RobotDevice)
        ]

    def _supervisors(self) -> list[dict[str, Any]]:
        sessions = self._store.supervisors.sessions()
        return [
            {
                "id": id_,
                "name": section.name,
                "operator": self._home.operators[section.operator].name,
                "browsers": [(one, read_key(one.sign)) for one in sessions if one.supervisor == id_],
            }
            for id_, section in self._home.supervisors.items()
        ]

    @post("/robots/{supervisor}/link", UserRight.PEOPLE)
    async def _make_link(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Make a link for a supervisor's browser. Only this response shows it."""
        supervisor = request.match_info["supervisor"]
        if supervisor not in self._home.supervisors:
            raise web.HTTPNotFound
        token = await self._access.make_link(supervisor, self._now, by=user.person)
        return await self._page(request, user, link=f"{request.scheme}://{request.host}/supervisor/in/{token.text}")

    @post("/robots/{supervisor}/end", UserRight.PEOPLE)
    async def _end(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Sign one browser of a supervisor out: its key decides nothing any more."""
        await self._store.supervisors.end_session(
            (await form_texts(request)).get("session", ""), self._now, by=user.person
        )
        return web.Response(status=303, headers={"Location": "/robots"})
