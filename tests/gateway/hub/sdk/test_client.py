import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.hub.config import Listen
from gateway.hub.sdk import AsyncClient, Client, HubAccess, HubUnreachableError, Retries
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.certified import make_certificate
from tests.hubs import hub_file, run_hub

ONCE = Retries(tries=1)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hub.example",
        "ftp://hub.example",
        "http://hub.example",
        "https://h?x=1",
        "https://a:b@h",
        "http://127.1.evil.example",
    ],
)
def test_an_address_that_is_none_or_would_tell_the_key_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"https|password"):
        HubAccess(url, "key-secret")


@pytest.mark.parametrize("key", ["key a", "key-\n", "key-é"])
def test_a_key_that_would_break_the_header_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="API key"):
        Client("https://hub.example", key)


def test_the_key_stands_in_no_text() -> None:
    with Client("https://hub.example", "key-secret") as client:
        assert "secret" not in repr(HubAccess("https://hub.example", "key-secret"))
        assert "secret" not in repr(client)


async def test_nobody_there_is_told_in_words() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with AsyncClient(url, retries=ONCE) as hub:
        with pytest.raises(HubUnreachableError, match="does not answer"):
            await hub.list_carriers()
    with Client(url, retries=ONCE) as blocking, pytest.raises(HubUnreachableError, match="does not answer"):
        blocking.list_carriers()


async def test_a_hub_whose_certificate_nobody_vouches_for_is_asked_nothing(tmp_path: Path) -> None:
    authority, chain, key = make_certificate(tmp_path, "hub.example")
    plain = hub_file(tmp_path / "hub")
    url = f"https://localhost:{plain.listen.port}"
    listen = Listen(host="127.0.0.1", port=plain.listen.port, certificate=chain, key=key)
    with capture_logs() as seen:
        async with run_hub(plain.model_copy(update={"url": url, "listen": listen})):
            async with AsyncClient(url, "key-secret", retries=ONCE) as hub:
                with pytest.raises(HubUnreachableError, match="certificate"):
                    await hub.list_carriers()
            with (
                Client(url, "key-secret", retries=ONCE) as blocking,
                pytest.raises(HubUnreachableError, match="certificate"),
            ):
                await asyncio.to_thread(blocking.list_carriers)
            assert [line for line in seen if line["event"] == "request"] == []
            async with AsyncClient(url, retries=ONCE, tls=ssl.create_default_context(cafile=authority)) as hub:
                assert (await hub.list_carriers()).data


@contextlib.asynccontextmanager
async def pouring(first: bytes, more: bytes, pause_s: float) -> AsyncIterator[str]:
    """A server that answers this, and then more and more until the client has closed; its address."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closed = asyncio.ensure_future(reader.read())  # it ends with the connection
        with contextlib.suppress(OSError):
            writer.write(first)
            while not closed.done():
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(pause_s)
        closed.cancel()
        writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n"], ids=["silent", "drips"])
async def test_an_answer_that_does_not_end_is_given_up_in_time(head: bytes) -> None:
    async with pouring(head, head[:1], 0.05) as url:
        with Client(url, timeout_s=0.3, retries=ONCE) as blocking, pytest.raises(HubUnreachableError, match="in time"):
            await asyncio.to_thread(blocking.list_carriers)
        async with AsyncClient(url, timeout_s=0.3, retries=ONCE) as hub:
            with pytest.raises(HubUnreachableError, match="in time"):
                await hub.list_carriers()


async def test_an_answer_larger_than_any_of_a_hub_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hub.sdk.client.MAX_ANSWER_BYTES", 100_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    async with pouring(head, b"x" * 10_000, 0) as url:
        with Client(url, retries=ONCE) as blocking:
            with pytest.raises(HubUnreachableError, match="no hub sends"):
                await asyncio.to_thread(blocking.list_carriers)
            with pytest.raises(HubUnreachableError, match="no hub sends"):
                await asyncio.to_thread(next, blocking.follow_events(after="evt-1"))
        async with AsyncClient(url, retries=ONCE) as hub:
            with pytest.raises(HubUnreachableError, match="no hub sends"):
                await hub.list_carriers()
            with pytest.raises(HubUnreachableError, match="no hub sends"):
                await anext(hub.follow_events(after="evt-1"))
