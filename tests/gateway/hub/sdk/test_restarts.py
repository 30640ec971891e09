"""A hub that is killed, and comes back, while a retailer's program works: nothing is lost, and nothing is twice."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from gateway.hub.config import Webhooks
from gateway.hub.sdk import AsyncClient, Client, Retries, UnauthenticatedError, WebhookRejectedError, WebhookVerifier
from gateway.hub.sdk.models import (
    DeliveryChangedMessage,
    DeliveryCreatedEvent,
    NewDeliveryOrder,
    NewPlainDelivery,
    NewWebhookEndpoint,
    NewWindow,
    OtherEvent,
    WebhookEndpointChallengeMessage,
)
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.announcing import connected_home
from tests.forkserver import fork_server
from tests.hubs import hub_file, run_hub
from tests.receiver import shared_receiver
from tests.sandboxes import create_sandbox

PATIENT = Retries(tries=100, first_s=0.05, max_s=0.2)


def next_order(connection: str, parcel: str) -> NewPlainDelivery:
    start = datetime.now(UTC) + timedelta(hours=5)
    window = NewWindow(start=start, end=start + timedelta(hours=2))
    order = NewDeliveryOrder(entrance="garage", place="shelf", carrier="DHL", parcels=[parcel], window=window)
    return NewPlainDelivery(connection=connection, delivery=order)


@pytest.mark.slow
async def test_while_the_hub_is_killed_again_and_again_each_delivery_is_announced_once(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "hub.yaml").write_text(f"url: {url}\nlisten: {{port: {port}}}\nfolder: hub\n")

    @contextlib.contextmanager
    def process() -> Iterator[None]:
        with (tmp_path / "hub.log").open("ab") as log:
            hub = fork_server().start(["-m", "gateway", "hub", "--config", str(tmp_path / "hub.yaml")], log)
        try:
            yield
        finally:
            hub.send_signal(signal.SIGKILL)

    made: list[str] = []

    def announce() -> str:
        with Client(url, retries=PATIENT) as stranger:
            sandbox = stranger.create_sandbox()
        with Client(url, sandbox.api_key, retries=PATIENT) as client:
            orders = (next_order(sandbox.connection, f"SANDBOX-WAITS-{number}") for number in range(40))
            made.extend(client.create_delivery(order).id for order in orders)
        return sandbox.api_key

    announcing = asyncio.create_task(asyncio.to_thread(announce))
    for goal in (5, 15, 25, 40):
        with process():
            while len(made) < goal and not announcing.done():  # noqa: ASYNC110 - another thread fills the list
                await asyncio.sleep(0.003)
    with process():
        async with AsyncClient(url, await announcing, retries=PATIENT) as client:
            found = [each.id async for each in client.iterate_deliveries(limit=7)]
    assert (len(found), sorted(found)) == (40, sorted(made))


async def test_events_are_followed_from_the_first_one_over_the_end_of_the_hub(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        home = await connected_home(hub)
        token = home.retailer.token

        def follow() -> list[str]:
            with Client(hub.url, token, retries=PATIENT) as client:
                return [event.about for event in islice(client.follow_events(), 3)]

        followed = asyncio.create_task(asyncio.to_thread(follow))
        await asyncio.sleep(0.5)  # the account has no event yet, so the client cannot say where to begin
        announced = [
            (await home.announce(name="a"))["id"],
            (await home.announce(name="b", parcels=["XY123456799FR"]))["id"],
        ]
        await asyncio.sleep(1.5)
    async with run_hub(file) as hub:
        home.hub = hub
        announced.append((await home.announce(parcels=["A-3"]))["id"])
        assert await asyncio.wait_for(followed, 20) == announced
        async with AsyncClient(hub.url, token, retries=PATIENT) as client:
            first = await anext(aiter(client.iterate_events(limit=2)))
            assert isinstance(first, DeliveryCreatedEvent)
            after = client.follow_events(after=first.id, types=["delivery.created"])
            assert [(await anext(after)).about for _ in range(2)] == announced[1:]
            await after.aclose()
            (mine,) = (await client.list_api_keys()).data
            await client.revoke_api_key(mine.id)
            with pytest.raises(UnauthenticatedError):
                await anext(client.follow_events(after=first.id))


async def test_a_webhook_s_message_is_read_as_what_it_is_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    receiver = shared_receiver()
    async with run_hub(hub_file(tmp_path, webhooks=Webhooks(private=True, plain=True))) as hub:
        box = await create_sandbox(hub)
        async with AsyncClient(hub.url, box.said["api_key"]) as client:
            endpoint = await client.create_webhook_endpoint(NewWebhookEndpoint(url=f"{receiver.url}/sdk"))
            made = await client.create_delivery(next_order(box.said["connection"], "A-1"))
            heard = await receiver.until(6, "/sdk")
            verifier = WebhookVerifier(endpoint.secret)
            messages = [verifier.read(one.body.encode(), one.headers) for one in heard]
            assert isinstance(messages[0], WebhookEndpointChallengeMessage)
            last = messages[-1]
            assert isinstance(last, DeliveryChangedMessage)
            assert (last.about, last.data.state, last.previous) == (made.id, "delivered", last.seq - 1)
            for body, headers in (
                (heard[-1].body.replace("delivered", "refused"), heard[-1].headers),
                (heard[-1].body, heard[-2].headers),
                (heard[-1].body, {}),
                (heard[-1].body, heard[-1].headers | {"webhook-signature": "v1"}),
            ):
                with pytest.raises(WebhookRejectedError):
                    verifier.read(body.encode(), headers)
            replayed = await client.replay_webhook_message(endpoint.id, heard[-1].id)
            assert replayed.id == heard[-1].id
            assert (await receiver.until(7, "/sdk"))[-1].body == heard[-1].body
            assert [event async for event in client.iterate_events() if isinstance(event, OtherEvent)] == []
