"""Shows the home page, and plans, ends and withdraws pauses in the house's time zone."""

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from gateway.domain.pause import PauseRefusal, PlannedPause, parse_local_time
from gateway.system.i18n import _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer, wants_json
from gateway.web.texts.catalogue import TEXTS


class PausesPage:
    """What is asked of the household's pauses."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._authorizer.protect
        return [
            web.get("/", behind(UserRight.SEE_STATE, self._home)),
            web.post("/pause", behind(UserRight.SAY_HOME, self._plan)),
            web.post("/pause/end", behind(UserRight.LIFT_STOP, self._end)),
        ]

    async def _home(self, request: web.Request, _user: CurrentUser) -> web.Response:
        now = self._authorizer.now.utc.astimezone(self._authorizer.services.zone)
        blank = {"entrance": "", "from": now.strftime("%Y-%m-%dT%H:%M"), "to": ""}
        return self._render(request, blank, why=None)

    def _render(self, request: web.Request, asked: Mapping[str, str], *, why: str | None) -> web.Response:
        """Answer with the home page; a form that was refused keeps what was written into it."""
        return self._authorizer.render_page(request, "home", status=200 if why is None else 422, asked=asked, why=why,
            proposed=self._authorizer.services.proposals.waiting,
        )  # fmt: skip

    async def _plan(self, request: web.Request, user: CurrentUser) -> web.Response:
        form = await request.post()
        asked = {name: str(form.get(name, "")) for name in ("entrance", "from", "to")}
        if asked["entrance"] and asked["entrance"] not in self._authorizer.services.home.entrances:
            raise web.HTTPNotFound
        times = [
            parse_local_time(asked[name], self._authorizer.services.zone, end=name == "to") for name in ("from", "to")
        ]
        outcome = await self._store_pause(asked["entrance"] or None, times, user)
        if isinstance(outcome, PlannedPause):
            return self._result(request)
        why = self._authorizer.translate(request, TEXTS[f"pause.no.{outcome}"])
        if wants_json(request):
            raise web.HTTPConflict(text=why)
        return self._render(request, asked, why=why)

    async def _store_pause(
        self, entrance: str | None, times: list[datetime | PauseRefusal], user: CurrentUser
    ) -> PlannedPause | PauseRefusal:
        match times:
            case [datetime() as start, datetime() as end]:
                return await self._authorizer.services.plan_pause(entrance, start, end, user.person)
            case _:
                return next(no for no in times if isinstance(no, PauseRefusal))

    async def _end(self, request: web.Request, user: CurrentUser) -> web.Response:
        outcome = await self._authorizer.services.end_pause(str((await request.post()).get("pause", "")), user.person)
        if isinstance(outcome, PauseRefusal):
            raise self._authorizer.conflict(request, TEXTS[f"pause.no.{outcome}"])
        return self._result(request)

    def _result(self, request: web.Request) -> web.Response:
        if wants_json(request):
            return web.json_response({"done": self._authorizer.translate(request, _("Done."))})
        raise web.HTTPSeeOther("/")
