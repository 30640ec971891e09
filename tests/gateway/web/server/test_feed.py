"""What a page's WebSocket sends, without a browser."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.system.changes import ChangeNotifier
from gateway.web.server import feed
from gateway.web.server.fragments import FRAGMENTS


async def test_what_a_page_asks_for_while_another_part_is_drawn_comes_without_a_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "HEARTBEAT_INTERVAL_S", 600.0)
    is_drawing, may_draw = asyncio.Event(), asyncio.Event()

    async def take_turn() -> None:
        is_drawing.set()
        await may_draw.wait()

    async def serve(request: web.Request) -> web.WebSocketResponse:
        live = feed.LiveFeed(
            ChangeNotifier(), lambda name, _: name, lambda: 0, is_allowed=lambda: True, take_turn=take_turn
        )
        return await live.serve(request)

    app = web.Application()
    app.router.add_get("/", serve)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as page, asyncio.timeout(10):
        first, second = sorted(FRAGMENTS)[:2]
        assert "parts" not in await page.receive_json()
        await page.send_str(json.dumps({"want": [f"en/{first}"]}))
        await is_drawing.wait()
        await page.send_str(json.dumps({"want": [f"en/{first}", f"en/{second}"]}))
        await asyncio.sleep(0.05)  # the page's second request has come
        may_draw.set()
        assert await page.receive_json() == {"parts": {f"en/{first}": first}}
        assert await page.receive_json() == {"parts": {f"en/{second}": second}}
