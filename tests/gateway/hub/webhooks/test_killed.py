import asyncio
import contextlib
import json
import sys
from pathlib import Path

import aiohttp
import pytest
from standardwebhooks import Webhook

from gateway.hub.admin import create_retailer
from gateway.hub.database.store import HubStore
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.clock import machine_time
from tests.receiver import shared_receiver

COUNT = 20


async def begun(config: Path, http: aiohttp.ClientSession) -> asyncio.subprocess.Process:
    hub = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", "hub", "--config", str(config))
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get("/readyz") as answer:
                if answer.status == 200:
                    return hub
        await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_hub_killed_in_the_middle_loses_no_message_and_tells_each_under_one_id(tmp_path: Path) -> None:
    port, store = free_port(), await HubStore.open(f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite3'}")
    _, token = await create_retailer(store, "Maison Lune", now=machine_time())
    await store.close()
    config, url = tmp_path / "hub.yaml", f"http://127.0.0.1:{port}"
    file = {
        "url": url, "folder": str(tmp_path), "listen": {"port": port}, "limits": {"writes": 1000},
        "webhooks": {"private": True, "plain": True},
    }  # fmt: skip
    config.write_text(json.dumps(file))  # YAML too
    receiver = shared_receiver()
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as http:
        hub = await begun(config, http)
        body = {"url": f"{receiver.url}/slow/0.05"}
        async with http.post("/v1/webhook_endpoints", json=body) as answer:
            endpoint = await answer.json()
        ids = set()
        for number in range(COUNT):
            async with http.post(f"/v1/webhook_endpoints/{endpoint['id']}/test") as answer:
                ids.add((await answer.json())["id"])
            if number == 11:  # while one is on its way
                await receiver.until(number // 2)
                hub.kill()
                await hub.wait()
                hub = await begun(config, http)
        try:
            async with asyncio.timeout(30):
                while {one.id for one in receiver.heard()} != ids:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
        finally:
            hub.terminate()
            assert await hub.wait() == 0
    assert len(ids) == COUNT
    bodies: dict[str, set[str]] = {}
    for one in receiver.heard():
        Webhook(endpoint["secret"]).verify(one.body, one.headers)
        bodies.setdefault(one.id, set()).add(one.body)
    assert {len(found) for found in bodies.values()} == {1}, "what is told twice is the same to the byte"
