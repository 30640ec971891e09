"""Serves the demo's page from the demo's own process, so that it survives the gateway's end."""

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Self

from aiohttp import web

from gateway.demo.page import script
from gateway.demo.page.drawing import DRAWN_KINDS, own_kinds
from gateway.demo.page.runner import SHOW_TITLE, DemoRunner
from gateway.demo.page.snapshot import CHECK_NAMES
from gateway.demo.page.words import LANGUAGES, TEMPLATES, page_texts
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import SCENARIO_GROUPS, find_scenarios
from gateway.demo.scenarios.titles import FOR_VISITORS, SCENE_TITLES
from gateway.domain.frozen import Frozen
from gateway.evidence.manifest import VISITS_FOLDER
from gateway.system.i18n import Language, Text, _, accepted, language_names, template_functions
from gateway.web.server import live_video
from gateway.web.server.closure_drawings import CLOSURE_DRAWINGS
from gateway.web.server.security_headers import MAX_BODY_BYTES, Handler, allowed_hosts, host_guard, set_headers

HEARTBEAT_INTERVAL_S = 1.0  # seconds
COALESCE_DELAY_S = 0.05  # seconds between two looks: a burst of happenings is shown once
LANGUAGE_COOKIE = "demo-language"  # the cookie's name: another one than the box's own pages have
ACCESS_COOKIE = "demo-key"  # the cookie of who has opened the address that the terminal shows
COOKIE_MAX_AGE_S = 24 * 3600  # seconds
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SHARED_STATIC_FILES = frozenset({"live.js", "perron.svg"})  # of the box's own pages
CAMERA_IDS = ("doorbell", "hall-camera")


ENGINEERS_GROUPS: Mapping[Text, Sequence[Scenario]] = {
    group: [scenario for scenario in scenarios if scenario.title not in FOR_VISITORS]
    for group, scenarios in SCENARIO_GROUPS.items()
}


class SceneButton(Frozen):
    """What the button of a scene says; `summary` is what the scene tests."""

    title: str
    name: Text
    watch: Text
    summary: Text


def _scene(scenario: Scenario) -> SceneButton:
    words = SCENE_TITLES[scenario.title]
    return SceneButton(title=scenario.title, name=words.name, watch=words.watch, summary=scenario.summary)


