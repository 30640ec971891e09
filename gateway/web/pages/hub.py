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
from gateway.domain.delivery.address import AddressKind, HomeAddress, is_address_text
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import HubError, HubUnavailable, WrongHub
from gateway.integrations.hub_client.unenrolment import is_enrolled_by_claim
from gateway.protocol.enrolment import ClaimCode, proquint_words
from gateway.runtime.maintenance import reload
from gateway.system.config_section import ConfigError
from gateway.system.i18n import Text, _
from gateway.system.text import sanitized
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import Conflict, Page, form_texts, get, post
from gateway.web.server.security_headers import PHOTO_READER_HEADERS

log = structlog.get_logger(__name__)

HUB_PATH: Final = "/settings/hub"
MAX_CODE_CHARACTERS: Final = 400  # characters of a code

_NO_CODE: Final = _("This is no hub's code, or not the whole of it: copy it from https:// to its end.")
_NO_ADDRESS: Final = _("Give a postcode or a word: 1 to 32 letters, digits, spaces and hyphens.")
_NOTHING_CHANGED: Final = _("Nothing was changed in the house ({why}). Try again: the same code still counts.")
_REFUSAL_TEXTS: Final[Mapping[str, Text]] = {
    "conflict": _("This code was used already. Ask whoever runs the hub for another one."),
    "too_late": _("This code has expired: it is good for a day. Ask for another one."),
    "not_found": _("The hub does not know this code. Ask for another one."),
    "signature_refused": _("This code is not the one that the hub made: copy it once more, whole."),
}
"""The hub's refusal codes that the page explains; of others it shows the hub's own words."""


