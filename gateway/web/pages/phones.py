"""Manages the phones that get messages: state, test message, language, add, remove."""

from aiohttp import web

from gateway.runtime.notifications import contacts
from gateway.system.config_section import ConfigError
from gateway.system.i18n import Text, _, languages
from gateway.system.text import sanitized
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.page import Conflict, Page, form_texts, get, post

EXAMPLE_SCHEME = "ntfys"  # the form that is shown first: it needs no account, and works with one's own server
PHONES_PATH = "/settings/messages"


class PhonesPage(Page):
    """The page of the phones."""

    @get(PHONES_PATH, UserRight.SETTINGS)
    async def _page(
        self, request: web.Request, _user: CurrentUser, *, notice: Text | None = None, error: Text | None = None
    ) -> web.Response:
        """Show the page. An entered address is never shown again: it is a secret, and a browser may store a page."""
        return self._render_page(
            request, "phones", notice=notice, error=error,
            file=str(self._services.contacts.file), forms=contacts.URL_TEMPLATES,
            example=contacts.URL_TEMPLATES[EXAMPLE_SCHEME],
            here_at=f"{request.scheme}://{request.host}", open=self._is_file_open_to_others(),
        )  # fmt: skip

    def _is_file_open_to_others(self) -> bool:
        try:
            return contacts.is_open_to_others(self._services.contacts.file)
        except OSError:  # the file does not exist yet
            return False

    @post(PHONES_PATH, UserRight.SETTINGS)
    async def _add(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Add an address. Pictures of the home go there, so the form brings the password."""
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return await self._page(request, user, error=error)
        url = (await form_texts(request)).get("url", "")
        url_error = await self._services.contacts.add(url, user.person)
        if url_error is not None:
            return await self._page(request, user, error=_url_error_text(url_error, url))
        return await self._page(request, user, notice=_("Added. Try it."))

    @post(f"{PHONES_PATH}/{{phone}}", UserRight.SETTINGS)
    async def _phone_action(self, request: web.Request, user: CurrentUser) -> web.Response:
        phone = request.match_info["phone"]
        try:
            match (await form_texts(request)).get("do"):
                case "try":
                    self._services.contacts.send_test(phone)
                case "remove":
                    removed = await self._services.contacts.remove(phone, user.person)
                    return await self._page(request, user, notice=_removal_text(removed))
                case "house":
                    await self._services.contacts.set_language(phone, None)
                case str() as language if language in languages():
                    await self._services.contacts.set_language(phone, language)
                case _:
                    raise web.HTTPBadRequest
        except LookupError as error:
            raise web.HTTPNotFound from error
        except ConfigError as error:
            raise Conflict(contacts.PhoneUrlError.FILE.value) from error
        raise web.HTTPSeeOther(PHONES_PATH)


def _url_error_text(error: contacts.PhoneUrlError, url: str) -> Text:
    scheme = sanitized(url.strip().partition("://")[0].lower())
    example = contacts.URL_TEMPLATES.get(scheme, contacts.URL_TEMPLATES[EXAMPLE_SCHEME])
    return error.value.with_facts(scheme=scheme, example=example, most=str(contacts.MAX_PHONES))


def _removal_text(removed: contacts.RemovedPhone) -> Text:
    if not removed.waiting:
        return _("Removed. Nothing waited for it.")
    count = str(removed.waiting)
    if removed.others:
        return _("{count} messages waited for it: the other phones have them, or get them.", count=count)
    return _(
        "It was the last phone: the {count} messages that waited for it go to nobody any more. They stay in the box's "
        "log.",
        count=count,
    )
