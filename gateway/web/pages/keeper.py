"""The keeper's own page: the code as a QR, the jobs of today, and the key until it is back.

A keeper signs in by a separate cookie, which gives access only to these addresses. Another cookie has the code, so the
box can draw it without storing it.
"""

from aiohttp import web

from gateway.web.auth.keepers import COOKIE_LIFETIME, KeeperAccess, SignedInKeeper
from gateway.web.server.authorization import (
    Authorizer,
    Unauthorized,
    cookie_name,
    delete_cookie,
    set_cookie,
    wants_json,
)
from gateway.web.server.keeper_view import kept_entrances
from gateway.web.server.page import Page, browser_label, get, post

KEEPER_COOKIE, CODE_COOKIE = "keeper", "keeper_code"


class KeeperPages(Page):
    """The pages of keepers."""

    def __init__(self, authorizer: Authorizer, access: KeeperAccess) -> None:
        super().__init__(authorizer)
        self._access = access

    def keeper(self, request: web.Request) -> SignedInKeeper | None:
        """Return the keeper who is signed in in this browser."""
        return self._access.find(request.cookies.get(cookie_name(request, KEEPER_COOKIE)), self._now)

    @get("/keeper/in/{token}")
    async def _link_page(self, request: web.Request) -> web.Response:
        """Show which keeper the link signs in. Only a press signs in: messengers fetch links for their previews."""
        link = self._access.link(request.match_info["token"], self._now)
        if link is None:
            return self._render_page(request, "keeper_link", status=410, name=None)
        return self._render_page(request, "keeper_link", name=self._home.keepers[link.keeper].name)

    @post("/keeper/in/{token}")
    async def _sign_in(self, request: web.Request) -> web.Response:
        """Give this phone its own code."""
        made = await self._access.redeem(request.match_info["token"], self._now, browser=browser_label(request))
        if made is None:
            return self._render_page(request, "keeper_link", status=410, name=None)
        response = web.Response(status=303, headers={"Location": "/keeper"})
        set_cookie(request, response, KEEPER_COOKIE, made.session.text, COOKIE_LIFETIME)
        set_cookie(request, response, CODE_COOKIE, made.code, COOKIE_LIFETIME)
        return response

    @get("/keeper")
    async def _page(self, request: web.Request) -> web.Response:
        who = self.keeper(request)
        if who is None and wants_json(request):
            raise Unauthorized
        if who is None:
            return self._render_page(request, "keeper_link", name=None)
        session, kept = (request.cookies.get(cookie_name(request, name)) for name in (KEEPER_COOKIE, CODE_COOKIE))
        code = self._access.own_code(who, kept)
        filmed = any(map(self._services.is_filmed, kept_entrances(self._services, who.keeper)))
        fragment = f"keeper/{who.keeper}"
        response = self._render_page(request, "keeper", who=who, code=code, fragment=fragment, filmed=filmed)
        for name, value in ((KEEPER_COOKIE, session), (CODE_COOKIE, code)):
            if value is not None:  # browsers delete a cookie after some time, so it is renewed
                set_cookie(request, response, name, value, COOKIE_LIFETIME)
        return response

    @post("/keeper/leave")
    async def _leave(self, request: web.Request) -> web.Response:
        """Sign this phone out: its code no longer counts."""
        who = self.keeper(request)
        if who is None and wants_json(request):
            raise Unauthorized
        response = web.Response(status=303, headers={"Location": "/keeper"})
        if who is not None:
            await self._store.keepers.withdraw((who.code,), self._now, by=None)
            self._inbox.withdraw_keeper_codes(frozenset({who.code}))
        for name in (KEEPER_COOKIE, CODE_COOKIE):
            delete_cookie(request, response, name)
        return response
