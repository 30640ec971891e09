"""The household's page about parcels that a courier takes with him: their labels, and where they lie."""

from aiohttp import web

from gateway.storage.returns import MAX_PLACE_LENGTH
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.page import Conflict, Page, form_texts, get, post
from gateway.web.server.returns_view import shown_returns

RETURNS_PATH = "/returns"


class ReturnsPage(Page):
    """The page of the returns."""

    @get(RETURNS_PATH, UserRight.SEE_HISTORY)
    async def _page(self, request: web.Request, user: CurrentUser) -> web.Response:
        notice = _("Noted. The courier's page says where it lies.") if "ready" in request.query else None
        return self._render(request, user, notice=notice)

    def _render(
        self, request: web.Request, _user: CurrentUser, *, notice: Text | None = None, error: Text | None = None
    ) -> web.Response:
        language = self._language(request)
        return self._render_page(
            request, "returns", status=200 if error is None else 422, page=RETURNS_PATH, notice=notice, error=error,
            returns=shown_returns(self._services, language), longest=MAX_PLACE_LENGTH,
        )  # fmt: skip

    @post(RETURNS_PATH, UserRight.PREPARE_RETURN)
    async def _prepare(self, request: web.Request, user: CurrentUser) -> web.Response:
        form = await form_texts(request)
        delivery, lies = form.get("delivery", ""), " ".join(form.get("lies", "").split())
        if len(lies) > MAX_PLACE_LENGTH or not lies.isprintable():
            return self._render(request, user, error=_("Say it in at most {n} characters.", n=str(MAX_PLACE_LENGTH)))
        if form.get("do") == "not_ready":
            is_done = await self._store.returns.unprepare(delivery, self._now, by=user.person)
        else:
            is_done = await self._store.returns.prepare(delivery, lies, self._now, by=user.person)
        if not is_done:
            raise Conflict(_("This parcel is not to be collected any more."))
        raise web.HTTPSeeOther(RETURNS_PATH if form.get("do") == "not_ready" else f"{RETURNS_PATH}?ready")
