"""Carries out the action of a one-time link in a message.

The action needs a press of a button, since messengers fetch links for their previews.
"""

from collections.abc import Mapping

from aiohttp import web

from gateway.domain.delivery.permission import Permission
from gateway.domain.visit.state import BEFORE_INTENT
from gateway.protocol.owner_requests import OwnerDecideRequest, OwnerTimeRequest
from gateway.runtime.notifications.action_links import LINK_PATH, ActionLink, LinkError, LinkPurpose, verify_link
from gateway.runtime.notifications.pictures import PICTURE_PATH
from gateway.system.i18n import Text, _
from gateway.system.text import sanitized
from gateway.web.server.authorization import Authorizer, wants_json
from gateway.web.server.brand_terms import terms_facts
from gateway.web.server.live_video import SnapshotCache
from gateway.web.server.page import Page, get, post
from gateway.web.texts.catalogue import TEXTS

_DONE_TEXTS: Mapping[LinkPurpose, Text] = {
    LinkPurpose.STOP: _("Stopped: nothing opens."),
    LinkPurpose.APPROVE: _("The door opens."),
    LinkPurpose.VETO: _("The door stays shut."),
    LinkPurpose.GIVE_TIME: _("He has half an hour: he scans again."),
    LinkPurpose.REFUSE_TIME: _("He gets no more time: nothing opens for this delivery."),
    LinkPurpose.PERMIT: _("Done."),
    LinkPurpose.REFUSE_BRAND: _("Done."),
}


class ActionLinkPage(Page):
    """The page of the owner's one-time links. The holder of a link may do that one action without signing in."""

    def __init__(self, authorizer: Authorizer, key: bytes) -> None:
        super().__init__(authorizer)
        self._key = key
        self._snapshots = SnapshotCache(authorizer.services.take_picture)

    @get(f"/{LINK_PATH}/{{token}}")
    async def _show_link(self, request: web.Request) -> web.Response:
        link = verify_link(request.match_info["token"], self._key, self._now)
        decided = isinstance(link, ActionLink) and not self._is_current(link)
        return self._render(request, link, decided=decided)

    @get(f"/{LINK_PATH}/{{token}}/picture")
    async def _show_picture(self, request: web.Request) -> web.Response:
        """Show the picture of the first door to the holder of a link that answers the visit there."""
        link = verify_link(request.match_info["token"], self._key, self._now)
        if not isinstance(link, ActionLink) or not self._answers_visit(link):
            raise web.HTTPNotFound
        camera = self._home.entrances[link.entrance].door_camera
        jpeg = None if camera is None else await self._snapshots.newest(camera)
        if jpeg is None:
            raise web.HTTPServiceUnavailable
        return web.Response(body=jpeg, content_type="image/jpeg")

    @get(f"/{PICTURE_PATH}/{{token}}")
    async def _pushed_picture(self, request: web.Request) -> web.Response:
        """Hand out the picture of a pushed message, once, to the browser that has its link."""
        jpeg = self._services.contacts.pushes.pictures.take(request.match_info["token"], self._now)
        if jpeg is None:
            raise web.HTTPNotFound
        return web.Response(body=jpeg, content_type="image/jpeg")

    @post(f"/{LINK_PATH}/{{token}}")
    async def _use_link(self, request: web.Request) -> web.Response:
        now = self._now
        link = verify_link(request.match_info["token"], self._key, now)
        if isinstance(link, LinkError):
            return self._render(request, link)
        if link.entrance not in self._home.entrances:
            return self._render(request, LinkError.EXPIRED)
        if not self._is_current(link):
            return self._render(request, link, decided=True)
        if not await self._store.accounts.use_link(link.nonce, link.expires, now):
            return self._render(request, LinkError.USED)
        why = await self._inbox.submit_request(link.entrance, link.request, None)
        return self._render(request, link, done=why is None, failed=why)

    def _is_current(self, link: ActionLink) -> bool:
        """Return whether the link still answers what it was sent for: its visit, or a permission as it was then.

        An old link must not undo a revocation, nor seem to open to another visit.
        """
        if isinstance(link.request, OwnerDecideRequest):
            return self._answers_visit(link)
        if isinstance(link.request, OwnerTimeRequest):
            return self._store.more_time.is_asked(link.request.delivery, self._now)
        if link.permission_version is None:
            return True
        permission = self._permission(link)
        return permission is not None and permission.version == link.permission_version

    def _answers_visit(self, link: ActionLink) -> bool:
        """Return whether the link answers the visit that waits at its entrance now."""
        if not isinstance(link.request, OwnerDecideRequest) or link.entrance not in self._home.entrances:
            return False
        visit = self._services.entrance_state(link.entrance)[0].visit
        return visit is not None and visit.id == link.request.visit and visit.phase in BEFORE_INTENT

    def _permission(self, link: ActionLink) -> Permission | None:
        brand = getattr(link.request, "brand", None)
        return None if brand is None else self._store.brands.permission(brand)

    def _render(
        self,
        request: web.Request,
        link: ActionLink | LinkError,
        *,
        decided: bool = False,
        done: bool = False,
        failed: str | None = None,
    ) -> web.Response:
        """Show what the link does, or what became of it; `decided`: it was decided since it was sent."""
        if wants_json(request):
            return self._answer_script(request, link, decided=decided, done=done, failed=failed)
        if isinstance(link, LinkError):
            return self._render_page(request, "action_link", status=410, label=None, error=link.value)
        home = self._home
        permission, entrance = self._permission(link), home.entrances.get(link.entrance)
        standing, question = None, None
        if permission is not None:
            brand = sanitized(self._services.brand_name(permission.brand))
            standing = TEXTS[f"link.brand.{permission.standing}"].with_facts(brand=brand)
            names = terms_facts(permission, home, self._language(request))
            question = {"title": _("{brand} asks to be let in", brand=brand), "terms": permission.terms, **names}
        return self._render_page(
            request,
            "action_link",
            status=410 if decided else 200,
            standing=standing,
            decided=decided,
            question=question,
            label=link.purpose.label,
            takes_away=link.purpose not in (LinkPurpose.PERMIT, LinkPurpose.APPROVE, LinkPurpose.GIVE_TIME),
            entrance=None if entrance is None else entrance.name,
            done=done,
            failed=failed,
            picture=f"{request.path}/picture" if not done and self._answers_visit(link) else None,
        )

    def _answer_script(
        self, request: web.Request, link: ActionLink | LinkError, *, decided: bool, done: bool, failed: str | None
    ) -> web.Response:
        """Say to a notification's button what became of it, in a sentence that the phone shows."""
        language = self._language(request)
        if isinstance(link, LinkError):
            status, said = 410, link.value
        elif decided:
            status, said = 410, _("Decided already.")
        elif failed is not None:
            status, said = 409, _("Not done: {why}", why=sanitized(failed))
        else:
            status, said = 200, _DONE_TEXTS[link.purpose] if done else link.purpose.label
        return web.json_response({"done": done, "said": said.to(language)}, status=status)
