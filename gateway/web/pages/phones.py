"""Which phones Perron writes to: how each stands, a word to try it, one more, one less, and in which language."""

from aiohttp import web

from gateway.config.errors import ConfigError
from gateway.runtime.notifications.contacts import FORMS, MOST, Left, Unfit, open_to_others
from gateway.system.i18n import _, languages
from gateway.system.text import inert
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right
from gateway.web.server.authorization import Desk
from gateway.web.texts.catalogue import TEXTS

EXAMPLE = "ntfys"  # the form that is shown first: no account, and a server of one's own if one likes
PAGE = "/settings/messages"


class Messages:
    """The page of the phones."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._phonebook = desk, desk.box.phonebook

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get(PAGE, behind(Right.SETTINGS, self._messages)),
            web.post(PAGE, behind(Right.SETTINGS, self._add)),
            web.post(f"{PAGE}/{{phone}}", behind(Right.SETTINGS, self._phone)),
        ]

    async def _messages(self, request: web.Request, _who: Who) -> web.Response:
        return self._shown(request)

    def _shown(
        self, request: web.Request, *, said: str | None = None, why: str | None = None, status: int = 200
    ) -> web.Response:
        """Show the page. What was typed never comes back: it is a secret, and a page may be kept by the browser."""
        messages = self._desk.box.home.messages
        return self._desk.page(
            request, "messages", said=said, why=why, status=status, file=str(self._phonebook.file), forms=FORMS,
            example=FORMS[EXAMPLE], links=messages is not None and messages.pages is not None,
            here_at=f"{request.scheme}://{request.host}", open=self._open(),
        )  # fmt: skip

    def _open(self) -> bool:
        try:
            return open_to_others(self._phonebook.file)
        except OSError:  # there is none yet
            return False

    async def _add(self, request: web.Request, who: Who) -> web.Response:
        """Add an address. Pictures of the home go there, so the password is taken with it."""
        fields = await request.post()
        why = await self._desk.proven(request, who, str(fields.get("password", "")))
        if why is not None:
            return self._shown(request, why=why, status=422)
        url = str(fields.get("url", ""))
        unfit = await self._phonebook.add(url, who.person)
        if unfit is not None:
            return self._shown(request, why=self._unfit(request, unfit, url), status=422)
        return self._shown(request, said=self._desk.say(request, _("Added. Try it.")))

    def _unfit(self, request: web.Request, unfit: Unfit, url: str) -> str:
        scheme = inert(url.strip().partition("://")[0].lower())
        example = FORMS.get(scheme, FORMS[EXAMPLE])
        return self._desk.say(request, TEXTS[f"unfit.{unfit}"], scheme=scheme, example=example, most=str(MOST))

    async def _phone(self, request: web.Request, who: Who) -> web.Response:
        phone, do = request.match_info["phone"], str((await request.post()).get("do", ""))
        try:
            match do:
                case "try":
                    self._phonebook.try_out(phone)
                case "remove":
                    left = await self._phonebook.remove(phone, who.person)
                    return self._shown(request, said=self._left(request, left))
                case "house":
                    await self._phonebook.speak(phone, None)
                case language if language in languages():
                    await self._phonebook.speak(phone, language)
                case _:
                    raise web.HTTPBadRequest
        except LookupError as gone:
            raise web.HTTPNotFound from gone
        except ConfigError as error:
            raise web.HTTPConflict(
                text=self._desk.say(request, _("The file of the addresses cannot be read: `perron doctor` says why."))
            ) from error
        raise web.HTTPSeeOther(PAGE)

    def _left(self, request: web.Request, left: Left) -> str:
        if not left.waiting:
            return self._desk.say(request, _("Removed. Nothing waited for it."))
        key = "messages.to_others" if left.others else "messages.nobody_else"
        return self._desk.say(request, TEXTS[key], count=str(left.waiting))
