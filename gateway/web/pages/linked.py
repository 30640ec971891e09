"""The pages of people who sign in by a link and have no account: a receiver, a keeper, a supervisor of robots.

Each kind has a cookie of its own, which gives access to its own addresses and to no other.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar, Generic, TypeVar

from aiohttp import web

from gateway.domain.now import Now
from gateway.system.token_bucket import TokenBucket
from gateway.web.server.authorization import (
    Authorizer,
    Unauthorized,
    cookie_name,
    delete_cookie,
    set_cookie,
    wants_json,
)
from gateway.web.server.page import Page

MAX_BUCKETS = 200  # browsers whose rate is remembered

WhoT = TypeVar("WhoT")


class LinkedPages(Page, Generic[WhoT]):
    """The pages of one kind of people. `find` returns who is signed in by a cookie's value; None: nobody."""

    cookies: ClassVar[tuple[str, ...]]  # their names; the first one's value is the session
    cookie_lifetime: ClassVar[timedelta]
    own_page: ClassVar[str]
    per_second: ClassVar[float] = 2.0  # requests of one browser that change something
    burst: ClassVar[float] = 20.0

    def __init__(self, authorizer: Authorizer, find: Callable[[str | None, Now], WhoT | None]) -> None:
        super().__init__(authorizer)
        self._find = find
        self._rates: dict[str, TokenBucket] = {}  # of each session

    def signed_in(self, request: web.Request) -> WhoT | None:
        """Return who is signed in in this browser."""
        return self._find(request.cookies.get(cookie_name(request, self.cookies[0])), self._now)

    def _required(self, request: web.Request) -> WhoT:
        """Return who is signed in. HTTPException: nobody is; a person is led to the own page, which says so."""
        who = self.signed_in(request)
        if who is None:
            raise Unauthorized if wants_json(request) else web.HTTPSeeOther(self.own_page)
        return who

    def _count_request(self, session: str) -> None:
        """Count a request of a session. HTTPTooManyRequests: too much comes."""
        if len(self._rates) > MAX_BUCKETS:
            self._rates.clear()
        bucket = self._rates.setdefault(session, TokenBucket(self.per_second, self.burst))
        if not bucket.take(self._now.mono):
            raise web.HTTPTooManyRequests

    def _to_own_page(self) -> web.Response:
        return web.Response(status=303, headers={"Location": self.own_page})

    def _set_cookies(self, request: web.Request, response: web.Response, *values: str | None) -> web.Response:
        """Set the cookies that have a value, in the order of `cookies`; return the response."""
        for name, value in zip(self.cookies, values, strict=True):
            if value is not None:
                set_cookie(request, response, name, value, self.cookie_lifetime)
        return response

    def _signed_out(self, request: web.Request) -> web.Response:
        """Return the answer to somebody who left: this browser keeps no cookie."""
        response = self._to_own_page()
        for name in self.cookies:
            delete_cookie(request, response, name)
        return response
