"""Checks each request's host and sets the security headers of each response.

Sources: OWASP's cheat sheets on DNS rebinding, CSRF and CSP; RFC 6454 (Origin), RFC 9110 (Host), the Fetch standard
(Sec-Fetch-Site).
"""

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.system.addresses import is_loopback_host

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY_BYTES = 16_384  # bytes, more than any form of these pages
FORM_TYPE = "application/x-www-form-urlencoded"
BODY_TIMEOUT_S = 10.0  # seconds
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")

# The pattern is unambiguous, so it refuses a near match as fast as any other text.
_LOCAL_PATH = re.compile(r"/(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]*")

# No inline script or style, no other origin, no frame around a page. `blob:` is live video, made in the browser.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:;"
    " connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
HEADERS = MappingProxyType({
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    # A courier's link must not leave in a header; `no-referrer` would make a form's own Origin null (Fetch, 3.1).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
    # No Strict-Transport-Security: it holds for a name on all its ports (RFC 6797, 8.3), so a browser would use HTTPS
    # on `plain_port` too, which serves the courier's page and the box's authority over HTTP only. The protection is
    # not needed: nobody can sign in over plain HTTP from another machine, and session cookies are `__Host-`.
})  # fmt: skip
# For the page on which a courier's phone reads a label: the camera, and the reader's WebAssembly (no other eval).
LABEL_READER_HEADERS = MappingProxyType({
    "Content-Security-Policy": CONTENT_SECURITY_POLICY.replace(
        "script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'"
    ),
    "Permissions-Policy": HEADERS["Permissions-Policy"].replace("camera=()", "camera=(self)"),
})  # fmt: skip

# For a page that reads a QR code from a photo: the reader's WebAssembly, and no camera of the page's own.
PHOTO_READER_HEADERS = MappingProxyType({"Content-Security-Policy": LABEL_READER_HEADERS["Content-Security-Policy"]})


def away_headers(hub: str | None) -> Mapping[str, str]:
    """Return the headers of the page for use away from home: it may connect to the hub (an origin).

    It makes no markup: with Trusted Types (W3C) and no policy, a text from outside can become neither markup nor
    script, whatever the page's own script does with it. It sends no form, so only its own links lead away from it.
    """
    policy = CONTENT_SECURITY_POLICY.replace("form-action 'self'", "form-action 'none'")
    if hub is not None:
        policy = policy.replace("connect-src 'self'", f"connect-src 'self' {hub}")
    return MappingProxyType(
        {"Content-Security-Policy": f"{policy}; require-trusted-types-for 'script'; trusted-types 'none'"}
    )


def allowed_hosts(address: str, port: int, names: Iterable[str]) -> frozenset[str]:
    """Return the Host values that a server at this address accepts: its names, its address, loopback."""
    parsed = ipaddress.ip_address(address)
    literal = f"[{parsed}]" if parsed.version == 6 else address  # as a browser writes it, whatever home.yaml has
    known = {*names, *LOOPBACK_HOSTS, *(() if parsed.is_unspecified else (literal,))}
    return frozenset(host for name in known for host in (name.lower(), f"{name.lower()}:{port}"))


def is_public_page(path: str) -> bool:
    """Return whether plain HTTP may show a page to another machine: it has no secret and no sign-in."""
    return path.startswith(("/c/", "/static/", "/certificate")) or path == "/language"


def is_loopback(host: str, peer: str | None) -> bool:
    """Return whether a browser on this machine sends the request, by its Host header and by its address.

    A client may send any Host; the address alone may be that of a proxy, which acts for others.
    """
    named = any(host == name or host.startswith(f"{name}:") for name in LOOPBACK_HOSTS)
    return named and peer is not None and is_loopback_host(peer)


def refusal_reason(request: web.Request, allowed: Callable[[str], bool]) -> str | None:
    """Return why a request is refused before its content is read, or None.

    An unknown Host is DNS rebinding. A foreign Origin on a request that changes something or opens a WebSocket is
    another page acting in the owner's name.
    """
    host = request.headers.get("Host", "").lower()
    if not allowed(host) or not request.raw_path.startswith("/"):  # an absolute URL would have a host of its own
        return "this box is not known under that name"
    changes = request.method not in SAFE_METHODS or request.headers.get("Upgrade", "").lower() == "websocket"
    if not changes:
        return None
    origin = request.headers.get("Origin")
    if origin is None:
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        return None if site in ("same-origin", "none") else "another page may not ask this"
    return None if origin.lower() == f"{request.scheme}://{host}" else "another page may not ask this"


def local_path(path: str) -> str:
    """Return a path of this site, to which a form returns; "/" for anything else."""
    return path if _LOCAL_PATH.fullmatch(path) else "/"


async def read_body(request: web.Request) -> int | None:
    """Read the whole form of a request; return None, or the status with which it is refused.

    A form of these pages is short, UTF-8 and one list of texts: no files, no other encoding (some are slow to decode),
    no compression. aiohttp keeps it, so handlers need not wait for it.
    """
    if request.method in SAFE_METHODS or not request.can_read_body:
        return None
    utf8 = (request.charset or "utf-8").lower() == "utf-8"
    if request.content_type != FORM_TYPE or not utf8 or "Content-Encoding" in request.headers:
        return web.HTTPUnsupportedMediaType.status_code
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            (await request.read()).decode()
    except TimeoutError:
        return web.HTTPRequestTimeout.status_code
    except UnicodeDecodeError:
        return web.HTTPBadRequest.status_code
    return None


def host_guard(allowed: Callable[[str], bool]) -> Middleware:
    """Return the outermost middleware, which refuses foreign hosts and pages before anything else runs."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        reason = refusal_reason(request, allowed)
        if reason is not None:
            return web.Response(status=web.HTTPForbidden.status_code, text=f"{reason}\n")
        status = await read_body(request)
        return await handler(request) if status is None else web.Response(status=status)

    return guard


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of every response: as an `on_response_prepare` signal also of films, errors and WebSockets."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop("Server", None)  # aiohttp's own names its version and Python's
    if not (request.secure or is_loopback(request.host, request.remote)):
        del response.headers["Cross-Origin-Opener-Policy"]  # over plain HTTP browsers ignore it and log a warning
