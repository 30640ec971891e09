"""Shows what is stored, where and how long, and who watched; sets when inside cameras may be watched."""

from aiohttp import web

from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.page import Page, form_texts, get, post

MIN_RETENTION_DAYS, MAX_RETENTION_DAYS = 1, 30  # days: the law's limit for films (France)
MAX_LINES_SHOWN = 50  # the newest views and erasures


class PrivacyPage(Page):
    """The page of privacy."""

    @get("/settings/privacy", UserRight.SETTINGS)
    async def _page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        return self._render_page(
            request,
            "privacy",
            counts=self._store.privacy.counts(),
            shortest=MIN_RETENTION_DAYS,
            longest=MAX_RETENTION_DAYS,
            always=self._store.privacy.inside_always(),
            insides=sorted(
                self._services.device_name(name, self._language(request))
                for name in self._home.devices
                if self._services.is_inside(name)
            ),
            views=self._store.privacy.views(at_most=MAX_LINES_SHOWN),
            erasures=self._store.privacy.erasures(at_most=MAX_LINES_SHOWN),
        )

    @post("/settings/privacy/retention", UserRight.RETENTION)
    async def _set_retention(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Set the retention. It holds for existing films too: those beyond it are erased now."""
        days = (await form_texts(request)).get("days", "")
        if days not in map(str, range(MIN_RETENTION_DAYS, MAX_RETENTION_DAYS + 1)):
            raise web.HTTPBadRequest
        was = self._services.retention_days
        if int(days) != was:
            await self._store.privacy.set_retention(int(days), was, self._now, by=user.person)
            self._services.erase_expired_films()
        raise web.HTTPSeeOther("/settings/privacy")

    @post("/settings/privacy/live", UserRight.RETENTION)
    async def _set_inside_live(self, request: web.Request, user: CurrentUser) -> web.Response:
        chosen = (await form_texts(request)).get("inside")
        if chosen not in ("always", "filming"):
            raise web.HTTPBadRequest
        await self._store.privacy.set_inside_always(self._now, always=chosen == "always", by=user.person)
        raise web.HTTPSeeOther("/settings/privacy")
