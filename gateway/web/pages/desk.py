"""The pages of a reception's desk: the receiver's own page, and the courier's at a reception.

A receiver is signed in by a cookie of its own, which opens these addresses and no other. A courier has the link of one
delivery, and can offer its parcels and nothing else.
"""

from datetime import timedelta
from typing import Any, ClassVar

from aiohttp import web

from gateway.domain.custody import CustodyAnswer, CustodyRefusal, CustodyStage, DeclineReason
from gateway.domain.delivery.result import Refusal
from gateway.runtime.reception import ActOutcome, ReceptionActor
from gateway.storage.custodies import StoredCustody
from gateway.system.i18n import Text, _
from gateway.system.text import sanitized
from gateway.web.auth.link_access import MAX_SESSION_AGE
from gateway.web.auth.receivers import ReceiverAccess, SignedInReceiver
from gateway.web.pages.linked import LinkedPages
from gateway.web.pages.receptions import REFUSAL_TEXTS, scanned_codes
from gateway.web.server import security_headers as security
from gateway.web.server.authorization import (
    Authorizer,
    Unauthorized,
    wants_json,
)
from gateway.web.server.courier_view import find_delivery
from gateway.web.server.page import browser_label, form_texts, get, post
from gateway.web.server.reception_view import parcel_handle

RECEIVER_COOKIE = "receiver"
MAX_NAME_CHARS = 80
COURIER_REFUSALS = {
    Refusal.NO_RECEIVER: _("Nobody is here now. Take the parcel with you."),
    Refusal.EXPIRED: _("The window is over."),
    Refusal.UNKNOWN_CODE: _("This label does not belong to this delivery."),
    Refusal.BUSY: _("Too fast: scan once more."),
}


