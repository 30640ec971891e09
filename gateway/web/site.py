"""Serves the pages: maps each address to its handler and refuses requests before a handler runs."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from importlib import resources
from ipaddress import ip_address
from pathlib import Path

import structlog
from aiohttp import web

from gateway.config.home import PagesSection
from gateway.domain.delivery.barcodes import page_patterns
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.installation.tryout import DeviceTryout
from gateway.storage.models import StoreFailed
from gateway.system.addresses import taken_port
from gateway.system.atomic_file import write_whole
from gateway.system.changes import ChangeNotifier
from gateway.system.http_limits import RequestTurns, limit_requests
from gateway.system.http_log import http_logger
from gateway.system.i18n import Language, languages
from gateway.system.pki.authority import IssuedCertificate
from gateway.system.pki.pages import PAGES_FOLDER, format_fingerprint, pages_certificate
from gateway.system.port_holder import port_holder
from gateway.system.regular_file import read_bytes
from gateway.web.auth.accounts import AccountRefused, UserAccounts
from gateway.web.auth.keepers import KeeperAccess
from gateway.web.auth.receivers import ReceiverAccess
from gateway.web.auth.recovery import OwnerSuccession
from gateway.web.auth.supervisors import SupervisorAccess
from gateway.web.pages.action_links import ActionLinkPage
from gateway.web.pages.add_device import AddDevicePage
from gateway.web.pages.away import AwayPage
from gateway.web.pages.brands import BrandsPage
from gateway.web.pages.broker_accounts import BrokerAccountsPage
from gateway.web.pages.cars import CarsPage
from gateway.web.pages.decommission import DecommissionPage
from gateway.web.pages.desk import DeskPages
from gateway.web.pages.diagnostics import DiagnosticsPage
from gateway.web.pages.guests import GuestPage, GuestsPage
from gateway.web.pages.history import HistoryPages
from gateway.web.pages.home import HomePage
from gateway.web.pages.household import HouseholdPage
from gateway.web.pages.hub import HubPage
from gateway.web.pages.installable import InstallablePage
from gateway.web.pages.installation import InstallationPage
from gateway.web.pages.keeper import KeeperPages
from gateway.web.pages.keepers import KeepersPage
from gateway.web.pages.keys import KeysPage
from gateway.web.pages.live import LivePage
from gateway.web.pages.parcels import ParcelsPage
from gateway.web.pages.phones import PhonesPage
from gateway.web.pages.privacy import PrivacyPage
from gateway.web.pages.receptions import ReceptionsPage
from gateway.web.pages.remove_device import RemoveDevicePage
from gateway.web.pages.returns import ReturnsPage
from gateway.web.pages.robots import RobotsPage
from gateway.web.pages.room import RoomPage
from gateway.web.pages.setup import SetupPage
from gateway.web.pages.sign_in import SignInPages
from gateway.web.pages.supervisor import SupervisorPages
from gateway.web.server import courier_view, keeper_view
from gateway.web.server import security_headers as security
from gateway.web.server.authorization import LANGUAGE_COOKIE, LANGUAGE_COOKIE_S, Authorizer, PasswordForm, Unauthorized
from gateway.web.server.connection_limits import CONNECTION_LIMITS, ConnectionLimiter, connection_of, listen_socket
from gateway.web.server.context import GatewayServices
from gateway.web.server.feed import MAX_LINK_FEEDS, MAX_SESSION_FEEDS, FeedLimit, LiveFeed
from gateway.web.server.fragments import LINK_FRAGMENTS, qr_svg
from gateway.web.server.page import DISK_FULL, Conflict, Page, form_texts, get, post
from gateway.web.server.renderer import compile_templates
from gateway.web.texts.catalogue import TEXTS

log = structlog.get_logger(__name__)

NOT_SERVED_TODO = "it is tried again; end that program, or name another pages.port in the house file"
SERVE_RETRY_DELAY_S = 5.0  # seconds until the next attempt to serve
ERROR_HEADERS = ("Allow", "Retry-After")  # of aiohttp's errors, which the page of an error keeps (RFC 9110)
CONTENT_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
SHORTER_SUFFIXES = frozenset({".css", ".js", ".svg"})  # compressed files are a third as long
SHORTER_HEADERS = {"Vary": "Accept-Encoding"}
# A conditional or partial request gets the file as it is: its answer may have no body, or a part
PARTIAL_HEADERS = frozenset({"If-None-Match", "If-Modified-Since", "Range"})
STATIC_FOLDER = resources.files("gateway.web") / "static"
STATIC_FILES = {
    file.name: Path(str(file)) for file in STATIC_FOLDER.iterdir() if Path(file.name).suffix in CONTENT_TYPES
}
"""The static files by name. `FileResponse` sends them in pieces, also to a browser that reads slowly."""

SIMPLE_PAGES: tuple[type[Page], ...] = (
    HomePage, LivePage, BrandsPage, HistoryPages, HouseholdPage, PhonesPage, PrivacyPage, InstallationPage,
    DiagnosticsPage, AwayPage, HubPage, ParcelsPage, ReturnsPage, InstallablePage, BrokerAccountsPage,
    RemoveDevicePage, GuestsPage, GuestPage, CarsPage, RoomPage,
)  # fmt: skip
"""The pages that need nothing but the authorizer."""


class PagesSite(Page):
    """The pages of one box, of which it serves the shared ones itself. Call `open()` and `close()`, or `run()`.

    `link_key` signs the links in the owner's messages. `changes` wakes the pages that show what changes.
    """

    def __init__(
        self,
        services: GatewayServices,
        accounts: UserAccounts,
        pages: PagesSection,
        *,
        link_key: bytes,
        changes: ChangeNotifier,
    ) -> None:
        super().__init__(Authorizer(services, accounts, changes))
        self.changes, self._pages = changes, pages
        self._allowed_hosts: frozenset[str] = frozenset()
        self.port, self.plain_port = pages.port, pages.plain_port
        self.certificate: IssuedCertificate | None = None
        self._tls: ssl.SSLContext | None = None
        app = web.Application(
            middlewares=[
                self._count_request,
                security.host_guard(lambda host: host in self._allowed_hosts),
                self._take_turn,
                self._render_errors,
                self._restrict_plain_http,
            ],
            client_max_size=security.MAX_BODY_BYTES,
        )
        app.on_response_prepare.append(security.set_headers)
        succession = OwnerSuccession(
            accounts, services.store, entrance=next(iter(services.home.entrances), ""), notify=services.notify_owner
        )
        access = ReceiverAccess(services.store, services.home.receptions, accounts.clock)
        self._desk = DeskPages(self._authorizer, access)
        keeping = KeeperAccess(
            services.store, services.home.keepers, accounts.clock, has_key=partial(keeper_view.has_key, services)
        )
        self._keeper = KeeperPages(self._authorizer, keeping)
        supervising = SupervisorAccess(services.store, services.home.supervisors, accounts.clock)
        for page in (
            *(page(self._authorizer) for page in SIMPLE_PAGES),
            SignInPages(self._authorizer, succession),
            ActionLinkPage(self._authorizer, link_key),
            *_pages_that_try_devices(self._authorizer),
            KeysPage(self._authorizer, certificate=lambda: self.certificate, renew=self.renew),
            DecommissionPage(self._authorizer, succession),
            ReceptionsPage(self._authorizer, access),
            KeepersPage(self._authorizer, keeping),
            RobotsPage(self._authorizer, supervising),
            SupervisorPages(self._authorizer, supervising),
            self._desk,
            self._keeper,
            self,
        ):
            app.add_routes(page.routes())
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1.0, logger=http_logger(),
            keepalive_timeout=CONNECTION_LIMITS.request_timeout_s,
        )  # fmt: skip
        self._connection_limiter: ConnectionLimiter | None = None
        self._request_turns, self._feeds = RequestTurns(), FeedLimit()
        self._accept_tasks: tuple[asyncio.Task[None], ...] = ()

    async def run(self) -> None:
        """Serve until cancelled. A failure to serve is logged and retried; no door waits for a page."""
        logged: tuple[int, str] | None = None
        while True:
            try:
                await self.open()
            except (OSError, ValueError) as failure:
                await self.close()
                problem = await asyncio.to_thread(self._serving_problem, failure)
                if problem != logged:  # the same is not said every five seconds
                    logged = problem
                    port, why = problem
                    log.error("pages_not_served", port=port, why=why, todo=NOT_SERVED_TODO)
                await asyncio.sleep(SERVE_RETRY_DELAY_S)
                continue
            logged = None
            try:
                await asyncio.gather(*self._accept_tasks)
            finally:
                await self.close()

    def _serving_problem(self, failure: OSError | ValueError) -> tuple[int, str]:
        """Return the port that could not be opened, and why; a taken one with the program that has it."""
        if isinstance(failure, OSError) and failure.errno == errno.EADDRINUSE:
            port = taken_port(self._pages.host, (self._pages.port, self._pages.plain_port)) or self._pages.port
            return port, f"{port_holder(port)} listens there"
        return self._pages.port, str(failure)

    async def open(self) -> None:
        """Begin to serve; afterwards `port` is the real one.

        Raises:
            OSError: the address, the port or the certificate is not available.
            ValueError: the box's own authority has changed.
        """
        pages = self._pages
        await asyncio.to_thread(compile_templates)
        await self._runner.setup()
        if not pages.is_loopback:
            self.certificate = await asyncio.to_thread(self._load_certificate)
        self._tls = context = self._tls_context()
        server = self._runner.server
        assert server is not None  # noqa: S101 - set up above
        limit_requests(server, self._request_turns)
        self._connection_limiter = ConnectionLimiter(server)
        is_unclaimed = await self._show_claim_code()  # before a page can request the code
        self.port = self._accept_on_port(self._connection_limiter, pages.port, context)
        self._allowed_hosts = security.allowed_hosts(pages.host, self.port, pages.names)
        if pages.plain_port is not None and context is not None:
            self.plain_port = self._accept_on_port(self._connection_limiter, pages.plain_port, None)
            self._allowed_hosts |= security.allowed_hosts(pages.host, self.plain_port, pages.names)
        scheme, names = "http" if context is None else "https", self._host_names()
        trust = None  # the address at which a phone gets the box's own authority
        if self.certificate is not None and self.plain_port is not None:
            trust = f"http://{names[0]}:{self.plain_port}/certificate"
        log.info("pages", at=[f"{scheme}://{name}:{self.port}/" for name in names], trust=trust)
        if is_unclaimed:
            log.warning("unclaimed", todo="`perron claim-code` shows the code that the pages ask for")

    def _host_names(self) -> tuple[str, ...]:
        at = ip_address(self._pages.host)
        if at.is_unspecified:
            return self._pages.names or ("127.0.0.1",)  # only under the names of home.yaml
        return (*self._pages.names, f"[{at}]" if at.version == 6 else self._pages.host)

    def _accept_on_port(self, limiter: ConnectionLimiter, port: int, context: ssl.SSLContext | None) -> int:
        at = listen_socket(self._pages.host, port)
        receiving = asyncio.create_task(limiter.accept(at, context))
        receiving.add_done_callback(lambda _: at.close())
        self._accept_tasks = (*self._accept_tasks, receiving)
        return int(at.getsockname()[1])

    async def _show_claim_code(self) -> bool:
        """Make a new claim code for a box without an owner, and write it to a file on the box only.

        Return whether the box is unclaimed and the code can be shown.
        """
        if self._accounts.is_claimed():
            with suppress(OSError):  # the code is void now
                self._home.claim_code_file.unlink()
            return False
        try:
            code = await self._accounts.make_claim_code(self._now)
        except AccountRefused:  # an owner has claimed it meanwhile
            return False
        except StoreFailed as failure:
            log.error("no_claim_code", why=str(failure))
            return False
        await asyncio.to_thread(write_whole, self._home.claim_code_file, f"{code}\n".encode())
        return True

    async def renew(self) -> None:
        """Make another certificate under the same authority, and serve it from the next connection on.

        Raises:
            OSError, ValueError: it could not be made; the previous one stays in use.
        """
        certificate = await asyncio.to_thread(self._load_certificate, renew=True)
        if self._tls is not None:
            self._tls.load_cert_chain(certificate.files.chain, certificate.files.key)
        self.certificate = certificate
        log.info("certificate_renewed", until=certificate.until.isoformat())

    def _load_certificate(self, *, renew: bool = False) -> IssuedCertificate:
        names = (*self._pages.names, "localhost", "127.0.0.1")
        own = () if ip_address(self._pages.host).is_unspecified else (self._pages.host,)
        folder, now = self._services.films_folder / PAGES_FOLDER, self._services.clock.now()
        return pages_certificate(folder, box=self._home.box, names=(*names, *own), now=now.utc, renew=renew)

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._pages.certificate is not None and self._pages.key is not None:
            for file in (self._pages.certificate, self._pages.key):
                read_bytes(file)  # refuses a pipe, on which OpenSSL would block the event loop
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            # OpenSSL must not prompt for one
            context.load_cert_chain(self._pages.certificate, self._pages.key, password="")
            return context
        return None if self.certificate is None else self.certificate.context()

    async def close(self) -> None:
        """Stop serving."""
        for receiving in self._accept_tasks:
            receiving.cancel()
        await asyncio.gather(*self._accept_tasks, return_exceptions=True)
        self._accept_tasks = ()
        await self._runner.cleanup()
        if self._connection_limiter is not None:
            await self._connection_limiter.close()

    @web.middleware
    async def _count_request(self, request: web.Request, handler: security.Handler) -> web.StreamResponse:
        """Count the request; answer 429 unread and end the connection if a stranger sends too many."""
        signed_in = self._authorizer.current_user(request) is not None
        if self._connection_limiter is not None and not self._connection_limiter.count_request(
            request, signed_in=signed_in
        ):
            response = web.Response(status=web.HTTPTooManyRequests.status_code, headers={"Retry-After": "1"},
                                    text=TEXTS["error.429"].to(self._language(request)) + "\n")  # fmt: skip
            response.force_close()
            return response
        return await handler(request)

    @web.middleware
    async def _take_turn(self, request: web.Request, handler: security.Handler) -> web.StreamResponse:
        """Let requests with a body continue one a turn of the loop: many bodies may arrive at the same instant."""
        if request.body_exists:
            await self._request_turns.take()
        return await handler(request)

    @web.middleware
    async def _render_errors(self, request: web.Request, handler: security.Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except PasswordForm:
            raise
        except (Conflict, Unauthorized) as error:
            return self._authorizer.render_error(request, error.status, error.message)
        except AccountRefused as refusal:
            return self._authorizer.render_error(request, web.HTTPConflict.status_code, refusal.message)
        except web.HTTPClientError as error:
            key = f"error.{error.status}" if error.status in (403, 404) else "error.other"
            answer = self._authorizer.render_error(request, error.status, TEXTS[key])
            answer.headers.update({name: error.headers[name] for name in ERROR_HEADERS if name in error.headers})
            return answer
        except StoreFailed as failure:
            log.error("page_not_stored", why=str(failure))
            return self._authorizer.render_error(request, web.HTTPServiceUnavailable.status_code, DISK_FULL)

    @web.middleware
    async def _restrict_plain_http(self, request: web.Request, handler: security.Handler) -> web.StreamResponse:
        """Over plain HTTP serve another machine public pages only; a page leads to how to trust the box."""
        is_private = request.secure or security.is_loopback(request.host, request.remote)
        if is_private or security.is_public_page(request.path):
            return await handler(request)
        if request.method == "GET":
            raise web.HTTPSeeOther("/certificate")
        raise web.HTTPForbidden

    @get("/certificate")
    async def _trust_page(self, request: web.Request) -> web.Response:
        name = request.host.rpartition(":")[0] or request.host
        plain = f"http://{name}:{self.plain_port}/certificate"
        return self._render_page(
            request, "certificate", secure=request.secure, signed_in_at=f"https://{name}:{self.port}/",
            fingerprint=None if self.certificate is None else format_fingerprint(self.certificate.fingerprint),
            qr=None if self.plain_port is None else _qr_code(plain),
            plain=plain,
        )  # fmt: skip

    @get("/certificate/authority.crt")
    async def _authority(self, _request: web.Request) -> web.Response:
        if self.certificate is None:
            raise web.HTTPNotFound
        return web.Response(body=self.certificate.pem, content_type="application/x-x509-ca-cert")

    @get("/c/{digest}")
    async def _courier_page(self, request: web.Request) -> web.Response:
        digest = request.match_info["digest"]
        if self._is_at_reception(digest):
            return self._desk.courier_page(request, digest)
        delivery = courier_view.open_delivery(self._services, digest)
        if delivery is None:
            return self._dead_link_page(request)
        self._services.courier_languages.note(delivery.id, self._language(request))
        return self._render_page(
            request, "courier", digest=digest, filmed=self._services.is_filmed(delivery.entrance)
        )  # fmt: skip

    def _dead_link_page(self, request: web.Request) -> web.Response:
        """Answer a courier's link that opens nothing (any more) with 410; the page does not say whether it ever did."""
        return self._render_page(request, "courier_over", status=web.HTTPGone.status_code)

    def _is_at_reception(self, digest: str) -> bool:
        delivery = courier_view.find_delivery(self._services, digest, self._services.clock.now())
        return delivery is not None and delivery.entrance in self._services.receptions

    @get("/c/{digest}/label")
    async def _label_reader_page(self, request: web.Request) -> web.Response:
        """Serve the courier's page with the label reader, which alone may use camera and WebAssembly."""
        digest = request.match_info["digest"]
        delivery = courier_view.open_delivery(self._services, digest)
        if delivery is None:
            return self._dead_link_page(request)
        response = self._render_page(
            request, "label_reader", digest=digest, filmed=self._services.is_filmed(delivery.entrance),
            kinds=courier_view.LABEL_KINDS, forms=page_patterns(),
        )  # fmt: skip
        response.headers.update(security.LABEL_READER_HEADERS)
        return response

    @get("/c/{digest}/feed")
    async def _courier_feed(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the feed of the courier's own delivery and of nothing else."""
        digest = request.match_info["digest"]
        kind = "handing" if self._is_at_reception(digest) else "courier"
        if kind == "courier":
            self._delivery(request)
        find = partial(courier_view.find_delivery, self._services, digest)
        caller = connection_of(request)
        if caller is not None:
            caller.on_request(is_entitled=True)  # as long as the courier's page is open
        try:
            return await self._serve_feed(
                request, only=f"{kind}/{digest}", allowed=lambda: find(self._services.clock.now()) is not None
            )
        finally:
            if caller is not None:
                caller.on_request(is_entitled=False)

    @post("/c/{digest}/more-time")
    async def _ask_for_time(self, request: web.Request) -> web.Response:
        """Put a late courier's question to the household; the page then says what became of it."""
        digest = request.match_info["digest"]
        delivery = courier_view.find_delivery(self._services, digest, self._services.clock.now())
        if delivery is None:
            raise web.HTTPNotFound
        if courier_view.may_ask_for_time(self._services, delivery.id):
            await self._inbox.ask_time(delivery.id)
        raise web.HTTPSeeOther(f"/c/{digest}")

    @get("/c/{digest}/receipt")
    async def _receipt(self, request: web.Request) -> web.Response:
        body = courier_view.signed_receipt(self._services, self._delivery(request).id)
        if body is None:
            raise web.HTTPNotFound
        return web.Response(body=body, content_type="application/json")

    def _delivery(self, request: web.Request) -> VisitDelivery:
        """Return the delivery to an entrance to which a courier's link leads; any other link is answered with 404."""
        found = courier_view.find_delivery(self._services, request.match_info["digest"], self._services.clock.now())
        if found is None or found.entrance not in self._home.entrances:
            raise web.HTTPNotFound
        return found

    @get("/desk/feed")
    async def _desk_feed(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the feed of a receiver's own page and of nothing else."""
        who = self._desk.signed_in(request)
        if who is None:
            raise Unauthorized
        return await self._serve_feed(
            request, only=f"desk/{who.reception}/{who.receiver}", allowed=lambda: self._desk.signed_in(request) == who
        )

    @get("/keeper/feed")
    async def _keeper_feed(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the feed of a keeper's own page only."""
        who = self._keeper.signed_in(request)
        if who is None:
            raise Unauthorized
        return await self._serve_feed(
            request, only=f"keeper/{who.keeper}", allowed=lambda: self._keeper.signed_in(request) is not None
        )

    @get("/feed")
    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        user = self._authorizer.current_user(request)
        if user is None:
            raise Unauthorized
        return await self._serve_feed(
            request, only=None, allowed=lambda: self._accounts.is_signed_in(user, self._now), session=user.session
        )

    async def _serve_feed(
        self, request: web.Request, *, only: str | None, allowed: Callable[[], bool], session: str = ""
    ) -> web.WebSocketResponse:
        """Serve a feed: of one fragment (`only`), or of all that a session may see."""
        viewer = self._authorizer.viewer(request)

        def render(name: str, language: Language) -> str:
            if (name.partition("/")[0] in LINK_FRAGMENTS) is (only is None) or only not in (None, name):
                raise KeyError(name)
            return self._authorizer.render_fragment(viewer, name, language)

        feed = LiveFeed(
            self.changes,
            render,
            lambda: int(self._now.utc.timestamp() * 1000),
            is_allowed=allowed,
            take_turn=self._request_turns.take,
        )
        most = MAX_SESSION_FEEDS if only is None else MAX_LINK_FEEDS
        with self._feeds.track(only or f"session/{session}", feed.disconnect, max_feeds=most):
            return await feed.serve(request)

    @get("/static/{name}")
    async def _static(self, request: web.Request) -> web.StreamResponse:
        file = STATIC_FILES.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        response = web.FileResponse(
            file, headers={"Content-Type": CONTENT_TYPES[file.suffix], "Cache-Control": "no-cache", **SHORTER_HEADERS}
        )
        if file.suffix in SHORTER_SUFFIXES and PARTIAL_HEADERS.isdisjoint(request.headers):
            response.enable_compression()  # where the browser takes it; these files have no secret of anybody
        return response

    @post("/language")
    async def _set_language(self, request: web.Request) -> web.Response:
        fields = await form_texts(request)
        chosen = fields.get(LANGUAGE_COOKIE, "")
        if chosen not in languages():
            raise web.HTTPBadRequest
        response = web.Response(status=303, headers={"Location": security.local_path(fields.get("back", "/"))})
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=LANGUAGE_COOKIE_S, httponly=True, samesite="Strict")
        return response


# Of an address, one for each name of the box. Cached: drawing takes 30 ms, and any stranger may request it.
def _pages_that_try_devices(authorizer: Authorizer) -> tuple[Page, ...]:
    """Return the pages on which devices are tried before they are added; they share what was found."""
    services = authorizer.services
    tryout = DeviceTryout(
        services.home, ask=services.walk_tests.ask, clock=services.clock.now,
        check=lambda request: services.proposals.check(request, now=services.clock.now()),
    )  # fmt: skip
    return SetupPage(authorizer, tryout), AddDevicePage(authorizer, tryout)


_qr_code = lru_cache(maxsize=16)(qr_svg)
