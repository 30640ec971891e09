import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import insert

from gateway.domain.delivery.barcodes import courier_token_digest, new_courier_token
from gateway.hub.api.delivery_models import Change, Delivery, NewPromise
from gateway.hub.database.tables import browsers
from gateway.protocol.browser_envelope import Jwk, private_scalar
from gateway.protocol.keys import BoxKey
from tests.announcing import connected_home
from tests.boxes import connected_to_broker, insert_home
from tests.hubs import RunningHub, broker_account, homes_broker, run_hub
from tests.joins import with_boxes
from tests.mosquitto import Mosquitto
from tests.remotebrowser import RemoteBrowser
from tests.waiting import wait_until

HERE = Path(__file__).parent
HOME = "home-1"
SCHEMA_NAMES = """
AddressKind Answer ApiKey ApiKeys ArrivalNotice AskedTerms Attempt Authorities Availability
AvailabilityBatch AvailabilityBatchResult AvailabilityItemResult AvailabilityQuestion BoxDescription
Brand BrandFacts BrandKey BrandKeys BrandMessageState Brands BrokerAt CancelStatus Carrier Carriers
Change-Input Change-Output ChangedDelivery Claiming Code CodedDelivery CollectResult Confirming
Connection Connections Deliveries Delivery DeliveryBatch DeliveryBatchResult DeliveryItemResult Detail
Document DoorResult Ending Endpoint EndpointChange EndpointWithSecret Endpoints Event Events Evidence
ExpectedAddress FoodProfile GivenTerms HubKey ItemLine ItemResult Joined JsonValue LabelRule LateCourier
Leaving Line MadeConnection MadeCourierCode MadeDelivery MadeKey Messages NewBrand NewBrandKey
NewConnection NewDelivery NewEndpoint NewKey NewOrder NewPromise Ordered ParcelSize Renewed Renewing
Replay Replayed Sandbox Sealed SealedAnswer SignedBrandMessage SignedMessage SimulatedEntrance Span
State StatedAddress StatedFacts Statement Step StreamMessage TimeAnswer Timeline Told Type
WebhookMessage What Why Window Withdrawal
"""
"""A class behind one of them may be renamed in the code: `PUBLIC_NAMES` in gateway/hub/api/openapi.py."""

EXAMPLES = 10  # of each operation and phase


async def test_the_document_is_openapi_3_1(tmp_path: Path) -> None:
    async with run_hub(with_boxes(tmp_path)) as hub, hub.http.get("/openapi.json") as answer:
        document = await answer.json()
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"


async def test_the_names_of_schemas_stay_for_those_who_generate_clients_of_them(tmp_path: Path) -> None:
    async with run_hub(with_boxes(tmp_path)) as hub, hub.http.get("/openapi.json") as answer:
        document = await answer.json()
    assert sorted(document["components"]["schemas"]) == SCHEMA_NAMES.split()


async def answering(stack: AsyncExitStack, hub: RunningHub, broker: Mosquitto, folder: Path) -> dict[str, str]:
    """A home whose box answers whatever it is asked; how a browser of its household signs."""
    one = RemoteBrowser(browser=f"brw-{1:032x}", home=HOME, hub=hub.url)
    async with hub.hub.store.writing() as tx:
        await insert_home(tx, HOME, BoxKey.generate().public)
        sign = Jwk.of(one.sign.public_key()).model_dump()
        await tx.execute(insert(browsers).values(home=HOME, id=one.browser, sign=sign, told=hub.hub.now()))
    there = await stack.enter_async_context(connected_to_broker(HOME, broker, folder))

    async def answer() -> None:
        while True:
            there.answers(await there.asked.get(), "h..i.c.t")

    task = asyncio.create_task(answer())
    stack.callback(task.cancel)
    await wait_until(lambda: hub.hub.broker_connection is not None and hub.hub.broker_connection.is_connected)
    return {"browser": one.browser, "home": HOME, "hub": hub.url, "key": private_scalar(one.sign).hex()}


@pytest.mark.slow
async def test_the_api_does_what_its_document_says_whatever_is_sent(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(homes_broker(HOME))
        file = with_boxes(tmp_path).model_copy(update={"broker": broker_account(broker, tmp_path)})
        hub = await stack.enter_async_context(run_hub(file))
        home = await connected_home(hub)
        browser = await answering(stack, hub, broker, tmp_path)
        asked = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            "run", f"{hub.url}/openapi.json",
            "--max-examples", str(EXAMPLES), "--seed", "7", "--continue-on-failure",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[3]}", "SCHEMATHESIS_HOOKS": "drawn",
                 "PERRON_KEY": home.retailer.token, "PERRON_CONNECTION": home.connection,
                 "PERRON_BROWSER": json.dumps(browser)},
        )  # fmt: skip
        said, _ = await asked.communicate()
    assert asked.returncode == 0, said.decode()[-6000:]


def test_the_api_s_own_document_tells_the_same_of_the_courier_s_code() -> None:
    secret = bytes(range(16))
    for model in (NewPromise, Change, Delivery):
        told = model.model_json_schema()["properties"]["courier_sha256"]
        assert told["examples"] == [courier_token_digest(secret)]
        assert f"`{new_courier_token(secret)}`" in told["description"]
        assert "`courier_code_missing`" in told["description"]
