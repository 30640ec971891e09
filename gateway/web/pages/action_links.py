"""Carries out the action of a one-time link in a message.

The action needs a press of a button, since messengers fetch links for their previews.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.runtime.notifications import action_links
from gateway.runtime.notifications.queue import ACTION_LABELS
from gateway.system.i18n import _
from gateway.system.text import sanitized
from gateway.web.server.authorization import Authorizer
from gateway.web.server.brand_terms import terms_facts
from gateway.web.texts.catalogue import TEXTS


class ActionLinkPage:
    """The page of the owner's one-time links. The holder of a link may do that one action without signing in."""

    def __init__(self, authorizer: Authorizer, key: bytes) -> None:
        self._authorizer, self._services, self._key = authorizer, authorizer.services, key

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""
        return [
            web.get(f"/{action_links.LINK_PATH}/{{token}}", self._show_link),
            web.post(f"/{action_links.LINK_PATH}/{{token}}", self._use_link),
        ]

    async def _show_link(self, request: web.Request) -> web.Response:
        link = action_links.verify_link(request.match_info["token"], self._key, self._authorizer.now)
        if isinstance(link, action_links.LinkError):
            return self._render(request, error=link)
        if not self._is_current(action_links.link_request(link)):
            return self._already_decided(request, link)
        return self._render(request, link=link)

    async def _use_link(self, request: web.Request) -> web.Response:
        now = self._authorizer.now
        link = action_links.verify_link(request.match_info["token"], self._key, now)
        if isinstance(link, action_links.LinkError):
            return self._render(request, error=link)
        errand = action_links.link_request(link)
        if errand.entrance not in self._services.home.entrances:
            return self._render(request, error=action_links.LinkError.EXPIRED)
        if not self._is_current(errand):
            return self._already_decided(request, link)
        if not await self._services.store.accounts.use_link(link.nonce, link.expires, now):
            return self._render(request, error=action_links.LinkError.USED)
        why = await self._services.submit_request(errand.entrance, errand.request, None)
        return self._render(
            request, link=link, done=why is None, failed=why, standing=self._brand_standing(request, errand)
        )

    def _is_current(self, link_request: action_links.LinkRequest) -> bool:
        """Return whether the brand's permission is still that of the link: an old link must not undo a revocation."""
        if link_request.permission_version is None:
            return True
        permission = self._services.store.brands.permission(getattr(link_request.request, "brand", ""))
        return permission is not None and permission.version == link_request.permission_version

    def _already_decided(self, request: web.Request, link: action_links.ActionLink) -> web.Response:
        """Answer that the brand was decided on already, or asks something else now, with its present status."""
        return self._render(
            request, link=link, decided=True, standing=self._brand_standing(request, action_links.link_request(link))
        )

    def _brand_standing(self, request: web.Request, link_request: action_links.LinkRequest) -> str | None:
        """Return the present status of the link's brand as a sentence; None: the link concerns no brand."""
        brand = getattr(link_request.request, "brand", None)
        permission = None if brand is None else self._services.store.brands.permission(brand)
        if permission is None:
            return None
        return self._authorizer.translate(
            request, TEXTS[f"link.brand.{permission.standing}"], brand=self._brand_name(permission.brand)
        )

    def _brand_name(self, brand: str) -> str:
        return sanitized(self._services.brand_name(brand))

    def _question_facts(self, request: web.Request, link: action_links.ActionLink) -> Mapping[str, Any] | None:
        """Return all that a yes to this link would permit; None: the link concerns no brand."""
        brand = getattr(action_links.link_request(link).request, "brand", None)
        permission = None if brand is None else self._services.store.brands.permission(brand)
        if permission is None:
            return None
        language = self._authorizer.language(request)
        terms = terms_facts(permission, self._services.home, language)
        return {
            "title": self._authorizer.translate(
                request, _("{brand} asks to be let in"), brand=self._brand_name(permission.brand)
            ),
            **terms,
        }

    def _render(  # noqa: PLR0913 - the parts of the page
        self,
        request: web.Request,
        *,
        link: action_links.ActionLink | None = None,
        error: action_links.LinkError | None = None,
        done: bool | None = None,
        failed: str | None = None,
        decided: bool = False,
        standing: str | None = None,
    ) -> web.Response:
        home, language = self._services.home, self._authorizer.language(request)
        entrance = None if link is None else home.entrances.get(action_links.link_request(link).entrance)
        return self._authorizer.render_page(
            request,
            "link",
            status=200 if error is None and not decided else 410,
            standing=standing,
            decided=decided,
            asks=None if link is None else self._question_facts(request, link),
            label=None if link is None else ACTION_LABELS[link.purpose].to(language),
            takes_away=link is None
            or link.purpose not in (action_links.LinkPurpose.PERMIT, action_links.LinkPurpose.APPROVE),
            entrance=None if entrance is None else entrance.name,
            error=None if error is None else self._authorizer.translate(request, TEXTS[f"link.{error}"]),
            done=done,
            failed=failed,
        )
