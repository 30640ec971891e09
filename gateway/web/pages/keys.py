"""Shows the box's own key, its authority for HTTPS, and the keys of brands."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.protocol.keys import PUBLIC_KEY_FILE
from gateway.system.i18n import Text, _
from gateway.system.pki.authority import IssuedCertificate
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import Conflict, Page, form_texts, get, post, raise_if_not_done

KEYS_PATH = "/settings/keys"


class KeysPage(Page):
    """The page of the keys. All of it needs the password (`PASSWORD_RIGHTS`).

    `certificate` returns the one that is served (None: none of the box's own authority); `renew` makes another one.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        *,
        certificate: Callable[[], IssuedCertificate | None],
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(authorizer)
        self._certificate, self._renew = certificate, renew

    @get(KEYS_PATH, UserRight.KEYS)
    async def _page(
        self, request: web.Request, _user: CurrentUser, *, notice: Text | None = None, error: Text | None = None
    ) -> web.Response:
        enrolled = {key.x for brand in self._store.brands.known.values() for key in brand.keys}
        brand_keys = [key for key in self._store.brands.all_keys() if key.x in enrolled]
        return self._render_page(
            request, "keys", notice=notice, error=error, file=PUBLIC_KEY_FILE,
            page=KEYS_PATH, brand_keys=brand_keys,
            box_fingerprint=self._services.public_key.fingerprint, certificate=self._certificate(),
        )  # fmt: skip

    @get(f"{KEYS_PATH}/{PUBLIC_KEY_FILE}", UserRight.KEYS)
    async def _public_key(self, _request: web.Request, _user: CurrentUser) -> web.Response:
        headers = {"Content-Disposition": f'attachment; filename="{PUBLIC_KEY_FILE}"'}
        return web.Response(body=self._services.public_key.pem, content_type="application/x-pem-file", headers=headers)

    @post(f"{KEYS_PATH}/certificate", UserRight.KEYS)
    async def _renew_certificate(self, request: web.Request, user: CurrentUser) -> web.Response:
        if self._certificate() is None:
            raise web.HTTPNotFound
        try:
            await self._renew()
        except (OSError, ValueError) as failure:
            raise Conflict(_("Not done: {why}", why=str(failure))) from failure
        return await self._page(request, user, notice=_("Renewed, and served already."))

    @post(f"{KEYS_PATH}/distrust", UserRight.KEYS)
    async def _distrust_key(self, request: web.Request, user: CurrentUser) -> web.Response:
        return await self._change_trust(request, self._inbox.distrust_key, user)

    @post(f"{KEYS_PATH}/trust", UserRight.KEYS)
    async def _trust_key(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Trust a key again. This lets a brand in, so the form brings the password, however fresh the last one is."""
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return await self._page(request, user, error=error)
        return await self._change_trust(request, self._inbox.trust_key, user)

    async def _change_trust(
        self, request: web.Request, change: Callable[[str, str], Awaitable[str | None]], user: CurrentUser
    ) -> web.Response:
        try:
            raise_if_not_done(await change((await form_texts(request)).get("x", ""), user.person))
        except LookupError as error:
            raise web.HTTPNotFound from error
        raise web.HTTPSeeOther(KEYS_PATH)
