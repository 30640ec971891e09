"""Who else may come in, and one's own account."""

from datetime import datetime, timedelta

import segno
from aiohttp import web

from gateway.runtime.maintenance import reload
from gateway.runtime.maintenance.backup import last as last_backup
from gateway.web.auth.accounts import Invited, Refused, Who
from gateway.web.auth.roles import Right, Role, may
from gateway.web.pages.activity import browser_name, doings
from gateway.web.pages.remote_browsers import enrolled
from gateway.web.server.authorization import Desk
from gateway.web.texts.catalogue import TEXTS

SHOWN = 30  # days for which everybody else is shown that a password was set anew on the box


class Household:
    """The pages of people and of settings."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get("/household", behind(Right.SEE_HOUSEHOLD, self._household)),
            web.post("/household/invite", behind(Right.PEOPLE, self._invite)),
            web.post("/household/withdraw", behind(Right.PEOPLE, self._withdraw)),
            web.post("/household/remove", behind(Right.PEOPLE, self._remove)),
            web.post("/household/hand-over", behind(Right.HAND_OVER, self._hand_over)),
            web.get("/settings", behind(Right.LANGUAGE, self._settings)),
            web.post("/settings/password", behind(Right.LANGUAGE, self._password)),
            web.post("/settings/session", behind(Right.LANGUAGE, self._end_session)),
            web.get("/settings/sign-ins", behind(Right.LANGUAGE, self._doings)),
        ]

    async def _household(self, request: web.Request, who: Who) -> web.Response:
        return self._shown(request, who, invited=None)

    def _shown(self, request: web.Request, who: Who, *, invited: Invited | None) -> web.Response:
        desk = self._desk
        gone = desk.now.utc - timedelta(days=SHOWN)
        recovered = [
            {"at": at, "who": person}
            for row in desk.box.store.register.recovered()
            if (at := datetime.fromisoformat(row["at"])) >= gone
            and (person := desk.box.store.register.person(row["person"])) is not None
            and person.id != who.person
        ]
        people = [person for person in desk.box.store.register.people() if person.removed is None]
        link = None if invited is None else f"{request.scheme}://{request.host}/join/{invited.token}"
        return desk.page(
            request, "household", people=people, invitations=desk.accounts.invitations(desk.now), link=link,
            qr=None if link is None else segno.make(link, error="m").svg_inline(scale=4, dark="#000"),
            recovered=recovered, roles=[Role.HOUSEHOLD.value, Role.INSTALLER.value, Role.OWNER.value],
        )  # fmt: skip

    async def _invite(self, request: web.Request, who: Who) -> web.Response:
        """The link is shown this once: the page is the answer to the form itself."""
        asked = str((await request.post()).get("role", ""))
        if asked not in (Role.HOUSEHOLD, Role.INSTALLER, Role.OWNER):
            raise web.HTTPBadRequest
        invited = await self._desk.accounts.invite(who, Role(asked), self._desk.now)
        if isinstance(invited, Refused):
            raise web.HTTPConflict(text=self._desk.say(request, TEXTS[f"refused.{invited}"]))
        return self._shown(request, who, invited=invited)

    async def _withdraw(self, request: web.Request, who: Who) -> web.Response:
        invitation = str((await request.post()).get("id", ""))
        return self._done(request, await self._desk.accounts.withdraw(who, invitation, self._desk.now), "/household")

    async def _remove(self, request: web.Request, who: Who) -> web.Response:
        person = str((await request.post()).get("id", ""))
        return self._done(request, await self._desk.accounts.remove(who, person, self._desk.now), "/household")

    async def _hand_over(self, request: web.Request, who: Who) -> web.Response:
        outcome = await self._desk.accounts.hand_over(who, self._desk.now)
        return self._done(request, outcome if isinstance(outcome, Refused) else None, "/household")

    # ---- one's own account ------------------------------------------------------------------------------------------

    async def _settings(self, request: web.Request, who: Who) -> web.Response:
        return self._own(request, who, why=None, status=200)

    def _own(self, request: web.Request, who: Who, *, why: str | None, status: int) -> web.Response:
        language = self._desk.language(request)
        running = self._desk.accounts.sessions(who.person, self._desk.now)
        sessions = [(one, browser_name(one.browser, language)) for one in running]
        folder = self._desk.box.home.storage.folder
        reloaded = reload.told(folder) if may(who.role, Right.DEVICES) else None
        return self._desk.page(
            request,
            "settings",
            sessions=sessions,
            mine=who.session,
            enrolled=enrolled(self._desk, who),
            why=why,
            status=status,
            reloaded=reloaded,
            backup=last_backup(folder),
        )

    async def _password(self, request: web.Request, who: Who) -> web.Response:
        fields = await request.post()
        old, new = str(fields.get("old", "")), str(fields.get("new", ""))
        outcome = await self._desk.accounts.change_password(who, old, new, self._desk.now)
        if outcome is None:
            raise web.HTTPSeeOther("/settings")
        return self._own(request, who, why=self._desk.why(request, outcome), status=422)

    async def _doings(self, request: web.Request, who: Who) -> web.Response:
        """Everybody sees what happened with his own account, and who answers for the people all of it."""
        everything = may(who.role, Right.PEOPLE)
        told = doings(
            self._desk.box.store.register, self._desk.language(request), of=None if everything else who.person
        )
        return self._desk.page(request, "doings", told=told, everything=everything)

    async def _end_session(self, request: web.Request, who: Who) -> web.Response:
        session = str((await request.post()).get("id", ""))
        return self._done(request, await self._desk.accounts.end_session(who, session, self._desk.now), "/settings")

    def _done(self, request: web.Request, refused: Refused | None, to: str) -> web.Response:
        if refused is not None:
            raise web.HTTPConflict(text=self._desk.say(request, TEXTS[f"refused.{refused}"]))
        raise web.HTTPSeeOther(to)
