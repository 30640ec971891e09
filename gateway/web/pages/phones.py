"""Manages the phones that get messages: state, test message, language, add, remove."""

from aiohttp import web

from gateway.runtime.notifications.contacts import (
    MAX_PHONES,
    URL_TEMPLATES,
    PhoneUrlError,
    RemovedPhone,
    is_open_to_others,
)
from gateway.system.config_section import ConfigError
from gateway.system.i18n import _, languages
from gateway.system.text import sanitized
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.texts.catalogue import TEXTS

EXAMPLE_SCHEME = "ntfys"  # the form that is shown first: it needs no account, and works with one's own server
PHONES_PATH = "/settings/messages"


class PhonesPage:
    """The page of the phones."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer, self._contacts = authorizer, authorizer.services.contacts

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""
        behind = self._authorizer.protect
        return [
            web.get(PHONES_PATH, behind(UserRight.SETTINGS, self._page)),
            web.post(PHONES_PATH, behind(UserRight.SETTINGS, self._add)),
            web.post(f"{PHONES_PATH}/{{phone}}", behind(UserRight.SETTINGS, self._phone_action)),
        ]

    async def _page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        return self._render(request)

    def _render(
        self, request: web.Request, *, notice: str | None = None, error: str | None = None, status: int = 200
    ) -> web.Response:
        """Show the page. An entered address is never shown again: it is a secret, and a browser may store a page."""
        messages = self._authorizer.services.home.messages
        return self._authorizer.render_page(
            request, "messages", notice=notice, error=error, status=status, file=str(self._contacts.file),
            forms=URL_TEMPLATES,
            example=URL_TEMPLATES[EXAMPLE_SCHEME], links=messages is not None and messages.pages is not None,
            here_at=f"{request.scheme}://{request.host}", open=self._is_file_open_to_others(),
        )  # fmt: skip

    def _is_file_open_to_others(self) -> bool:
        try:
            return is_open_to_others(self._contacts.file)
        except OSError:  # the file does not exist yet
            return False

    async def _add(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Add an address. Pictures of the home go there, so the form brings the password."""
        fields = await request.post()
        why = await self._authorizer.password_error(request, user)
        if why is not None:
            return self._render(request, error=why, status=422)
        url = str(fields.get("url", ""))
        unfit = await self._contacts.add(url, user.person)
        if unfit is not None:
            return self._render(request, error=self._url_error_text(request, unfit, url), status=422)
        return self._render(request, notice=self._authorizer.translate(request, _("Added. Try it.")))

    def _url_error_text(self, request: web.Request, unfit: PhoneUrlError, url: str) -> str:
        scheme = sanitized(url.strip().partition("://")[0].lower())
        example = URL_TEMPLATES.get(scheme, URL_TEMPLATES[EXAMPLE_SCHEME])
        return self._authorizer.translate(
            request, TEXTS[f"unfit.{unfit}"], scheme=scheme, example=example, most=str(MAX_PHONES)
        )

    async def _phone_action(self, request: web.Request, user: CurrentUser) -> web.Response:
        phone, do = request.match_info["phone"], str((await request.post()).get("do", ""))
        try:
            match do:
                case "try":
                    self._contacts.send_test(phone)
                case "remove":
                    removed = await self._contacts.remove(phone, user.person)
                    return self._render(request, notice=self._removal_text(request, removed))
                case "house":
                    await self._contacts.set_language(phone, None)
                case language if language in languages():
                    await self._contacts.set_language(phone, language)
                case _:
                    raise web.HTTPBadRequest
        except LookupError as gone:
            raise web.HTTPNotFound from gone
        except ConfigError as error:
            raise self._authorizer.conflict(
                request, _("The file of the addresses cannot be read: `perron doctor` says why.")
            ) from error
        raise web.HTTPSeeOther(PHONES_PATH)

    def _removal_text(self, request: web.Request, removed: RemovedPhone) -> str:
        if not removed.waiting:
            return self._authorizer.translate(request, _("Removed. Nothing waited for it."))
        key = "messages.to_others" if removed.others else "messages.nobody_else"
        return self._authorizer.translate(request, TEXTS[key], count=str(removed.waiting))
