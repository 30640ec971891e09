"""The demo's page as a server, in the demo's own process: killing the gateway does not take the page away."""

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
from importlib import resources
from pathlib import Path
from typing import Self

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.demo.page import script
from gateway.demo.page.snapshot import CHECKS, shown
from gateway.demo.page.theatre import Theatre
from gateway.demo.page.words import LANGUAGES, line_of, words
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import cameras, failures, garage, locks, parcels, people, promises
from gateway.evidence.folders import VISITS
from gateway.system.i18n import Language, accepted, language_names
from gateway.web.server import live_video
from gateway.web.server.security_headers import LARGEST_BODY, Handler, dress, guarded, hosts

BEAT = 1.0  # seconds
REST = 0.05  # seconds between two looks: a burst of happenings is shown once
LANGUAGE = "demo-language"  # the cookie's name: another one than the box's own pages have
KEY = "demo-key"  # the cookie of who has opened the address that the terminal shows
DAY = 24 * 3600  # seconds
STATIC = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SHARED = frozenset({"live.js", "film.js", "perron.svg"})  # of the box's own pages
CAMERAS = ("doorbell", "hall-camera")
GROUPS: tuple[tuple[str, tuple[Scenario, ...]], ...] = (
    ("parcels", parcels.SCENARIOS),
    ("promises", promises.SCENARIOS),
    ("people", people.SCENARIOS),
    ("cameras", cameras.SCENARIOS),
    ("locks", (*locks.SCENARIOS, *garage.SCENARIOS)),
    ("failures", failures.SCENARIOS),
)


