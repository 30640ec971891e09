"""Begins and ends a survey from the page Installation."""

from aiohttp import web

from gateway.installation.survey_jobs import MAX_SURVEY_HOURS, SurveyError
from gateway.storage import StoreFailed
from gateway.system.i18n import _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.pages.installation import INSTALLATION_PATH
from gateway.web.server.authorization import Authorizer
from gateway.web.texts.catalogue import TEXTS


class SurveyPage:
    """What is asked of surveys."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._services = authorizer, authorizer.services

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        return [
            web.post(
                f"{INSTALLATION_PATH}/survey/{{entrance}}",
                self._authorizer.protect(UserRight.DEVICES, self._begin_or_end),
            )
        ]

    async def _begin_or_end(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Begin or end."""
        name, fields = request.match_info["entrance"], await request.post()
        if name not in self._services.home.entrances:
            raise web.HTTPNotFound
        try:
            match str(fields.get("do", "")):
                case "begin":
                    hours = self._parse_hours(request, str(fields.get("hours", "")))
                    no = await self._services.surveys.begin(name, hours, by=user.name, person=user.person)
                case "end":
                    no = await self._services.surveys.end(name, by=user.name, person=user.person)
                case _:
                    raise web.HTTPBadRequest
        except OSError as failure:
            raise StoreFailed(str(failure)) from failure
        if no is not None:
            raise web.HTTPConflict(text=self._error_text(request, no))
        raise web.HTTPSeeOther(f"{INSTALLATION_PATH}#survey-{name}")

    def _parse_hours(self, request: web.Request, text: str) -> int:
        if not (
            text.isascii()
            and text.isdigit()
            and len(text) <= len(str(MAX_SURVEY_HOURS))
            and 1 <= int(text) <= MAX_SURVEY_HOURS
        ):
            raise self._authorizer.conflict(request, _("1 to {longest} hours."), longest=str(MAX_SURVEY_HOURS))
        return int(text)

    def _error_text(self, request: web.Request, no: SurveyError) -> str:
        return self._authorizer.translate(request, TEXTS[f"survey.no.{no}"])
