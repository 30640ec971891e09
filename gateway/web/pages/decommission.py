"""The page for moving out: export everything, wipe the box, or hand the house to its next owner."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import structlog
from aiohttp import web

from gateway.config.device_names import device_labels
from gateway.evidence.export import export_name, stream_zip
from gateway.runtime.maintenance.decommission import WipeObstacle, WipeObstacleReason
from gateway.system.i18n import Text, _
from gateway.system.text import sanitized
from gateway.web.auth.accounts import AccountError, AccountRefused, CurrentUser, name_key, refuse
from gateway.web.auth.recovery import OwnerSuccession
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer
from gateway.web.server.page import Page, browser_label, form_texts, get, post

log = structlog.get_logger(__name__)

EXPORT_RETRY_DELAY_S = 60  # seconds until another export may be requested while one runs

_README = _(
    "All that this box kept.\n\nvisits/       one visit a folder: films, log, signed proof\nlog.jsonl     "
    "the whole log, one entry a line\npeople.json, permissions.json\n              who had an account, and "
    "which brands could come in\nbox.pub.pem   the box's public key\n\nTo verify a visit, without the "
    "internet:\n  perron verify {name}/visits/VISIT --key {name}/box.pub.pem\n"
)


class DecommissionPage(Page):
    """The pages of the owner who leaves and of the one who follows."""

    def __init__(self, authorizer: Authorizer, succession: OwnerSuccession) -> None:
        super().__init__(authorizer)
        self._succession = succession
        self._export_lock = asyncio.Lock()

    @get("/settings/moving-out", UserRight.MOVE_OUT)
    async def _page(
        self,
        request: web.Request,
        _user: CurrentUser,
        *,
        status: int = 200,
        errors: Sequence[Text] = (),
        link: str | None = None,
    ) -> web.Response:
        removal, counts = self._services.decommissioning, self._store.privacy.counts()
        return self._render_page(
            request,
            "decommission",
            status=status,
            errors=errors,
            obstacles=() if errors else self._obstacle_texts(removal.obstacles(held_too=True)),
            held=counts.held,
            keypads=[
                self._services.device_name(keypad, self._language(request))
                for keypad in self._store.guests.keypads_with_codes()
            ],
            link=link,
            offer=self._succession.current_offer(self._now),
            counts=counts,
        )

    def _obstacle_texts(self, obstacles: Iterable[WipeObstacle]) -> list[Text]:
        names = {id_: sanitized(section.name) for id_, section in self._home.entrances.items()}
        devices = device_labels(self._home)
        return [
            obstacle.why.value.with_facts(
                entrance=names.get(obstacle.entrance or "", ""),
                keypad=devices.get(obstacle.keypad or "", obstacle.keypad or ""),
            )
            for obstacle in obstacles
        ]

    def _missing_confirmations(self, fields: Mapping[str, str]) -> list[Text]:
        missing, name = [], self._home.name
        if name_key(fields.get("name", "")) != name_key(name):
            missing.append(_("This is not the house's name: {name}", name=sanitized(name)))
        holds = self._store.privacy.counts().held > 0
        if holds and fields.get("held") != "1" and fields.get("films") != "leave":
            missing.append(WipeObstacleReason.HELD.value)
        return missing

    @get("/settings/moving-out/everything.zip", UserRight.MOVE_OUT, allow_head=False)
    async def _export(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        """Stream everything as one ZIP; it stops when the user is signed out meanwhile."""
        if self._export_lock.locked():  # several exports at once would slow the disk down for all
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(EXPORT_RETRY_DELAY_S)})
        async with self._export_lock:
            return await self._stream_export(request, user)

    async def _stream_export(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        now, accounts = self._now, self._accounts
        running = set()
        for state, _now in self._services.states():
            if state.visit is not None:
                running.add(state.visit.id)
            if state.incident is not None:
                running.add(state.incident)
            if state.grace_visit is not None and self._is_unsealed(state.grace_visit.id):
                running.add(state.grace_visit.id)
        self._store.privacy.record_view("copy", "", user.person, now)
        name = export_name(self._home, now.utc)
        response = web.StreamResponse(
            headers={"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{name}.zip"'}
        )
        await response.prepare(request)
        pieces = stream_zip(
            self._home,
            self._store,
            self._services.public_key,
            made=now.utc,
            running=frozenset(running),
            readme=_README.to(self._language(request), name=name),
        )
        try:
            async for piece in pieces:
                if not accounts.is_signed_in(user, self._now):
                    return _abort_stream(request, response)
                await response.write(piece)
        except OSError as failure:  # the ZIP is incomplete, and must not look complete
            log.warning("taking_along_broken_off", why=str(failure))
            return _abort_stream(request, response)
        await response.write_eof()
        return response

    def _is_unsealed(self, visit: str) -> bool:
        """Return whether a part of a visit is not sealed yet. For 15 minutes after a seal another part may begin."""
        return any(part.sealed is None for part in self._store.recordings.films(visit=visit))

    @post("/settings/moving-out/wipe", UserRight.MOVE_OUT)
    async def _wipe(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        fields = await form_texts(request)
        missing = self._missing_confirmations(fields)
        if missing:
            return await self._page(request, user, status=422, errors=missing)
        obstacles = await self._services.decommissioning.wipe(
            user.person, held_too=fields.get("held") == "1", codes_too=fields.get("codes") == "1"
        )
        if obstacles:
            return await self._page(request, user, status=409, errors=self._obstacle_texts(obstacles))
        return await self._respond_then_restart(request, self._render_page(request, "wiped"))

    async def _respond_then_restart(self, request: web.Request, response: web.Response) -> web.Response:
        """Send the whole response, then restart the gateway, also when the client has gone."""
        try:
            await response.prepare(request)
            await response.write_eof()
        finally:
            self._services.decommissioning.restart()
        return response

    @post("/settings/moving-out/offer", UserRight.MOVE_OUT)
    async def _offer(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Make an offer. The response itself shows the link, this once."""
        fields = await form_texts(request)
        missing = self._missing_confirmations(fields)
        if missing:
            return await self._page(request, user, status=422, errors=missing)
        offer = await self._succession.make_offer(
            user, self._now, leaves_films=fields.get("films") == "leave", held_too=fields.get("held") == "1"
        )
        link = f"{request.scheme}://{request.host}/take-over/{offer.text}"
        return await self._page(request, user, link=link)

    @post("/settings/moving-out/withdraw", UserRight.MOVE_OUT)
    async def _withdraw(self, _request: web.Request, user: CurrentUser) -> web.Response:
        await self._succession.withdraw_offer(user, self._now)
        raise web.HTTPSeeOther("/settings/moving-out")

    @get("/take-over/{token}")
    async def _show_offer(self, request: web.Request) -> web.Response:
        return self._render_page(request, "house_offer", name="", leaves_films=self._leaves_films(request))

    def _leaves_films(self, request: web.Request) -> bool:
        """Return whether the offer of a link leaves the films. Without such an offer the address does not exist."""
        offer = self._succession.find_offer(request.match_info["token"], self._now)
        if offer is None:
            raise web.HTTPNotFound
        return offer.leaves_films

    @post("/take-over/{token}")
    async def _accept_offer(self, request: web.Request) -> web.StreamResponse:
        fields, leaves_films = await form_texts(request), self._leaves_films(request)
        name, password, now = fields.get("name", ""), fields.get("password", ""), self._now
        try:
            refuse(AccountError.BUSY if self._services.decommissioning.visit_obstacles() else None)
            secrets = await self._succession.accept_offer(
                request.match_info["token"], name, password, now, browser=browser_label(request)
            )
        except AccountRefused as refusal:
            error = refusal.message
            return self._render_page(request, "house_offer", name=name, leaves_films=leaves_films, error=error)
        response = self._render_page(request, "house_taken_over")
        self._authorizer.set_sign_in_cookies(request, secrets, response)
        return await self._respond_then_restart(request, response)


def _abort_stream(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Abort the connection, so that the client does not take a part for the whole."""
    if request.transport is not None:
        request.transport.abort()
    return response
