"""Serves the page on which somebody outside sees a visit that a household shares.

The page is the same for everybody and contains nothing of a home. Its script takes the keys from the fragment of the
link, which no browser sends, and asks the box as an enrolled browser does: the hub relays what it cannot read. Who
opens a link trusts that the hub serves this page unchanged (docs/reference/away-protocol.md).
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Template

from gateway.hub.http.operation import PageRoute
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.shared_visit.page_texts import TEXTS, TITLE
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

# The box's own modules and its style: one implementation of the protocol. They are data here; nothing is imported.
BOX_FILES = ("away_crypto.js", "away_films.js", "away_line.js", "away_view.js", "away.css", "perron.css", "perron.svg")
CONTENT_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}

# Its own scripts only, no markup from a text (Trusted Types), nothing from other servers and nothing to them.
HEADERS: Mapping[str, str] = MappingProxyType({
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:;"
        " connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
})  # fmt: skip


class SharedVisitPage:
    """The page and its files. `url`: the hub's address, for which the page's tokens are."""

    def __init__(self, url: str) -> None:
        self._url = url
        box, own = files("gateway").joinpath("web", "static"), files("gateway.hub.shared_visit")
        self._files = {name: box.joinpath(name).read_bytes() for name in BOX_FILES}
        self._files["shared_visit.js"] = own.joinpath("shared_visit.js").read_bytes()
        self._pages = {language: _render(language, url) for language in languages_of(TITLE)}

    def routes(self) -> list[PageRoute]:
        """Return the routes of the page."""
        return [PageRoute("/shared", self._show), PageRoute("/shared/{file}", self._serve_file)]

    async def _show(self, request: Request) -> Response:
        language = request.query_params.get("lang", "")
        if language not in self._pages:
            language = accepted(request.headers.get("Accept-Language", ""), tuple(self._pages)) or SOURCE
        headers = {**HEADERS, "Vary": "Accept-Language"}
        return HTMLResponse(self._pages[language], headers=headers)

    async def _serve_file(self, request: Request) -> Response:
        name = request.path_params["file"]
        if name not in self._files:
            raise ApiProblem(Code.NOT_FOUND)
        content_type = CONTENT_TYPES[name.rpartition(".")[2]]
        return Response(self._files[name], media_type=content_type, headers=HEADERS)


def _render(language: Language, url: str) -> str:
    texts = json.dumps({key: with_hard_spaces(text.template(language)) for key, text in TEXTS.items()})
    return _template().render(
        language=language, languages=languages_of(TITLE), language_names=language_names(), url=url, texts=texts,
        **template_functions(language),
    )  # fmt: skip


@cache
def _template() -> Template:
    return html_environment("gateway.hub.shared_visit").get_template("shared_visit.html")
