"""Serves the API's explanation at `/`, and each stable code's under `/problems/`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.hub.api.problem_docs import EXPLANATIONS
from gateway.hub.http.problem import PROBLEM_TYPES, ApiProblem, Code
from gateway.hub.manual.document_reading import read_chapters, read_schemas

# No script, no form, no frame, nothing from other servers.
PAGE_HEADERS = MappingProxyType({
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
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _RenderedPages:
    """The page of all operations, and one for each stable code."""

    whole: str
    problems: Mapping[str, str]


class Manual:
    """All pages, rendered once at the first request, so that later requests cost nothing."""

    def __init__(self, document: Callable[[], Mapping[str, Any]], *, url: str) -> None:
        self._document, self._url = document, url
        self._stylesheet = files("gateway.hub.manual").joinpath("manual.css").read_bytes()

    @cached_property
    def _pages(self) -> _RenderedPages:
        document = self._document()
        environment = Environment(
            loader=PackageLoader("gateway.hub.manual"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        told = read_chapters(document)
        environment.globals["url"] = self._url
        whole = environment.get_template("manual.html").render(
            chapters=told,
            shapes=read_schemas(document),
            codes=tuple(Code),
            problems=PROBLEM_TYPES,
            explained=EXPLANATIONS,
        )
        problem = environment.get_template("problem.html")
        problems = {
            str(code): problem.render(
                code=code,
                status=int(status),
                title=title,
                explained=EXPLANATIONS[code],
                operations=[one for chapter in told for one in chapter.operations if code in one.problems],
            )
            for code, (status, title) in PROBLEM_TYPES.items()
        }
        return _RenderedPages(whole, problems)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the pages."""
        return [
            web.get("/", self._index),
            web.get("/problems/{code}", self._problem),
            web.get("/manual.css", self._style),
        ]

    async def _index(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._pages.whole, content_type="text/html", headers=PAGE_HEADERS)

    async def _problem(self, request: web.Request) -> web.Response:
        found = self._pages.problems.get(request.match_info["code"])
        if found is None:
            raise ApiProblem(Code.NOT_FOUND, f"The API has no such code: {', '.join(self._pages.problems)}.")
        return web.Response(text=found, content_type="text/html", headers=PAGE_HEADERS)

    async def _style(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._stylesheet, content_type="text/css", headers=PAGE_HEADERS)
