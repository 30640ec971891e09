"""All that a retailer does, by the typed client at a real hub: blocking, and with asyncio."""

import asyncio
import json
import time
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli.owner import verify_folder
from gateway.hub.sdk import AsyncClient, Client, ForbiddenError, InvalidRequestError, NotFoundError, SigningKey
from gateway.hub.sdk.models import (
    AvailabilityBatch,
    AvailabilityQuestion,
    Connection,
    Delivery,
    DeliveryBatch,
    DeliveryOrderChange,
    DeliveryState,
    NewApiKey,
    NewAskedTerms,
    NewBrand,
    NewBrandKey,
    NewConnection,
    NewDeliveryOrder,
    NewPlainDelivery,
    NewSignedDelivery,
    NewWindow,
    PlainDeliveryChange,
    Sandbox,
    SignedDeliveryChange,
)
from tests.hubs import hub_file, run_hub

pytestmark = pytest.mark.slow

START = datetime.now(UTC) + timedelta(hours=5)
WINDOW = NewWindow(start=START, end=START + timedelta(hours=2))
ENDED = {DeliveryState.DELIVERED, DeliveryState.CANCELLED, DeliveryState.REFUSED}


def order(*parcels: str, name: str | None = None) -> NewDeliveryOrder:
    return NewDeliveryOrder(
        name=name, entrance="garage", place="shelf", carrier="DHL", window=WINDOW, parcels=list(parcels) or None
    )


def ended(hub: Client, delivery: str) -> Delivery:
    while (now := hub.read_delivery(delivery)).state not in ENDED:
        time.sleep(0.1)
    return now


def answered(hub: Client, delivery: str, version: int) -> None:
    while hub.read_delivery(delivery).answered != version:
        time.sleep(0.05)


def connect(hub: Client, sandbox: Sandbox, key: SigningKey, brand: str) -> Connection:
    """A brand asks a home, signed; the customer gives the home's code, and its owner permits."""
    hub.create_brand(NewBrand(id=brand, name="Maison Lune"))
    url = hub.access.url
    hub.add_brand_key(brand, NewBrandKey(kid=key.kid, x=key.x, proof=key.prove(brand=brand, hub=url)))
    asked = NewAskedTerms(carriers=["DHL"], hub_signed=True)
    signed = key.sign_request(asked, brand=brand, name="Maison Lune", hub=url)
    made = hub.create_connection(NewConnection(brand=brand, asked=asked, reference="customer 7", signed=signed))
    code = urllib.parse.urlencode({"code": sandbox.support_code}).encode()
    urllib.request.urlopen(made.consent_url, code, timeout=10).close()  # noqa: S310 - a test's own hub
    while (connection := hub.read_connection(made.id)).state != "granted":
        time.sleep(0.1)
    return connection


