"""The keeper's own page: the code as a QR, the jobs of today, and the key until it is back.

A keeper signs in by a separate cookie, which gives access only to these addresses. Another cookie has the code, so the
box can draw it without storing it.
"""

from datetime import timedelta
from typing import ClassVar

from aiohttp import web

from gateway.web.auth.keepers import COOKIE_LIFETIME, KeeperAccess, SignedInKeeper
from gateway.web.auth.tokens import CODE_COOKIE, KEEPER_COOKIE
from gateway.web.pages.linked import LinkedPages
from gateway.web.server.authorization import (
    Authorizer,
    Unauthorized,
    cookie_name,
    wants_json,
)
from gateway.web.server.keeper_view import kept_entrances
from gateway.web.server.page import browser_label, get, post


class KeeperPages(LinkedPages[SignedInKeeper]):
    """The pages of keepers."""

    cookies: ClassVar[tuple[str, ...]] = (KEEPER_COOKIE, CODE_COOKIE)
    cookie_lifetime: ClassVar[timedelta] = COOKIE_LIFETIME
    own_page: ClassVar[str] = "/keeper"

    def __init__(self, authorizer: Authorizer, access: KeeperAccess) -> None:
        super().__init__(authorizer, access.find)
        self._access = access

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
        return self._set_cookies(request, self._to_own_page(), made.session.text, made.code)

    @get("/keeper")
    async def _page(self, request: web.Request) -> web.Response:
        who = self.signed_in(request)
        if who is None and wants_json(request):
            raise Unauthorized
        if who is None:
            return self._render_page(request, "keeper_link", name=None)
        session, kept = (request.cookies.get(cookie_name(request, name)) for name in (KEEPER_COOKIE, CODE_COOKIE))
        code = self._access.own_code(who, kept)
        filmed = any(map(self._services.is_filmed, kept_entrances(self._services, who.keeper)))
        fragment = f"keeper/{who.keeper}"
        response = self._render_page(request, "keeper", who=who, code=code, fragment=fragment, filmed=filmed)
        # Browsers delete a cookie after some time, so it is renewed
        return self._set_cookies(request, response, session, code)

    @post("/keeper/leave")
    async def _leave(self, request: web.Request) -> web.Response:
        """Sign this phone out: its code no longer counts."""
        who = self._required(request)
        await self._store.keepers.withdraw((who.code,), self._now, by=None)
        self._inbox.withdraw_keeper_codes(frozenset({who.code}))
        return self._signed_out(request)
