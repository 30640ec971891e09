"""Beginning and ending a survey, on the page Installation; how it comes on is a part of that page."""

from aiohttp import web

from gateway.installation.survey_jobs import LONGEST, No
from gateway.storage import StoreFailed
from gateway.system.i18n import _
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right
from gateway.web.pages.installation import PAGE
from gateway.web.server.authorization import Desk
from gateway.web.texts.catalogue import TEXTS


class Surveying:
    """What is asked of surveys."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box = desk, desk.box

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        return [web.post(f"{PAGE}/survey/{{entrance}}", self._desk.behind(Right.DEVICES, self._do))]

    async def _do(self, request: web.Request, who: Who) -> web.Response:
        """Begin or end."""
        name, fields = request.match_info["entrance"], await request.post()
        if name not in self._box.home.entrances:
            raise web.HTTPNotFound
        try:
            match str(fields.get("do", "")):
                case "begin":
                    hours = self._hours(request, str(fields.get("hours", "")))
                    no = await self._box.surveys.begin(name, hours, by=who.name, person=who.person)
                case "end":
                    no = await self._box.surveys.end(name, by=who.name, person=who.person)
                case _:
                    raise web.HTTPBadRequest
        except OSError as failure:
            raise StoreFailed(str(failure)) from failure
        if no is not None:
            raise web.HTTPConflict(text=self._why(request, no))
        raise web.HTTPSeeOther(f"{PAGE}#survey-{name}")

    def _hours(self, request: web.Request, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(LONGEST)) and 1 <= int(text) <= LONGEST):
            raise web.HTTPConflict(text=self._desk.say(request, _("1 to {longest} hours."), longest=str(LONGEST)))
        return int(text)

    def _why(self, request: web.Request, no: No) -> str:
        return self._desk.say(request, TEXTS[f"survey.no.{no}"])
