"""Manages the accounts of the household, and the user's own account."""

from datetime import datetime, timedelta

from aiohttp import web

from gateway.runtime.maintenance import reload
from gateway.runtime.maintenance.backup import last_backup_at as last_backup
from gateway.system.i18n import Text
from gateway.web.auth.accounts import AccountRefused, CurrentUser
from gateway.web.auth.roles import Role, UserRight, has_right
from gateway.web.pages.activity import activity_lines, browser_name
from gateway.web.server.page import Page, form_texts, get, post

INVITED_ROLES = (Role.HOUSEHOLD, Role.INSTALLER, Role.OWNER)
PASSWORD_RESET_SHOWN_DAYS = 30  # days for which others see that a password was reset on the box


class HouseholdPage(Page):
    """The pages of people and of settings."""

    @get("/household", UserRight.SEE_HOUSEHOLD)
    async def _page(self, request: web.Request, user: CurrentUser, *, token: str | None = None) -> web.Response:
        """Show the household, and once the link of the invitation that was just made."""
        store, now = self._store, self._now
        shown_since = now.utc - timedelta(days=PASSWORD_RESET_SHOWN_DAYS)
        recovered = [
            {"at": at, "who": person}
            for row in store.log.bodies_of_kind("password_recovered")
            if (at := datetime.fromisoformat(row["at"])) >= shown_since
            and (person := store.accounts.person(row["person"])) is not None
            and person.id != user.person
        ]
        link = None if token is None else f"{request.scheme}://{request.host}/join/{token}"
        return self._render_page(
            request, "household", people=[person for person in store.accounts.all_people() if person.removed is None],
            invitations=self._accounts.invitations(now), link=link,
            recovered=recovered, roles=INVITED_ROLES,
        )  # fmt: skip

    @post("/household/invite", UserRight.PEOPLE)
    async def _invite(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Invite a person. The response itself shows the link, this once."""
        role = (await form_texts(request)).get("role")
        if role not in INVITED_ROLES:
            raise web.HTTPBadRequest
        invitation = await self._accounts.invite(user, Role(role), self._now)
        return await self._page(request, user, token=invitation.text)

    @post("/household/withdraw", UserRight.PEOPLE)
    async def _withdraw(self, request: web.Request, user: CurrentUser) -> web.Response:
        id_ = (await form_texts(request)).get("id", "")
        await self._accounts.withdraw_invitation(user, id_, self._now)
        raise web.HTTPSeeOther("/household")

    @post("/household/remove", UserRight.PEOPLE)
    async def _remove(self, request: web.Request, user: CurrentUser) -> web.Response:
        id_ = (await form_texts(request)).get("id", "")
        await self._accounts.remove_person(user, id_, self._now)
        raise web.HTTPSeeOther("/household")

    @post("/household/hand-over", UserRight.HAND_OVER)
    async def _hand_over(self, _request: web.Request, user: CurrentUser) -> web.Response:
        await self._accounts.hand_over(user, self._now)
        raise web.HTTPSeeOther("/household")

    @get("/settings", UserRight.LANGUAGE)
    async def _settings(self, request: web.Request, user: CurrentUser, *, error: Text | None = None) -> web.Response:
        language, folder = self._language(request), self._home.storage.folder
        sessions = self._accounts.sessions(user.person, self._now)
        may_end_any = has_right(user.role, UserRight.PEOPLE)
        return self._render_page(
            request,
            "settings",
            sessions=[(session, browser_name(session.browser, language)) for session in sessions],
            mine=user.session,
            enrolled=self._store.browsers.browsers(None if may_end_any else user.person),
            device=user.device,
            error=error,
            reloaded=reload.read_report(folder) if has_right(user.role, UserRight.DEVICES) else None,
            backup=last_backup(folder),
        )

    @post("/settings/password", UserRight.LANGUAGE)
    async def _change_password(self, request: web.Request, user: CurrentUser) -> web.Response:
        fields = await form_texts(request)
        try:
            await self._accounts.change_password(user, fields.get("old", ""), fields.get("new", ""), self._now)
        except AccountRefused as refusal:
            return await self._settings(request, user, error=refusal.message)
        raise web.HTTPSeeOther("/settings")

    @get("/settings/sign-ins", UserRight.LANGUAGE)
    async def _activity(self, request: web.Request, user: CurrentUser) -> web.Response:
        everything = has_right(user.role, UserRight.PEOPLE)
        lines = activity_lines(self._store, self._language(request), person=None if everything else user.person)
        return self._render_page(request, "activity", lines=lines, everything=everything)

    @post("/settings/session", UserRight.LANGUAGE)
    async def _end_session(self, request: web.Request, user: CurrentUser) -> web.Response:
        id_ = (await form_texts(request)).get("id", "")
        await self._accounts.end_session(user, id_, self._now)
        raise web.HTTPSeeOther("/settings")
