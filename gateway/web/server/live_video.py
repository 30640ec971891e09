"""Streams live video to a page: a WebSocket whose first text names the codec, then binary chunks.

The page also gets the box's own judgement: `{"live": false}` greys a picture that looks perfect and is frozen. Browsers
without media sources get JPEGs one after the other (multipart/x-mixed-replace).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, web

from gateway.video.ipc import CameraProof
from gateway.video.live import LiveView, LiveViewUnavailable, open_live_view

FIRST_PICTURE_TIMEOUT_S = 10.0  # seconds for a camera that was off to show its first picture
POLL_INTERVAL_S = 0.05  # seconds between two looks at the proofs: a picture that freezes is greyed within 2 s
PICTURE_INTERVAL_S = 0.25  # seconds between two JPEGs of one camera, for any number of viewers

PermissionCheck = Callable[[], bool]
"""Returns whether the viewer may still watch; called as long as the stream goes on."""


def is_live(proofs: Mapping[str, CameraProof], camera: str) -> bool | None:
    """Return whether a camera's pictures are live; None while no proofs are taken (no window is near)."""
    proof = proofs.get(camera)
    return None if proof is None else proof.live and not proof.faults


async def refuse_private(request: web.Request) -> web.WebSocketResponse:
    """Answer that nobody may watch this camera now: it sees the inside of the home, and nothing is filmed."""
    page = web.WebSocketResponse(max_msg_size=1024)
    await page.prepare(request)
    with suppress(ConnectionError):
        await page.send_json({"why": "private"})
    await page.close()
    return page


async def stream_camera(
    request: web.Request,
    socket: Path,
    camera: str,
    *,
    proofs: Callable[[], Mapping[str, CameraProof]],
    is_allowed: PermissionCheck,
) -> web.WebSocketResponse:
    """Stream a camera until its stream is lost, the browser disconnects, or the viewer may watch no longer.

    The close code 1008 marks the last case: the page then removes the picture and does not reconnect.
    """
    page = web.WebSocketResponse(heartbeat=20.0, compress=False, max_msg_size=1024)
    await page.prepare(request)
    try:
        async with open_live_view(socket, camera, timeout_s=FIRST_PICTURE_TIMEOUT_S) as view:
            await page.send_json({"codec": view.codec, "width": view.width, "height": view.height})
            await run_until_first(
                _stream(page, view),
                _send_live_state(page, lambda: is_live(proofs(), camera), is_allowed),
                page.receive(),  # a page sends nothing here: it disconnects, or sends something invalid
            )
    except LiveViewUnavailable as error:
        with suppress(ConnectionError):
            await page.send_json({"why": error.reason.value})
    except ConnectionError:
        pass  # the browser disconnected before the first picture
    finally:
        await page.close(code=WSCloseCode.OK if is_allowed() else WSCloseCode.POLICY_VIOLATION)
    return page


async def _stream(page: web.WebSocketResponse, view: LiveView) -> None:
    with suppress(ConnectionError):
        async for chunk in view:
            await page.send_bytes(chunk.data)


async def _send_live_state(
    page: web.WebSocketResponse, current_state: Callable[[], bool | None], is_allowed: PermissionCheck
) -> None:
    sent: bool | None = None
    with suppress(ConnectionError):
        while is_allowed():
            live = current_state()
            if live is not sent and live is not None:
                await page.send_json({"live": live})
            sent = live
            await asyncio.sleep(POLL_INTERVAL_S)


async def run_until_first(
    *works: Coroutine[Any, Any, object], timeout_s: float | None = None
) -> set[asyncio.Task[object]]:
    """Run all until the first ends or the time is over; cancel the others, and return the task that has ended."""
    tasks = {asyncio.create_task(work) for work in works}
    try:
        ended, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return ended


class SnapshotCache:
    """JPEGs of what cameras see now, shared by all viewers, so that many viewers cost no more than one.

    `fetch` takes a picture on the way of the cameras' proofs, behind which no unlock waits.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[bytes | None]]) -> None:
        self._fetch = fetch
        self._fetches: dict[str, tuple[float, asyncio.Task[bytes | None]]] = {}

    async def newest(self, camera: str) -> bytes | None:
        """Return a picture that is at most `PICTURE_INTERVAL_S` seconds old; None without a live one."""
        now = asyncio.get_running_loop().time()
        began, shot = self._fetches.get(camera, (now, None))
        if shot is None or (shot.done() and now - began >= PICTURE_INTERVAL_S):
            shot = asyncio.ensure_future(self._fetch(camera))
            self._fetches[camera] = now, shot
        return await asyncio.shield(shot)


async def stream_pictures(
    request: web.Request, picture: Callable[[], Awaitable[bytes | None]], *, is_allowed: PermissionCheck
) -> web.StreamResponse:
    """Stream a camera as JPEGs one after the other, as long as it gives any. HTTPServiceUnavailable: it gives none."""
    jpeg = await picture()
    if jpeg is None:
        raise web.HTTPServiceUnavailable
    page = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=picture"})
    await page.prepare(request)
    with suppress(ConnectionError):
        while jpeg is not None and is_allowed():
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            await page.write(head.encode() + jpeg + b"\r\n")
            await asyncio.sleep(PICTURE_INTERVAL_S)
            jpeg = await picture()
    return page
