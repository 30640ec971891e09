"""What answers under a hub's name may be anything: a retailer's program says so, and a box goes on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.cli.event_line import format_event
from gateway.hub.sdk import AsyncClient, Client, HubUnreachableError, RefusedError, Retries
from gateway.integrations.hub_client.enrolment import HubError, HubUnavailable, http_request

ONCE = Retries(tries=1)
DEEP = b"[" * 50_000
PROBLEM = b'{"code":"conf\\u001b[2Jlict","title":"no\\u0007","detail":"\\u001b]0;mine\\u0007 no\\r\\nmore"}'


@contextlib.asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[str]:
    """Whatever is asked; the address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def whole(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0\0\0\0",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 9999 What\r\n\r\n",
        b"HTTP/1.1 307 Elsewhere\r\nLocation: file:///etc/passwd\r\n\r\n",
        whole("400 No", DEEP),
        whole("400 No", b"[]"),
        whole("400 No", b'{"code": 5}'),
        whole("400 No", b"\xff\xfe"),
        whole("500 Oh", PROBLEM),
    ],
    ids=range(14),
)
async def test_whatever_a_hub_answers_a_box_is_told_that_it_is_away_and_goes_on(said: bytes) -> None:
    async with answering(said) as url:
        with pytest.raises(HubUnavailable):
            await asyncio.to_thread(http_request, f"{url}/v1/homes/renew", {}, 5.0)


async def test_a_hub_s_no_moves_nobody_s_terminal() -> None:
    async with answering(whole("409 No", PROBLEM)) as url:
        with pytest.raises(HubError) as no:
            await asyncio.to_thread(http_request, f"{url}/v1/homes/renew", {}, 5.0)
        assert str(no.value).isprintable()
        assert no.value.code.isprintable()
        async with AsyncClient(url, "key", retries=ONCE) as hub:
            with pytest.raises(RefusedError) as refused:
                await hub.list_brands()
        assert str(refused.value).isprintable()


@pytest.mark.parametrize("body", [DEEP, b"[]", b'{"errors": 5}', b'{"errors": [5]}', b"\xff"], ids=range(5))
async def test_whatever_a_hub_answers_a_retailer_s_program_says_so(body: bytes) -> None:
    async with answering(whole("400 No", body)) as url, AsyncClient(url, "key", retries=ONCE) as hub:
        with pytest.raises(RefusedError):
            await hub.list_brands()
    async with answering(whole("200 OK", DEEP)) as url, AsyncClient(url, "key", retries=ONCE) as hub:
        with pytest.raises(HubUnreachableError):
            await hub.list_brands()


async def test_a_list_whose_next_page_is_the_same_one_ends() -> None:
    async with answering(whole("200 OK", b'{"data": [], "next": "again"}')) as url:
        async with AsyncClient(url, "key", retries=ONCE) as hub, asyncio.timeout(20):
            with pytest.raises(HubUnreachableError, match="does not end"):
                assert [brand async for brand in hub.iterate_brands()] == []
        with Client(url, "key", retries=ONCE) as blocking, pytest.raises(HubUnreachableError, match="does not end"):
            await asyncio.to_thread(list, blocking.iterate_brands())


async def test_an_answer_that_comes_in_pieces_is_read_whole() -> None:
    body = b'{"data": [], "next": "' + b"a" * 500_000 + b'"}'
    async with answering(whole("200 OK", body)) as url, AsyncClient(url, "key", retries=ONCE) as hub:
        assert len((await hub.list_brands()).next or "") == 500_000


def test_a_message_of_a_hub_that_is_too_deep_is_one_line() -> None:
    assert format_event(DEEP.decode()).startswith('"[[[')
