"""The hub: join one by a claim's code, see how the line to it stands, leave it.

Whoever runs the hub gives the owner a code, as text or as a QR, by a way that both trust; the owner takes a photo of it
here, or pastes it. Not the other way round: one code then proves both sides (gateway/protocol/enrolment.py). Before
anything is sent anywhere the page shows which hub it is, in words that can be compared by telephone, and asks for the
password.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.config.editor import NotAdded
from gateway.config.errors import ConfigError
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import HubAway, HubSays, Membership, NotTheHub
from gateway.integrations.hub_client.house_file import joined_text, left_text
from gateway.integrations.hub_client.unenrolment import by_claim
from gateway.protocol.enrolment import Code, NoCode, spoken
from gateway.runtime.maintenance import reload
from gateway.system.i18n import _
from gateway.system.pki.pages import spaced
from gateway.system.text import inert
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right
from gateway.web.server.authorization import Desk
from gateway.web.server.security_headers import READING_A_PHOTO
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

PAGE: Final = "/settings/hub"
LONGEST: Final = 400  # characters of a code


class Hub:
    """The page. One joins at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box = desk, desk.box
        self._folder = desk.box.home.storage.folder / enrolment.FOLDER
        self._joining = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get(PAGE, behind(Right.HUB, self._page)),
            web.post(f"{PAGE}/code", behind(Right.HUB, self._read)),
            web.post(f"{PAGE}/join", behind(Right.HUB, self._join)),
            web.post(f"{PAGE}/leave", behind(Right.HUB, self._leave)),
        ]

    async def _page(self, request: web.Request, _who: Who) -> web.Response:
        return await self._shown(request)

    async def _shown(
        self, request: web.Request, *, why: str | None = None, code: Code | None = None, status: int = 200
    ) -> web.Response:
        facts, uplink = await asyncio.to_thread(self._facts), self._box.uplink
        asked = None if code is None else {
            "url": code.url, "words": spoken(code.authority), "fingerprint": spaced(code.authority), "text": code.text,
        }  # fmt: skip
        writable = await asyncio.to_thread(self._box.proposals.writable)
        answer = self._desk.page(
            request, "hub", status=status, page=PAGE, why=why, asked=asked, file=self._box.rewriting.file,
            writable=writable, line=None if uplink is None else uplink.standing, **facts,
        )  # fmt: skip
        if facts["section"] is None and asked is None:
            answer.headers.update(READING_A_PHOTO)
        return answer

    def _facts(self) -> Mapping[str, Any]:
        """What there is to see: of a hub that is joined, or of a joining that is not over."""
        section, last = self._box.home.hub, reload.told(self._box.home.storage.folder)
        facts: dict[str, Any] = {"section": section}
        facts["support"] = enrolment.support_code(self._folder)
        facts["until"] = facts["authority"] = None
        facts["refused"] = last[0].problems if last is not None and last[0].said == "refused" else ()
        try:
            mine = enrolment.identity(self._folder)
        except (enrolment.Damaged, OSError):
            mine = None
        facts["half"] = section is None and mine is not None
        if section is not None and by_claim(self._box.home, section):
            facts["until"] = None if mine is None else mine.until
            facts["lost"] = mine is None
            facts["authority"] = enrolment.believed(self._folder)
        if facts["authority"] is not None:
            facts["words"] = spoken(facts["authority"])
        return facts

    # ---- joining ----------------------------------------------------------------------------------------------------

    async def _read(self, request: web.Request, _who: Who) -> web.Response:
        """Show whose code it is. Nothing is sent to anybody."""
        code = self._code(str((await request.post()).get("code", "")))
        if code is None:
            return await self._shown(
                request,
                why=self._desk.say(
                    request, _("This is no hub's code, or not the whole of it: copy it from `https://` to its end.")
                ),
                status=422,
            )
        return await self._shown(request, code=code)

    @staticmethod
    def _code(text: str) -> Code | None:
        try:
            return Code.of(text) if len(text) <= LONGEST else None
        except NoCode:
            return None

    async def _join(self, request: web.Request, who: Who) -> web.Response:
        fields = await request.post()
        code = self._code(str(fields.get("code", "")))
        if code is None:
            return await self._shown(
                request,
                why=self._desk.say(
                    request, _("This is no hub's code, or not the whole of it: copy it from `https://` to its end.")
                ),
                status=422,
            )
        unproven = await self._desk.proven(request, who, str(fields.get("password", "")))
        if unproven is not None:
            return await self._shown(request, code=code, why=unproven, status=422)
        if self._joining.locked():
            raise web.HTTPConflict(text=self._desk.say(request, _("The box is joining a hub just now.")))
        async with self._joining:
            if self._box.home.hub is not None:
                raise web.HTTPConflict(
                    text=self._desk.say(request, _("This house has joined a hub already: leave it first."))
                )
            why = await self._joined(request, code, who)
        if why is not None:
            return await self._shown(request, code=code, why=why, status=409)
        raise web.HTTPSeeOther(PAGE)

    async def _joined(self, request: web.Request, code: Code, who: Who) -> str | None:
        """Join, and write it into the house file; None, or why not. Said again after a crash it ends the same."""
        say, box = self._desk.say, self._box
        if not await asyncio.to_thread(box.proposals.writable):
            return say(
                request,
                _("{file} cannot be written: let the box write it, or use `perron join` at its terminal."),
                file=str(box.rewriting.file or "home.yaml"),
            )
        try:
            member = await asyncio.to_thread(enrolment.join, code, box.public_key, self._folder, enrolment.over_http)
            told = {"url": member.url, "home": member.home, "by": who.person}
            await box.store.note("hub_joined", told, self._desk.now)
            await self._write(member)
            await asyncio.to_thread(enrolment.joined, self._folder)
        except NotTheHub:
            return say(
                request,
                _(
                    "What answers at this address is not the hub of this code. Nothing of it was kept. Ask for a new "
                    "code; if it happens again, somebody stands between you and it."
                ),
            )
        except HubSays as no:
            return say(
                request, TEXTS[f"hub.no.{no.code}" if no.code in _REASONS else "hub.no.says"], why=inert(str(no))
            )
        except HubAway as away:
            return say(
                request,
                _("The hub does not answer ({why}). Try again: the same code still counts."),
                why=inert(str(away)),
            )
        except (NotAdded, ConfigError, OSError) as error:
            return say(
                request,
                _("Nothing was changed in the house ({why}). Try again: the same code still counts."),
                why=inert(str(error)),
            )
        log.info("hub_joined", url=member.url, home=member.home, by=who.person)
        return None

    async def _write(self, member: Membership) -> None:
        storage = self._box.home.storage.folder
        await self._box.rewriting.write(lambda text, file: joined_text(text, file, storage, member))

    # ---- leaving ----------------------------------------------------------------------------------------------------

    async def _leave(self, request: web.Request, who: Who) -> web.Response:
        """Leave: what came by the hub is cancelled, it is told all that it is owed, and then that the home has left."""
        fields, section, uplink = await request.post(), self._box.home.hub, self._box.uplink
        unproven = await self._desk.proven(request, who, str(fields.get("password", "")))
        if unproven is not None:
            return await self._shown(request, why=unproven, status=422)
        if section is None:
            raise web.HTTPConflict(text=self._desk.say(request, _("This house has joined no hub.")))
        if uplink is None:  # the box is this home no longer: only the house file says so still
            return await self._taken_out(request, section.home)
        await self._box.store.handover.leave_hub(section.home, self._desk.now, by=who.person)
        uplink.leave(at_once=fields.get("at_once") == "1")
        log.warning("hub_leaving", url=section.url, home=section.home, by=who.person)
        raise web.HTTPSeeOther(PAGE)

    async def _taken_out(self, request: web.Request, home: str) -> web.Response:
        try:
            await self._box.rewriting.write(lambda text, file: left_text(text, file, home))
        except (NotAdded, OSError) as error:
            why = self._desk.say(
                request,
                _("Nothing was changed in the house ({why}). Try again: the same code still counts."),
                why=inert(str(error)),
            )
            return await self._shown(request, why=why, status=409)
        raise web.HTTPSeeOther(PAGE)


_REASONS: Final = frozenset({"conflict", "too_late", "not_found", "signature_refused"})
"""The hub's own words for a refusal that the page says in its reader's language."""
