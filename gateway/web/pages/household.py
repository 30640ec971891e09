"""Manages the accounts of the household and the user's own account; shows sign-ins and changes of accounts and keys."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from gateway.domain.frozen import Frozen
from gateway.runtime.maintenance import reload
from gateway.runtime.maintenance.backup import last_backup_at as last_backup
from gateway.storage.store import Store
from gateway.system.i18n import Language, Text, _
from gateway.system.text import sanitized
from gateway.web.auth.accounts import AccountRefused, CurrentUser
from gateway.web.auth.roles import Role, UserRight, has_right
from gateway.web.auth.user_agent import browser_name
from gateway.web.server.context import person_name
from gateway.web.server.page import Page, form_texts, get, post
from gateway.web.texts.catalogue import TEXTS

INVITED_ROLES = (Role.HOUSEHOLD, Role.INSTALLER, Role.OWNER)
PASSWORD_RESET_SHOWN_DAYS = 30  # days for which others see that a password was reset on the box

ACTIVITY_TEXTS: Mapping[str, Text] = {
    "addition_proposed": _("{by} proposed for the house: {what}"),
    "addition_accepted": _("{by} accepted into the house: {what} (proposed by {who})"),
    "addition_refused": _("{by} refused for the house: {what} (proposed by {who})"),
    "addition_withdrawn": _("{by} withdrew what was proposed: {what}"),
    "account_opened": _("{by} let the installer see the account at the broker: {what}"),
    "account_shown": _("{by} saw the account at the broker: {what}"),
    "device_completed": _("{by} answered what was still open about: {what}"),
    "device_removed": _("{by} removed from the house: {what}"),
    "signed_in": _("{who} signed in: {what}"),
    "sign_in_wrong": _("{what} wrong passwords for {who}"),
    "password_changed": _("{who} changed their password"),
    "person_added": _("{who} has an account: {what}"),
    "person_removed": _("{who} has no account any more (by {by})"),
    "role_changed": _("{who} is now {what} (by {by})"),
    "invited": _("{by} invited somebody: {what}"),
    "invitation_withdrawn": _("{by} withdrew an invitation"),
    "handed_over": _("{by} said that the installation is done"),
    "claim_code_wrong": _("A wrong code to claim the box"),
    "phone_added": _("{by} added a phone ({what})"),
    "phone_removed": _("{by} removed a phone ({what})"),
    "push_subscribed": _("{by} lets a browser be notified"),
    "push_unsubscribed": _("{by} ended the notifications of a browser"),
    "messages_address": _("{by} said where phones find this box: {what}"),
    "key_distrusted": _("{by} trusts the key {what} no longer"),
    "key_approved": _("{by} accepted the key {what}"),
    "key_refused": _("{by} refused the key {what}"),
    "key_withdrawn": _("A brand took back its key {what}"),
    "key_trusted": _("{by} trusts the key {what} again"),
    "keeper_invited": _("{by} made a link for a keeper: {what}"),
    "keeper_code_given": _("A keeper has a code: {what} (by {by})"),
    "keeper_code_withdrawn": _("A keeper's code was withdrawn: {what} (by {by})"),
    "shared": _("{by} shows a visit by a link"),
    "share_ended": _("{by} ended a link"),
    "delivery_refused": _("{by} refused a delivery of {what}"),
    "survey_begun": _("{by} began a survey ({what})"),
    "survey_ended": _("{by} ended a survey ({what})"),
    "browser_enrolled": _("{who} reaches the house from afar: {what}"),
    "browser_ended": _("{by} ended a browser of {who}: {what}"),
    "hub_joined": _("{by} let the house join a hub."),
    "hub_leaving": _("{by} left the hub."),
}
"""The kinds of log rows that the page shows."""

MAX_ROWS_READ, MAX_LINES_SHOWN = 2000, 50  # the newest rows of the log


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
        people = [person for person in store.accounts.all_people() if person.removed is None]
        invitations = self._accounts.invitations(now)
        roles = {person.role for person in people} | {invitation.role for invitation in invitations}
        return self._render_page(
            request, "household", people=people, invitations=invitations, link=link, recovered=recovered,
            roles=INVITED_ROLES, has_installer=Role.INSTALLER in roles,
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


class ActivityLine(Frozen, kw_only=False):
    """One line of the activity page."""

    at: datetime
    text: str
    is_suspicious: bool


def activity_lines(store: Store, language: Language, *, person: str | None) -> tuple[ActivityLine, ...]:
    """Return what a person did and what was done to the person's account, or (None) all activity; newest first."""
    return tuple(_all_lines(store, language, person))[:MAX_LINES_SHOWN]


def _all_lines(store: Store, language: Language, person: str | None) -> Iterator[ActivityLine]:
    names: dict[str | None, str | None] = {}

    def named(ident: str | None) -> str:
        if ident not in names:
            names[ident] = person_name(store.accounts, ident)
        return names[ident] or _("somebody").to(language)

    for row in store.log.newest_bodies(tuple(ACTIVITY_TEXTS), at_most=MAX_ROWS_READ):
        if person is not None and person not in (row.get("person"), row.get("by")):
            continue
        kind = row["kind"]
        what = _line_text(row, language)
        if kind == "delivery_refused":
            what = sanitized(store.brands.name_of(str(row["delivery"]).partition(".")[0], language))
        facts = {"who": named(row.get("person")), "by": named(row.get("by")), "what": what}
        is_suspicious = kind in ("sign_in_wrong", "claim_code_wrong")
        yield ActivityLine(datetime.fromisoformat(row["at"]), ACTIVITY_TEXTS[kind].to(language, **facts), is_suspicious)


def _line_text(row: Mapping[str, Any], language: Language) -> str:
    match row["kind"]:
        case "signed_in":
            return browser_name(row.get("browser"), language)
        case "sign_in_wrong":
            return str(row["tries"])
        case "person_added" | "role_changed" | "invited":
            return TEXTS[f"role.{Role(row['role'])}"].to(language)
        case "phone_added" | "phone_removed":
            return sanitized(str(row["scheme"]))
        case (
            "addition_proposed"
            | "addition_accepted"
            | "addition_refused"
            | "addition_withdrawn"
            | "device_removed"
            | "device_completed"
        ):
            kind, name = row["thing"], sanitized(str(row["name"]))
            return f"{TEXTS[f'add.kind.{kind}'].to(language)} {name}"
        case "account_opened" | "account_shown":
            return sanitized(str(row["name"]))
        case "messages_address":
            return sanitized(str(row["address"] or "-"))
        case "browser_enrolled" | "browser_ended":
            return sanitized(str(row["label"]))
        case "survey_begun" | "survey_ended":
            return str(row["entrance"])
        case "keeper_invited" | "keeper_code_given" | "keeper_code_withdrawn":
            return sanitized(str(row["keeper"]))
        case "key_distrusted" | "key_trusted" | "key_approved" | "key_refused" | "key_withdrawn":
            return sanitized(f"{row['brand']} {row['kid']}")
        case _:
            return ""
