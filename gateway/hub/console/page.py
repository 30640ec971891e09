"""Serves the web console, in which a retailer sees its deliveries, events, webhooks and keys.

The page is the same for everybody and contains nothing of a retailer. Its modules call the API's own operations with
the API key that its reader types. The browser keeps that key for the tab alone: no address, cookie or log has it.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Template

from gateway.hub.console.page_texts import TEXTS, TITLE
from gateway.hub.http.operation import PageRoute
from gateway.hub.http.problem import ApiProblem, Code
from gateway.system.html_templates import html_environment
from gateway.system.i18n import (
    SOURCE,
    Language,
    accepted,
    language_names,
    languages_of,
    template_functions,
    with_hard_spaces,
)

CONTENT_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}

# Its own scripts only, no markup from a text (Trusted Types), no form that a browser sends by itself, nothing from
# other servers and nothing to them. A picture may be in the page itself: the courier's QR code comes so.
HEADERS: Mapping[str, str] = MappingProxyType({
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'none'; frame-ancestors 'none'; base-uri 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
})  # fmt: skip


class ConsolePage:
    """The page and its files. `url`: the hub's address, for the lines that a reader copies."""

    def __init__(self, url: str) -> None:
        static = files("gateway.hub.console").joinpath("static")
        self._files = {file.name: file.read_bytes() for file in static.iterdir()}
        self._files["perron.svg"] = files("gateway").joinpath("web", "static", "perron.svg").read_bytes()
        self._pages = {language: _render(language, url) for language in languages_of(TITLE)}

    def routes(self) -> list[PageRoute]:
        """Return the routes of the page."""
        return [PageRoute("/console", self._show), PageRoute("/console/{file}", self._serve_file)]

    async def _show(self, request: Request) -> Response:
        language = request.query_params.get("lang", "")
        if language not in self._pages:
            language = accepted(request.headers.get("Accept-Language", ""), tuple(self._pages)) or SOURCE
        return HTMLResponse(self._pages[language], headers={**HEADERS, "Vary": "Accept-Language"})

    async def _serve_file(self, request: Request) -> Response:
        name = request.path_params["file"]
        if name not in self._files:
            raise ApiProblem(Code.NOT_FOUND)
        return Response(self._files[name], media_type=CONTENT_TYPES[name.rpartition(".")[2]], headers=HEADERS)


def _render(language: Language, url: str) -> str:
    texts = json.dumps({key: with_hard_spaces(text.template(language)) for key, text in TEXTS.items()})
    return _template().render(
        language=language, languages=languages_of(TITLE), language_names=language_names(), url=url, texts=texts,
        host=url.partition("://")[2], title=TITLE, **template_functions(language),
    )  # fmt: skip


@cache
def _template() -> Template:
    return html_environment("gateway.hub.console").get_template("console.html")
