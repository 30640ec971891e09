"""The keys: the box's own, its authority for HTTPS, and those by which brands sign."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from aiohttp import web

from gateway.protocol.keys import PUBLIC, PublicKey
from gateway.storage import BrandKey
from gateway.system.i18n import _
from gateway.system.pki.pages import Certificate
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right
from gateway.web.pages.activity import name_of
from gateway.web.server.authorization import Desk

PAGE = "/settings/keys"


class Trust(Protocol):
    """What the site knows of the certificate under which it is served."""

    @property
    def certificate(self) -> Certificate | None:
        """The one under the box's own authority; None where there is none."""
        ...

    async def renew(self) -> None:
        """Make another one under the same authority, and serve it from the next connection on.

        Raises:
            OSError, ValueError: it could not be made; the one before is served on.
        """
        ...


class Keyring:
    """The page of the keys. All of it asks for the password again (`access.CONFIRM`)."""

    def __init__(self, desk: Desk, trust: Trust) -> None:
        self._desk, self._box, self._trust = desk, desk.box, trust

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get(PAGE, behind(Right.KEYS, self._keys)),
            web.get(f"{PAGE}/{PUBLIC}", behind(Right.KEYS, self._public)),
            web.post(f"{PAGE}/certificate", behind(Right.KEYS, self._renew)),
            web.post(f"{PAGE}/distrust", behind(Right.KEYS, self._distrust)),
            web.post(f"{PAGE}/trust", behind(Right.KEYS, self._believe)),
        ]

    async def _keys(self, request: web.Request, _who: Who) -> web.Response:
        return self._shown(request)

    def _shown(
        self, request: web.Request, *, said: str | None = None, why: str | None = None, status: int = 200
    ) -> web.Response:
        pages, certificate = self._box.home.pages, self._trust.certificate
        enrolled = {key.x for brand in self._box.store.brands.known().values() for key in brand.keys}
        brands = [self._line(request, key) for key in self._box.store.brand_keys() if key.x in enrolled]
        return self._desk.page(
            request, "keys", said=said, why=why, status=status, file=PUBLIC, page=PAGE, brands=brands,
            box_fingerprint=self._box.public_key.fingerprint, certificate=certificate,
            named=None if pages is None or pages.certificate is None else str(pages.certificate),
        )  # fmt: skip

    def _line(self, request: web.Request, key: BrandKey) -> dict[str, str | datetime | None]:
        brand = self._box.store.brands.known().get(key.brand)
        return {
            "x": key.x, "kid": key.kid, "brand": key.brand if brand is None else brand.name, "since": key.since,
            "withdrawn": key.withdrawn,
            "used": key.used, "distrusted": key.distrusted, "fingerprint": PublicKey.from_text(key.x).fingerprint,
            "who": name_of(self._box.store.register, key.by) or self._desk.say(request, _("somebody")),
        }  # fmt: skip

    async def _public(self, _request: web.Request, _who: Who) -> web.Response:
        headers = {"Content-Disposition": f'attachment; filename="{PUBLIC}"'}
        return web.Response(body=self._box.public_key.pem, content_type="application/x-pem-file", headers=headers)

    async def _renew(self, request: web.Request, _who: Who) -> web.Response:
        if self._trust.certificate is None:
            raise web.HTTPNotFound
        try:
            await self._trust.renew()
        except (OSError, ValueError) as failure:
            raise web.HTTPConflict(text=self._desk.say(request, _("Not done: {why}"), why=str(failure))) from failure
        return self._shown(request, said=self._desk.say(request, _("Renewed, and served already.")))

    async def _distrust(self, request: web.Request, who: Who) -> web.Response:
        return await self._changed(request, self._box.distrusted, who)

    async def _believe(self, request: web.Request, who: Who) -> web.Response:
        """Trust it again: this lets somebody in, so the password is taken with it, however fresh the last one is."""
        why = await self._desk.proven(request, who, str((await request.post()).get("password", "")))
        if why is not None:
            return self._shown(request, why=why, status=422)
        return await self._changed(request, self._box.trusted, who)

    async def _changed(
        self, request: web.Request, change: Callable[[str, str], Awaitable[str | None]], who: Who
    ) -> web.Response:
        try:
            why = await change(str((await request.post()).get("x", "")), who.person)
        except LookupError as unknown:
            raise web.HTTPNotFound from unknown
        if why is not None:
            raise web.HTTPConflict(text=self._desk.say(request, _("Not done: {why}"), why=why))
        raise web.HTTPSeeOther(PAGE)
