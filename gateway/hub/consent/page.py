"""The consent page: shows people who requests what and asks which home is theirs. It accepts no consent itself.

A person who has the page's address enters a support code. That sends the request to the home, in the same transaction,
and the page waits for the home's own answer. The page shows the same whether or not a home has the code. It has no
script, no cookie and nothing from other servers, and sends no referrer.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Template
from markupsafe import Markup
from sqlalchemy import Row, and_, select

from gateway.hub.consent.page_texts import ENDINGS, JOIN, JOIN_WHY, PROBLEMS, format_instant, requested_terms
from gateway.hub.database.tables import brands, connections, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries.connections import MAX_CODE_TRIES, ask_home, state_of
from gateway.hub.http.authentication import secret_digest
from gateway.hub.http.client_address import NETWORK_LIMIT_FACTOR, client_address, wider_network
from gateway.hub.http.operation import PageRoute
from gateway.hub.http.request_windows import MINUTE, RequestLimit, RequestWindows
from gateway.hub.http.scripted_page import chosen_language
from gateway.hub.worker import WorkerContext
from gateway.protocol.consent_request import AskedTerms
from gateway.protocol.support_code import parse_support_code
from gateway.system.html_templates import html_environment
from gateway.system.i18n import Language, _, language_names, languages_of, template_functions
from gateway.system.text import isolate_direction

MAX_VIEWS_PER_MINUTE = 120  # of one address
MAX_CODES_PER_MINUTE = 10  # of one address
REFRESH_INTERVAL_S = 10
_MAX_FORM_BYTES: Final = 2000

_STYLE = files("gateway.hub.consent").joinpath("templates/consent.css").read_text(encoding="utf-8")
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Vary": "Accept-Language",
}


class ConsentPage:
    """Serves the page. `behind_proxy`: the proxy in front names the client."""

    def __init__(self, context: WorkerContext, *, behind_proxy: bool) -> None:
        self._context, self._behind_proxy = context, behind_proxy
        self._windows = RequestWindows(lambda: context.now().timestamp())

    def routes(self) -> list[PageRoute]:
        """Return the routes of the page."""
        return [
            PageRoute("/connect/{secret}", self._show),
            PageRoute("/connect/{secret}", self._submit_code, methods=["POST"]),
            PageRoute("/join", self._show_claim),
        ]

    async def _show(self, request: Request) -> Response:
        if not self._allows(request, "looks", MAX_VIEWS_PER_MINUTE):
            return self._problem(request, HTTPStatus.TOO_MANY_REQUESTS, "slow")
        async with self._context.store.reading() as tx:
            row = await _find_connection(tx, request.path_params["secret"])
        if row is None:
            return self._problem(request, HTTPStatus.NOT_FOUND, "lost")
        return self._page(request, row)

    async def _show_claim(self, request: Request) -> Response:
        """Show what to do with a claim whose QR code a phone has read (gateway/protocol/enrolment.py).

        The part after the # stays in the browser's address, from where a person copies it. The hub never receives it,
        so the page is in all languages at once.
        """
        if not self._allows(request, "looks", MAX_VIEWS_PER_MINUTE):
            return self._problem(request, HTTPStatus.TOO_MANY_REQUESTS, "slow")
        language = _language(request)
        others = [
            (other, JOIN.on_page(other), JOIN_WHY.on_page(other)) for other in languages_of(JOIN) if other != language
        ]
        return _render(language, view="join", title=JOIN.to(language), why=JOIN_WHY, others=others)

    async def _submit_code(self, request: Request) -> Response:
        """Take a support code; a mistyped one does not count as a try, and every other gets the same answer."""
        if not self._allows(request, "says", MAX_CODES_PER_MINUTE):
            return self._problem(request, HTTPStatus.TOO_MANY_REQUESTS, "slow")
        text = await _submitted_code(request)
        if text is None:
            return self._problem(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "lost")
        code = parse_support_code(text)
        secret = request.path_params["secret"]
        now = self._context.now()
        async with self._context.store.writing() as tx:
            row = await _find_connection(tx, secret, lock=True)
            if row is None:
                return self._problem(request, HTTPStatus.NOT_FOUND, "lost")
            if _view_of(row, now) in {"ask", "wait"} and row.tries < MAX_CODE_TRIES:
                if code is None:
                    return self._page(request, row, slip=True)
                await ask_home(self._context.transaction(tx, now), row, code)
        self._context.wake_ups.jobs()
        return Response(
            status_code=HTTPStatus.SEE_OTHER,
            headers={**_HEADERS, "Location": f"/connect/{secret}?lang={_language(request)}"},
        )

    def _allows(self, request: Request, what: str, most: int) -> bool:
        address = client_address(request, behind_proxy=self._behind_proxy)
        if not self._windows.take(what, address, RequestLimit(most, MINUTE)).is_granted:
            return False
        network, of_network = wider_network(address), RequestLimit(most * NETWORK_LIMIT_FACTOR, MINUTE)
        return network is None or self._windows.take(f"{what}-around", network, of_network).is_granted

    def _page(self, request: Request, row: Row[Any], *, slip: bool = False) -> Response:
        now, language = self._context.now(), _language(request)
        view, left = _view_of(row, now), MAX_CODE_TRIES - row.tries
        brand = isolate_direction(row.brand_name)
        terms = requested_terms(AskedTerms.model_validate_json(json.dumps(row.asked)), language)
        page = _render(
            language, HTTPStatus.UNPROCESSABLE_ENTITY if slip else HTTPStatus.OK, view=view,
            title=_("{brand} asks").to(language, brand=brand), sandbox=row.sandbox, brand=brand,
            retailer=isolate_direction(row.retailer_name), until=format_instant(row.expires, language),
            ending=ENDINGS.get(view), asked=terms, left=left, slip=slip, back=_return_url(row, view),
        )  # fmt: skip
        if view == "wait" and not slip:
            page.headers["Refresh"] = str(REFRESH_INTERVAL_S)
        return page

    def _problem(self, request: Request, status: HTTPStatus, which: str) -> Response:
        language = _language(request)
        title, advice = PROBLEMS[which]
        return _render(language, status, view="problem", title=title.to(language), why=advice)


def _render(language: Language, status: HTTPStatus = HTTPStatus.OK, **facts: object) -> Response:
    page = _template().render(
        facts, language=language, languages=languages_of(JOIN), language_names=language_names(), style=Markup(_STYLE),  # noqa: S704 - our own file
        **template_functions(language),
    )  # fmt: skip
    return HTMLResponse(page, status_code=status, headers=_HEADERS)


@cache
def _template() -> Template:
    return html_environment("gateway.hub.consent").get_template("consent.html")


async def _submitted_code(request: Request) -> str | None:
    """Return the code in the page's form, or None if the body is longer than the form can be."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MAX_FORM_BYTES:
            return None
    try:
        form = parse_qs(raw.decode("ascii", "replace"), max_num_fields=8)
    except ValueError:  # more fields than the page has
        return ""
    return form.get("code", [""])[0]


def _view_of(row: Row[Any], now: datetime) -> str:
    state = state_of(row, now)
    if state != "pending":
        return state
    return "wait" if row.tries else "ask"


def _return_url(row: Row[Any], view: str) -> str | None:
    """Return the shop's address to go back to once nothing is left to do here, or None."""
    if row.return_url is None or view in {"ask", "wait"}:
        return None
    return f"{row.return_url}{'&' if '?' in row.return_url else '?'}connection={row.id}"


def _language(request: Request) -> Language:
    return chosen_language(request, languages_of(JOIN))


async def _find_connection(tx: Transaction, secret: str, *, lock: bool = False) -> Row[Any] | None:
    brand = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
    query = (
        select(connections, brands.c.name.label("brand_name"), retailers.c.name.label("retailer_name"))
        .join(brands, brand)
        .join(retailers, retailers.c.id == connections.c.retailer)
        .where(connections.c.consent_sha256 == secret_digest(secret))
    )
    query = query.with_for_update(of=connections, key_share=True) if lock else query
    return (await tx.execute(query)).one_or_none()
