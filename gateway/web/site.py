"""The pages as a server: which address is answered by whom, and under which conditions anything is answered at all."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import resources
from ipaddress import ip_address

import segno
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.config import Pages as PagesSection
from gateway.proof.files import write_whole
from gateway.store import StoreFailed
from gateway.visit.state import Now
from gateway.voice import Language
from gateway.web import courier
from gateway.web.accounts import Accounts, Refused
from gateway.web.box import Box
from gateway.web.certificate import Certificate, certificate
from gateway.web.changes import Changes
from gateway.web.desk import DAY, LANGUAGE, YEAR, Desk, wants_json
from gateway.web.errands import Errands
from gateway.web.feed import Feed
from gateway.web.household import Household
from gateway.web.moving import Moving
from gateway.web.pages import Pages
from gateway.web.past import Past
from gateway.web.policy import LARGEST_BODY, Handler, dress, guarded, hosts, is_loopback, local, open_in_clear
from gateway.web.porch import PATIENCE, Porch, heard, listening
from gateway.web.privacy import Privacy
from gateway.web.succession import Succession
from gateway.web.threshold import Threshold
from gateway.web.words import LANGUAGES

log = structlog.get_logger(__name__)

AGAIN = 5.0  # seconds before pages that could not be served are tried again
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
STATIC = {
    file.name: (file.read_bytes(), KINDS[file.name[file.name.rfind(".") :]])
    for file in (resources.files("gateway.web") / "static").iterdir()
    if file.name[file.name.rfind(".") :] in KINDS
}
"""What is served as it lies there: by name, its bytes and what they are."""


class Site:
    """The pages of one box. Build it, `await open()`, `await close()`; `changes.tell()` when the house changes.

    `link_key` signs links: those in the owner's messages, and those by which a visit is shown to others.
    """

    def __init__(self, box: Box, accounts: Accounts, pages: PagesSection, *, link_key: bytes) -> None:
        self.changes = Changes()
        self._box, self._pages = box, pages
        self._desk = Desk(box, accounts, self.changes)
        self._known: frozenset[str] = frozenset()
        self.port, self.plain_port = pages.port, pages.plain_port
        self._certificate: Certificate | None = None
        app = web.Application(
            middlewares=[self._heard, guarded(lambda host: host in self._known), self._plainly, self._in_clear],
            client_max_size=LARGEST_BODY,
        )
        app.on_response_prepare.append(dress)
        succession = Succession(accounts, box.store, entrance=next(iter(box.home.entrances)))
        parts = (
            Pages(self._desk), Past(self._desk, link_key), Threshold(self._desk, succession), Household(self._desk),
            Errands(self._desk, link_key), Privacy(self._desk), Moving(self._desk, succession),
        )  # fmt: skip
        for part in parts:
            app.add_routes(part.routes())
        app.add_routes(
            [
                web.get("/feed", self._feed),
                web.get("/c/{digest}", self._courier),
                web.get("/c/{digest}/feed", self._courier_feed),
                web.get("/c/{digest}/receipt", self._receipt),
                web.get("/certificate", self._trust),
                web.get("/certificate/authority.crt", self._authority),
                web.get("/static/{name}", self._static),
                web.post("/language", self._language),
            ]
        )
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=PATIENCE, logger=quiet()
        )
        self._porch: Porch | None = None
        self._receiving: tuple[asyncio.Task[None], ...] = ()

    async def run(self) -> None:
        """Serve until cancelled. No door waits for a page: what cannot be had is told, and tried again."""
        while True:
            try:
                await self.open()
            except (OSError, ValueError) as failure:
                log.error("pages_not_served", why=str(failure))
                await self.close()
                await asyncio.sleep(AGAIN)
                continue
            try:
                await asyncio.gather(*self._receiving)
            finally:
                await self.close()

    async def open(self) -> None:
        """Begin to serve; `port` is the real one then.

        Raises:
            OSError: the address, the port or the certificate cannot be had.
            ValueError: the box's own authority is not what it was.
        """
        pages = self._pages
        await self._runner.setup()
        if not pages.loopback:
            self._certificate = await asyncio.to_thread(self._certified)
        context = self._context()
        self._porch = Porch(self._http)
        self.port = self._receive(pages.port, context)
        self._known = hosts(pages.host, self.port, pages.names)
        if pages.plain_port is not None and context is not None:
            self.plain_port = self._receive(pages.plain_port, None)
            self._known |= hosts(pages.host, self.plain_port, pages.names)
        log.info("pages", host=pages.host, port=self.port, plain_port=self.plain_port, tls=context is not None)
        await self._show_claim_code()

    def _receive(self, port: int, context: ssl.SSLContext | None) -> int:
        """Receive on a port; returns the real one."""
        assert self._porch is not None  # noqa: S101 - made by `open`
        at = listening(self._pages.host, port)
        receiving = asyncio.create_task(self._porch.receive(at, context))
        receiving.add_done_callback(lambda _: at.close())
        self._receiving = (*self._receiving, receiving)
        return int(at.getsockname()[1])

    def _http(self) -> web.RequestHandler:
        server = self._runner.server
        assert server is not None  # noqa: S101 - set up by `open`
        return server()

    async def _show_claim_code(self) -> None:
        """A box without an owner shows a new code at each start, in a file on the box and nowhere else."""
        if self._desk.accounts.claimed():
            with suppress(OSError):  # it opens nothing any more
                self._box.home.claim_code.unlink()
            return
        try:
            code = await self._desk.accounts.make_code(self._desk.now)
        except StoreFailed as failure:
            log.error("no_claim_code", why=str(failure))
            return
        if not isinstance(code, Refused):
            await asyncio.to_thread(write_whole, self._box.home.claim_code, f"{code}\n".encode())
            log.warning("unclaimed", todo="perron claim-code")

    def _certified(self) -> Certificate:
        names = (*self._pages.names, "localhost", "127.0.0.1")
        own = () if ip_address(self._pages.host).is_unspecified else (self._pages.host,)
        folder, now = self._box.films / "pages", self._box.clock.now()
        return certificate(folder, box=self._box.home.box, names=(*names, *own), now=now.utc)

    def _context(self) -> ssl.SSLContext | None:
        if self._pages.certificate is not None and self._pages.key is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._pages.certificate, self._pages.key, password="")  # never asks for one
            return context
        return None if self._certificate is None else self._certificate.context()

    async def close(self) -> None:
        """Serve no more."""
        for receiving in self._receiving:
            receiving.cancel()
        await asyncio.gather(*self._receiving, return_exceptions=True)
        self._receiving = ()
        await self._runner.cleanup()
        if self._porch is not None:
            await self._porch.close()

    # ---- conditions -------------------------------------------------------------------------------------------------

    @web.middleware
    async def _heard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        heard(request)
        return await handler(request)

    @web.middleware
    async def _plainly(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A refusal is a page in plain words; to a script it is JSON."""
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            ours = error.status in (web.HTTPConflict.status_code, web.HTTPUnauthorized.status_code)
            key = f"error.{error.status}" if error.status in (401, 403, 404) else "error.other"
            why = error.text if ours and error.text else self._desk.say(request, key)
            if wants_json(request):
                return web.json_response({"why": why}, status=error.status)
            return self._desk.page(request, "error", status=error.status, why=why)
        except StoreFailed as failure:
            log.error("page_not_stored", why=str(failure))
            why = self._desk.say(request, "error.disk")
            if wants_json(request):
                return web.json_response({"why": why}, status=web.HTTPServiceUnavailable.status_code)
            return self._desk.page(request, "error", status=web.HTTPServiceUnavailable.status_code, why=why)

    @web.middleware
    async def _in_clear(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Over plain HTTP from another machine only what may be shown to anybody; a page leads to how it is done."""
        if request.secure or is_loopback(request.host, request.remote) or open_in_clear(request.path):
            return await handler(request)
        if request.method == "GET":
            raise web.HTTPSeeOther("/certificate")
        raise web.HTTPForbidden

    # ---- trusting the box -------------------------------------------------------------------------------------------

    async def _trust(self, request: web.Request) -> web.Response:
        name = request.host.rpartition(":")[0] or request.host
        plain = f"http://{name}:{self.plain_port}/certificate"
        return self._desk.page(
            request, "certificate", secure=request.secure, signed_in_at=f"https://{name}:{self.port}/",
            fingerprint=None if self._certificate is None else spaced(self._certificate.fingerprint),
            qr=None if self.plain_port is None else segno.make(plain, error="m").svg_inline(scale=5, dark="#000"),
            plain=plain,
        )  # fmt: skip

    async def _authority(self, _request: web.Request) -> web.Response:
        if self._certificate is None:
            raise web.HTTPNotFound
        return web.Response(body=self._certificate.authority, content_type="application/x-x509-ca-cert")

    # ---- the courier, who has no account but his link ---------------------------------------------------------------

    async def _courier(self, request: web.Request) -> web.Response:
        return self._desk.page(request, "courier", digest=self._delivery(request)[0])

    async def _courier_feed(self, request: web.Request) -> web.WebSocketResponse:
        """His own delivery and nothing else."""
        digest, _ = self._delivery(request)
        found = partial(courier.found, self._box, digest)
        return await self._serve(
            request, only=f"courier/{digest}", allowed=lambda: found(self._box.clock.now()) is not None
        )

    async def _receipt(self, request: web.Request) -> web.Response:
        _, delivery = self._delivery(request)
        body = courier.receipt(self._box, delivery)
        if body is None:
            raise web.HTTPNotFound
        return web.Response(body=body, content_type="application/json")

    def _delivery(self, request: web.Request) -> tuple[str, str]:
        """The digest that a courier's link names, and its delivery."""
        digest = request.match_info["digest"]
        delivery = courier.found(self._box, digest, self._box.clock.now())
        if delivery is None or delivery.entrance not in self._box.home.entrances:
            raise web.HTTPNotFound
        return digest, delivery.id

    # ---- what follows the house -------------------------------------------------------------------------------------

    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        who = self._desk.who(request)
        if who is None:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Session"})
        return await self._serve(request, only=None, allowed=lambda: self._desk.accounts.still(who, self._desk.now))

    async def _serve(
        self, request: web.Request, *, only: str | None, allowed: Callable[[], bool]
    ) -> web.WebSocketResponse:
        seat = self._desk.seat(request)

        def paint(name: str, language: Language) -> str:
            if (name.partition("/")[0] == "courier") is (only is None) or only not in (None, name):
                raise KeyError(name)
            return self._desk.part(seat, name, language)

        return await Feed(self.changes, paint, lambda: _milliseconds(self._desk.now), allowed=allowed).serve(request)

    async def _static(self, request: web.Request) -> web.Response:
        found = STATIC.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        body, kind = found
        return web.Response(body=body, content_type=kind, headers={"Cache-Control": "no-cache"})

    async def _language(self, request: web.Request) -> web.Response:
        fields = await request.post()
        chosen = fields.get(LANGUAGE)
        if chosen not in LANGUAGES:
            raise web.HTTPBadRequest
        answer = web.Response(status=303, headers={"Location": local(str(fields.get("back", "/")))})
        answer.set_cookie(LANGUAGE, str(chosen), max_age=YEAR * DAY, httponly=True, samesite="Strict")
        return answer


def quiet() -> logging.Logger:
    """Make the HTTP server's log: its bugs with their traces, but no word of what a browser said wrongly.

    The server would quote a request that it cannot read, with the link's token or the cookie that stands there.
    """
    made = logging.getLogger(__name__)
    if not made.filters:
        made.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return made


def _milliseconds(now: Now) -> int:
    return int(now.utc.timestamp() * 1000)


def spaced(fingerprint: str) -> str:
    """A fingerprint as people compare it: upper case, in groups of four."""
    return " ".join(fingerprint[at : at + 4].upper() for at in range(0, len(fingerprint), 4))
