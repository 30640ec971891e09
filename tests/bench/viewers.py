"""`python -m tests.bench.viewers URL COOKIE HOW_MANY SECONDS`: viewers of one camera, in a process of their own.

Prints one JSON object: fragments a viewer and second, and how many viewers saw the whole time.
"""

import asyncio
import json
import sys
import time

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType


async def _watch(session: ClientSession, url: str, until: float) -> int:
    seen = 0
    async with session.ws_connect(url, max_msg_size=1 << 24) as page:
        while time.monotonic() < until and await _fragment(page):
            seen += 1
    return seen


async def _fragment(page: ClientWebSocketResponse) -> bool:
    while True:
        message = await page.receive(timeout=10)
        if message.type is WSMsgType.BINARY:
            return True
        if message.type is not WSMsgType.TEXT:
            return False


async def main(url: str, cookie: str, how_many: int, seconds: float) -> None:
    """Watch, then say what was seen."""
    async with ClientSession(cookies={"session": cookie}) as session:
        until = time.monotonic() + seconds
        seen = await asyncio.gather(*(_watch(session, url, until) for _ in range(how_many)))
    print(json.dumps({"rate": sum(seen) / len(seen) / seconds, "least": min(seen) / seconds}))  # noqa: T201 - its answer


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
