"""Serves the page for use away from home, which talks to the box through the hub; enrols and ends its browsers.

The files are the same for every user and contain nothing about the home, so a browser can store them; the service
worker names each file by its SHA-256.

A browser that is enrolled brings two public keys, which it makes itself (`static/away_enrol.js`), and its person's
password; the box answers with a key for this browser alone. That happens at home only, so nobody can enrol a browser
from afar, and neither can a hub.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from urllib.parse import urlsplit

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from gateway.config.closure_names import KIND_NAMES
from gateway.protocol.browser_envelope import Jwk, derive_keys, private_scalar, seal_end_message
from gateway.protocol.hash_chain import canonical_json
from gateway.storage.browsers import EnrolledBrowser
from gateway.system.i18n import Language, _, languages_of, with_hard_spaces
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.authorization import Authorizer, Unauthorized
from gateway.web.server.context import Viewer
from gateway.web.server.page import Conflict, Page, form_texts, get, post
from gateway.web.server.renderer import render
from gateway.web.server.security_headers import away_headers
from gateway.web.texts.catalogue import TEXTS

STATIC_FOLDER = resources.files("gateway.web") / "static"
STATIC_FILES = (
    "away.js", "away_brands.js", "away_crypto.js", "away_films.js", "away_keys.js", "away_line.js", "away_orders.js",
    "away_view.js", "away.css", "perron.css", "perron.svg", "perron-180.png",
)  # fmt: skip

# The keys of the texts that the page's script shares with the home's own pages.
SHARED_KEYS = frozenset({
    "acknowledge", "age.ago", "age.days", "age.left", "age.now", "incident", "live.stale", "live.waiting", "nav.live",
    "next.none", "next.title", "safe_mode", "stop", "visit.film", "visit.title",
})  # fmt: skip
_TITLE = _("My home, from elsewhere")
KEY_PREFIXES = ("away.", "brand.", "closure.", "day.", "door.", "phase.", "way.")
MAX_LABEL_CHARACTERS = 64
ENROL_KEYS = ("away.enrol.failed", "away.enrol.making", "away.enrol.plain")  # of the script that makes the keys


class AwayPage(Page):
    """The page, its service worker, and the addresses that enrol and end a browser."""

    def __init__(self, authorizer: Authorizer) -> None:
        super().__init__(authorizer)
        hub = self._home.hub
        self._hub = None if hub is None else origin(hub.url)

    @get("/away")
    async def _redirect_to_language(self, request: web.Request) -> web.Response:
        raise web.HTTPSeeOther(f"/away/{self._language(request)}")

    @get("/away/{language:[a-z]{2}}")
    async def _serve_page(self, request: web.Request) -> web.Response:
        body = self._language_file(request)
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=away_headers(self._hub))

    @get("/away/{language:[a-z]{2}}.webmanifest")
    async def _serve_manifest(self, request: web.Request) -> web.Response:
        return web.Response(body=self._language_file(request), content_type="application/manifest+json")

    @get("/away/worker.js")
    async def _serve_worker(self, _request: web.Request) -> web.Response:
        """A changed text is a new version; browsers check for one whenever the page is opened."""
        allowed = {"Service-Worker-Allowed": "/away"}  # its folder would be `/away/`
        return web.Response(body=self.service_worker, content_type="text/javascript", headers=allowed)

    @get("/away/enrol", UserRight.AWAY)
    async def _enrol_page(self, request: web.Request, user: CurrentUser) -> web.Response:
        language = self._language(request)
        texts = {key.rpartition(".")[2]: with_hard_spaces(TEXTS[key].template(language)) for key in ENROL_KEYS}
        return self._render_page(
            request, "enrol_browser", hub=self._hub, label=user.name, script_texts=canonical_json(texts).decode()
        )

    @post("/away/enrol", UserRight.AWAY)
    async def _enrol(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Store a browser's keys. The form brings the password, however fresh the last one is."""
        fields, hub = await form_texts(request), self._home.hub
        if hub is None:
            raise Conflict(_("This house has joined no hub: nothing reaches it from afar."))
        label = " ".join(fields.get("label", "").split())
        sign, agree = _parse_jwk(fields.get("sign")), _parse_jwk(fields.get("agree"))
        if not 0 < len(label) <= MAX_LABEL_CHARACTERS or not label.isprintable() or sign is None or agree is None:
            return self._authorizer.render_error(
                request, 422, _("This browser did not bring what is needed: a name and two keys.")
            )
        error = await self._authorizer.password_error(request, user)
        if error is not None:
            return self._authorizer.render_error(request, 422, error)
        person = self._store.accounts.person(user.person)
        assert person is not None  # noqa: S101 - the user is signed in
        own, now, ident = ec.generate_private_key(ec.SECP256R1()), self._now, f"brw-{secrets.token_hex(16)}"
        new = EnrolledBrowser(
            id=ident, device=user.device, person=person, home=hub.home, label=label, sign=sign.model_dump_json(),
            agree=agree.model_dump_json(), own=private_scalar(own), since=now.utc,
            farewell=seal_end_message(
                derive_keys(own, agree, home=hub.home, browser=ident), random=secrets.token_bytes
            ),
        )  # fmt: skip
        if not await self._store.browsers.enrol(new, now):
            raise Unauthorized
        return web.json_response(
            {
                "browser": new.id, "home": hub.home, "hub": hub.url, "agree": Jwk.of(own.public_key()).model_dump(),
                "person": person.name, "role": user.role.value, "since": new.since.isoformat(),
            }
        )  # fmt: skip

    @post("/away/end", UserRight.LANGUAGE)
    async def _end(self, request: web.Request, user: CurrentUser) -> web.Response:
        id_, browsers = (await form_texts(request)).get("id", ""), self._store.browsers
        browser = browsers.browser(id_)
        if browser is not None and browser.person.id != user.person:
            await self._authorizer.require_user(request, UserRight.PEOPLE)
        if browser is None or not await browsers.end(id_, self._now, by=user.person):
            raise web.HTTPNotFound
        return self._authorizer.done_response(request, "/settings")

    def _language_file(self, request: web.Request) -> bytes:
        if request.path not in self._cached_files:  # this page does not have such a language
            raise web.HTTPNotFound
        return self._cached_files[request.path][0]

    @cached_property
    def _cached_files(self) -> Mapping[str, tuple[bytes, str]]:
        """All files that a browser stores: by path, the bytes and their SHA-256."""
        files = {f"/static/{name}": (STATIC_FOLDER / name).read_bytes() for name in STATIC_FILES}
        files |= {f"/away/{language}": self._render(language) for language in _page_languages()}
        files |= {f"/away/{language}.webmanifest": web_manifest(language) for language in _page_languages()}
        return {path: (body, hashlib.sha256(body).hexdigest()) for path, body in files.items()}

    @cached_property
    def service_worker(self) -> bytes:
        """The text of the service worker: the list of files, then its code."""
        digests = {path: digest for path, (_, digest) in sorted(self._cached_files.items())}
        # the browser stores the policy with the page, so another hub makes another version
        version = hashlib.sha256(canonical_json({"kept": digests, "policy": dict(away_headers(self._hub))})).hexdigest()
        facts = {"VERSION": version, "LANGUAGES": _page_languages(), "KEPT": digests}
        head = "".join(f"const {name} = {json.dumps(fact, indent=1)};\n" for name, fact in facts.items())
        return head.encode() + (STATIC_FOLDER / "away_worker.js").read_bytes()

    def _render(self, language: Language) -> bytes:
        others = [other for other in _page_languages() if other != language]
        facts = {"others": others, "script_texts": script_texts(language)}
        return render(self._services, "away.html", Viewer(language=language), facts).encode()