class DeskPages(LinkedPages[SignedInReceiver]):
    """The pages of receivers, and of couriers at a reception."""

    cookies: ClassVar[tuple[str, ...]] = (RECEIVER_COOKIE,)
    cookie_lifetime: ClassVar[timedelta] = MAX_SESSION_AGE
    own_page: ClassVar[str] = "/desk"

    def __init__(self, authorizer: Authorizer, access: ReceiverAccess) -> None:
        super().__init__(authorizer, access.find)
        self._access = access

    def _require(self, request: web.Request) -> tuple[SignedInReceiver, ReceptionActor]:
        """Return the receiver and his reception. HTTPException: nobody is signed in, or too much comes."""
        who = self._required(request)
        self._count_request(who.session)
        return who, self._services.receptions[who.reception]

    # ---- signing in

    @get("/desk/in/{token}")
    async def _link_page(self, request: web.Request) -> web.Response:
        """Show whom the link signs in; a press does it, since messengers fetch links for their previews."""
        link = self._access.link(request.match_info["token"], self._now)
        name = None if link is None else self._access.name_of(link.reception, link.receiver)
        if link is None or name is None:
            return self._render_page(request, "desk_link", status=410, name=None, reception=None)
        reception = self._home.receptions[link.reception].name
        return self._render_page(request, "desk_link", name=name, reception=reception)

    @post("/desk/in/{token}")
    async def _sign_in(self, request: web.Request) -> web.Response:
        cookie = await self._access.redeem(request.match_info["token"], self._now, browser=browser_label(request))
        if cookie is None:
            return self._render_page(request, "desk_link", status=410, name=None, reception=None)
        return self._set_cookies(request, self._to_own_page(), cookie.text)

    @post("/desk/leave")
    async def _leave(self, request: web.Request) -> web.Response:
        await self._store.receivers.end_session(self._required(request).session, self._now)
        return self._signed_out(request)

    # ---- the receiver's page

    @get("/desk")
    async def _desk_page(self, request: web.Request) -> web.Response:
        who = self.signed_in(request)
        if who is None and wants_json(request):
            raise Unauthorized
        if who is None:
            return self._render_page(request, "desk_link", name=None, reception=None)
        return self._render_desk(request, who)

    def _render_desk(
        self, request: web.Request, who: SignedInReceiver, *, notice: Text | None = None, error: Text | None = None,
        hand: str | None = None,
    ) -> web.Response:  # fmt: skip
        """Show the page; `hand` is the code of the parcel that is being handed over."""
        response = self._render_page(
            request, "desk", who=who, reception=self._home.receptions[who.reception].name,
            fragment=f"desk/{who.reception}/{who.receiver}", notice=notice, error=error, hand=hand,
        )  # fmt: skip
        response.headers.update(security.LABEL_READER_HEADERS)
        return response

    @post("/desk/duty")
    async def _set_duty(self, request: web.Request) -> web.Response:
        who, desk = self._require(request)
        on = (await form_texts(request)).get("on") == "1"
        if not await desk.set_duty(who.receiver, on=on):
            return self._render_desk(request, who, error=_("Your hours are over, or the box is not sure of the time."))
        raise web.HTTPSeeOther("/desk")

    @post("/desk/scan")
    async def _scan(self, request: web.Request) -> web.Response:
        """Take the scanned parcel, or ask to whom the receiver hands it over if he has it already."""
        who, desk = self._require(request)
        codes = await scanned_codes(request)
        refusal = CustodyRefusal.NOT_OFFERED
        for code in codes:
            if desk.holds(who.receiver, code):
                return self._render_desk(request, who, hand=code)
            outcome = await desk.accept(who.receiver, code)
            if outcome.refusal is None:
                return self._render_desk(request, who, notice=_("You have the parcel now. The household knows it."))
            if outcome.refusal is not CustodyRefusal.NOT_OFFERED:
                refusal = outcome.refusal
        return self._render_desk(request, who, error=REFUSAL_TEXTS[refusal])

    @post("/desk/hand-over")
    async def _hand_over(self, request: web.Request) -> web.Response:
        who, desk = self._require(request)
        to = sanitized((await form_texts(request)).get("to", ""))[:MAX_NAME_CHARS].strip()
        codes = await scanned_codes(request)
        if not to or not codes:
            hand = codes[0] if codes else None
            return self._render_desk(request, who, error=_("Say to whom you give it."), hand=hand)
        outcome = await desk.hand_over(who.receiver, codes[0], to)
        return self._answer(request, who, outcome, _("Handed over. The household confirms it by a scan."))

    @post("/desk/decline")
    async def _decline(self, request: web.Request) -> web.Response:
        who, desk = self._require(request)
        form = await form_texts(request)
        reason, parcel = form.get("reason", ""), self._offered(who.reception, form.get("parcel", ""))
        if reason not in set(DeclineReason):
            raise web.HTTPBadRequest
        outcome = ActOutcome(refusal=CustodyRefusal.NOT_OFFERED)
        if parcel is not None:
            outcome = await desk.decline(who.receiver, parcel.delivery, parcel.parcel, DeclineReason(reason))
        return self._answer(request, who, outcome, _("Declined. The courier takes the parcel away again."))

    def _offered(self, reception: str, handle: str) -> StoredCustody | None:
        offered = self._store.custodies.at(reception, (CustodyStage.OFFERED,))
        return next((one for one in offered if parcel_handle(one) == handle), None)

    def _answer(self, request: web.Request, who: SignedInReceiver, outcome: ActOutcome, done: Text) -> web.Response:
        if outcome.refusal is None:
            return self._render_desk(request, who, notice=done)
        return self._render_desk(request, who, error=REFUSAL_TEXTS[outcome.refusal])

    # ---- the courier's page

    def courier_page(self, request: web.Request, digest: str, **facts: Any) -> web.Response:  # noqa: ANN401 - what it shows
        """Show the courier's page at a reception: `answer`, `refused` of the scan that was just made."""
        response = self._render_page(request, "handing", digest=digest, **{"answer": None, "refused": None, **facts})
        response.headers.update(security.LABEL_READER_HEADERS)
        return response

    @post("/c/{digest}/offer")
    async def _offer(self, request: web.Request) -> web.Response:
        """Offer the parcel whose label the courier scanned. The label is checked: his link alone offers nothing."""
        digest = request.match_info["digest"]
        delivery = find_delivery(self._services, digest, self._now)
        desk = None if delivery is None else self._services.receptions.get(delivery.entrance)
        if delivery is None or desk is None:
            raise web.HTTPNotFound
        refusal = Refusal.UNKNOWN_CODE
        for code in await scanned_codes(request):
            answer = await desk.offer(code, source=f"courier/{digest}", delivery=delivery.id)
            if answer.answer is CustodyAnswer.GO:
                return self.courier_page(request, digest, answer=CustodyAnswer.GO)
            if answer.refusal is not None and answer.refusal is not Refusal.UNKNOWN_CODE:
                refusal = answer.refusal
        text = COURIER_REFUSALS.get(refusal, _("Not possible now. Take the parcel with you."))
        return self.courier_page(request, digest, refused=text)
