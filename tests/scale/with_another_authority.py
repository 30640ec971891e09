"""The hub's authority gives way to another on a real RabbitMQ node: no box joins anew, and the old one counts no more.

Run by `make test-scale`.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from pathlib import Path

from gateway.hub.boxes import ca_rotation
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.cluster.rabbitmq import HUB_LOCAL_PART, PROBE_CERTIFICATE_LIFETIME, PROBE_NAME
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import follow_authorities
from gateway.mqtt.client import connect_once
from gateway.protocol.box_hub import Hello, down_topic
from gateway.system.mqtt_settings import BrokerSection, BrokerTls
from tests.hubs import run_hub
from tests.joins import DAY
from tests.scale.rabbit import START_TIMEOUT_S
from tests.scale.with_one_node import JoinedBox, NodePlace, next_message, packages, place, publish, wait_until_connected

__all__ = ["packages", "place"]  # fixtures


async def perron(place: NodePlace, *words: str) -> tuple[int, str]:
    """What `perron hub-authority` does with the hub's file, beside the hub that runs."""
    config = place.folder / "hub.yaml"
    config.write_text(json.dumps(place.file.model_dump(mode="json", exclude_none=True)))
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "hub-authority", *words, "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await asked.communicate()
    return await asked.wait(), " ".join(told.decode().split())


async def restart_node(place: NodePlace) -> None:
    """As the operator does who has brought the files there."""
    await place.node.kill()
    async with asyncio.timeout(START_TIMEOUT_S):
        while await is_listening(place.node.port):  # noqa: ASYNC110 - what was killed rings no bell
            await asyncio.sleep(0.05)
    await place.node.start()
    await place.node.ready()


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def is_let_in(one: JoinedBox) -> bool:
    """Whether a box is let in and answered, believing its own authorities alone."""
    hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris").model_dump_json().encode()
    for _ in range(20):  # the hub's own line is on its way back too
        try:
            async with asyncio.timeout(5), one.line(down_topic(one.home, "ack")) as line:
                await publish(line, one.topic("hello"), hello)
                await next_message(line, down_topic(one.home, "ack"))
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return False
    return False


async def follow_authority(one: JoinedBox) -> bool:
    return await asyncio.to_thread(follow_authorities, one.place.file.url, one.box.folder, enrolment.http_request)


async def test_another_authority_takes_the_old_one_s_place_on_a_cluster_and_no_box_joins_anew(place: NodePlace) -> None:
    folder = place.file.folder
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        old, off = await place.joined(hub, "old"), await place.joined(hub, "off")
        first = HubAuthority.load(folder, now=hub.hub.now())
        assert (await perron(place, "--change"))[0] == 1, "there is no successor"

        assert "restart the nodes" in (await perron(place, "--next"))[1]
        await restart_node(place)
        assert await follow_authority(old)
        assert await is_let_in(off), "the node shows the old one's certificate still"

        status, told = await perron(place, "--change")
        assert (status, "Not changed yet" in told) == (1, True), told
        assert ca_rotation.read_certificate(folder, ca_rotation.FORMER_NAME) is None
        await restart_node(place)
        assert await is_let_in(old)
        assert not await is_let_in(off), "it was off, and knows nothing of the successor"
        assert await follow_authority(off)
        assert await is_let_in(off)

        status, told = await perron(place, "--change")
        assert (status, "count still: 2" in told) == (0, True), told
        new = await place.joined(hub, "new")
        for one in (old, off, new):
            assert await is_let_in(one)
        assert len(enrolment.trusted_authorities(new.box.folder)) == 1

        assert (await perron(place, "--end"))[0] == 1, "two boxes would be cut off"
        for one in (old, off):
            await one.box.renew(place.file, hub.hub.now() + 61 * DAY)
            assert await follow_authority(one), "from now on the new one alone is believed"
        status, told = await perron(place, "--end")
        assert status == 0, told
        await restart_node(place)
        for one in (old, off, new):
            assert await is_let_in(one)
        assert await accepts_certificate(
            place, new.box.folder, HubAuthority.load(folder, now=hub.hub.now()), hub.hub.now()
        )
        assert not await accepts_certificate(place, new.box.folder, first, hub.hub.now()), "it counts no more"


async def accepts_certificate(place: NodePlace, box: Path, by: HubAuthority, now: datetime) -> bool:
    """Whether the node takes a certificate of this authority, about which the hub is not asked."""
    assert place.file.boxes is not None
    pem = place.folder / "made.pem"
    pem.write_bytes(by.issue_pem(PROBE_NAME, now=now, lifetime=PROBE_CERTIFICATE_LIFETIME, local_part=HUB_LOCAL_PART))
    tls = BrokerTls(ca=box / "authority.pem", certificate=pem, key=pem)
    try:
        async with connect_once(
            BrokerSection(host="localhost", port=place.file.boxes.port, username=PROBE_NAME, tls=tls),
            [],
            monotonic=time.monotonic,
        ):
            return True
    except ConnectionError:
        return False
