"""What the modules of the pages share: the base of a page, the reading of its forms, and the usual outcomes."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from aiohttp import web

from gateway.domain.now import Now
from gateway.runtime.inbox import HOLDS_UNSTORED, INTERNAL_ERROR, NOT_STORED, TOO_MANY_REQUESTS
from gateway.system.i18n import Text, _
from gateway.web.auth.roles import UserRight
from gateway.web.auth.user_agent import label_browser
from gateway.web.server.authorization import Authorizer

DISK_FULL = _("The box's disk takes nothing more: the health check (Settings, Installation) says why.")

_HOLDS_TEXT = _("It holds from now on, but the disk has not taken it yet: the box goes on trying.")
_TOO_MANY_TEXT = _("Not done: too much is asked for at the same time. Try again in a minute.")
_INTERNAL_TEXT = _("Not done: Perron could not do it. The health check says more.")

_ROUTE = "route"  # the attribute of a method that serves an address
M = TypeVar("M", bound=Callable[..., Awaitable[web.StreamResponse]])


class Conflict(web.HTTPConflict):
    """The box cannot carry out a request; the site words `message` for the reader."""

    def __init__(self, message: Text) -> None:
        super().__init__()
        self.message = message


class Page:
    """A page, or several that belong together. `get` or `post` above a method gives it an address."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._services, self._accounts = authorizer, authorizer.services, authorizer.accounts
        self._home, self._store, self._inbox = self._services.home, self._services.store, self._services.inbox
        self._language, self._render_page = authorizer.language, authorizer.render_page

    @property
    def _now(self) -> Now:
        return self._authorizer.now

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses, in the order of the methods."""
        methods = [method for method in vars(type(self)).values() if hasattr(method, _ROUTE)]
        return [getattr(method, _ROUTE)(self._authorizer, getattr(self, method.__name__)) for method in methods]


def _route(method: str, path: str, right: UserRight | None = None, **options: bool) -> Callable[[M], M]:
    """Serve an address by a method of a page. With a right, the method gets the user, who has the right now.

    Others are redirected to the sign-in or to the confirmation of the password, or get 401 or 403.
    """

    def mark(handler: M) -> M:
        def route(authorizer: Authorizer, bound: Callable[..., Awaitable[web.StreamResponse]]) -> web.RouteDef:
            if right is None:
                return web.RouteDef(method, path, bound, options)

            async def guarded(request: web.Request) -> web.StreamResponse:
                return await bound(request, await authorizer.require_user(request, right))

            return web.RouteDef(method, path, guarded, options)

        setattr(handler, _ROUTE, route)
        return handler

    return mark


get, post = partial(_route, "GET"), partial(_route, "POST")


async def form_texts(request: web.Request) -> dict[str, str]:
    """Return the fields of a form, the first value of each; these forms have no files."""
    fields = await request.post()
    return {name: str(fields[name]) for name in fields}


def browser_label(request: web.Request) -> str:
    """Return browser and system of a request, as a session stores them."""
    return label_browser(request.headers.get("User-Agent", ""))


def raise_if_not_done(reason: str | None) -> None:
    """Raise `Conflict` with the reason why a request was not done; None: it was done."""
    if reason is None:
        return
    if reason.startswith(NOT_STORED):
        raise Conflict(DISK_FULL)
    if reason.startswith(HOLDS_UNSTORED):
        raise Conflict(_HOLDS_TEXT)
    known = {TOO_MANY_REQUESTS: _TOO_MANY_TEXT, INTERNAL_ERROR: _INTERNAL_TEXT}
    raise Conflict(known.get(reason) or _("Not done: {why}", why=reason))
