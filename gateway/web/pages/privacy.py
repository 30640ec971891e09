"""Privacy: what is kept, where and how long; who looked; and when the inside of the home may be watched."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.storage import Erased, Look
from gateway.web.auth.accounts import Who
from gateway.web.auth.roles import Right
from gateway.web.server.authorization import Desk

SHORTEST, LONGEST = 1, 30  # days: the law's limit for films (France)
SHOWN = 50  # who looked, and what was erased: the newest
MEGABYTE = 1_000_000


class Privacy:
    """The page of privacy."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._box, self._keeping = desk, desk.box, desk.box.store.keeping

    def routes(self) -> list[web.RouteDef]:
        """Return what is served here."""
        behind = self._desk.behind
        return [
            web.get("/settings/privacy", behind(Right.SETTINGS, self._page)),
            web.post("/settings/privacy/retention", behind(Right.RETENTION, self._retention)),
            web.post("/settings/privacy/live", behind(Right.RETENTION, self._live)),
        ]

    async def _page(self, request: web.Request, _who: Who) -> web.Response:
        tally, hub = self._keeping.tally(), self._box.home.hub
        return self._desk.page(
            request, "privacy", tally=tally, megabytes=-(-tally.film_bytes // MEGABYTE), shortest=SHORTEST,
            hub=hub and hub.url, longest=LONGEST, always=self._keeping.inside_always(), folder=str(self._box.films),
            insides=sorted(name for name in self._box.home.devices if self._box.inside(name)),
            looks=[self._look(one) for one in self._keeping.looks(at_most=SHOWN)],
            erasures=[self._erased(one) for one in self._keeping.erasures(at_most=SHOWN)],
        )  # fmt: skip

    def _look(self, look: Look) -> Mapping[str, Any]:
        return {"look": look, "who": self._named(look.person)}

    def _erased(self, one: Erased) -> Mapping[str, Any]:
        return {"one": one, "who": self._named(one.by)}

    def _named(self, person: str | None) -> str | None:
        known = None if person is None else self._box.store.register.person(person)
        return None if known is None else known.name

    async def _retention(self, request: web.Request, who: Who) -> web.Response:
        """It counts at once, for films that are there already too: what has had its time is erased now."""
        days = str((await request.post()).get("days", ""))
        if days not in {str(known) for known in range(SHORTEST, LONGEST + 1)}:
            raise web.HTTPBadRequest
        was = self._box.retention_days
        if int(days) != was:
            await self._keeping.set_retention(int(days), was, self._desk.now, by=who.person)
            self._box.tidy()
        raise web.HTTPSeeOther("/settings/privacy")

    async def _live(self, request: web.Request, who: Who) -> web.Response:
        chosen = str((await request.post()).get("inside", ""))
        if chosen not in ("always", "filming"):
            raise web.HTTPBadRequest
        await self._keeping.set_inside_always(self._desk.now, always=chosen == "always", by=who.person)
        raise web.HTTPSeeOther("/settings/privacy")
