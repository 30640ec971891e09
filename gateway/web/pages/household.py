"""Manages the accounts of the household, and the user's own account."""

from datetime import datetime, timedelta

from aiohttp import web

from gateway.runtime.maintenance import reload
from gateway.runtime.maintenance.backup import last_backup_at as last_backup
from gateway.web.auth.accounts import AccountError, CurrentUser, NewInvitation
from gateway.web.auth.roles import Role, UserRight, has_right
from gateway.web.pages.activity import activity_lines, browser_name
from gateway.web.pages.remote_browsers import browser_facts
from gateway.web.server.authorization import Authorizer
from gateway.web.server.fragments import qr_svg
from gateway.web.texts.catalogue import TEXTS

PASSWORD_RESET_SHOWN_DAYS = 30  # days for which others see that a password was reset on the box


class HouseholdPage:
    """The pages of people and of settings."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""
        behind = self._authorizer.protect
        return [
            web.get("/household", behind(UserRight.SEE_HOUSEHOLD, self._page)),
            web.post("/household/invite", behind(UserRight.PEOPLE, self._invite)),
            web.post("/household/withdraw", behind(UserRight.PEOPLE, self._withdraw)),
            web.post("/household/remove", behind(UserRight.PEOPLE, self._remove)),
            web.post("/household/hand-over", behind(UserRight.HAND_OVER, self._hand_over)),
            web.get("/settings", behind(UserRight.LANGUAGE, self._settings)),
            web.post("/settings/password", behind(UserRight.LANGUAGE, self._change_password)),
            web.post("/settings/session", behind(UserRight.LANGUAGE, self._end_session)),
            web.get("/settings/sign-ins", behind(UserRight.LANGUAGE, self._activity)),
        ]

    async def _page(self, request: web.Request, user: CurrentUser) -> web.Response:
        return self._render(request, user, invited=None)

    def _render(self, request: web.Request, user: CurrentUser, *, invited: NewInvitation | None) -> web.Response:
        desk = self._authorizer
        gone = desk.now.utc - timedelta(days=PASSWORD_RESET_SHOWN_DAYS)
        recovered = [
            {"at": at, "who": person}
            for row in desk.services.store.log.bodies_of_kind("password_recovered")
            if (at := datetime.fromisoformat(row["at"])) >= gone
            and (person := desk.services.store.accounts.person(row["person"])) is not None
            and person.id != user.person
        ]
        people = [person for person in desk.services.store.accounts.all_people() if person.removed is None]
        link = None if invited is None else f"{request.scheme}://{request.host}/join/{invited.token}"
        return desk.render_page(
            request, "household", people=people, invitations=desk.accounts.invitations(desk.now), link=link,
            qr=None if link is None else qr_svg(link, scale=4),
            recovered=recovered, roles=[Role.HOUSEHOLD.value, Role.INSTALLER.value, Role.OWNER.value],
        )  # fmt: skip

    async def _invite(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Invite a person. The response itself shows the link, this once."""
        asked = str((await request.post()).get("role", ""))
        if asked not in (Role.HOUSEHOLD, Role.INSTALLER, Role.OWNER):
            raise web.HTTPBadRequest
        invited = await self._authorizer.accounts.invite(user, Role(asked), self._authorizer.now)
        if isinstance(invited, AccountError):
            raise self._authorizer.conflict(request, TEXTS[f"refused.{invited}"])
        return self._render(request, user, invited=invited)

    async def _withdraw(self, request: web.Request, user: CurrentUser) -> web.Response:
        invitation = str((await request.post()).get("id", ""))
        return self._result(
            request,
            await self._authorizer.accounts.withdraw_invitation(user, invitation, self._authorizer.now),
            "/household",
        )

    async def _remove(self, request: web.Request, user: CurrentUser) -> web.Response:
        person = str((await request.post()).get("id", ""))
        return self._result(
            request, await self._authorizer.accounts.remove_person(user, person, self._authorizer.now), "/household"
        )

    async def _hand_over(self, request: web.Request, user: CurrentUser) -> web.Response:
        outcome = await self._authorizer.accounts.hand_over(user, self._authorizer.now)
        return self._result(request, outcome if isinstance(outcome, AccountError) else None, "/household")

    # ---- one's own account ------------------------------------------------------------------------------------------

    async def _settings(self, request: web.Request, user: CurrentUser) -> web.Response:
        return self._render_settings(request, user, error=None, status=200)

    def _render_settings(
        self, request: web.Request, user: CurrentUser, *, error: str | None, status: int
    ) -> web.Response:
        language = self._authorizer.language(request)
        running = self._authorizer.accounts.sessions(user.person, self._authorizer.now)
        sessions = [(one, browser_name(one.browser, language)) for one in running]
        folder = self._authorizer.services.home.storage.folder
        reloaded = reload.read_report(folder) if has_right(user.role, UserRight.DEVICES) else None
        return self._authorizer.render_page(
            request,
            "settings",
            sessions=sessions,
            mine=user.session,
            enrolled=browser_facts(self._authorizer, user),
            error=error,
            status=status,
            reloaded=reloaded,
            backup=last_backup(folder),
        )

    async def _change_password(self, request: web.Request, user: CurrentUser) -> web.Response:
        fields = await request.post()
        old, new = str(fields.get("old", "")), str(fields.get("new", ""))
        outcome = await self._authorizer.accounts.change_password(user, old, new, self._authorizer.now)
        if outcome is None:
            raise web.HTTPSeeOther("/settings")
        return self._render_settings(request, user, error=self._authorizer.error_text(request, outcome), status=422)

    async def _activity(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Show the activity of the user's own account; with the right `PEOPLE`, that of all accounts."""
        everything = has_right(user.role, UserRight.PEOPLE)
        lines = activity_lines(
            self._authorizer.services.store,
            self._authorizer.language(request),
            person=None if everything else user.person,
        )
        return self._authorizer.render_page(request, "doings", lines=lines, everything=everything)

    async def _end_session(self, request: web.Request, user: CurrentUser) -> web.Response:
        session = str((await request.post()).get("id", ""))
        return self._result(
            request, await self._authorizer.accounts.end_session(user, session, self._authorizer.now), "/settings"
        )

    def _result(self, request: web.Request, error: AccountError | None, location: str) -> web.Response:
        if error is not None:
            raise self._authorizer.conflict(request, TEXTS[f"refused.{error}"])
        raise web.HTTPSeeOther(location)
