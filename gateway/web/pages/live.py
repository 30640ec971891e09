"""Shows the cameras live: as video, or as JPEGs one after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from aiohttp import web

from gateway.config.closure_names import closure_names, has_named_closures
from gateway.system.i18n import Language, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server import live_video
from gateway.web.server.authorization import Authorizer
from gateway.web.server.camera_figures import camera_figures
from gateway.web.server.page import Conflict, Page, get


class LivePage(Page):
    """The page of live video, and its streams."""

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        self._snapshots = live_video.SnapshotCache(authorizer.services.take_picture)

    @get("/live", UserRight.WATCH_LIVE)
    async def _live(self, request: web.Request, _user: CurrentUser) -> web.Response:
        viewer = self._authorizer.viewer(request)
        cameras = {name: camera_figures(self._services, name, viewer) for name in self._home.entrances}
        sees = {name: self._seen_closures(name, viewer.language) for name in self._home.entrances}
        always = self._store.privacy.inside_always()
        return self._render_page(request, "live", cameras=cameras, sees=sees, inside_always=always)

    def _seen_closures(self, entrance: str, language: Language) -> dict[str, list[str]]:
        """Return, for each camera, the names of the closures at which it sees the courier; none for an only door."""
        state, _now = self._services.entrance_state(entrance)
        rules, section = state.rules, self._home.entrances[entrance]
        if not has_named_closures(rules.closures):
            return {camera: [] for camera in section.film_cameras}
        names = closure_names(rules.closures, language)
        return {
            camera: [names[ident] for ident, watching in rules.watched_by.items() if camera in watching]
            for camera in section.film_cameras
        }

    @get("/live/{camera}", UserRight.WATCH_LIVE)
    async def _stream_camera(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        """Stream one camera; whether the user may watch it is checked as long as it goes on."""
        camera = self._requested_camera(request)
        if not self._services.may_be_watched(camera):
            return await live_video.refuse_private(request)
        with self._logged_view(user, camera) as allowed:
            return await live_video.stream_camera(
                request, self._services.video_socket, camera, proofs=self._services.camera_proofs, is_allowed=allowed
            )

    @get("/live/{camera}/pictures", UserRight.WATCH_LIVE)
    async def _stream_pictures(self, request: web.Request, user: CurrentUser) -> web.StreamResponse:
        camera = self._requested_camera(request)
        if not self._services.may_be_watched(camera):
            raise Conflict(_("The inside can only be watched during a visit (Settings, Privacy)"))
        with self._logged_view(user, camera) as allowed:
            return await live_video.stream_pictures(request, lambda: self._snapshots.newest(camera), is_allowed=allowed)

    @get("/live/{camera}/still", UserRight.WATCH_LIVE)
    async def _still(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Return what a camera sees now, as one JPEG; no content while it shows nothing, as a camera that rests."""
        camera = self._requested_camera(request)
        if not self._services.may_be_watched(camera):
            return web.Response(status=web.HTTPNoContent.status_code)
        self._store.privacy.record_view("live", camera, user.person, self._now)
        jpeg = await self._snapshots.newest(camera)
        if jpeg is None:
            return web.Response(status=web.HTTPNoContent.status_code)
        return web.Response(body=jpeg, content_type="image/jpeg")

    @contextmanager
    def _logged_view(self, user: CurrentUser, camera: str) -> Iterator[live_video.PermissionCheck]:
        """Log who watches, at the beginning and at the end; yield whether the user may still watch."""
        began = self._now
        self._store.privacy.record_view("live", camera, user.person, began)
        try:
            yield partial(self._may_watch, user, camera)
        finally:
            self._store.privacy.end_live_view(camera, user.person, began, self._now)

    def _requested_camera(self, request: web.Request) -> str:
        camera = request.match_info["camera"]
        device = self._home.devices.get(camera)
        if device is None or device.kind != "camera":
            raise web.HTTPNotFound
        return camera

    def _may_watch(self, user: CurrentUser, camera: str) -> bool:
        may = self._accounts.access_error(user, UserRight.WATCH_LIVE, self._now) is None
        return may and self._services.may_be_watched(camera)
