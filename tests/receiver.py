"""A retailer's server in a process of its own: writes down what comes, answers as the path says.

    python -m tests.receiver PORT FILE

`/ok`, `/status/500`, `/hang` (never), `/slow/0.3` (seconds), `/to?URL` (redirects there), `/huge` (no end, 500),
`/huge-ok` (no end, 200), `/odd` (500 with markup), `/later/2` (500, Retry-After), `/once` (500 at first, then 200),
`/picky/3` (500 for the event of this number). Whatever the path says, a challenge is answered, but at `/mute`.
"""

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.mqtt.mosquitto.provisioning import free_port

ROOT = Path(__file__).parents[1]


@dataclass
class ReceivedRequest:
    """One request."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        """The message's."""
        return self.headers["webhook-id"]

    @property
    def said(self) -> Any:  # noqa: ANN401 - JSON
        """The body, read."""
        return json.loads(self.body)


class WebhookReceiver:
    """The process. `url` stays the same when it is killed and revived. Told is what came since this object was made."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.port, self._file = port or free_port(), folder / "heard.jsonl"
        self.url = f"http://127.0.0.1:{self.port}"
        self._before = len(self._lines())

    def start(self) -> None:
        """Run it, until it can be reached."""
        self._process = subprocess.Popen([sys.executable, "-m", "tests.receiver", str(self.port), self._file], cwd=ROOT)
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a fault does."""
        self._process.kill()
        self._process.wait()

    def heard(self, path: str = "/") -> list[ReceivedRequest]:
        """All that came to paths that begin so."""
        found = [ReceivedRequest(**json.loads(line)) for line in self._lines()[self._before :]]
        return [one for one in found if one.path.startswith(path)]

    async def until(self, count: int, path: str = "/", *, seconds: float = 20.0) -> list[ReceivedRequest]:
        """Wait until so many have come."""
        async with asyncio.timeout(seconds):
            while len(found := self.heard(path)) < count:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.03)
        return found

    def _lines(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []


@contextlib.contextmanager
def run_receiver(folder: Path) -> Iterator[WebhookReceiver]:
    """Run one of one's own, that may be killed, and end it."""
    receiver = WebhookReceiver(folder)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()


@cache
def _shared_place() -> tuple[Path, int]:
    folder = Path(tempfile.mkdtemp(prefix="perron-receiver-"))
    receiver = WebhookReceiver(folder)
    receiver.start()
    atexit.register(shutil.rmtree, folder)
    atexit.register(receiver.kill)
    return folder, receiver.port


def shared_receiver() -> WebhookReceiver:
    """Give the one that lives as long as the tests: it hears what comes from now on."""
    folder, port = _shared_place()
    return WebhookReceiver(folder, port=port)


async def _answer(request: web.Request, seen: dict[str, int]) -> web.StreamResponse:
    what, _, value = request.path[1:].partition("/")
    match what:
        case "status":
            return web.Response(status=int(value), text="no")
        case "hang":
            await asyncio.sleep(3600)
        case "slow":
            await asyncio.sleep(float(value))
        case "to":
            return web.Response(status=307, headers={"Location": request.query_string})
        case "odd":
            return web.Response(status=500, body=b"<script>alert(1)</script>\r\n\x1b[31mred \xe2\x80\xae" + b"x" * 900)
        case "later":
            return web.Response(status=503, headers={"Retry-After": value})
        case "picky":
            return web.Response(status=500 if (await request.json())["seq"] == int(value) else 204)
        case "once":
            id_ = request.headers["webhook-id"]
            seen[id_] = seen.get(id_, 0) + 1
            return web.Response(status=500 if seen[id_] == 1 else 200)
        case "huge" | "huge-ok":
            answer = web.StreamResponse(status=500 if what == "huge" else 200)
            await answer.prepare(request)
            while True:
                await answer.write(b"y" * 65_536)
        case _:
            pass
    return web.Response(status=204)


def main() -> None:
    """Serve."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    seen: dict[str, int] = {}

    async def heard(request: web.Request) -> web.StreamResponse:
        line = {"path": request.path, "headers": dict(request.headers), "body": await request.text()}
        with file.open("a") as out:  # noqa: ASYNC230 - written down before it is answered
            out.write(json.dumps(line) + "\n")
            out.flush()
            os.fsync(out.fileno())
        if '"webhook_endpoint.challenge"' in (body := await request.text()) and not request.path.startswith("/mute"):
            return web.json_response({"challenge": json.loads(body)["data"]["challenge"]})
        return await _answer(request, seen)

    app = web.Application()
    app.add_routes([web.route("*", "/{rest:.*}", heard)])
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
