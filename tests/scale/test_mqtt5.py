"""The simulated homes' lines end as a box's do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.scale.mqtt5 import Login, open_session

pytestmark = pytest.mark.slow
CONNACK, SUBACK, PINGRESP = b"\x20\x03\0\0\0", b"\x90\x04\0\1\0\1", b"\xd0\x00"


@contextlib.asynccontextmanager
async def broker(pongs: int) -> AsyncIterator[int]:
    """One that lets everybody in, answers so many pings and then stands still; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered = 0
        while data := await reader.read(4096):
            pings = data.count(b"\xc0\x00")
            answer = {0x10: CONNACK, 0x82: SUBACK}.get(data[0], b"")
            writer.write(answer + PINGRESP * min(pings, pongs - answered))
            answered += min(pings, pongs - answered)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_line_whose_broker_stands_still_is_noticed_and_one_that_is_answered_stays() -> None:
    login = Login("home-1", "up/1/home-1/gone", keepalive=1)
    async with broker(1_000) as well, broker(2) as frozen:
        steady = await open_session("127.0.0.1", well, login, ("dn/home-1/+",), lambda _topic, _payload: None)
        line = await open_session("127.0.0.1", frozen, login, ("dn/home-1/+",), lambda _topic, _payload: None)
        assert await asyncio.wait_for(line.over, 10) == "a ping was not answered"
        assert not steady.over.done()
        steady.close()
