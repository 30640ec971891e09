import pytest

from gateway.hub.sdk import AsyncClient, Client, HubAccess, HubUnreachableError, Retries
from gateway.mqtt.mosquitto.provisioning import free_port

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
