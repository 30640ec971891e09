"""Serves the API's explanation at `/`, and each stable code's under `/problems/`."""

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from gateway.hub.api.openapi import ApiDocument
from gateway.hub.http.operation import PageRoute
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.manual.document_reading import (
    bound_texts,
    content_type,
    example_texts,
    fields_of,
    read_chapters,
    type_texts,
)
from gateway.system.html_templates import html_environment

# No script, no form, no frame, nothing from other servers.
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'none'; frame-ancestors 'none';"
        " base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Manual:
    """All pages, rendered once at the first request, so that later requests cost nothing."""

    def __init__(self, document: ApiDocument, *, url: str) -> None:
        self._document, self._url = document, url
        self._stylesheet = files("gateway.hub.manual").joinpath("manual.css").read_bytes()

    @cached_property
    def _pages(self) -> dict[str, str]:
        document = self._document.document
        environment = html_environment("gateway.hub.manual")
        chapters = read_chapters(document)
        environment.globals.update(
            url=self._url, codes=tuple(Code), chapters=chapters,
            shapes=sorted(document["components"]["schemas"].items()), fields_of=fields_of, content_type=content_type,
            type_texts=type_texts, bound_texts=bound_texts, example_texts=example_texts,
        )  # fmt: skip
        pages = {"": environment.get_template("manual.html").render()}
        problem = environment.get_template("problem.html")
        for code in Code:
            operations = [each for chapter in chapters.values() for each in chapter if code in each.problems]
            pages[code] = problem.render(code=code, operations=operations)
        return pages

    def routes(self) -> list[PageRoute]:
        """Return the routes of the pages."""
        return [
            PageRoute("/", self._index),
            PageRoute("/problems/{code}", self._problem),
            PageRoute("/manual.css", self._style),
        ]

    async def _index(self, _request: Request) -> Response:
        return HTMLResponse(self._pages[""], headers=PAGE_HEADERS)

    async def _problem(self, request: Request) -> Response:
        page = self._pages.get(request.path_params["code"])
        if page is None:
            raise ApiProblem(Code.NOT_FOUND, f"The API has no such code: {', '.join(Code)}.")
        return HTMLResponse(page, headers=PAGE_HEADERS)

    async def _style(self, _request: Request) -> Response:
        return Response(self._stylesheet, media_type="text/css", headers=PAGE_HEADERS)
