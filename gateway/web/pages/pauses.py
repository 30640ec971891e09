"""Pauses on the home page: plan one from-to in the house's own time, end or withdraw one with a tap."""

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from gateway.domain.pause import No, Planned, read
from gateway.system.i18n import _
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right
from gateway.web.server.authorization import Desk, wants_json
from gateway.web.texts.catalogue import TEXTS


class Pauses:
    """What is asked of the household's pauses."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get("/", behind(Right.SEE_STATE, self._home)),
            web.post("/pause", behind(Right.SAY_HOME, self._plan)),
            web.post("/pause/end", behind(Right.LIFT_STOP, self._end)),
        ]

    async def _home(self, request: web.Request, _who: Who) -> web.Response:
        now = self._desk.now.utc.astimezone(self._desk.box.zone)
        blank = {"entrance": "", "from": now.strftime("%Y-%m-%dT%H:%M"), "to": ""}
        return self._shown(request, blank, why=None)

    def _shown(self, request: web.Request, asked: Mapping[str, str], *, why: str | None) -> web.Response:
        """Answer with the home page; a form that was refused keeps what was written into it."""
        return self._desk.page(request, "home", status=200 if why is None else 422, asked=asked, why=why,
            proposed=self._desk.box.proposals.waiting,
        )  # fmt: skip

    async def _plan(self, request: web.Request, who: Who) -> web.Response:
        form = await request.post()
        asked = {name: str(form.get(name, "")) for name in ("entrance", "from", "to")}
        if asked["entrance"] and asked["entrance"] not in self._desk.box.home.entrances:
            raise web.HTTPNotFound
        times = [read(asked[name], self._desk.box.zone, end=name == "to") for name in ("from", "to")]
        outcome = await self._planned(asked["entrance"] or None, times, who)
        if isinstance(outcome, Planned):
            return self._done(request)
        why = self._desk.say(request, TEXTS[f"pause.no.{outcome}"])
        if wants_json(request):
            raise web.HTTPConflict(text=why)
        return self._shown(request, asked, why=why)

    async def _planned(self, entrance: str | None, times: list[datetime | No], who: Who) -> Planned | No:
        match times:
            case [datetime() as start, datetime() as end]:
                return await self._desk.box.pause(entrance, start, end, who.person)
            case _:
                return next(no for no in times if isinstance(no, No))

    async def _end(self, request: web.Request, who: Who) -> web.Response:
        outcome = await self._desk.box.end_pause(str((await request.post()).get("pause", "")), who.person)
        if isinstance(outcome, No):
            raise web.HTTPConflict(text=self._desk.say(request, TEXTS[f"pause.no.{outcome}"]))
        return self._done(request)

    def _done(self, request: web.Request) -> web.Response:
        if wants_json(request):
            return web.json_response({"done": self._desk.say(request, _("Done."))})
        raise web.HTTPSeeOther("/")
