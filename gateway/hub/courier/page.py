"""Serves the page that a retailer's carrier gives to its courier: what one must know, and the courier's code.

The code stands in the fragment of the link, which no browser sends: the page's script draws it there. A browser without
scripts shows all the rest; the courier pastes the link into a form, which sends the code in the body of a request, and
the hub draws it. The hub stores and logs neither. The page is in all languages at once, because a link to another
language would lose the code.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from jinja2 import Template
from markupsafe import Markup
from sqlalchemy import Row, and_, select

from gateway.domain.delivery.barcodes import (
    COURIER_TOKEN_PREFIX,
    BarcodeKind,
    ParcelCode,
    courier_token_value,
    normalise,
)
from gateway.domain.delivery.promise import FINAL_STATES, State
from gateway.domain.frozen import Frozen
from gateway.hub.courier.page_texts import PROBLEMS, STEPS, STEPS_TO_COLLECT, TITLE
from gateway.hub.database.tables import brands, courier_pages, deliveries, homes
from gateway.hub.deliveries.availability import zone_of
from gateway.hub.deliveries.courier_codes import qr_svg
from gateway.hub.http.authentication import secret_digest
from gateway.hub.http.client_address import NETWORK_LIMIT_FACTOR, wider_network
from gateway.hub.http.request_windows import MINUTE, RequestLimit, RequestWindows
from gateway.hub.worker import WorkerContext
from gateway.protocol.keys import shown_ending
from gateway.system.dates import window_text
from gateway.system.html_templates import html_environment
from gateway.system.i18n import SOURCE, Language, _, accepted, languages_of, template_functions
from gateway.system.text import isolate_direction

MAX_VIEWS_PER_MINUTE = 120  # of one address
MAX_CODES_PER_MINUTE = 30  # of one address
MAX_FORM_BYTES: Final = 2000

_OWN = files("gateway.hub.courier")
_STYLE = _OWN.joinpath("templates/courier.css").read_text(encoding="utf-8")
# The box's own modules that draw a QR code. They are data here; nothing is imported.
_BOX_FILES = ("qr.js", "qrcode-2.0.4.js")
_STYLE_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self'; style-src 'sha256-{_STYLE_DIGEST}';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Vary": "Accept-Language",
}


class CourierAnswer(Frozen):
    """A page, and the status with which it is answered."""

    html: str
    status: HTTPStatus = HTTPStatus.OK


class CourierPage:
    """Makes the page. `address` of a request: the client's, `accept`: its header Accept-Language."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._windows = RequestWindows(lambda: context.now().timestamp())
        box = files("gateway").joinpath("web", "static")
        self.scripts: Mapping[str, bytes] = {
            **{name: box.joinpath(name).read_bytes() for name in _BOX_FILES},
            "courier.js": _OWN.joinpath("courier.js").read_bytes(),
        }
        """The page's scripts by their names below `/courier/files/`."""

    async def show(self, secret: str, *, address: str, accept: str) -> CourierAnswer:
        """Show the delivery of this page, without its code, which only the browser knows."""
        if not self._allows("looks", MAX_VIEWS_PER_MINUTE, address):
            return _problem("slow", accept, HTTPStatus.TOO_MANY_REQUESTS)
        return await self._answer(secret, accept)

    async def draw(self, secret: str, body: bytes | None, *, address: str, accept: str) -> CourierAnswer:
        """Show the delivery with the code that a courier pasted; `body`: the form; None: it is too long."""
        if not self._allows("codes", MAX_CODES_PER_MINUTE, address):
            return _problem("slow", accept, HTTPStatus.TOO_MANY_REQUESTS)
        if body is None:
            return _problem("lost", accept, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return await self._answer(secret, accept, pasted=_pasted_code(body))

    def _allows(self, what: str, most: int, address: str) -> bool:
        if not self._windows.take(what, address, RequestLimit(most, MINUTE)).is_granted:
            return False
        network, of_network = wider_network(address), RequestLimit(most * NETWORK_LIMIT_FACTOR, MINUTE)
        return network is None or self._windows.take(f"{what}-around", network, of_network).is_granted

    async def _answer(self, secret: str, accept: str, *, pasted: str | None = None) -> CourierAnswer:
        row = await self._find(secret)
        if row is None:
            return _problem("lost", accept, HTTPStatus.NOT_FOUND)
        if State(row.state) in FINAL_STATES and row.state != State.EXPIRED:
            return _problem("over", accept, HTTPStatus.GONE)
        if row.promise.get("courier_sha256") != row.page_code:
            return _problem("replaced", accept, HTTPStatus.GONE)
        is_right = pasted is not None and normalise(pasted) == ParcelCode(
            BarcodeKind.COURIER, courier_token_value(row.page_code)
        )
        drawn = Markup(qr_svg(pasted)) if is_right and pasted is not None else None  # noqa: S704 - segno's own
        slip = pasted is not None and not is_right
        status = HTTPStatus.UNPROCESSABLE_ENTITY if slip else HTTPStatus.OK
        return _render(accept, status, problem=None, drawn=drawn, slip=slip, **_facts(row, self._context.now()))

    async def _find(self, secret: str) -> Row[Any] | None:
        brand = and_(brands.c.id == deliveries.c.brand, brands.c.sandbox == deliveries.c.sandbox)
        query = (
            select(
                deliveries, courier_pages.c.courier_sha256.label("page_code"), brands.c.name.label("brand_name"),
                homes.c.said.label("report"),
            )
            .join(courier_pages, courier_pages.c.delivery == deliveries.c.id)
            .join(brands, brand)
            .outerjoin(homes, homes.c.id == deliveries.c.home)
            .where(courier_pages.c.sha256 == secret_digest(secret))
        )  # fmt: skip
        async with self._context.store.reading() as tx:
            return (await tx.execute(query)).one_or_none()


def _facts(row: Row[Any], now: datetime) -> dict[str, Any]:
    """Return what a courier must know; entrance and place have the names of the retailer's order."""
    promise, zone = row.promise, zone_of(row.report or {})
    at = zone or ZoneInfo("UTC")
    window = window_text(row.window_start, row.window_end, at, today=now.astimezone(at).date())
    only_collects = bool(promise.get("collect")) and not promise["parcels"]
    return {
        "brand": isolate_direction(row.brand_name), "carrier": isolate_direction(promise["carrier"]),
        "entrance": row.moved_to or promise["entrance"], "place": promise["place"],
        "window": window if zone else _("{moment} UTC", moment=window),
        "parcels": tuple(map(shown_ending, promise["parcels"])),
        "collect": tuple(map(shown_ending, promise.get("collect") or ())),
        "steps": STEPS_TO_COLLECT if only_collects else STEPS, "sandbox": row.sandbox,
    }  # fmt: skip


def _pasted_code(body: bytes) -> str:
    """Return the text of the code in the page's form: a courier pastes the whole link, or the part behind its #."""
    try:
        form = parse_qs(body.decode("ascii", "replace"), max_num_fields=8)
    except ValueError:  # more fields than the page has
        return ""
    code = form.get("code", [""])[0].strip().rpartition("#")[2].lower()
    return code if code.startswith(COURIER_TOKEN_PREFIX) else f"{COURIER_TOKEN_PREFIX}{code}"


def _problem(which: str, accept: str, status: HTTPStatus) -> CourierAnswer:
    return _render(accept, status, problem=PROBLEMS[which])


def _render(accept: str, status: HTTPStatus, **facts: object) -> CourierAnswer:
    known = languages_of(TITLE)
    first = accepted(accept, known) or SOURCE
    ordered: list[Language] = [first, *(other for other in known if other != first)]
    parts = [
        (language, Markup(_template("courier_part.html").render(facts, title=TITLE, **template_functions(language))))  # noqa: S704 - our own template, which escapes
        for language in ordered
    ]
    page = _template("courier.html").render(
        facts, language=first, title=TITLE.to(first), parts=parts, style=Markup(_STYLE),  # noqa: S704 - our own file
        **template_functions(first),
    )  # fmt: skip
    return CourierAnswer(html=page, status=status)


@cache
def _template(name: str) -> Template:
    return html_environment("gateway.hub.courier").get_template(name)