def _page_languages() -> tuple[Language, ...]:
    return languages_of(_TITLE)


def origin(url: str) -> str:
    """Return scheme, name and port of an address, as a security policy names it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def script_texts(language: Language) -> str:
    """Return the texts of the page's script, as JSON."""
    keys = (key for key in TEXTS if key in SHARED_KEYS or key.startswith(KEY_PREFIXES))
    kinds = {f"closure.kind.{kind}": with_hard_spaces(name.template(language)) for kind, name in KIND_NAMES.items()}
    return canonical_json({**{key: with_hard_spaces(TEXTS[key].template(language)) for key in keys}, **kinds}).decode()


def web_manifest(language: Language) -> bytes:
    """Return what a phone needs to put the page on its home screen (W3C Web Application Manifest)."""
    return canonical_json({
        "name": _TITLE.to(language), "short_name": "Perron", "lang": language, "id": "/away",
        "start_url": f"/away/{language}", "scope": "/away", "display": "standalone",
        "background_color": "#f6f5f1", "theme_color": "#0b6e5f",
        "icons": [
            {"src": "/static/perron.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": "/static/perron-180.png", "sizes": "180x180", "type": "image/png"},
        ],
    })  # fmt: skip


def _parse_jwk(text: object) -> Jwk | None:
    try:
        return Jwk.model_validate_json(str(text))
    except (ValidationError, json.JSONDecodeError):
        return None
