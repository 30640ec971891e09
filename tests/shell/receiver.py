"""A receiver of messages on 127.0.0.1: what phones' services would get, as it came over the wire."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.mqtt.mosquitto.provisioning import free_port

SECRET_TOKEN = "tk-s3cret"  # noqa: S105 - the word that no log may ever hold


@dataclass(frozen=True)
class ReceivedRequest:
    """One request."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.body)
        return said

    @property
    def text(self) -> str:
        """The message, in the shape of either service."""
        return self.query["message"] if "message" in self.query else str(self.json["message"])

    @property
    def picture(self) -> bytes | None:
        """The attached picture, the same."""
        if "filename" in self.query:
            return self.body
        attached = self.json.get("attachments") or []
        return base64.b64decode(attached[0]["base64"]) if attached else None


@dataclass
class MessageReceiver:
    """`answers` says the status of a request; `hangs` lets requests wait until it is set."""

    port: int
    got: list[ReceivedRequest] = field(default_factory=list)
    answers: Callable[[ReceivedRequest], int] = lambda _got: 200
    hangs: asyncio.Event | None = None
    _runner: web.AppRunner | None = None

    @property
    def json(self) -> str:
        """An Apprise URL of the plain JSON shape, with a secret."""
        return f"json://owner:{SECRET_TOKEN}@127.0.0.1:{self.port}/{SECRET_TOKEN}/"

    @property
    def ntfy(self) -> str:
        """An Apprise URL of ntfy's shape, with a secret."""
        return f"ntfy://owner:{SECRET_TOKEN}@127.0.0.1:{self.port}/{SECRET_TOKEN}"

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.got if self.answers(one) == 200]

    async def up(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def down(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.hangs is not None:
            await self.hangs.wait()
        got = ReceivedRequest(path=request.path, query=dict(request.query), headers=dict(request.headers), body=body)
        self.got.append(got)
        return web.json_response({}, status=self.answers(got))


@asynccontextmanager
async def receiver(*, up: bool = True) -> AsyncIterator[MessageReceiver]:
    made = MessageReceiver(free_port())
    if up:
        await made.up()
    try:
        yield made
    finally:
        if made.hangs is not None:
            made.hangs.set()
        await made.down()
