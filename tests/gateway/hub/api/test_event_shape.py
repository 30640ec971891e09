"""An event has one shape in the list, in the stream and in a webhook's message, and tells nothing older than before."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.hub.api.openapi_schemas import SCHEMA_PATH
from tests.announcing import ConnectedHome, connected_home
from tests.api_documents import api_document, mistakes
from tests.gateway.hub.api.test_events import everything, first
from tests.hubs import hub_file, run_hub
from tests.receiver import shared_receiver
from tests.webhookhouse import TEST_WEBHOOKS

OF_A_WEBHOOK = {"timestamp", "event", "previous"}
"""What a message has besides: the number of the one before it, and two names of an earlier release."""


async def test_the_list_the_stream_and_a_webhook_tell_an_event_in_one_shape(tmp_path: Path) -> None:
    receiver = shared_receiver()
    path = f"/{tmp_path.name}"
    async with run_hub(hub_file(tmp_path, webhooks=TEST_WEBHOOKS)) as hub:
        home = await connected_home(hub)
        _, endpoint = await home.ask("POST", "/v1/webhook_endpoints", {"url": f"{receiver.url}{path}"})
        async with hub.http.get("/v1/events/stream", headers=home.headers) as answer:
            body = {"connection": home.connection, "delivery": home.promise(), "metadata": {"order": "7"}}
            async with hub.http.post("/v1/deliveries", json=body, headers=home.headers) as created:
                request, made = created.headers["Request-Id"], await created.json()
            await home.stands(made, "scheduled", accepted=True)
            await home.ask("POST", f"/v1/webhook_endpoints/{endpoint['id']}/test", {})
            streamed = await first(answer, 2)
        listed = await everything(home)
        sent = [one.said for one in await receiver.until(3, path)]
    assert listed[:2] == streamed, "the ping goes to its endpoint, and is in the list"
    assert [{name: value for name, value in one.items() if name not in OF_A_WEBHOOK} for one in sent] == listed
    for message, event in zip(sent, listed, strict=True):
        assert message.keys() - event.keys() == OF_A_WEBHOOK
        assert (message["event"], json.dumps(message["at"])) == (event["id"], json.dumps(event["at"]))
        assert {"id", "seq", "type", "about", "at", "sandbox", "request", "data"} == event.keys()
    assert mistakes(api_document(), {"$ref": f"{SCHEMA_PATH}Events"}, {"data": listed, "next": None}) == []
    for message in sent:
        hook = api_document()["webhooks"][message["type"]]["post"]["requestBody"]["content"]["application/json"]
        assert mistakes(api_document(), hook["schema"], message) == []
    assert [event["request"] for event in listed[:2]] == [request, None], "a home's answer is no request's"
    assert [event["data"]["answered"] for event in listed[:2]] == [None, 1]
    assert [event["data"]["metadata"] for event in listed[:2]] == [{"order": "7"}] * 2
    assert listed[2]["request"].startswith("req-")


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))), ids=str)
async def test_no_event_tells_an_older_answer_than_one_that_was_told(tmp_path: Path, order: tuple[int, ...]) -> None:
    """A box that was restored from a copy, or a slow one, speaks of an older version after a newer one."""
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(parcels=[])
        path = f"/v1/deliveries/{made['id']}"
        await home.ask("PATCH", path, {"delivery": {"parcels": ["ABC1"]}})
        await home.ask("POST", f"{path}/cancel", {})
        answers = {1: "awaiting_label", 2: "scheduled", 3: "cancelled"}
        shown = []
        for version in order:
            await home.stands({**made, "version": version}, answers[version], accepted=True)
            shown.append((await home.ask("GET", path))[1])
        told = [event["data"] for event in await everything(home)]
    for before, after in itertools.pairwise(told):
        assert (before["version"], before["answered"] or 0) <= (after["version"], after["answered"] or 0)
    after_end = order.index(3)
    assert {one["state"] for one in shown[after_end:]} == {"cancelled"}, "also what is read"
    assert [one["state"] for one in told].count("cancelled") == 1
    assert told[-1]["state"] == "cancelled"
    assert shown[-1]["answered"] == 3


async def test_a_change_that_the_home_accepts_is_told_once_though_the_state_is_the_same(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        await home.stands(made, "scheduled", accepted=True)
        await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"delivery": {"parcels": ["ABC1"]}})
        for _ in range(2):
            await home.stands({**made, "version": 2}, "scheduled", accepted=True)
        told = [event["data"] for event in await everything(home)]
    found = [(one["version"], one["answered"], one["state"]) for one in told if one["answered"] is not None]
    assert found == [(1, 1, "scheduled"), (2, 1, "scheduled"), (2, 2, "scheduled")]


async def test_after_a_refused_change_the_home_is_heard_again_on_the_version_that_counts(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        await home.stands(made, "scheduled", accepted=True)
        await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"delivery": {"parcels": ["ABC1"]}})
        await home.stands({**made, "version": 2}, "scheduled", accepted=False, code="code_collision")
        await home.stands(made, "refused", reason="declined_by_household")
        told = await told_states(home)
    assert told == ["awaiting_permission", "scheduled", "scheduled", "scheduled", "refused"]


async def told_states(home: ConnectedHome) -> list[Any]:
    async with asyncio.timeout(20):
        return [event["data"]["state"] for event in await everything(home)]
