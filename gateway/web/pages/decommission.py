"""Moving out: everything to take along, the box wiped, or the house handed over to its next owner."""

import asyncio
from collections.abc import Mapping
from typing import Any

import segno
import structlog
from aiohttp import web

from gateway.evidence.export import name_of, packed
from gateway.runtime.maintenance.decommission import InTheWay
from gateway.system.i18n import _
from gateway.system.text import inert
from gateway.web.auth.accounts import Refused, SignedIn, Who, folded
from gateway.web.auth.recovery import Offered, Succession
from gateway.web.auth.roles import Right
from gateway.web.auth.user_agent import Browser
from gateway.web.pages.privacy import MEGABYTE
from gateway.web.server.authorization import Desk
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

AGAIN = 60  # seconds after which whoever wants everything while another copy is made may ask again


class Moving:
    """The pages of who leaves, and of who comes after."""

    def __init__(self, desk: Desk, succession: Succession) -> None:
        self._desk, self._box, self._succession = desk, desk.box, succession
        self._packing = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get("/settings/moving-out", behind(Right.MOVE_OUT, self._page)),
            web.get("/settings/moving-out/everything.zip", behind(Right.MOVE_OUT, self._everything), allow_head=False),
            web.post("/settings/moving-out/wipe", behind(Right.MOVE_OUT, self._wipe)),
            web.post("/settings/moving-out/offer", behind(Right.MOVE_OUT, self._offer)),
            web.post("/settings/moving-out/withdraw", behind(Right.MOVE_OUT, self._withdraw)),
            web.get("/take-over/{token}", self._asked),
            web.post("/take-over/{token}", self._taken),
        ]

    async def _page(self, request: web.Request, _who: Who) -> web.Response:
        return self._shown(request)

    def _shown(
        self, request: web.Request, *, status: int = 200, why: tuple[str, ...] = (), link: str | None = None
    ) -> web.Response:
        removal, tally = self._box.removal, self._box.store.keeping.tally()
        held = removal.held()
        ways = () if why else tuple(self._said(request, way) for way in removal.in_the_way(held_too=True))
        return self._desk.page(
            request, "moving", status=status, why=why, ways=ways, held=held, link=link,
            offer=self._succession.offered(self._desk.now), tally=tally, megabytes=-(-tally.film_bytes // MEGABYTE),
            qr=None if link is None else segno.make(link, error="m").svg_inline(scale=4, dark="#000"),
        )  # fmt: skip

    def _said(self, request: web.Request, way: InTheWay) -> str:
        section = None if way.entrance is None else self._box.home.entrances[way.entrance]
        return self._desk.say(request, TEXTS[f"way.{way.why}"], entrance="" if section is None else inert(section.name))

    def _unsaid(self, request: web.Request, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """What was not said that has to be: the house's name, and that what is held goes too."""
        unsaid = []
        if folded(str(fields.get("name", ""))) != folded(self._box.home.name):
            unsaid.append(
                self._desk.say(request, _("This is not the house's name: {name}"), name=inert(self._box.home.name))
            )
        if self._box.removal.held() and fields.get("held") != "1" and fields.get("films") != "leave":
            unsaid.append(self._desk.say(request, _("visits are held as evidence: tick that they go too"), entrance=""))
        return tuple(unsaid)

    # ---- take everything along --------------------------------------------------------------------------------------

    async def _everything(self, request: web.Request, who: Who) -> web.StreamResponse:
        """One ZIP; who is signed out meanwhile gets no more of it."""
        if self._packing.locked():  # a disk that is read for several at once is read for none
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(AGAIN)})
        async with self._packing:
            return await self._packed(request, who)

    async def _packed(self, request: web.Request, who: Who) -> web.StreamResponse:
        now, desk = self._desk.now, self._desk
        states = [state for state, _ in self._box.states()]
        running = {state.visit.id for state in states if state.visit is not None}
        running |= {state.incident for state in states if state.incident is not None}
        running |= {
            state.grace_visit.id
            for state in states
            if state.grace_visit is not None and self._filming(state.grace_visit.id)
        }
        self._box.store.keeping.looked("copy", "", who.person, now)
        name = name_of(self._box.home, now.utc)
        answer = web.StreamResponse(
            headers={"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{name}.zip"'}
        )
        await answer.prepare(request)
        pieces = packed(
            self._box.home, self._box.store, self._box.public_key, made=now.utc, running=frozenset(running),
            readme=desk.say(request, _(
                "All that this box kept.\n\nvisits/       one visit a folder: films, log, signed proof\nlog.jsonl     "
                "the whole log, one entry a line\npeople.json, permissions.json\n              who had an account, and "
                "which brands could come in\nbox.pub.pem   the box's public key\n\nTo verify a visit, without the "
                "internet:\n  perron verify {name}/visits/VISIT --key {name}/box.pub.pem\n"
            ), name=name),
        )  # fmt: skip
        try:
            async for piece in pieces:
                if not desk.accounts.still(who, desk.now):
                    return _broken_off(request, answer)
                await answer.write(piece)
        except OSError as failure:  # no whole ZIP, and it must not look so
            log.warning("taking_along_broken_off", why=str(failure))
            return _broken_off(request, answer)
        await answer.write_eof()
        return answer

    def _filming(self, visit: str) -> bool:
        """Whether a part of a visit is not sealed yet. After one that is, another may begin for 15 minutes."""
        return any(part.sealed is None for part in self._box.store.films(visit=visit))

    # ---- wipe -------------------------------------------------------------------------------------------------------

    async def _wipe(self, request: web.Request, who: Who) -> web.StreamResponse:
        fields = await request.post()
        unsaid = self._unsaid(request, fields)
        if unsaid:
            return self._shown(request, status=422, why=unsaid)
        ways = await self._box.removal.wipe(who.person, held_too=fields.get("held") == "1")
        if ways:
            return self._shown(request, status=409, why=tuple(self._said(request, way) for way in ways))
        return await self._last(request, self._desk.page(request, "wiped"))

    async def _last(self, request: web.Request, answer: web.Response) -> web.Response:
        """Give the answer whole, then let the box begin anew: also where nobody waits for the answer any more."""
        try:
            await answer.prepare(request)
            await answer.write_eof()
        finally:
            self._box.removal.again()
        return answer

    # ---- hand over --------------------------------------------------------------------------------------------------

    async def _offer(self, request: web.Request, who: Who) -> web.Response:
        """The link is shown this once: the page is the answer to the form itself."""
        fields = await request.post()
        unsaid = self._unsaid(request, fields)
        if unsaid:
            return self._shown(request, status=422, why=unsaid)
        offered = await self._succession.offer(
            who, self._desk.now, leaves_films=fields.get("films") == "leave", held_too=fields.get("held") == "1"
        )
        match offered:
            case Offered():
                link = f"{request.scheme}://{request.host}/take-over/{offered.token}"
                return self._shown(request, link=link)
            case _:
                raise web.HTTPConflict(text=self._desk.say(request, TEXTS[f"refused.{offered}"]))

    async def _withdraw(self, request: web.Request, who: Who) -> web.Response:
        refused = await self._succession.withdraw(who, self._desk.now)
        if refused is not None:
            raise web.HTTPConflict(text=self._desk.say(request, TEXTS[f"refused.{refused}"]))
        raise web.HTTPSeeOther("/settings/moving-out")

    async def _asked(self, request: web.Request) -> web.Response:
        offer = self._succession.offer_of(request.match_info["token"], self._desk.now)
        if offer is None:
            raise web.HTTPNotFound
        return self._desk.page(request, "take-over", why=None, name="", leaves_films=offer.leaves_films)

    async def _taken(self, request: web.Request) -> web.StreamResponse:
        token, fields = request.match_info["token"], await request.post()
        name, offer = str(fields.get("name", "")), self._succession.offer_of(token, self._desk.now)
        if offer is None:
            raise web.HTTPNotFound
        outcome: SignedIn | Refused = Refused.BUSY
        if not self._box.removal.visits():
            outcome = await self._succession.take(
                token, name, str(fields.get("password", "")), self._desk.now,
                browser=Browser.said(request.headers.get("User-Agent", "")).word,
            )  # fmt: skip
        if isinstance(outcome, SignedIn):
            answer = self._desk.page(request, "taken-over", leaves_films=offer.leaves_films)
            return await self._last(request, self._desk.carry(request, outcome, answer))
        return self._desk.page(
            request, "take-over", status=422, name=name, leaves_films=offer.leaves_films,
            why=self._desk.say(request, TEXTS[f"refused.{outcome}"]),
        )  # fmt: skip


def _broken_off(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """End the connection so that nobody takes what came for the whole."""
    if request.transport is not None:
        request.transport.abort()
    return answer
