"""Floods of the pages: requests sent ahead, browsers that are signed in, a courier's link.

Each goes on until cancelled, whatever the box answers: what it refuses is tried again.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import ClientError, ClientSession, CookieJar, TCPConnector

PIPELINED_REQUESTS = 330  # requests in one write: what fits into 16 KiB
PAUSE_S = 0.02  # before a connection that was ended is made again
ENDED_ERRORS = (OSError, ClientError, TimeoutError)


def unverified_context() -> ssl.SSLContext:
    """A context that believes any certificate, as a stranger does."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def flood_pipelines(port: int, path: str, *, tls: bool) -> None:
    """Send requests ahead on one connection after the other, as many as there is room for."""
    requests = f"GET {path} HTTP/1.1\r\nHost:127.0.0.1:{port}\r\n\r\n".encode() * PIPELINED_REQUESTS
    while True:
        with suppress(*ENDED_ERRORS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=unverified_context() if tls else None)
            try:
                writer.write(requests)
                async with asyncio.timeout(1.0):
                    while await reader.read(65_536):
                        pass
            finally:
                writer.close()
        await asyncio.sleep(PAUSE_S)


async def flood_feed(address: str, path: str, words: str, cookies: Mapping[str, str], per_second: float) -> None:
    """Say the same so many times a second on a feed, and read what comes."""
    jar = CookieJar(unsafe=True)
    connector = TCPConnector(ssl=unverified_context(), limit=0)
    async with ClientSession(address, connector=connector, cookies=dict(cookies), cookie_jar=jar) as client:
        while True:
            with suppress(*ENDED_ERRORS):
                async with client.ws_connect(path, headers={"Origin": address}) as feed:
                    while not feed.closed:
                        await feed.send_str(words)
                        with suppress(TimeoutError):
                            await feed.receive(timeout=1 / per_second)
            await asyncio.sleep(PAUSE_S)


async def flood_pages(address: str, path: str, cookies: Mapping[str, str]) -> None:
    """Open a page again and again."""
    jar = CookieJar(unsafe=True)
    connector = TCPConnector(ssl=unverified_context(), limit=0)
    async with ClientSession(address, connector=connector, cookies=dict(cookies), cookie_jar=jar) as client:
        while True:
            with suppress(*ENDED_ERRORS):
                async with client.get(path, allow_redirects=False) as answer:
                    await answer.read()
            await asyncio.sleep(PAUSE_S)
