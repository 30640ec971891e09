"""The addresses of the courier's page. Only this module knows the web framework."""

from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from gateway.hub.courier.page import HEADERS, MAX_FORM_BYTES, CourierAnswer, CourierPage
from gateway.hub.http.client_address import client_address
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.worker import WorkerContext

_FILE_HEADERS: Mapping[str, str] = MappingProxyType({**HEADERS, "Cache-Control": "no-cache"})


class CourierRoutes:
    """Serves the page and its scripts. `behind_proxy`: the proxy in front names the client."""

    def __init__(self, context: WorkerContext, *, behind_proxy: bool) -> None:
        self._page, self._behind_proxy = CourierPage(context), behind_proxy

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        return [
            web.get("/courier/{secret}", self._show), web.post("/courier/{secret}", self._draw),
            web.get("/courier/files/{file}", self._serve_file),
        ]  # fmt: skip

    async def _show(self, request: web.Request) -> web.Response:
        return _response(await self._page.show(request.match_info["secret"], **self._asker(request)))

    async def _draw(self, request: web.Request) -> web.Response:
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                return _response(await self._page.draw(request.match_info["secret"], None, **self._asker(request)))
        return _response(await self._page.draw(request.match_info["secret"], bytes(body), **self._asker(request)))

    async def _serve_file(self, request: web.Request) -> web.Response:
        script = self._page.scripts.get(request.match_info["file"])
        if script is None:
            raise ApiProblem(Code.NOT_FOUND)
        return web.Response(body=script, content_type="text/javascript", headers=_FILE_HEADERS)

    def _asker(self, request: web.Request) -> dict[str, str]:
        address = client_address(request, behind_proxy=self._behind_proxy)
        return {"address": address, "accept": request.headers.get("Accept-Language", "")}


def _response(answer: CourierAnswer) -> web.Response:
    return web.Response(text=answer.html, status=answer.status, content_type="text/html", headers=HEADERS)
