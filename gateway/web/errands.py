"""What a link in a message does: it asks first (previews fetch links too), and counts once, by a press of a button."""

from aiohttp import web

from gateway import links
from gateway.pocket import LABELS
from gateway.web.desk import Desk


class Errands:
    """The page of the owner's one-time links. Whoever has the link may do that one thing: nobody signs in here."""

    def __init__(self, desk: Desk, key: bytes) -> None:
        self._desk, self._key = desk, key

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        return [
            web.get(f"/{links.PATH}/{{token}}", self._asked),
            web.post(f"/{links.PATH}/{{token}}", self._pressed),
        ]

    async def _asked(self, request: web.Request) -> web.Response:
        link = links.read(request.match_info["token"], self._key, self._desk.now)
        if isinstance(link, links.Refused):
            return self._shown(request, why=link)
        return self._shown(request, link=link)

    async def _pressed(self, request: web.Request) -> web.Response:
        now = self._desk.now
        link = links.read(request.match_info["token"], self._key, now)
        if isinstance(link, links.Refused):
            return self._shown(request, why=link)
        errand = links.errand(link)
        if errand.entrance not in self._desk.box.home.entrances or not self._stands(errand):
            return self._shown(request, why=links.Refused.EXPIRED)
        if not await self._desk.box.store.use_link(link.nonce, link.expires, now):
            return self._shown(request, why=links.Refused.USED)
        why = await self._desk.box.wished(errand.entrance, errand.wish, None)
        return self._shown(request, link=link, done=why is None, failed=why)

    def _stands(self, errand: links.Errand) -> bool:
        """Whether what was asked still stands so: a link from before a revocation must not permit again."""
        if errand.permission_version is None:
            return True
        permission = self._desk.box.store.permission(getattr(errand.wish, "brand", ""))
        return permission is not None and permission.version == errand.permission_version

    def _shown(
        self,
        request: web.Request,
        *,
        link: links.Link | None = None,
        why: links.Refused | None = None,
        done: bool | None = None,
        failed: str | None = None,
    ) -> web.Response:
        home, language = self._desk.box.home, self._desk.language(request)
        entrance = None if link is None else home.entrances.get(links.errand(link).entrance)
        return self._desk.page(
            request,
            "link",
            status=200 if why is None else 410,
            label=None if link is None else LABELS[link.purpose][language],
            entrance=None if entrance is None else entrance.name,
            why=None if why is None else self._desk.say(request, f"link.{why}"),
            done=done,
            failed=failed,
        )