class Site:
    """The page of one theatre. With `lan` others in the network reach it, and only who has its whole address gets in.

    async with Site(theatre, lan=False) as site:
        print(site.address)

    Raises:
        OSError: no port can be had.
    """

    def __init__(self, theatre: Theatre, *, lan: bool, port: int = 0) -> None:
        self._theatre, self._host, self._port = theatre, "0.0.0.0" if lan else "127.0.0.1", port  # noqa: S104 - asked for by --lan
        self._name = lan_address() if lan else "127.0.0.1"
        self._known: frozenset[str] = frozenset()
        self._key = secrets.token_urlsafe(16) if lan else None
        self._seen = False  # whether anybody has opened the page
        self._environment = Environment(
            loader=PackageLoader("gateway.demo.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        app = web.Application(
            middlewares=[guarded(lambda host: host in self._known), self._let_in], client_max_size=LARGEST_BODY
        )
        app.on_response_prepare.append(dress)
        app.add_routes([
            web.get("/", self._page),
            web.get("/open/{key}", self._open),
            web.get("/feed", self._feed),
            web.get("/live/{camera}", self._live),
            web.get("/film/{visit}/{file}", self._film),
            web.get("/phone/{name}", self._picture),
            web.get("/static/{name}", self._static),
            web.get("/favicon.ico", self._icon),
            web.post("/play", self._play),
            web.post("/stop", self._stop),
            web.post("/yes", self._yes),
            web.post("/language", self._language),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    @property
    def address(self) -> str:
        """Where the page is: with `lan` a secret ends it."""
        return f"http://{self._name}:{self._port}/{'' if self._key is None else f'open/{self._key}'}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self._port = int(self._runner.addresses[0][1])
        self._known = hosts(self._host, self._port, [self._name])
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    # ---- who may come in --------------------------------------------------------------------------------------------

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Others in the network see and press nothing, unless they have the address from the terminal."""
        if self._key is None or request.path.startswith(("/open/", "/static/")):
            return await handler(request)
        if self._is_key(request.cookies.get(KEY, "")):
            return await handler(request)
        why = words(self._language_of(request))["key.missing"]
        return web.Response(status=web.HTTPForbidden.status_code, text=f"{why}\n")

    async def _open(self, request: web.Request) -> web.Response:
        """Give who has the secret a cookie in its place: the address bar then shows it to nobody."""
        key = request.match_info["key"]
        if not self._is_key(key):
            raise web.HTTPNotFound
        answer = web.Response(status=web.HTTPSeeOther.status_code, headers={"Location": "/"})
        answer.set_cookie(KEY, key, max_age=DAY, httponly=True, samesite="Lax")  # a QR reader's page leads here
        return answer

    def _is_key(self, text: str) -> bool:
        return self._key is not None and hmac.compare_digest(text.encode(), self._key.encode())

    # ---- the page ---------------------------------------------------------------------------------------------------

    def _language_of(self, request: web.Request) -> Language:
        chosen = request.cookies.get(LANGUAGE)
        if chosen in LANGUAGES:
            return chosen
        return accepted(request.headers.get("Accept-Language", ""), LANGUAGES) or self._theatre.language

    async def _page(self, request: web.Request) -> web.Response:
        language = self._language_of(request)
        told = words(language)

        def t(key: str, **facts: object) -> str:
            return told[key].format(**facts)

        about = (
            t("about.fast", seconds=script.SECONDS) if self._theatre.fast else t("about.slow", minutes=script.MINUTES)
        )
        text = self._environment.get_template("demo.html").render(
            t=t, language=language, languages=LANGUAGES, names=language_names(),
            words=json.dumps(told, ensure_ascii=False),
            about=about, checks=CHECKS, cameras=CAMERAS, chapters=len(script.CHAPTERS), show=script.SHOW,
            groups=[(group, [(one.title, line_of(one, language)) for one in ones]) for group, ones in GROUPS],
        )  # fmt: skip
        return web.Response(text=text, content_type="text/html")

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        package = "gateway.web" if name in SHARED else "gateway.demo.page"
        file = resources.files(package) / "static" / name
        kind = STATIC.get(name[name.rfind(".") :])
        if kind is None or "/" in name or name.startswith(".") or not file.is_file():
            raise web.HTTPNotFound
        return web.Response(body=file.read_bytes(), content_type=kind, headers={"Cache-Control": "no-cache"})

    async def _icon(self, _request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently("/static/perron.svg")

    async def _language(self, request: web.Request) -> web.Response:
        chosen = (await request.post()).get(LANGUAGE)
        if chosen not in LANGUAGES:
            raise web.HTTPBadRequest
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(LANGUAGE, str(chosen), httponly=True, samesite="Strict")
        return answer

    # ---- what is asked ----------------------------------------------------------------------------------------------

    async def _play(self, request: web.Request) -> web.Response:
        title = (await request.post()).get("title")
        if not self._theatre.press(str(title)):
            raise web.HTTPConflict
        return web.Response(status=204)

    async def _stop(self, _request: web.Request) -> web.Response:
        self._theatre.stop()
        return web.Response(status=204)

    async def _yes(self, _request: web.Request) -> web.Response:
        self._theatre.say_yes()
        return web.Response(status=204)

    # ---- what is seen -----------------------------------------------------------------------------------------------

    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        """Snapshots as they change, and a beat every second. Whoever opens the page first begins the show."""
        page = web.WebSocketResponse(heartbeat=20.0, compress=False, max_msg_size=1024)
        await page.prepare(request)
        if not self._seen:
            self._seen = True
            self._theatre.press(script.SHOW)
        telling = asyncio.create_task(self._tell(page, self._language_of(request)))
        try:
            async for _ in page:
                pass  # a page has nothing to say here
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await telling
        return page

    async def _tell(self, page: web.WebSocketResponse, language: Language) -> None:
        changes, told = self._theatre.changes, -1
        while not page.closed:
            said: dict[str, object] = {"beat": True}
            if changes.count != told:
                told = changes.count
                said["now"] = shown(self._theatre.snapshot, language)
            await page.send_str(json.dumps(said, ensure_ascii=False))
            await asyncio.sleep(REST)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await changes.after(told)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """A camera, straight from the box's video process: it outlives the gateway."""
        camera, playing = request.match_info["camera"], self._theatre.playing
        if camera not in CAMERAS or playing is None:
            raise web.HTTPNotFound
        return await live_video.show(
            request, playing.box / "video.sock", camera, proofs=lambda: self._theatre.proofs,
            allowed=lambda: self._theatre.playing is playing,
        )  # fmt: skip

    async def _film(self, request: web.Request) -> web.FileResponse:
        """The sealed film that the page shows, and no other file."""
        film, playing = self._theatre.snapshot.film, self._theatre.playing
        if film is None or playing is None or request.path != film.url:
            raise web.HTTPNotFound
        path: Path = playing.box / VISITS / request.match_info["visit"] / request.match_info["file"]
        return web.FileResponse(path, headers={"Content-Type": "video/mp4"})

    async def _picture(self, request: web.Request) -> web.Response:
        picture = self._theatre.pictures.get(request.match_info["name"])
        if picture is None:
            raise web.HTTPNotFound
        return web.Response(body=picture, content_type="image/jpeg")


def lan_address() -> str:
    """This machine's address in its network, as the route to the outside has it; loopback where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, contextlib.suppress(OSError):
        asked.connect(("192.0.2.1", 9))  # RFC 5737: an address of nobody; nothing is sent
        return str(asked.getsockname()[0])
    return "127.0.0.1"
