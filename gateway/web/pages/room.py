"""The household's page about the room in its fridges: for how many things there is room, as somebody counted."""

from aiohttp import web

from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.storage.free_room import MAX_FREE, FreeRoom
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.page import Page, form_texts, get, post

ROOM_PATH = "/room"


class FridgePlace(Frozen):
    """A fridge of an entrance, and what somebody counted there; None: nobody did."""

    entrance: str
    place: str
    counted: FreeRoom | None


def fridge_places(home: Home) -> tuple[tuple[str, str], ...]:
    """Return entrance and place of each fridge of a home."""
    return tuple(
        (entrance, place)
        for entrance, section in home.entrances.items()
        for place, described in section.places.items()
        if described.fridge is not None
    )


class RoomPage(Page):
    """The page of the room in the fridges."""

    @get(ROOM_PATH, UserRight.SEE_HISTORY)
    async def _page(self, request: web.Request, user: CurrentUser) -> web.Response:
        return self._render(request, user, notice=_("Noted.") if "noted" in request.query else None)

    def _render(
        self, request: web.Request, _user: CurrentUser, *, notice: Text | None = None, error: Text | None = None
    ) -> web.Response:
        counted = self._store.free_room.all()
        fridges = [
            FridgePlace(entrance=entrance, place=place, counted=counted.get((entrance, place)))
            for entrance, place in fridge_places(self._home)
        ]
        return self._render_page(
            request, "room", status=200 if error is None else 422, page=ROOM_PATH, notice=notice, error=error,
            fridges=fridges, most=MAX_FREE,
        )  # fmt: skip

    @post(f"{ROOM_PATH}/{{entrance}}/{{place}}", UserRight.SAY_ROOM)
    async def _say(self, request: web.Request, user: CurrentUser) -> web.Response:
        where = request.match_info["entrance"], request.match_info["place"]
        if where not in fridge_places(self._home):
            raise web.HTTPNotFound
        form = await form_texts(request)
        free = None
        if form.get("do") != "forget":
            text = form.get("free", "").strip()
            if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_FREE))):
                return self._render(request, user, error=_("Write a whole number, 0 to {most}.", most=str(MAX_FREE)))
            free = int(text)
        await self._store.free_room.say(*where, free, self._now, by=user.person)
        raise web.HTTPSeeOther(f"{ROOM_PATH}?noted")
