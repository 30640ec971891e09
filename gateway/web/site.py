"""The pages as a server: which address is answered by whom, and under which conditions anything is answered at all."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from importlib import resources
from ipaddress import ip_address
from pathlib import Path

import segno
import structlog
from aiohttp import web

from gateway.config.home import Pages as PagesSection
from gateway.domain.delivery.barcodes import page_forms
from gateway.domain.visit.state import Now
from gateway.storage import StoreFailed
from gateway.system.atomic_file import write_whole
from gateway.system.http_limits import RequestTurns, limit_requests
from gateway.system.http_log import quiet
from gateway.system.i18n import Language, _, languages
from gateway.system.pki.pages import FOLDER, Certificate, certificate, spaced
from gateway.system.regular_file import read_bytes
from gateway.web.auth.accounts import Accounts, Refused
from gateway.web.auth.recovery import Succession
from gateway.web.away import Away
from gateway.web.feed_limit import MAX_LINK_FEEDS, MAX_SESSION_FEEDS, FeedLimit
from gateway.web.pages.action_links import Errands
from gateway.web.pages.add_device import Adding
from gateway.web.pages.decommission import Moving
from gateway.web.pages.diagnostics import Examination
from gateway.web.pages.history import Past
from gateway.web.pages.home import Pages
from gateway.web.pages.household import Household
from gateway.web.pages.hub import Hub
from gateway.web.pages.installation import Installation
from gateway.web.pages.keys import Keyring
from gateway.web.pages.pauses import Pauses
from gateway.web.pages.phones import Messages
from gateway.web.pages.privacy import Privacy
from gateway.web.pages.remote_browsers import Enrolled
from gateway.web.pages.sign_in import Threshold
from gateway.web.pages.survey import Surveying
from gateway.web.server import courier_view
from gateway.web.server.authorization import DAY, LANGUAGE, YEAR, Desk, wants_json
from gateway.web.server.changes import Changes
from gateway.web.server.connection_limits import PATIENCE, Porch, caller_of, listening
from gateway.web.server.context import Box
from gateway.web.server.feed import Feed
from gateway.web.server.renderer import compile_templates
from gateway.web.server.security_headers import (
    LARGEST_BODY,
    READING,
    Handler,
    dress,
    guarded,
    hosts,
    is_loopback,
    local,
    open_in_clear,
)
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

AGAIN = 5.0  # seconds before pages that could not be served are tried again
KINDS = {".css": "text/css", ".js": "text/javascript", ".png": "image/png", ".svg": "image/svg+xml"}
LYING = resources.files("gateway.web") / "static"
STATIC = {
    file.name: (file.read_bytes(), KINDS[file.name[file.name.rfind(".") :]])
    for file in LYING.iterdir()
    if file.name[file.name.rfind(".") :] in KINDS
}
"""What is served as it lies there: by name, its bytes and what they are."""
WASM = {file.name: Path(str(file)) for file in LYING.iterdir() if file.name.endswith(".wasm")}
"""What is too large to be held, and to be sent in one go to a browser that reads slowly: by name, where it lies."""


class Site:
    """The pages of one box. Build it, `await open()`, `await close()`; `changes.tell()` when the house changes.

    `link_key` signs the links in the owner's messages.
    """

    def __init__(self, box: Box, accounts: Accounts, pages: PagesSection, *, link_key: bytes) -> None:
        self.changes = Changes()
        self._box, self._pages = box, pages
        self._desk = Desk(box, accounts, self.changes)
        self._known: frozenset[str] = frozenset()
        self.port, self.plain_port = pages.port, pages.plain_port
        self.certificate: Certificate | None = None
        self._tls: ssl.SSLContext | None = None
        app = web.Application(
            middlewares=[
                self._heard,
                guarded(lambda host: host in self._known),
                self._in_turn,
                self._plainly,
                self._in_clear,
            ],
            client_max_size=LARGEST_BODY,
        )
        app.on_response_prepare.append(dress)
        succession = Succession(accounts, box.store, entrance=next(iter(box.home.entrances), ""))
        parts = (
            Pages(self._desk), Past(self._desk), Threshold(self._desk, succession), Household(self._desk),
            Errands(self._desk, link_key), Pauses(self._desk), Messages(self._desk), Keyring(self._desk, self),
            Privacy(self._desk), Moving(self._desk, succession), Installation(self._desk), Examination(self._desk),
            Surveying(self._desk), Adding(self._desk), Away(self._desk), Enrolled(self._desk), Hub(self._desk),
        )  # fmt: skip
        for part in parts:
            app.add_routes(part.routes())
        app.add_routes(
            [
                web.get("/feed", self._feed),
                web.get("/c/{digest}", self._courier),
                web.get("/c/{digest}/feed", self._courier_feed),
                web.get("/c/{digest}/label", self._label),
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
        self._turns, self._feeds = RequestTurns(), FeedLimit()
        self._receiving: tuple[asyncio.Task[None], ...] = ()

    async def run(self) -> None:
        """Serve until cancelled. No door waits for a page: what cannot be had is told, and tried again."""
        while True:
            try:
                await self.open()
            except (OSError, ValueError) as failure:
                log.error("pages_not_served", why=str(failure), todo="name another pages.port, or end what has it")
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
        await asyncio.to_thread(compile_templates)
        await self._runner.setup()
        if not pages.loopback:
            self.certificate = await asyncio.to_thread(self._certified)
        self._tls = context = self._context()
        server = self._runner.server
        assert server is not None  # noqa: S101 - set up above
        limit_requests(server, self._turns)
        self._porch = Porch(server)
        self.port = self._receive(pages.port, context)
        self._known = hosts(pages.host, self.port, pages.names)
        if pages.plain_port is not None and context is not None:
            self.plain_port = self._receive(pages.plain_port, None)
            self._known |= hosts(pages.host, self.plain_port, pages.names)
        log.info("pages", at=list(self.addresses), trust=self.trust)
        await self._show_claim_code()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where a browser finds the pages: under each of the names by which it answers."""
        scheme = "http" if self.certificate is None and self._pages.certificate is None else "https"
        return tuple(f"{scheme}://{name}:{self.port}/" for name in self._names())

    @property
    def trust(self) -> str | None:
        """Where a phone gets the box's own authority before it comes; None where there is none to get."""
        if self.certificate is None or self.plain_port is None:
            return None
        return f"http://{self._names()[0]}:{self.plain_port}/certificate"

    def _names(self) -> tuple[str, ...]:
        at = ip_address(self._pages.host)
        if at.is_unspecified:
            return self._pages.names or ("127.0.0.1",)  # under no other name than those that it was given
        return (*self._pages.names, f"[{at}]" if at.version == 6 else self._pages.host)

    def _receive(self, port: int, context: ssl.SSLContext | None) -> int:
        """Receive on a port; returns the real one."""
        assert self._porch is not None  # noqa: S101 - made by `open`
        at = listening(self._pages.host, port)
        receiving = asyncio.create_task(self._porch.receive(at, context))
        receiving.add_done_callback(lambda _: at.close())
        self._receiving = (*self._receiving, receiving)
        return int(at.getsockname()[1])

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
            log.warning("unclaimed", todo="`perron claim-code` shows the code that the pages ask for")

    async def renew(self) -> None:
        """Make another certificate under the same authority, and serve it from the next connection on.

        Raises:
            OSError, ValueError: it could not be made; the one before is served on.
        """
        made = await asyncio.to_thread(self._certified, renew=True)
        if self._tls is not None:
            self._tls.load_cert_chain(made.chain, made.key)
        self.certificate = made
        log.info("certificate_renewed", until=made.until.isoformat())

    def _certified(self, *, renew: bool = False) -> Certificate:
        names = (*self._pages.names, "localhost", "127.0.0.1")
        own = () if ip_address(self._pages.host).is_unspecified else (self._pages.host,)
        folder, now = self._box.films / FOLDER, self._box.clock.now()
        return certificate(folder, box=self._box.home.box, names=(*names, *own), now=now.utc, renew=renew)

    def _context(self) -> ssl.SSLContext | None:
        if self._pages.certificate is not None and self._pages.key is not None:
            for file in (self._pages.certificate, self._pages.key):
                read_bytes(file)  # OpenSSL would wait for whoever writes to a pipe, and every door with it
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._pages.certificate, self._pages.key, password="")  # never asks for one
            return context
        return None if self.certificate is None else self.certificate.context()

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
        """Count the request; of a stranger who asks too much it is not looked at, and the connection ends."""
        signed_in = self._desk.who(request) is not None
        if self._porch is not None and not self._porch.heard(request, signed_in=signed_in):
            answer = web.Response(status=web.HTTPTooManyRequests.status_code, headers={"Retry-After": "1"},
                                  text=self._desk.say(request, TEXTS["error.429"]) + "\n")  # fmt: skip
            answer.force_close()
            return answer
        return await handler(request)

    @web.middleware
    async def _in_turn(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What has a body was waited for: of those whose bodies come at the same instant one goes on each turn."""
        if request.body_exists:
            await self._turns.take()
        return await handler(request)

    @web.middleware
    async def _plainly(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A refusal is a page in plain words; to a script it is JSON."""
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            ours = error.status in (web.HTTPConflict.status_code, web.HTTPUnauthorized.status_code)
            key = f"error.{error.status}" if error.status in (401, 403, 404) else "error.other"
            why = error.text if ours and error.text else self._desk.say(request, TEXTS[key])
            if wants_json(request):
                return web.json_response({"why": why}, status=error.status)
            return self._desk.page(request, "error", status=error.status, why=why)
        except StoreFailed as failure:
            log.error("page_not_stored", why=str(failure))
            why = self._desk.say(request, _("The box's disk takes nothing more: `perron doctor` looks for the cause."))
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
            fingerprint=None if self.certificate is None else spaced(self.certificate.fingerprint),
            qr=None if self.plain_port is None else _qr(plain),
            plain=plain,
        )  # fmt: skip

    async def _authority(self, _request: web.Request) -> web.Response:
        if self.certificate is None:
            raise web.HTTPNotFound
        return web.Response(body=self.certificate.authority, content_type="application/x-x509-ca-cert")

    # ---- the courier, who has no account but his link ---------------------------------------------------------------

    async def _courier(self, request: web.Request) -> web.Response:
        return self._desk.page(request, "courier", digest=self._delivery(request)[0])

    async def _label(self, request: web.Request) -> web.Response:
        """The courier's page once more, and on it the reader of labels: it alone may use camera and WebAssembly."""
        answer = self._desk.page(
            request, "label", digest=self._delivery(request)[0], kinds=courier_view.LABELS, forms=page_forms()
        )
        answer.headers.update(READING)
        return answer

    async def _courier_feed(self, request: web.Request) -> web.WebSocketResponse:
        """His own delivery and nothing else."""
        digest, _ = self._delivery(request)
        found = partial(courier_view.found, self._box, digest)
        caller = caller_of(request)
        if caller is not None:
            caller.heard(entitled=True)  # it lasts for as long as the courier's page is open
        try:
            return await self._serve(
                request, only=f"courier/{digest}", allowed=lambda: found(self._box.clock.now()) is not None
            )
        finally:
            if caller is not None:
                caller.heard(entitled=False)

    async def _receipt(self, request: web.Request) -> web.Response:
        _, delivery = self._delivery(request)
        body = courier_view.receipt(self._box, delivery)
        if body is None:
            raise web.HTTPNotFound
        return web.Response(body=body, content_type="application/json")

    def _delivery(self, request: web.Request) -> tuple[str, str]:
        """The digest that a courier's link names, and its delivery."""
        digest = request.match_info["digest"]
        delivery = courier_view.found(self._box, digest, self._box.clock.now())
        if delivery is None or delivery.entrance not in self._box.home.entrances:
            raise web.HTTPNotFound
        return digest, delivery.id

    # ---- what follows the house -------------------------------------------------------------------------------------

    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        who = self._desk.who(request)
        if who is None:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Session"})
        return await self._serve(
            request, only=None, allowed=lambda: self._desk.accounts.still(who, self._desk.now), session=who.session
        )

    async def _serve(
        self, request: web.Request, *, only: str | None, allowed: Callable[[], bool], session: str = ""
    ) -> web.WebSocketResponse:
        """Serve a feed: of one part (`only`), or of all that a session may see."""
        seat = self._desk.seat(request)

        def paint(name: str, language: Language) -> str:
            if (name.partition("/")[0] == "courier") is (only is None) or only not in (None, name):
                raise KeyError(name)
            return self._desk.part(seat, name, language)

        feed = Feed(self.changes, paint, lambda: _milliseconds(self._desk.now), allowed=allowed, turn=self._turns.take)
        most = MAX_SESSION_FEEDS if only is None else MAX_LINK_FEEDS
        with self._feeds.one_more(only or f"session/{session}", feed.hang_up, most=most):
            return await feed.serve(request)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name in WASM:
            return web.FileResponse(
                WASM[name], headers={"Content-Type": "application/wasm", "Cache-Control": "no-cache"}
            )
        found = STATIC.get(name)
        if found is None:
            raise web.HTTPNotFound
        body, kind = found
        return web.Response(body=body, content_type=kind, headers={"Cache-Control": "no-cache"})

    async def _language(self, request: web.Request) -> web.Response:
        fields = await request.post()
        chosen = fields.get(LANGUAGE)
        if chosen not in languages():
            raise web.HTTPBadRequest
        answer = web.Response(status=303, headers={"Location": local(str(fields.get("back", "/")))})
        answer.set_cookie(LANGUAGE, str(chosen), max_age=YEAR * DAY, httponly=True, samesite="Strict")
        return answer


def _milliseconds(now: Now) -> int:
    return int(now.utc.timestamp() * 1000)


@lru_cache(maxsize=16)  # one for each name under which the box is opened
def _qr(address: str) -> str:
    """Draw an address as a QR code, once: it takes 30 ms, and any stranger may ask for it."""
    return segno.make(address, error="m").svg_inline(scale=5, dark="#000")
