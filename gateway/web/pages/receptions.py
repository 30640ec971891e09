"""The household's page of the receptions: what they hold, confirming by a scan, and the receivers' links."""

from collections.abc import Iterable

from aiohttp import web

from gateway.domain.custody import CustodyRefusal
from gateway.domain.delivery.barcodes import MAX_LABEL_CHARS
from gateway.runtime.reception import ActOutcome
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.receivers import ReceiverAccess
from gateway.web.auth.roles import UserRight
from gateway.web.server import security_headers as security
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import Page, form_texts, get, post

MAX_CODES = 8  # of one label
REFUSAL_TEXTS = {
    CustodyRefusal.NOT_OFFERED: _("This parcel is not offered now: the courier scans it first."),
    CustodyRefusal.NOT_ON_DUTY: _("You are not on duty."),
    CustodyRefusal.NOT_YOURS: _("Another receiver has this parcel."),
    CustodyRefusal.NOT_RECEIVED: _("You do not have this parcel."),
    CustodyRefusal.NOT_HANDED_OVER: _("This parcel was not handed over: the receiver scans it first."),
}


class ReceptionsPage(Page):
    """The page of the receptions."""

    def __init__(self, authorizer: Authorizer, access: ReceiverAccess) -> None:
        super().__init__(authorizer)
        self._access = access

    @get("/receptions", UserRight.CONFIRM_PARCEL)
    async def _page(
        self, request: web.Request, _user: CurrentUser, *, link: str | None = None, notice: Text | None = None,
        error: Text | None = None,
    ) -> web.Response:  # fmt: skip
        sessions = self._store.receivers.sessions()
        receptions = [
            {
                "id": id_,
                "section": section,
                "sessions": [
                    {"session": one, "name": self._access.name_of(id_, one.receiver) or one.receiver}
                    for one in sessions
                    if one.reception == id_
                ],
            }
            for id_, section in self._home.receptions.items()
        ]
        response = self._render_page(
            request, "receptions", receptions=receptions, link=link, notice=notice, error=error
        )
        if receptions:
            response.headers.update(security.LABEL_READER_HEADERS)
        return response

    @post("/receptions/confirm", UserRight.CONFIRM_PARCEL)
    async def _confirm(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Confirm the parcel whose label was scanned, at whichever reception it was."""
        outcome = ActOutcome(refusal=CustodyRefusal.NOT_HANDED_OVER)
        for code in await scanned_codes(request):
            for desk in self._services.receptions.values():
                outcome = await desk.confirm(user.person, code)
                if outcome.refusal is None:
                    return await self._page(request, user, notice=_("Confirmed: the parcel is with you."))
        return await self._page(request, user, error=REFUSAL_TEXTS[outcome.refusal or CustodyRefusal.NOT_HANDED_OVER])

    @post("/receptions/{reception}/link", UserRight.PEOPLE)
    async def _make_link(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Make a receiver's link. The response itself shows it, this once."""
        receiver = (await form_texts(request)).get("receiver", "")
        try:
            token = await self._access.make_link(request.match_info["reception"], receiver, self._now, by=user.person)
        except KeyError as error:
            raise web.HTTPNotFound from error
        return await self._page(request, user, link=f"{request.scheme}://{request.host}/desk/in/{token.text}")

    @post("/receptions/{reception}/end", UserRight.PEOPLE)
    async def _end_session(self, request: web.Request, user: CurrentUser) -> web.Response:
        session = (await form_texts(request)).get("session", "")
        row = self._store.receivers.session(session)
        if row is None or row.reception != request.match_info["reception"]:
            raise web.HTTPNotFound
        await self._store.receivers.end_session(session, self._now, by=user.person)
        raise web.HTTPSeeOther("/receptions")


async def scanned_codes(request: web.Request) -> tuple[str, ...]:
    """Return the codes of a label in a form, in their order: at most 8, none too long."""
    values: Iterable[object] = (await request.post()).getall("code", [])
    codes = (str(value).strip(" \t\r\n") for value in values)
    return tuple(dict.fromkeys(code for code in codes if 0 < len(code) <= MAX_LABEL_CHARS))[:MAX_CODES]