def retailers_day(url: str, folder: Path) -> None:
    with Client(url) as stranger:
        sandbox = stranger.create_sandbox()
        assert "DHL" in [carrier.name for carrier in stranger.list_carriers().data]
        assert stranger.read_hub_key().kty == "OKP"
    assert sandbox.api_key not in f"{sandbox!r} {sandbox}", "it is in no log"
    with Client(url, sandbox.api_key) as hub:
        brand = f"lune-{sandbox.home[-6:]}"
        key = SigningKey.generate(f"{brand}-1")
        connection = connect(hub, sandbox, key, brand)
        assert connection.home is not None
        assert connection.terms is not None
        assert hub.read_availability(connection.id, start=WINDOW.start, end=WINDOW.end, entrance="garage").possible
        question = AvailabilityQuestion(connection=connection.id, start=WINDOW.start, end=WINDOW.end)
        (result,) = hub.read_availabilities(AvailabilityBatch(items=[question])).data
        assert (result.status, result.body is not None and result.body.possible) == (200, True)

        unlabelled = hub.create_delivery(
            NewPlainDelivery(connection=connection.id, delivery=order(name="ORD-4711"), metadata={"shop": "Lyon"})
        )
        assert (unlabelled.state, unlabelled.name) == (DeliveryState.AWAITING_LABEL, "ORD-4711")
        change = PlainDeliveryChange(version=1, delivery=DeliveryOrderChange(parcels=["SANDBOX-WAITS"]))
        assert hub.change_delivery(unlabelled.id, change).version == 2
        answered(hub, unlabelled.id, 2)
        hub.cancel_delivery(unlabelled.id)
        assert ended(hub, unlabelled.id).state == DeliveryState.CANCELLED

        home = connection.home
        token = key.sign_order(order("SANDBOX-WAITS-1"), brand=brand, home=home, order_id="signed-1")
        signed = hub.create_delivery(NewSignedDelivery(connection=connection.id, token=token))
        assert not signed.hub_signed
        again = hub.create_delivery(NewSignedDelivery(connection=connection.id, token=token))
        assert again.id == signed.id
        answered(hub, signed.id, 1)
        update = key.sign_order(order("A-1"), brand=brand, home=home, order_id="signed-1", version=2, do="update")
        hub.change_delivery(signed.id, SignedDeliveryChange(token=update))
        assert ended(hub, signed.id).state == DeliveryState.DELIVERED
        steps = [step.state for step in hub.iterate_timeline(signed.id, limit=2)]
        assert steps[-1] == DeliveryState.DELIVERED
        proof = hub.read_proof(signed.id)
        (folder / "proof.json").write_text(proof.model_dump_json(), encoding="utf-8")
        assert verify_folder(folder / "proof.json", key=None, checkpoint=None)[0]
        assert [each.id for each in hub.iterate_deliveries(brand=brand, limit=1)] == [signed.id, unlabelled.id]
        assert [each.id for each in hub.iterate_deliveries(name="ORD-4711")] == [unlabelled.id]
        about = {event.about for event in hub.iterate_events(limit=3)}
        assert {connection.id, signed.id, unlabelled.id} <= about

        with pytest.raises(InvalidRequestError) as wrong:
            hub.create_delivery(NewPlainDelivery(connection=connection.id, delivery=order("A-1", "A-1")))
        assert wrong.value.mistakes[0].pointer == "/delivery/parcels"
        assert wrong.value.request_id
        with pytest.raises(NotFoundError):
            hub.read_delivery("../brands")
        reader = hub.create_api_key(NewApiKey(label="reports", right="read"))
    with Client(url, reader.token) as hub, pytest.raises(ForbiddenError):
        hub.cancel_delivery(signed.id)


async def test_a_retailer_s_day_with_a_client_that_blocks(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path / "hub")) as hub:
        await asyncio.wait_for(asyncio.to_thread(retailers_day, hub.url, tmp_path), 60)


async def test_many_at_once_with_asyncio(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        async with AsyncClient(hub.url) as stranger:
            sandbox = await stranger.create_sandbox()
        async with AsyncClient(hub.url, sandbox.api_key) as client:
            events = client.follow_events()
            first = asyncio.ensure_future(anext(events))
            made = await asyncio.gather(
                *(
                    client.create_delivery(
                        NewPlainDelivery(connection=sandbox.connection, delivery=order(f"SANDBOX-WAITS-{number}"))
                    )
                    for number in range(20)
                )
            )
            batch = [NewPlainDelivery(connection=sandbox.connection, delivery=order(f"B-{n}")) for n in range(3)]
            wrong = batch[0].model_copy(update={"connection": "con-" + "a" * 26})
            results = (await client.create_deliveries(DeliveryBatch(items=[*batch, wrong]))).data
            assert [result.status for result in results] == [201, 201, 201, 404]
            assert results[3].problem is not None
            assert results[3].problem.code == "not_found"
            wanted = {one.id for one in made} | {result.body.id for result in results if result.body is not None}
            seen = {(await asyncio.wait_for(first, 10)).about}
            async with asyncio.timeout(20):
                while not wanted <= seen:
                    seen.add((await anext(events)).about)
            await events.aclose()
            found = [json.loads(one.model_dump_json())["id"] async for one in client.iterate_deliveries(limit=6)]
            assert (len(found), set(found)) == (23, wanted)