class DemoSite:
    """Serves the demo's page. With `lan`, others in the network reach it if they have its whole address."""

    def __init__(self, runner: DemoRunner, *, lan: bool) -> None:
        self._demo_runner, self._port = runner, 0
        self._host = "0.0.0.0" if lan else "127.0.0.1"  # noqa: S104 - the option --lan
        self._name = lan_address() if lan else "127.0.0.1"
        self._known_hosts: frozenset[str] = frozenset()
        self._access_key = secrets.token_urlsafe(16) if lan else None
        self._is_opened = False  # whether anybody has opened the page
        app = web.Application(
            middlewares=[host_guard(lambda host: host in self._known_hosts), self._authorize],
            client_max_size=MAX_BODY_BYTES,
        )
        app.on_response_prepare.append(set_headers)
        app.add_routes([
            web.get("/", self._serve_page),
            web.get("/open/{key}", self._exchange_key),
            web.get("/feed", self._serve_feed),
            web.get("/live/{camera}", self._serve_live),
            web.get("/film/{visit}/{file}", self._serve_film),
            web.get("/phone/{name}", self._serve_picture),
            web.get("/static/{name}", self._serve_static),
            web.get("/favicon.ico", self._serve_icon),
            web.post("/play", self._start_play),
            web.post("/stop", _press(runner.stop)),
            web.post("/yes", _press(runner.approve)),
            web.post("/language", self._set_language),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    @property
    def address(self) -> str:
        """The page's address; with `lan` it ends in a secret."""
        return f"http://{self._name}:{self._port}/{'' if self._access_key is None else f'open/{self._access_key}'}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self._port = int(self._runner.addresses[0][1])
        self._known_hosts = allowed_hosts(self._host, self._port, [self._name])
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests from the network that do not have the secret of the address."""
        if self._access_key is None or request.path.startswith(("/open/", "/static/")):
            return await handler(request)
        if self._is_key(request.cookies.get(ACCESS_COOKIE, "")):
            return await handler(request)
        why = _("Scan the terminal's QR, or open its whole address: without it this page shows nothing.")
        text = why.on_page(self._language_of(request))
        return web.Response(status=web.HTTPForbidden.status_code, text=f"{text}\n")

    async def _exchange_key(self, request: web.Request) -> web.Response:
        """Set a cookie in place of the secret, so that the address bar no longer shows the secret."""
        key = request.match_info["key"]
        if not self._is_key(key):
            raise web.HTTPNotFound
        answer = web.Response(status=web.HTTPSeeOther.status_code, headers={"Location": "/"})
        # A QR reader's page leads here
        answer.set_cookie(ACCESS_COOKIE, key, max_age=COOKIE_MAX_AGE_S, httponly=True, samesite="Lax")
        return answer

    def _is_key(self, text: str) -> bool:
        return self._access_key is not None and hmac.compare_digest(text.encode(), self._access_key.encode())

    def _language_of(self, request: web.Request) -> Language:
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        if chosen in LANGUAGES:
            return chosen
        return accepted(request.headers.get("Accept-Language", ""), LANGUAGES) or self._demo_runner.language

    async def _serve_page(self, request: web.Request) -> web.Response:
        language = self._language_of(request)
        texts = page_texts(language)
        text = TEMPLATES.get_template("demo.html").render(
            t=texts.__getitem__,
            language=language,
            languages=LANGUAGES,
            names=language_names(),
            words=json.dumps(texts, ensure_ascii=False),
            is_fast=self._demo_runner.is_fast,
            seconds=script.FAST_DURATION_S,
            minutes=script.NORMAL_DURATION_MIN,
            checks=CHECK_NAMES,
            cameras=CAMERA_IDS,
            chapters=script.CHAPTERS,
            kinds=DRAWN_KINDS,
            own_kinds=own_kinds(),
            outlines=CLOSURE_DRAWINGS,
            show=SHOW_TITLE,
            show_name=_("The show again"),
            for_visitors=[_scene(find_scenarios(title)[0]) for title in FOR_VISITORS],
            groups={group: [_scene(one) for one in scenarios] for group, scenarios in ENGINEERS_GROUPS.items()},
            count=sum(map(len, ENGINEERS_GROUPS.values())),
            **template_functions(language),
        )
        return web.Response(text=text, content_type="text/html")

    async def _serve_static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        package = "gateway.web" if name in SHARED_STATIC_FILES else "gateway.demo.page"
        file = resources.files(package) / "static" / name
        kind = CONTENT_TYPES.get(name[name.rfind(".") :])
        if kind is None or "/" in name or name.startswith(".") or not file.is_file():
            raise web.HTTPNotFound
        return web.Response(body=file.read_bytes(), content_type=kind, headers={"Cache-Control": "no-cache"})

    async def _serve_icon(self, _request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently("/static/perron.svg")

    async def _set_language(self, request: web.Request) -> web.Response:
        chosen = (await request.post()).get(LANGUAGE_COOKIE)
        if chosen not in LANGUAGES:
            raise web.HTTPBadRequest
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(LANGUAGE_COOKIE, str(chosen), httponly=True, samesite="Strict")
        return answer

    async def _start_play(self, request: web.Request) -> web.Response:
        title = (await request.post()).get("title")
        if not self._demo_runner.request_scenario(str(title)):
            raise web.HTTPConflict
        return web.Response(status=204)

    async def _serve_feed(self, request: web.Request) -> web.WebSocketResponse:
        """Send the tape of the present run, then each change, and a beat every second. The first viewer starts all."""
        page = web.WebSocketResponse(heartbeat=20.0, compress=False, max_msg_size=1024)
        await page.prepare(request)
        if not self._is_opened:
            self._is_opened = True
            self._demo_runner.request_scenario(SHOW_TITLE)
        sending = asyncio.create_task(self._send_snapshots(page, self._language_of(request)))
        try:
            async for _ in page:
                pass  # a page has nothing to say here
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
        return page

    async def _send_snapshots(self, page: web.WebSocketResponse, language: Language) -> None:
        changes, tape, clock = self._demo_runner.changes, self._demo_runner.tape, asyncio.get_running_loop().time
        number = 0
        while not page.closed:
            count = changes.count
            entries, number = tape.entries_from(number, language)
            message = {"tape": entries, "now": tape.now(clock())}
            await page.send_str(json.dumps(message, ensure_ascii=False))
            await asyncio.sleep(COALESCE_DELAY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_INTERVAL_S):
                    await changes.wait_after(count)

    async def _serve_live(self, request: web.Request) -> web.StreamResponse:
        """Send a camera's live view from the box's video process, which outlives the gateway."""
        camera, box = request.match_info["camera"], self._demo_runner.current_box
        if camera not in CAMERA_IDS or box is None:
            raise web.HTTPNotFound
        return await live_video.stream_camera(
            request, box / "video.sock", camera, proofs=lambda: self._demo_runner.proofs,
            is_allowed=lambda: self._demo_runner.current_box is box,
        )  # fmt: skip

    async def _serve_film(self, request: web.Request) -> web.FileResponse:
        """Send the sealed film that the page shows, and no other file."""
        films, box = self._demo_runner.snapshot.films, self._demo_runner.current_box
        if box is None or request.path not in {film.url for film in films}:
            raise web.HTTPNotFound
        path: Path = box / VISITS_FOLDER / request.match_info["visit"] / request.match_info["file"]
        return web.FileResponse(path, headers={"Content-Type": "video/mp4"})

    async def _serve_picture(self, request: web.Request) -> web.Response:
        picture = self._demo_runner.pictures.get(request.match_info["name"])
        if picture is None:
            raise web.HTTPNotFound
        return web.Response(body=picture, content_type="image/jpeg")


def _press(action: Callable[[], None]) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        action()
        return web.Response(status=204)

    return handler


def lan_address() -> str:
    """Return this machine's address in its network, by its route to the outside; loopback without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # RFC 5737: an address for documentation; connect sends nothing
        return str(probe.getsockname()[0])
    return "127.0.0.1"
