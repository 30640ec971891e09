"""Serves a page that is the same for everybody, with its scripts, which do what differs between its readers."""

from collections.abc import Mapping, Sequence

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from gateway.hub.http.operation import PageRoute
from gateway.hub.http.problem import ApiProblem, Code
from gateway.system.i18n import SOURCE, Language, accepted

CONTENT_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


class ScriptedPage:
    """The page at `path`, by its languages, and its files below it. `media`: from where it may play films.

    A browser runs its own scripts only, makes no markup from a text (Trusted Types), sends no form by itself, and loads
    nothing from other servers and sends nothing to them. A picture may be in the page itself.
    """

    def __init__(
        self, path: str, pages: Mapping[Language, str], files: Mapping[str, bytes], *, media: str = "'none'"
    ) -> None:
        self._path, self._pages, self._files = path, pages, files
        self._headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
                f" media-src {media}; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none';"
                " require-trusted-types-for 'script'; trusted-types 'none'"
            ),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex, nofollow",
        }

    def routes(self) -> list[PageRoute]:
        """Return the routes of the page and its files."""
        return [PageRoute(self._path, self._show), PageRoute(f"{self._path}/{{file}}", self._serve_file)]

    async def _show(self, request: Request) -> Response:
        page = self._pages[chosen_language(request, tuple(self._pages))]
        return HTMLResponse(page, headers={**self._headers, "Vary": "Accept-Language"})

    async def _serve_file(self, request: Request) -> Response:
        name = request.path_params["file"]
        if name not in self._files:
            raise ApiProblem(Code.NOT_FOUND)
        return Response(self._files[name], media_type=CONTENT_TYPES[name.rpartition(".")[2]], headers=self._headers)


def chosen_language(request: Request, known: Sequence[Language]) -> Language:
    """Return the language of an answer: the one that the address names (`lang`), or else the browser's."""
    named = request.query_params.get("lang", "")
    return named if named in known else accepted(request.headers.get("Accept-Language", ""), known) or SOURCE
