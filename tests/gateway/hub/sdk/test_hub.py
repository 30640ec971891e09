import aiohttp
import pytest

from gateway.hub.sdk.hub import HubAccess, HubUnreachable, RetailerClient
from gateway.mqtt.mosquitto.provisioning import free_port


@pytest.mark.parametrize("url", ["", "hub.example", "ftp://hub.example", "http://hub.example", "https://h?x=1"])
def test_an_address_that_is_none_or_would_tell_the_key_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        HubAccess(url, "key-secret")


def test_the_key_stands_in_no_text() -> None:
    assert "secret" not in repr(HubAccess("https://hub.example", "key-secret"))


async def test_nobody_there_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.hub.sdk.hub.MAX_TRIES", 1)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(HubUnreachable, match="does not answer"):
            await RetailerClient(http, HubAccess(f"http://127.0.0.1:{free_port()}")).request("GET", "/v1/api_keys")
