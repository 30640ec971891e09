"""The addresses of the courier's page. Only this module knows the web framework."""

from collections.abc import Mapping
from types import MappingProxyType

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from gateway.hub.courier.page import HEADERS, MAX_FORM_BYTES, CourierAnswer, CourierPage
from gateway.hub.http.client_address import client_address
from gateway.hub.http.operation import PageRoute
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.worker import WorkerContext

_FILE_HEADERS: Mapping[str, str] = MappingProxyType({**HEADERS, "Cache-Control": "no-cache"})


class CourierRoutes:
    """Serves the page and its scripts. `behind_proxy`: the proxy in front names the client."""

    def __init__(self, context: WorkerContext, *, behind_proxy: bool) -> None:
        self._page, self._behind_proxy = CourierPage(context), behind_proxy

    def routes(self) -> list[PageRoute]:
        """Return the routes of the page."""
        return [
            PageRoute("/courier/{secret}", self._show),
            PageRoute("/courier/{secret}", self._draw, methods=["POST"]),
            PageRoute("/courier/files/{file}", self._serve_file),
        ]

    async def _show(self, request: Request) -> Response:
        return _response(await self._page.show(request.path_params["secret"], **self._asker(request)))

    async def _draw(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                return _response(await self._page.draw(request.path_params["secret"], None, **self._asker(request)))
        return _response(await self._page.draw(request.path_params["secret"], bytes(body), **self._asker(request)))

    async def _serve_file(self, request: Request) -> Response:
        script = self._page.scripts.get(request.path_params["file"])
        if script is None:
            raise ApiProblem(Code.NOT_FOUND)
        return Response(script, media_type="text/javascript", headers=_FILE_HEADERS)

    def _asker(self, request: Request) -> dict[str, str]:
        address = client_address(request, behind_proxy=self._behind_proxy)
        return {"address": address, "accept": request.headers.get("Accept-Language", "")}


def _response(answer: CourierAnswer) -> Response:
    return HTMLResponse(answer.html, status_code=answer.status, headers=HEADERS)
