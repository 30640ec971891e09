"""The supervisor's own page: the picture of where the robot stands, yes, no and stop. The key stays in the browser.

A supervisor signs in by a separate cookie, which gives access only to these addresses. The cookie alone decides
nothing: each yes is signed by the key of this browser, on a picture that the box has just served to it.
"""

from datetime import timedelta
from typing import ClassVar

from aiohttp import web

from gateway.config.closure_names import closure_label
from gateway.runtime.supervision import ConsoleStep, RobotVisit, SupervisionDesk, Supervisor
from gateway.system.i18n import Language, Text, _, in_language
from gateway.system.text import sanitized
from gateway.web.auth.link_access import MAX_SESSION_AGE
from gateway.web.auth.supervisors import SignedInSupervisor, SupervisorAccess
from gateway.web.pages.linked import LinkedPages
from gateway.web.server.authorization import (
    Authorizer,
    Unauthorized,
    wants_json,
)
from gateway.web.server.page import browser_label, form_texts, get, post

SUPERVISOR_COOKIE = "supervisor"
STEP_TEXTS = {
    ConsoleStep.RINGING: _("The household is called. You can decide already."),
    ConsoleStep.ASKED: _("The robot waits. May it come in?"),
    ConsoleStep.ALLOWED: _("You said yes. The door opens when everything else is ready."),
    ConsoleStep.OPENING: _("The door is being unlocked."),
    ConsoleStep.OPEN: _("The door is unlocked for the robot."),
    ConsoleStep.INSIDE: _("The door is open. Nothing closes until the robot reports that it is out."),
    ConsoleStep.SECURING: _("The door is being closed and locked."),
    ConsoleStep.STOPPED: _("Stopped. Nothing more opens."),
    ConsoleStep.HANDED_OVER: _("The owner has to look at the door."),
}
REFUSAL_TEXTS = {
    "no_picture": _("This picture is too old. Look at the new one, then decide."),
    "not_asked": _("Nothing is to be decided any more."),
    "no_visit": _("The visit is over."),
}
_NOT_COUNTED = _("This decision does not count. Load the page again.")


class SupervisorPages(LinkedPages[SignedInSupervisor]):
    """The pages of supervisors."""

    cookies: ClassVar[tuple[str, ...]] = (SUPERVISOR_COOKIE,)
    cookie_lifetime: ClassVar[timedelta] = MAX_SESSION_AGE
    own_page: ClassVar[str] = "/supervisor"
    per_second: ClassVar[float] = 4.0  # it asks for the visits and the picture again and again

    def __init__(self, authorizer: Authorizer, access: SupervisorAccess) -> None:
        super().__init__(authorizer, access.find)
        self._access = access

    @property
    def _desk(self) -> SupervisionDesk:
        return self._services.supervision

    def _require(self, request: web.Request) -> Supervisor:
        """Return who asks. HTTPException: nobody is signed in, or too much comes."""
        who = self.signed_in(request)
        if who is None:
            raise Unauthorized
        self._count_request(who.session)
        return Supervisor(session=who.session, supervisor=who.supervisor, operator=who.operator, key=who.key)

    @get("/supervisor/in/{token}")
    async def _link_page(self, request: web.Request) -> web.Response:
        """Show whom the link signs in. Only a press signs in, because the browser makes its key then."""
        link = self._access.link(request.match_info["token"], self._now)
        if link is None:
            return self._render_page(request, "supervisor_link", status=410, name=None)
        return self._render_page(request, "supervisor_link", name=self._home.supervisors[link.supervisor].name)

    @post("/supervisor/in/{token}")
    async def _sign_in(self, request: web.Request) -> web.Response:
        """Sign this browser in; it sends the public half of its new key."""
        key = (await form_texts(request)).get("key", "")
        cookie = await self._access.redeem(request.match_info["token"], key, self._now, browser=browser_label(request))
        if cookie is None:
            return self._render_page(request, "supervisor_link", status=410, name=None)
        return self._set_cookies(request, self._to_own_page(), cookie.text)

    @post("/supervisor/leave")
    async def _leave(self, request: web.Request) -> web.Response:
        """Sign this browser out: its key decides nothing any more."""
        await self._store.supervisors.end_session(self._required(request).session, self._now)
        return self._signed_out(request)

    @get("/supervisor")
    async def _page(self, request: web.Request) -> web.Response:
        who = self.signed_in(request)
        if who is None and wants_json(request):
            raise Unauthorized
        if who is None:
            return self._render_page(request, "supervisor_link", name=None)
        return self._render_page(request, "supervisor", who=who, box=self._home.box)

    @get("/supervisor/visits")
    async def _visits(self, request: web.Request) -> web.Response:
        """Return the visits of the supervisor's robots, in words, and the box's time in seconds since 1970."""
        who, language = self._require(request), self._language(request)
        shown = [self._shown(visit, language) for visit in self._desk.visits(who.operator)]
        return web.json_response({"now": self._now.utc.timestamp(), "visits": shown})

    def _shown(self, visit: RobotVisit, language: Language) -> dict[str, object]:
        device = self._home.devices[visit.robot]
        return {
            "visit": visit.visit, "closure": visit.closure, "step": visit.step.value,
            "text": STEP_TEXTS[visit.step].to(language), "left": visit.seconds_left,
            "title": f"{sanitized(device.name or visit.robot)}, {sanitized(self._where(visit, language))}",
        }  # fmt: skip

    def _where(self, visit: RobotVisit, language: Language) -> str:
        section = self._home.entrances[visit.entrance]
        if visit.closure is None or not section.closures:
            return section.name
        return f"{section.name}, {in_language(closure_label(section.closures, visit.closure), language)}"

    @get("/supervisor/picture/{visit}")
    async def _picture(self, request: web.Request) -> web.Response:
        """Return where the robot stands now, as JPEG; the box remembers that it served it. 204: there is none now."""
        picture = await self._desk.picture(self._require(request), request.match_info["visit"])
        if picture is None:
            return web.Response(status=204)
        return web.Response(body=picture, content_type="image/jpeg")

    @post("/supervisor/decide")
    async def _decide(self, request: web.Request) -> web.Response:
        """Take a signed decision; the answer says in words why it does not count."""
        who = self._require(request)
        token = (await form_texts(request)).get("token", "")
        why = self._desk.decide(who, token.encode(errors="replace"))
        if why is None:
            return web.json_response({"text": ""})
        text: Text = REFUSAL_TEXTS.get(why, _NOT_COUNTED)
        return web.json_response({"text": text.to(self._language(request))}, status=409)
