"""The household's page about keepers: who has a key now; the owner gives, renews and withdraws their codes."""

from typing import Any

from aiohttp import web

from gateway.system.i18n import Text, _
from gateway.system.text import isolate_direction
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.keepers import KeeperAccess
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.server.keeper_view import has_key, kept_entrances
from gateway.web.server.page import Page, form_texts, get, post

TOO_MANY = _("There are eight codes already: withdraw one first.")
WITHDRAWN = _("Withdrawn. From now on the code opens nothing.")
WITHDRAWN_WITH_KEY = _(
    "Withdrawn: the code opens nothing any more. But {name} still has the key and has to bring it back."
)


class KeepersPage(Page):
    """The page of the keepers."""

    def __init__(self, authorizer: Authorizer, access: KeeperAccess) -> None:
        super().__init__(authorizer)
        self._access = access

    @get("/keepers", UserRight.SEE_HISTORY)
    async def _page(
        self, request: web.Request, _user: CurrentUser, *, notice: Text | None = None, error: Text | None = None,
        link: str | None = None, card: tuple[str, str] | None = None,
    ) -> web.Response:  # fmt: skip
        """Show the keepers; `link` and `card` (keeper and code) were just made, and are shown only now."""
        return self._render_page(
            request, "keepers", keepers=[self._keeper(id_) for id_ in self._home.keepers],
            entrances=kept_entrances(self._services), notice=notice, error=error, link=link, card=card,
        )  # fmt: skip

    def _keeper(self, id_: str) -> dict[str, Any]:
        names = [self._services.entrance_name(entrance) for entrance in kept_entrances(self._services, id_)]
        codes = self._store.keepers.codes(id_)
        return {"id": id_, "section": self._home.keepers[id_], "entrances": names, "codes": codes}

    def _name(self, request: web.Request) -> tuple[str, str]:
        """Return id and name of the keeper in the address. HTTPNotFound: the house file has no such one."""
        keeper = request.match_info["keeper"]
        if keeper not in self._home.keepers:
            raise web.HTTPNotFound
        return keeper, self._home.keepers[keeper].name

    @post("/keepers/{keeper}/link", UserRight.PEOPLE)
    async def _make_link(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Make a link for a phone. Only this response shows it."""
        keeper, _name = self._name(request)
        token = await self._access.make_link(keeper, self._now, by=user.person)
        if token is None:
            return await self._page(request, user, error=TOO_MANY)
        return await self._page(request, user, link=f"{request.scheme}://{request.host}/keeper/in/{token.text}")

    @post("/keepers/{keeper}/card", UserRight.PEOPLE)
    async def _make_card(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Make a card to be printed. Only this response shows it."""
        keeper, name = self._name(request)
        code = await self._access.make_card(keeper, self._now, by=user.person)
        if code is None:
            return await self._page(request, user, error=TOO_MANY)
        return await self._page(request, user, card=(name, code))

    @post("/keepers/{keeper}/renew", UserRight.PEOPLE)
    async def _renew(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Withdraw a code and give another one in its place: a link for a phone, or a card."""
        keeper, name = self._name(request)
        ident = await self._code_of(request, keeper)
        if self._is_on_card(ident):
            code = await self._access.make_card(keeper, self._now, by=user.person, replaces=ident)
            self._inbox.withdraw_keeper_codes(frozenset({ident}))
            return await self._page(request, user, card=None if code is None else (name, code))
        await self._withdraw(user, ident)
        return await self._make_link(request, user)

    @post("/keepers/{keeper}/withdraw", UserRight.PEOPLE)
    async def _withdraw_one(self, request: web.Request, user: CurrentUser) -> web.Response:
        keeper, name = self._name(request)
        await self._withdraw(user, await self._code_of(request, keeper))
        return await self._page(request, user, notice=self._withdrawn(keeper, name))

    @post("/keepers/{keeper}/withdraw-all", UserRight.PEOPLE)
    async def _withdraw_all(self, request: web.Request, user: CurrentUser) -> web.Response:
        keeper, name = self._name(request)
        codes = await self._store.keepers.withdraw_keeper(keeper, self._now, by=user.person)
        self._inbox.withdraw_keeper_codes(frozenset(codes))
        return await self._page(request, user, notice=self._withdrawn(keeper, name))

    async def _code_of(self, request: web.Request, keeper: str) -> str:
        """Return the id of the keeper's code that a form names. HTTPNotFound: it does not count, or is not his."""
        ident = (await form_texts(request)).get("code", "")
        if ident not in {code.id for code in self._store.keepers.codes(keeper)}:
            raise web.HTTPNotFound
        return ident

    def _is_on_card(self, ident: str) -> bool:
        row = self._store.keepers.code(ident)
        return row is not None and row.session is None

    async def _withdraw(self, user: CurrentUser, ident: str) -> None:
        await self._store.keepers.withdraw((ident,), self._now, by=user.person)
        self._inbox.withdraw_keeper_codes(frozenset({ident}))

    def _withdrawn(self, keeper: str, name: str) -> Text:
        """Return the owner's text after a withdrawal: a keeper who has the key keeps it until he brings it back."""
        if has_key(self._services, keeper):
            return WITHDRAWN_WITH_KEY.with_facts(name=isolate_direction(name))
        return WITHDRAWN
