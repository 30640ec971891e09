"""The page for moving out: export everything, wipe the box, or hand the house to its next owner."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp import web

from gateway.evidence.export import export_name, stream_zip
from gateway.runtime.maintenance.decommission import WipeObstacle
from gateway.system.i18n import _
from gateway.system.text import sanitized
from gateway.web.auth.accounts import AccountError, CurrentUser, SessionSecrets, name_key
from gateway.web.auth.recovery import NewHouseOffer, OwnerSuccession
from gateway.web.auth.roles import UserRight
from gateway.web.auth.user_agent import UserAgent
from gateway.web.pages.privacy import MEGABYTE_BYTES
from gateway.web.server.authorization import Authorizer
from gateway.web.server.fragments import qr_svg
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

EXPORT_RETRY_DELAY_S = 60  # seconds until another export may be requested while one runs


class DecommissionPage:
    """The pages of the owner who leaves and of the one who follows."""

    def __init__(self, authorizer: Authorizer, succession: OwnerSuccession) -> None:
        self._authorizer, self._services, self._succession = authorizer, authorizer.services, succession
        self._export_lock = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses of this page."""
        behind = self._authorizer.protect
        return [
            web.get("/settings/moving-out", behind(UserRight.MOVE_OUT, self._page)),
            web.get("/settings/moving-out/everything.zip", behind(UserRight.MOVE_OUT, self._export), allow_head=False),
            web.post("/settings/moving-out/wipe", behind(UserRight.MOVE_OUT, self._wipe)),
            web.post("/settings/moving-out/offer", behind(UserRight.MOVE_OUT, self._offer)),
            web.post("/settings/moving-out/withdraw", behind(UserRight.MOVE_OUT, self._withdraw)),
            web.get("/take-over/{token}", self._show_offer),
            web.post("/take-over/{token}", self._accept_offer),
        ]

    async def _page(self, request: web.Request, _user: CurrentUser) -> web.Response:
        return self._render(request)

    def _render(
        self, request: web.Request, *, status: int = 200, errors: tuple[str, ...] = (), link: str | None = None
    ) -> web.Response:
        removal, tally = self._services.decommissioning, self._services.store.privacy.counts()
        held = removal.held_visit_count()
        ways = () if errors else tuple(self._obstacle_text(request, way) for way in removal.obstacles(held_too=True))
        return self._authorizer.render_page(
            request,
            "moving",
            status=status,
            errors=errors,
            obstacles=ways,
            held=held,
            link=link,
            offer=self._succession.current_offer(self._authorizer.now),
            tally=tally,
            megabytes=-(-tally.film_bytes // MEGABYTE_BYTES),
            qr=None if link is None else qr_svg(link, scale=4),
        )

    def _obstacle_text(self, request: web.Request, obstacle: WipeObstacle) -> str:
        section = None if obstacle.entrance is None else self._services.home.entrances[obstacle.entrance]
        return self._authorizer.translate(
            request, TEXTS[f"way.{obstacle.why}"], entrance="" if section is None else sanitized(section.name)
        )

    def _missing_confirmations(self, request: web.Request, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what the form has to confirm and does not: the home's name, and that held films are erased too."""
        unsaid = []
        if name_key(str(fields.get("name", ""))) != name_key(self._services.home.name):
            unsaid.append(
                self._authorizer.translate(
                    request, _("This is not the house's name: {name}"), name=sanitized(self._services.home.name)
                )
            )
        if (
            self._services.decommissioning.held_visit_count()
            and fields.get("held") != "1"
            and fields.get("films") != "leave"
        ):
            unsaid.append(
                self._authorizer.translate(
                    request, _("visits are held as evidence: tick that they go too"), entrance=""
                )
            )
        return tuple(unsaid)

    # ---- export ------------------------------------------------------------------------------------------------------

    async def _export(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        """Stream everything as one ZIP; it stops when the user is signed out meanwhile."""
        if self._export_lock.locked():  # several exports at once would slow the disk down for all
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(EXPORT_RETRY_DELAY_S)})
        async with self._export_lock:
            return await self._stream_export(request, user)

    async def _stream_export(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        now, desk = self._authorizer.now, self._authorizer
        states = [state for state, _ in self._services.states()]
        running = {state.visit.id for state in states if state.visit is not None}
        running |= {state.incident for state in states if state.incident is not None}
        running |= {
            state.grace_visit.id
            for state in states
            if state.grace_visit is not None and self._is_unsealed(state.grace_visit.id)
        }
        self._services.store.privacy.record_view("copy", "", user.person, now)
        name = export_name(self._services.home, now.utc)
        answer = web.StreamResponse(
            headers={"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{name}.zip"'}
        )
        await answer.prepare(request)
        pieces = stream_zip(
            self._services.home,
            self._services.store,
            self._services.public_key,
            made=now.utc,
            running=frozenset(running),
            readme=desk.translate(
                request,
                _(
                    "All that this box kept.\n\nvisits/       one visit a folder: films, log, signed "
                    "proof\nlog.jsonl     "
                    "the whole log, one entry a line\npeople.json, permissions.json\n              who had an "
                    "account, and "
                    "which brands could come in\nbox.pub.pem   the box's public key\n\nTo verify a visit, without the "
                    "internet:\n  perron verify {name}/visits/VISIT --key {name}/box.pub.pem\n"
                ),
                name=name,
            ),
        )
        try:
            async for piece in pieces:
                if not desk.accounts.is_signed_in(user, desk.now):
                    return _abort_stream(request, answer)
                await answer.write(piece)
        except OSError as failure:  # the ZIP is incomplete, and must not look complete
            log.warning("taking_along_broken_off", why=str(failure))
            return _abort_stream(request, answer)
        await answer.write_eof()
        return answer

    def _is_unsealed(self, visit: str) -> bool:
        """Return whether a part of a visit is not sealed yet. For 15 minutes after a seal another part may begin."""
        return any(part.sealed is None for part in self._services.store.recordings.films(visit=visit))

    # ---- wipe -------------------------------------------------------------------------------------------------------

    async def _wipe(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        fields = await request.post()
        unsaid = self._missing_confirmations(request, fields)
        if unsaid:
            return self._render(request, status=422, errors=unsaid)
        ways = await self._services.decommissioning.wipe(user.person, held_too=fields.get("held") == "1")
        if ways:
            return self._render(request, status=409, errors=tuple(self._obstacle_text(request, way) for way in ways))
        return await self._answer_then_restart(request, self._authorizer.render_page(request, "wiped"))

    async def _answer_then_restart(self, request: web.Request, answer: web.Response) -> web.Response:
        """Send the whole response, then restart the gateway, also when the client has gone."""
        try:
            await answer.prepare(request)
            await answer.write_eof()
        finally:
            self._services.decommissioning.restart()
        return answer

    # ---- hand over --------------------------------------------------------------------------------------------------

    async def _offer(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Make an offer. The response itself shows the link, this once."""
        fields = await request.post()
        unsaid = self._missing_confirmations(request, fields)
        if unsaid:
            return self._render(request, status=422, errors=unsaid)
        offered = await self._succession.make_offer(
            user, self._authorizer.now, leaves_films=fields.get("films") == "leave", held_too=fields.get("held") == "1"
        )
        match offered:
            case NewHouseOffer():
                link = f"{request.scheme}://{request.host}/take-over/{offered.token}"
                return self._render(request, link=link)
            case _:
                raise self._authorizer.conflict(request, TEXTS[f"refused.{offered}"])

    async def _withdraw(self, request: web.Request, user: CurrentUser) -> web.Response:
        refused = await self._succession.withdraw_offer(user, self._authorizer.now)
        if refused is not None:
            raise self._authorizer.conflict(request, TEXTS[f"refused.{refused}"])
        raise web.HTTPSeeOther("/settings/moving-out")

    async def _show_offer(self, request: web.Request) -> web.Response:
        offer = self._succession.find_offer(request.match_info["token"], self._authorizer.now)
        if offer is None:
            raise web.HTTPNotFound
        return self._authorizer.render_page(request, "take-over", error=None, name="", leaves_films=offer.leaves_films)

    async def _accept_offer(self, request: web.Request) -> web.StreamResponse:
        token, fields = request.match_info["token"], await request.post()
        name, offer = str(fields.get("name", "")), self._succession.find_offer(token, self._authorizer.now)
        if offer is None:
            raise web.HTTPNotFound
        outcome: SessionSecrets | AccountError = AccountError.BUSY
        if not self._services.decommissioning.visit_obstacles():
            outcome = await self._succession.accept_offer(
                token, name, str(fields.get("password", "")), self._authorizer.now,
                browser=UserAgent.parse(request.headers.get("User-Agent", "")).stored_text,
            )  # fmt: skip
        if isinstance(outcome, SessionSecrets):
            answer = self._authorizer.render_page(request, "taken-over", leaves_films=offer.leaves_films)
            return await self._answer_then_restart(
                request, self._authorizer.set_sign_in_cookies(request, outcome, answer)
            )
        return self._authorizer.render_page(
            request, "take-over", status=422, name=name, leaves_films=offer.leaves_films,
            error=self._authorizer.translate(request, TEXTS[f"refused.{outcome}"]),
        )  # fmt: skip


def _abort_stream(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Abort the connection, so that the client does not take a part for the whole."""
    if request.transport is not None:
        request.transport.abort()
    return answer
