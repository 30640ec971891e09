"""Makes the pages an app of the home screen: manifest, service worker, and what is shown while the box does not answer.

The service worker stores the offline page and nothing else, so no page of the house is ever shown from a memory. Its
files contain nothing about the home: the browser fetches them before anybody signs in.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from importlib import resources

from aiohttp import web

from gateway.protocol.hash_chain import Json, canonical_json
from gateway.system.i18n import Language, _, languages_of
from gateway.web.server.context import Viewer
from gateway.web.server.page import Page, get
from gateway.web.server.renderer import render
from gateway.web.server.security_headers import HEADERS

_STATIC_FOLDER = resources.files("gateway.web") / "static"
_OFFLINE_TITLE = _("The box does not answer")
_OFFLINE_FILES = {"perron.css": "text/css", "perron.svg": "image/svg+xml", "offline.js": "text/javascript"}
"""The files of the offline page; it has them below its own address, so the service worker touches no other request."""


class InstallablePage(Page):
    """The manifest, the service worker at the root of the pages, and the offline page."""

    @get("/manifest/{language:[a-z]{2}}.webmanifest")
    async def _manifest(self, request: web.Request) -> web.Response:
        language = request.match_info["language"]
        if language not in _page_languages():
            raise web.HTTPNotFound
        return web.Response(body=pages_manifest(language), content_type="application/manifest+json")

    @get("/worker.js")
    async def _worker(self, _request: web.Request) -> web.Response:
        """A changed file is a new version; browsers check for one when a page is opened."""
        return web.Response(body=self.service_worker, content_type="text/javascript", charset="utf-8")

    @get("/offline/{name}")
    async def _offline_file(self, request: web.Request) -> web.Response:
        found = self._offline_files.get(request.path)
        if found is None:
            raise web.HTTPNotFound
        body, content_type = found
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    @cached_property
    def _offline_files(self) -> Mapping[str, tuple[bytes, str]]:
        """All files that the service worker stores: by path, the bytes and their type."""
        files = {
            f"/offline/{language}": (self._render_offline(language), "text/html") for language in _page_languages()
        }
        for name, content_type in _OFFLINE_FILES.items():
            files[f"/offline/{name}"] = ((_STATIC_FOLDER / name).read_bytes(), content_type)
        return files

    @cached_property
    def service_worker(self) -> bytes:
        """The text of the service worker: the list of files, then its code."""
        digests = {path: hashlib.sha256(body).hexdigest() for path, (body, _) in sorted(self._offline_files.items())}
        # the browser stores the headers with each file, so another policy makes another version
        version = hashlib.sha256(canonical_json({"kept": digests, "headers": dict(HEADERS)})).hexdigest()
        facts = {"VERSION": version, "LANGUAGES": _page_languages(), "KEPT": sorted(digests)}
        head = "".join(f"const {name} = {json.dumps(fact)};\n" for name, fact in facts.items())
        return head.encode() + (_STATIC_FOLDER / "worker.js").read_bytes()

    def _render_offline(self, language: Language) -> bytes:
        facts = {"has_remote_access": self._home.hub is not None}
        return render(self._services, "offline.html", Viewer(language=language), facts).encode()


def _page_languages() -> tuple[Language, ...]:
    return languages_of(_OFFLINE_TITLE)


def pages_manifest(language: Language) -> bytes:
    """Return what a phone needs to put the pages on its home screen (W3C Web Application Manifest)."""
    icons: list[Json] = [
        {"src": "/static/perron.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
        *(
            {"src": f"/static/perron-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any"}
            for size in (192, 512)
        ),
        {"src": "/static/perron-maskable-512.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    ]
    shortcuts: list[Json] = [
        {"name": name.to(language), "url": path, "icons": icons[1:2]}
        for name, path in ((_("Live"), "/live"), (_("History"), "/history"))
    ]
    return canonical_json({
        "name": "Perron", "short_name": "Perron", "lang": language, "dir": "ltr", "id": "/", "start_url": "/",
        "scope": "/", "display": "standalone", "background_color": "#f6f5f1", "theme_color": "#0b6e5f",
        "description": _("Your door, your parcels, and who rings.").to(language),
        "categories": ["lifestyle", "security"], "icons": icons, "shortcuts": shortcuts,
    })  # fmt: skip
