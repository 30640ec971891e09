"""A real HTTPS server at localhost with the calendars of a test, and with answers that nobody should believe."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from gateway.mqtt.mosquitto.provisioning import free_port
from tests.certified import make_certificate


@dataclass
class CalendarServer:
    """`texts` are served by their paths; `asked` are the paths of the requests."""

    port: int
    authority: Path
    texts: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append(path)
        if path in self.redirects:
            raise web.HTTPFound(self.redirects[path])
        if path == "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                while True:
                    await response.write(b"BEGIN:VCALENDAR\r\n" * 4096)
            except ConnectionError:  # the reader has had enough
                return response
        return web.Response(
            body=self.texts.get(path, b"<!doctype html><p>Sign in"), status=self.statuses.get(path, 200),
            headers=self._headers(path),
        )  # fmt: skip

    def _headers(self, path: str) -> Mapping[str, str]:
        return {"Content-Type": "text/calendar; charset=utf-8"} if path in self.texts else {}


@asynccontextmanager
async def calendar_server(folder: Path, kind: type[CalendarServer] = CalendarServer) -> AsyncIterator[CalendarServer]:
    """Run one until the end of the block."""
    authority, chain, key = make_certificate(folder, "calendars.example")
    server = kind(port=free_port(), authority=authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", server.port, ssl_context=context).start()
        yield server
    finally:
        await runner.cleanup()
