"""Joins a hub by a claim code, shows the connection to it, and leaves it.

The operator of the hub gives the owner a code, as text or as a QR code, on a way that both trust; the owner photographs
or pastes it here. In this direction one code proves both sides (gateway/protocol/enrolment.py). Before the box sends
anything, the page shows which hub it is, in words that can be compared by telephone, and takes the password.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.config.editor import EditRejected
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import HubError, HubMembership, HubUnavailable, WrongHub
from gateway.integrations.hub_client.house_file import text_with_membership, text_without_membership
from gateway.integrations.hub_client.unenrolment import is_enrolled_by_claim
from gateway.protocol.enrolment import ClaimCode, InvalidClaimCode, proquint_words
from gateway.runtime.maintenance import reload
from gateway.system.config_section import ConfigError
from gateway.system.i18n import _
from gateway.system.pki.pages import format_fingerprint
from gateway.system.text import sanitized
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.server.security_headers import PHOTO_READER_HEADERS
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

HUB_PATH: Final = "/settings/hub"
MAX_CODE_CHARACTERS: Final = 400  # characters of a code


class HubPage:
    """The page of the hub. Only one join runs at a time."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._services = authorizer, authorizer.services
        self._folder = authorizer.services.home.storage.folder / enrolment.HUB_FOLDER
        self._join_lock = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""
        behind = self._authorizer.protect
        return [
            web.get(HUB_PATH, behind(UserRight.HUB, self._page)),
            web.post(f"{HUB_PATH}/code", behind(UserRight.HUB, self._show_code)),
            web.post(f"{HUB_PATH}/join", behind(UserRight.HUB, self._join)),
            web.post(f"{HUB_PATH}/leave", behind(UserRight.HUB, self._leave)),
        ]

    async def _page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        return await self._render(request)

    async def _render(
        self, request: web.Request, *, error: str | None = None, code: ClaimCode | None = None, status: int = 200
    ) -> web.Response:
        facts, uplink = await asyncio.to_thread(self._membership_facts), self._services.uplink
        asked = (
            None
            if code is None
            else {
                "url": code.url,
                "words": proquint_words(code.authority),
                "fingerprint": format_fingerprint(code.authority),
                "text": code.text,
            }
        )
        writable = await asyncio.to_thread(self._services.proposals.is_writable)
        answer = self._authorizer.render_page(
            request, "hub", status=status, page=HUB_PATH, error=error, asked=asked, writable=writable,
            file=self._services.home_file_writer.file, line=None if uplink is None else uplink.status, **facts,
        )  # fmt: skip
        if facts["section"] is None and asked is None:
            answer.headers.update(PHOTO_READER_HEADERS)
        return answer

    def _membership_facts(self) -> Mapping[str, Any]:
        """Return the facts of a joined hub, or of a join that is not complete."""
        section, last = self._services.home.hub, reload.read_report(self._services.home.storage.folder)
        facts: dict[str, Any] = {"section": section}
        facts["support"] = enrolment.support_code(self._folder)
        facts["until"] = facts["authority"] = None
        facts["refused"] = last[0].problems if last is not None and last[0].said == "refused" else ()
        try:
            mine = enrolment.read_identity(self._folder)
        except (enrolment.DamagedIdentity, OSError):
            mine = None
        facts["half"] = section is None and mine is not None
        if section is not None and is_enrolled_by_claim(self._services.home, section):
            facts["until"] = None if mine is None else mine.valid_until
            facts["lost"] = mine is None
            facts["authority"] = enrolment.authority_fingerprint(self._folder)
        if facts["authority"] is not None:
            facts["words"] = proquint_words(facts["authority"])
        return facts

    # ---- joining ----------------------------------------------------------------------------------------------------

    async def _show_code(self, request: web.Request, _user: CurrentUser) -> web.Response:
        """Show whose code it is. The box sends nothing."""
        code = self._parse_code(str((await request.post()).get("code", "")))
        if code is None:
            return await self._render(
                request,
                error=self._authorizer.translate(
                    request, _("This is no hub's code, or not the whole of it: copy it from `https://` to its end.")
                ),
                status=422,
            )
        return await self._render(request, code=code)

    @staticmethod
    def _parse_code(text: str) -> ClaimCode | None:
        try:
            return ClaimCode.of(text) if len(text) <= MAX_CODE_CHARACTERS else None
        except InvalidClaimCode:
            return None

    async def _join(self, request: web.Request, user: CurrentUser) -> web.Response:
        fields = await request.post()
        code = self._parse_code(str(fields.get("code", "")))
        if code is None:
            return await self._render(
                request,
                error=self._authorizer.translate(
                    request, _("This is no hub's code, or not the whole of it: copy it from `https://` to its end.")
                ),
                status=422,
            )
        unproven = await self._authorizer.password_error(request, user)
        if unproven is not None:
            return await self._render(request, code=code, error=unproven, status=422)
        if self._join_lock.locked():
            raise self._authorizer.conflict(request, _("The box is joining a hub just now."))
        async with self._join_lock:
            if self._services.home.hub is not None:
                raise self._authorizer.conflict(request, _("This house has joined a hub already: leave it first."))
            why = await self._join_and_write(request, code, user)
        if why is not None:
            return await self._render(request, code=code, error=why, status=409)
        raise web.HTTPSeeOther(HUB_PATH)

    async def _join_and_write(self, request: web.Request, code: ClaimCode, user: CurrentUser) -> str | None:
        """Join, and write the membership to home.yaml; None, or why not.

        Repeated after a crash it gives the same result.
        """
        say, box = self._authorizer.translate, self._services
        if not await asyncio.to_thread(box.proposals.is_writable):
            return say(
                request,
                _("{file} cannot be written: let the box write it, or use `perron join` at its terminal."),
                file=str(box.home_file_writer.file or "home.yaml"),
            )
        try:
            member = await asyncio.to_thread(
                enrolment.join_hub, code, box.public_key, self._folder, enrolment.http_request
            )
            told = {"url": member.url, "home": member.home, "by": user.person}
            await box.store.log.append("hub_joined", told, self._authorizer.now)
            await self._write_membership(member)
            await asyncio.to_thread(enrolment.finish_join, self._folder)
        except WrongHub:
            return say(
                request,
                _(
                    "What answers at this address is not the hub of this code. Nothing of it was kept. Ask for a new "
                    "code; if it happens again, somebody stands between you and it."
                ),
            )
        except HubError as no:
            return say(
                request,
                TEXTS[f"hub.no.{no.code}" if no.code in _TRANSLATED_REASONS else "hub.no.says"],
                why=sanitized(str(no)),
            )
        except HubUnavailable as away:
            return say(
                request,
                _("The hub does not answer ({why}). Try again: the same code still counts."),
                why=sanitized(str(away)),
            )
        except (EditRejected, ConfigError, OSError) as error:
            return say(
                request,
                _("Nothing was changed in the house ({why}). Try again: the same code still counts."),
                why=sanitized(str(error)),
            )
        log.info("hub_joined", url=member.url, home=member.home, by=user.person)
        return None

    async def _write_membership(self, member: HubMembership) -> None:
        storage = self._services.home.storage.folder
        await self._services.home_file_writer.write(
            lambda text, file: text_with_membership(text, file, storage, member)
        )

    # ---- leaving ----------------------------------------------------------------------------------------------------

    async def _leave(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Leave the hub: cancel its deliveries, send what is still due, then announce that the home has left."""
        fields, section, uplink = await request.post(), self._services.home.hub, self._services.uplink
        unproven = await self._authorizer.password_error(request, user)
        if unproven is not None:
            return await self._render(request, error=unproven, status=422)
        if section is None:
            raise self._authorizer.conflict(request, _("This house has joined no hub."))
        if uplink is None:  # the box is not this home any more; only home.yaml still says so
            return await self._remove_membership(request, section.home)
        await self._services.store.handover.leave_hub(section.home, self._authorizer.now, by=user.person)
        uplink.leave(immediately=fields.get("at_once") == "1")
        log.warning("hub_leaving", url=section.url, home=section.home, by=user.person)
        raise web.HTTPSeeOther(HUB_PATH)

    async def _remove_membership(self, request: web.Request, home: str) -> web.Response:
        try:
            await self._services.home_file_writer.write(lambda text, file: text_without_membership(text, file, home))
        except (EditRejected, OSError) as error:
            why = self._authorizer.translate(
                request,
                _("Nothing was changed in the house ({why}). Try again: the same code still counts."),
                why=sanitized(str(error)),
            )
            return await self._render(request, error=why, status=409)
        raise web.HTTPSeeOther(HUB_PATH)


_TRANSLATED_REASONS: Final = frozenset({"conflict", "too_late", "not_found", "signature_refused"})
"""The hub's refusal codes for which the page has a translation."""
