"""Manages the phones: a person's own browser, the messages that each phone gets, and for owners every other way."""

from hashlib import sha256

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gateway.runtime.notifications import contacts
from gateway.runtime.notifications.categories import MessageCategory
from gateway.system.config_section import ConfigError, PagesUrl
from gateway.system.i18n import Text, _, languages
from gateway.system.text import sanitized
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight, has_right
from gateway.web.server.page import Conflict, Page, form_texts, get, post

EXAMPLE_SCHEME = "ntfys"  # the form that is shown first: it needs no account, and works with one's own server
PHONES_PATH = "/settings/messages"
BROWSER_PATH = f"{PHONES_PATH}/browser"  # a browser brings its subscription here (`static/phones.js`, `worker.js`)

_PAGES_URL: TypeAdapter[str] = TypeAdapter(PagesUrl)


class PhonesPage(Page):
    """The page of the phones."""

    @get(PHONES_PATH, UserRight.NOTIFICATIONS)
    async def _page(
        self,
        request: web.Request,
        user: CurrentUser,
        *,
        notice: Text | None = None,
        error: Text | None = None,
        silenced: contacts.ListedPhone | None = None,
    ) -> web.Response:
        """Show the page. An entered address is never shown again: it is a secret, and a browser may store a page.

        `silenced`: the phone that would be the last one to be told alarms, and was to be told none.
        """
        book, own = self._services.contacts, self._store.push.of_device(user.device)
        return self._render_page(
            request, "phones", notice=notice, error=error, silenced=silenced,
            file=str(book.file), forms=contacts.URL_TEMPLATES, example=contacts.URL_TEMPLATES[EXAMPLE_SCHEME],
            server=contacts.NTFY_SERVER, here_at=f"{request.scheme}://{request.host}", address=book.address(),
            is_open=self._is_file_open_to_others(), key=book.pushes.key.public_text,
            known="" if own is None else sha256(own.endpoint.encode()).hexdigest(),
        )  # fmt: skip

    def _is_file_open_to_others(self) -> bool:
        try:
            return contacts.is_open_to_others(self._services.contacts.file)
        except OSError:  # the file does not exist yet
            return False

    @post(BROWSER_PATH, UserRight.NOTIFICATIONS)
    async def _add_browser(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Tell this browser from now on. It needs no password: it ends with its session, which could see as much."""
        fields, language = await form_texts(request), self._language(request)
        error = await self._services.contacts.add_browser(
            fields, device=user.device, person=user.person, language=language
        )
        if error is not None:
            return self._authorizer.render_error(request, 422, _error_text(error, ""))
        return self._authorizer.done_response(request, PHONES_PATH)

    @post(PHONES_PATH, UserRight.SETTINGS)
    async def _add(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Add an address. Pictures of the home go there, so the form brings the password."""
        fields = await form_texts(request)
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return await self._page(request, user, error=error)
        book = self._services.contacts
        if "server" in fields:
            url_error = await book.add_ntfy(fields["server"], user.person)
        else:
            url_error = await book.add(fields.get("url", ""), user.person)
        if url_error is not None:
            return await self._page(request, user, error=_error_text(url_error, fields.get("url", "")))
        return await self._page(request, user, notice=_("Added. Try it."))

    @post(f"{PHONES_PATH}/address", UserRight.SETTINGS)
    async def _set_address(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Choose where phones find these pages. What is wrong here would only lead the owner's own buttons astray."""
        text = (await form_texts(request)).get("address", "").strip().rstrip("/")
        try:
            address = _PAGES_URL.validate_python(text) if text else None
        except ValidationError:
            return await self._page(
                request, user, error=_("This is no address: it is written like https://box.home:8443.")
            )
        await self._services.contacts.set_address(address, user.person)
        raise web.HTTPSeeOther(PHONES_PATH)

    @post(f"{PHONES_PATH}/{{phone}}", UserRight.NOTIFICATIONS)
    async def _phone_action(self, request: web.Request, user: CurrentUser) -> web.Response:
        fields, book = await form_texts(request), self._services.contacts
        do, phone = fields.get("do", ""), self._phone(request, user, fields.get("do", ""))
        try:
            match do.split():
                case ["try"]:
                    book.send_test(phone.name)
                case ["arrived"]:
                    await book.confirm(phone.name)
                case ["remove"]:
                    removed = await book.remove(phone.name, user.person)
                    return await self._page(request, user, notice=_removal_text(removed))
                case ["house"]:
                    await book.set_language(phone.name, None)
                case ["tell" | "mute", word] if word in set(MessageCategory):
                    muted = phone.muted - {word} if do.startswith("tell") else phone.muted | {MessageCategory(word)}
                    if muted > phone.muted and "sure" not in fields and book.silences_alarms(phone.name, muted):
                        return await self._page(request, user, silenced=phone)
                    await book.set_muted(phone.name, frozenset(muted))
                case [language] if language in languages():
                    await book.set_language(phone.name, language)
                case _:
                    raise web.HTTPBadRequest
        except LookupError as error:
            raise web.HTTPNotFound from error
        except ConfigError as error:
            raise Conflict(contacts.PhoneUrlError.FILE.value) from error
        is_choice = do.startswith(("tell ", "mute "))
        raise web.HTTPSeeOther(f"{PHONES_PATH}#told-{phone.name}" if is_choice else PHONES_PATH)

    def _phone(self, request: web.Request, user: CurrentUser, do: str) -> contacts.ListedPhone:
        """Return the phone that a form is about, of which this person may do this.

        A person's browser is that person's own, who alone chooses what it is told; an owner may remove it.
        """
        name, is_owner = request.match_info["phone"], has_right(user.role, UserRight.SETTINGS)
        found = next((one for one in self._services.contacts.list_phones() if one.name == name), None)
        is_mine = found is not None and found.person == user.person
        if found is None or not (is_mine or is_owner):
            raise web.HTTPNotFound
        if not is_mine and found.person is not None and do != "remove":
            raise web.HTTPForbidden
        return found


def _error_text(error: contacts.PhoneUrlError, url: str) -> Text:
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
