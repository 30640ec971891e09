"""What a link in a message does: it asks first (previews fetch links too), and counts once, by a press of a button."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.runtime.notifications import action_links
from gateway.runtime.notifications.queue import LABELS
from gateway.system.i18n import _
from gateway.system.text import inert
from gateway.web.pages.home import spoken_terms
from gateway.web.server.authorization import Desk
from gateway.web.texts.catalogue import TEXTS


class Errands:
    """The page of the owner's one-time links. Whoever has the link may do that one thing: nobody signs in here."""

    def __init__(self, desk: Desk, key: bytes) -> None:
        self._desk, self._key = desk, key

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        return [
            web.get(f"/{action_links.PATH}/{{token}}", self._asked),
            web.post(f"/{action_links.PATH}/{{token}}", self._pressed),
        ]

    async def _asked(self, request: web.Request) -> web.Response:
        link = action_links.read(request.match_info["token"], self._key, self._desk.now)
        if isinstance(link, action_links.Refused):
            return self._shown(request, why=link)
        if not self._stands(action_links.errand(link)):
            return self._decided(request, link)
        return self._shown(request, link=link)

    async def _pressed(self, request: web.Request) -> web.Response:
        now = self._desk.now
        link = action_links.read(request.match_info["token"], self._key, now)
        if isinstance(link, action_links.Refused):
            return self._shown(request, why=link)
        errand = action_links.errand(link)
        if errand.entrance not in self._desk.box.home.entrances:
            return self._shown(request, why=action_links.Refused.EXPIRED)
        if not self._stands(errand):
            return self._decided(request, link)
        if not await self._desk.box.store.use_link(link.nonce, link.expires, now):
            return self._shown(request, why=action_links.Refused.USED)
        why = await self._desk.box.wished(errand.entrance, errand.wish, None)
        return self._shown(request, link=link, done=why is None, failed=why, standing=self._standing(request, errand))

    def _stands(self, errand: action_links.Errand) -> bool:
        """Whether what was asked still stands so: a link from before a revocation must not permit again."""
        if errand.permission_version is None:
            return True
        permission = self._desk.box.store.permission(getattr(errand.wish, "brand", ""))
        return permission is not None and permission.version == errand.permission_version

    def _decided(self, request: web.Request, link: action_links.Link) -> web.Response:
        """What a link about a brand asks was answered already, or is asked otherwise now: say how it stands."""
        return self._shown(
            request, link=link, decided=True, standing=self._standing(request, action_links.errand(link))
        )

    def _standing(self, request: web.Request, errand: action_links.Errand) -> str | None:
        """How the brand that a link is about stands now, in words; None: it is about none."""
        brand = getattr(errand.wish, "brand", None)
        permission = None if brand is None else self._desk.box.store.permission(brand)
        if permission is None:
            return None
        return self._desk.say(request, TEXTS[f"link.brand.{permission.standing}"], brand=self._name(permission.brand))

    def _name(self, brand: str) -> str:
        known = self._desk.box.store.brands.known().get(brand)
        return brand if known is None else inert(known.name)

    def _asks(self, request: web.Request, link: action_links.Link) -> Mapping[str, Any] | None:
        """What a yes to this link would let in, all of it; None where it is about no brand."""
        brand = getattr(action_links.errand(link).wish, "brand", None)
        permission = None if brand is None else self._desk.box.store.permission(brand)
        if permission is None:
            return None
        language = self._desk.language(request)
        terms = spoken_terms(permission, self._desk.box.home, language)
        return {
            "title": self._desk.say(request, _("{brand} asks to be let in"), brand=self._name(permission.brand)),
            **terms,
        }

    def _shown(  # noqa: PLR0913 - all that the page may have to say
        self,
        request: web.Request,
        *,
        link: action_links.Link | None = None,
        why: action_links.Refused | None = None,
        done: bool | None = None,
        failed: str | None = None,
        decided: bool = False,
        standing: str | None = None,
    ) -> web.Response:
        home, language = self._desk.box.home, self._desk.language(request)
        entrance = None if link is None else home.entrances.get(action_links.errand(link).entrance)
        return self._desk.page(
            request,
            "link",
            status=200 if why is None and not decided else 410,
            standing=standing,
            decided=decided,
            asks=None if link is None else self._asks(request, link),
            label=None if link is None else LABELS[link.purpose].to(language),
            takes_away=link is None or link.purpose not in (action_links.Purpose.PERMIT, action_links.Purpose.APPROVE),
            entrance=None if entrance is None else entrance.name,
            why=None if why is None else self._desk.say(request, TEXTS[f"link.{why}"]),
            done=done,
            failed=failed,
        )