class HubPage(Page):
    """The page of the hub. Only one join runs at a time."""

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        self._folder = authorizer.services.home.storage.folder / enrolment.HUB_FOLDER
        self._join_lock = asyncio.Lock()

    @get(HUB_PATH, UserRight.HUB)
    async def _page(
        self,
        request: web.Request,
        _user: CurrentUser,
        *,
        error: Text | None = None,
        code: ClaimCode | None = None,
        status: int | None = None,
    ) -> web.Response:
        facts, uplink = await asyncio.to_thread(self._membership_facts), self._services.uplink
        writable = await asyncio.to_thread(self._services.proposals.is_writable)
        response = self._render_page(
            request, "hub", status=status, page=HUB_PATH, error=error, code=code, writable=writable,
            words=proquint_words, file=self._services.home_file_writer.file,
            uplink=None if uplink is None else uplink.status, **facts,
        )  # fmt: skip
        if facts["section"] is None and code is None:
            response.headers.update(PHOTO_READER_HEADERS)
        return response

    def _membership_facts(self) -> Mapping[str, Any]:
        """Return the facts of a joined hub, or of a join that is not complete."""
        section, last = self._home.hub, reload.read_report(self._home.storage.folder)
        try:
            identity = enrolment.read_identity(self._folder)
        except (enrolment.DamagedIdentity, OSError):
            identity = None
        is_claimed = section is not None and is_enrolled_by_claim(self._home, section)
        return {
            "section": section,
            "told": self._store.addresses.told,
            "support": enrolment.support_code(self._folder),
            "is_incomplete": section is None and identity is not None,
            "problems": last[0].problems if last is not None and last[0].said == "refused" else (),
            "until": identity.valid_until if is_claimed and identity is not None else None,
            "authority": enrolment.authority_fingerprint(self._folder) if is_claimed else None,
        }

    @post(f"{HUB_PATH}/address", UserRight.HUB)
    async def _tell_address(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Store what brands that were let in may know of the home's address."""
        form = await form_texts(request)
        kind, text = form.get("kind", ""), " ".join(form.get("text", "").split())
        if kind and kind not in set(AddressKind):
            raise web.HTTPBadRequest
        if kind and not is_address_text(text):
            return await self._page(request, user, error=_NO_ADDRESS)
        address = HomeAddress(kind=AddressKind(kind), text=text) if kind else None
        changed = await self._store.addresses.tell(address, self._now, by=user.person)
        self._inbox.update_deliveries(changed)
        raise web.HTTPSeeOther(HUB_PATH)

    @post(f"{HUB_PATH}/code", UserRight.HUB)
    async def _show_code(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Show whose code it is. The box sends nothing."""
        code = await _posted_code(request)
        return await self._page(request, user, code=code, error=_NO_CODE if code is None else None)

    @post(f"{HUB_PATH}/join", UserRight.HUB)
    async def _join(self, request: web.Request, user: CurrentUser) -> web.Response:
        code = await _posted_code(request)
        if code is None:
            return await self._page(request, user, error=_NO_CODE)
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return await self._page(request, user, code=code, error=error)
        if self._join_lock.locked():
            raise Conflict(_("The box is joining a hub just now."))
        async with self._join_lock:
            if self._home.hub is not None:
                raise Conflict(_("This house has joined a hub already: leave it first."))
            error = await self._join_and_write(code, user)
        if error is not None:
            return await self._page(request, user, code=code, error=error, status=409)
        raise web.HTTPSeeOther(HUB_PATH)

    async def _join_and_write(self, code: ClaimCode, user: CurrentUser) -> Text | None:
        """Repeated after a crash, it gives the same result."""
        box = self._services
        if not await asyncio.to_thread(box.proposals.is_writable):
            return _(
                "{file} cannot be written: let the box write it.",
                file=str(box.home_file_writer.file or "home.yaml"),
            )
        try:
            member = await asyncio.to_thread(
                enrolment.join_hub, code, box.public_key, self._folder, enrolment.http_request
            )
            entry = {"url": code.url, "home": member.home, "by": user.person}
            await box.store.log.append("hub_joined", entry, self._now)
            folder = box.home.storage.folder
            await box.home_file_writer.write(
                lambda text, file: enrolment.text_with_membership(text, file, folder, code.url, member)
            )
            await asyncio.to_thread(enrolment.finish_join, self._folder)
        except WrongHub:
            return _(
                "What answers at this address is not the hub of this code. Nothing of it was kept. Ask for a new "
                "code; if it happens again, somebody may intercept the connection."
            )
        except HubError as error:
            return _REFUSAL_TEXTS.get(error.code, _("The hub refuses: {why}", why=sanitized(str(error))))
        except HubUnavailable as error:
            return _(
                "The hub does not answer ({why}). Try again: the same code still counts.", why=sanitized(str(error))
            )
        except (EditRejected, ConfigError, OSError) as error:
            return _NOTHING_CHANGED.with_facts(why=sanitized(str(error)))
        log.info("hub_joined", url=code.url, home=member.home, by=user.person)
        return None

    @post(f"{HUB_PATH}/leave", UserRight.HUB)
    async def _leave(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Leave the hub: cancel its deliveries, send what is still due, then announce that the home has left."""
        fields, section, uplink = await form_texts(request), self._home.hub, self._services.uplink
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return await self._page(request, user, error=error)
        if section is None:
            raise Conflict(_("This house has joined no hub."))
        if uplink is None:  # the box is not this home any more; only home.yaml still says so
            try:
                await self._services.home_file_writer.write(
                    lambda text, file: enrolment.text_without_membership(text, file, section.home)
                )
            except (EditRejected, OSError) as failure:
                error = _NOTHING_CHANGED.with_facts(why=sanitized(str(failure)))
                return await self._page(request, user, error=error, status=409)
            raise web.HTTPSeeOther(HUB_PATH)
        await self._store.handover.leave_hub(section.home, self._now, by=user.person)
        uplink.leave(immediately=fields.get("at_once") == "1")
        log.warning("hub_leaving", url=section.url, home=section.home, by=user.person)
        raise web.HTTPSeeOther(HUB_PATH)


async def _posted_code(request: web.Request) -> ClaimCode | None:
    text = (await form_texts(request)).get("code", "")
    try:
        return ClaimCode.of(text) if len(text) <= MAX_CODE_CHARACTERS else None
    except ValueError:
        return None
