from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.hub.api import webhook_endpoints
from gateway.hub.config import Webhooks
from gateway.hub.deliveries.events import EventType, emit
from tests.hubs import RunningHub, hub_file, run_hub
from tests.webhookhouse import WebhookHouse, delivery_row, webhook_house

URL = "https://shop.example/hooks"


async def made(hub: RunningHub, headers: dict[str, str], **more: object) -> Any:  # noqa: ANN401 - JSON
    async with hub.http.post("/v1/webhook_endpoints", json={"url": URL, **more}, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return await answer.json()


async def test_a_secret_is_told_once_and_the_rest_is_read_listed_changed_and_deleted(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = (await hub.retailer()).headers
        endpoint = await made(hub, headers, types=["delivery.changed", "delivery.changed"])
        assert endpoint["secret"].startswith("whsec_")
        path = f"/v1/webhook_endpoints/{endpoint['id']}"
        without = {name: value for name, value in endpoint.items() if name != "secret"}
        async with hub.http.get(path, headers=headers) as read:
            assert await read.json() == without
        assert without["types"] == ["delivery.changed"]
        async with hub.http.get("/v1/webhook_endpoints", headers=headers) as listed:
            assert (await listed.json())["data"] == [without]
        change = {"url": URL + "/2", "types": [], "enabled": False}
        async with hub.http.patch(path, json=change, headers=headers) as changed:
            assert await changed.json() == {**without, **change, "disabled": "asked"}
        async with hub.http.patch(path, json={"enabled": True}, headers=headers) as changed:
            assert (await changed.json())["disabled"] is None
        async with hub.http.delete(path, headers=headers) as ended:
            assert ended.status == 204
        async with hub.http.get(path, headers=headers) as lost:
            assert lost.status == 404


@pytest.mark.parametrize(
    "url",
    ["http://shop.example/", "https://127.0.0.1/", "https://localhost/", "https://shop.example:22/", "https://a.1/"],
)
async def test_an_address_where_the_hub_does_not_send_is_refused_when_made_and_when_changed(
    tmp_path: Path, url: str
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = (await hub.retailer()).headers
        endpoint = await made(hub, headers)
        for method, path in (("POST", ""), ("PATCH", f"/{endpoint['id']}")):
            async with hub.http.request(
                method, f"/v1/webhook_endpoints{path}", json={"url": url}, headers=headers
            ) as answer:
                said = await answer.json(content_type=None)
                assert (answer.status, said["code"]) == (422, "address_refused"), method
                assert said["errors"][0]["pointer"] == "/url"


async def test_a_retailer_has_a_bounded_number_of_them(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        headers = (await hub.retailer()).headers
        for _ in range(16):
            await made(hub, headers)
        async with hub.http.post("/v1/webhook_endpoints", json={"url": URL}, headers=headers) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (409, "conflict")
        await made(hub, (await hub.retailer("Soleil")).headers)


async def test_another_retailer_s_endpoint_is_not_there_nor_one_of_the_other_world(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        ours = (await hub.retailer("Lune")).headers
        endpoint = await made(hub, ours)
        async with hub.http.post(f"/v1/webhook_endpoints/{endpoint['id']}/test", headers=ours) as sent:
            message = (await sent.json())["id"]
        theirs, trying = await hub.retailer("Soleil"), await hub.retailer("Soleil", sandbox=True)
        for who in (theirs, trying):
            for method, path, body in (
                ("GET", "", None), ("PATCH", "", {"enabled": False}), ("DELETE", "", None), ("POST", "/rotate", None),
                ("POST", "/test", None), ("GET", "/messages", None), ("POST", f"/messages/{message}/replay", None),
                ("POST", "/replay", {}),
            ):  # fmt: skip
                async with hub.http.request(
                    method, f"/v1/webhook_endpoints/{endpoint['id']}{path}", headers=who.headers, json=body
                ) as answer:
                    assert answer.status == 404, (method, path)
        own = await made(hub, theirs.headers)
        async with hub.http.post(
            f"/v1/webhook_endpoints/{own['id']}/messages/{message}/replay", headers=theirs.headers
        ) as answer:
            assert answer.status == 404, "not through one's own endpoint either"
        async with hub.http.get(f"/v1/webhook_endpoints/{endpoint['id']}", headers=ours) as still:
            assert (await still.json())["enabled"]


async def test_events_of_the_sandbox_and_of_others_are_not_sent_here(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint()
        other = await at.hub.retailer("Soleil")
        async with at.hub.hub.store.writing() as tx:
            for retailer, sandbox in ((at.retailer.id, True), (other.id, False)):
                row = delivery_row(retailer, sandbox=sandbox, id_="dlv-9")
                await emit(tx, row, EventType.DELIVERY_CHANGED, {}, at.hub.hub.now())
        await at.tell()
        await at.settled(endpoint)
        assert [one.said["data"]["id"] for one in at.receiver.heard()] == ["dlv-1"]
        told = await at.ask("POST", f"/{endpoint['id']}/replay", {}, status=202)
        assert told == {"queued": 1, "next": None}, "a replay neither"


async def test_while_a_secret_rotates_the_old_and_the_new_one_verify(tmp_path: Path) -> None:
    def fits(at: WebhookHouse, secret: str) -> list[bool]:
        found = []
        for one in at.receiver.heard():
            try:
                Webhook(secret).verify(one.body, one.headers)
            except WebhookVerificationError:
                found.append(False)
            else:
                found.append(True)
        return found

    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint()
        old = endpoint["secret"]
        await at.tell()
        await at.receiver.until(1)
        rotated = await at.ask("POST", f"/{endpoint['id']}/rotate")
        assert rotated["old_secret_until"] is not None
        await at.tell()
        await at.receiver.until(2)
        assert (fits(at, old), fits(at, rotated["secret"])) == ([True, True], [False, True])
        at.later(24 * 3600 + 1)
        await at.tell()
        heard = await at.receiver.until(3)
        assert [len(one.headers["webhook-signature"].split(" ")) for one in heard] == [1, 2, 1], (
            "24 hours and no longer"
        )
        assert (await at.ask("GET", f"/{endpoint['id']}"))["old_secret_until"] is None


async def test_a_ping_goes_to_this_endpoint_alone_whatever_it_wants(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint, _ = await at.endpoint("/ok/a", types=["delivery.proof"]), await at.endpoint("/ok/b")
        told = await at.ask("POST", f"/{endpoint['id']}/test", status=202)
        assert (told["type"], told["state"], told["attempts"]) == ("ping", "waiting", [])
        (heard,) = await at.receiver.until(1)
        assert (heard.path, heard.id, heard.said["type"]) == ("/ok/a", told["id"], "ping")
        await at.tell()
        assert [one.path for one in await at.receiver.until(2)] == ["/ok/a", "/ok/b"], (
            "and other types only where wanted"
        )


async def test_the_log_is_paged_newest_first(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint()
        await at.tell(5)
        await at.receiver.until(5)
        seqs, query = [], "?limit=2"
        while True:
            page = await at.ask("GET", f"/{endpoint['id']}/messages{query}")
            seqs.append([one["seq"] for one in page["data"]])
            if page["next"] is None:
                break
            query = f"?limit=2&cursor={page['next']}"
        assert seqs == [[5, 4], [3, 2], [1]]
        wrong = await at.ask("GET", f"/{endpoint['id']}/messages?cursor=abc", status=400)
        assert wrong["code"] == "bad_cursor"


async def test_everything_since_a_number_or_a_time_is_sent_again_under_its_own_id(tmp_path: Path) -> None:
    async with webhook_house(tmp_path, Webhooks(private=True, plain=True)) as at:
        endpoint = await at.endpoint()
        await at.tell(3)
        await at.receiver.until(3)
        ids = {one["seq"]: one["id"] for one in await at.settled(endpoint)}
        assert await at.ask("POST", f"/{endpoint['id']}/replay", {"seq": 2}, status=202) == {"queued": 2, "next": None}
        assert [one.id for one in (await at.receiver.until(5))[3:]] == [ids[2], ids[3]]
        await at.until(endpoint, lambda log: all(one["state"] == "delivered" for one in log))
        at.later(60)
        since = at.hub.hub.now().isoformat()
        await at.ask("PATCH", f"/{endpoint['id']}", {"enabled": False})
        await at.tell(2)
        await at.ask("PATCH", f"/{endpoint['id']}", {"enabled": True})
        assert await at.ask("POST", f"/{endpoint['id']}/replay", {"since": since}, status=202) == {
            "queued": 2, "next": None
        }  # fmt: skip
        last = (await at.receiver.until(7))[5:]
        assert [(one.said["seq"], one.said["previous"]) for one in last] == [(4, 3), (5, 4)], "what it slept through"
        await at.ask("POST", f"/{endpoint['id']}/messages/{ids[1]}/replay", status=202)
        assert (await at.receiver.until(8))[7].id == ids[1]


async def test_a_long_replay_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_endpoints, "MAX_REPLAY_EVENTS", 10)
    async with webhook_house(tmp_path) as at:
        await at.tell(15)
        endpoint = await at.endpoint("/status/500")
        first = await at.ask("POST", f"/{endpoint['id']}/replay", {}, status=202)
        assert first == {"queued": 10, "next": 11}
        rest = await at.ask("POST", f"/{endpoint['id']}/replay", {"seq": first["next"]}, status=202)
        assert rest == {"queued": 5, "next": None}
        await at.ask("DELETE", f"/{endpoint['id']}", status=204)
