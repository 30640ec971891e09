"""What the modules of the pages share: the base of a page, the reading of its forms, and the usual outcomes."""

from abc import ABC, abstractmethod

from aiohttp import web

from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import AccountError
from gateway.web.auth.user_agent import UserAgent
from gateway.web.server.authorization import Authorizer, account_error_text

DISK_FULL = _("The box's disk takes nothing more: `perron doctor` looks for the cause.")


class Conflict(web.HTTPConflict):
    """The box cannot carry out a request; the site words `message` for the reader."""

    def __init__(self, message: Text) -> None:
        super().__init__()
        self.message = message


class Page(ABC):
    """A page, or several that belong together."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._services = authorizer, authorizer.services

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""


async def form_texts(request: web.Request) -> dict[str, str]:
    """Return the fields of a form, the first value of each; these forms have no files."""
    fields = await request.post()
    return {name: str(fields[name]) for name in fields}


def browser_label(request: web.Request) -> str:
    """Return browser and system of a request, as a session stores them."""
    return UserAgent.parse(request.headers.get("User-Agent", "")).stored_text


def raise_if_not_done(why: str | None) -> None:
    """Raise `Conflict` with the reason why a request was not done; None: it was done."""
    if why is not None:
        raise Conflict(_("Not done: {why}", why=why))


def raise_if_refused(error: AccountError | None) -> None:
    """Raise `Conflict` with the error of an operation on an account; None: it was carried out."""
    if error is not None:
        raise Conflict(account_error_text(error))
