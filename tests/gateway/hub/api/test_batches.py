from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.hub.config import Limits
from tests.announcing import connected_home, sent_jobs
from tests.hubs import hub_file, run_hub
from tests.webhookhouse import ManualWallClock

BATCH = "/v1/delivery_batches"


async def test_each_delivery_of_a_batch_has_its_own_result_and_a_bad_one_spoils_no_other(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home, other = await connected_home(hub), await connected_home(hub)
        good = {"connection": home.connection, "delivery": home.promise(name="ord-1")}
        codes = [[f"{kind}{number:0>3}{'X' * 120}" for number in range(50)] for kind in ("A", "B", "C")]
        huge = {"parcels": codes[0], "collect": codes[1], "courier_sha256": "a" * 64, "items": [
            {"code": code, "place": "p" * 64, "max_celsius": 8} for code in codes[2]
        ], "info": {f"k{number}": "x" * 200 for number in range(10)}}  # fmt: skip
        items = [
            good,
            {"connection": home.connection, "delivery": home.promise(name="ord-1", parcels=["AB2"])},  # the name again
            {"connection": home.connection, "delivery": {**home.promise(), "colour": "red"}},
            {"connection": other.connection, "delivery": other.promise()},  # another retailer's
            "not a delivery",
            {"connection": home.connection, "delivery": home.promise(name="ord-2", carrier="Nobody")},
            {"connection": home.connection, "token": "YQ.YQ.YQ"},
            {"connection": home.connection, "delivery": home.promise(name="huge", **huge)},
            {"connection": home.connection, "delivery": home.promise(name="ord-3", parcels=["AB3"])},
        ]  # fmt: skip
        status, said = await home.ask("POST", BATCH, {"items": items})
        assert status == 200, said
        told = [(one["index"], one["status"], (one["problem"] or {}).get("code")) for one in said["data"]]
        assert told == [
            (0, 201, None), (1, 409, "already_exists"), (2, 422, "invalid"), (3, 404, "not_found"),
            (4, 422, "invalid"), (5, 201, None), (6, 422, "signature_refused"), (7, 422, "invalid"), (8, 201, None),
        ]  # fmt: skip
        assert said["data"][2]["problem"]["errors"][0]["pointer"] == "/delivery/colour", "as of the item alone"
        made = said["data"][0]["body"]
        assert made.pop("courier") is None, "nobody asked for one"
        assert (await home.ask("GET", f"/v1/deliveries/{made['id']}"))[1] == made
        _, listed = await home.ask("GET", "/v1/deliveries")
        assert {one["name"] for one in listed["data"]} == {"ord-1", "ord-2", "ord-3"}, "of the refused nothing is kept"
        assert len(await sent_jobs(home)) == 3, "nor is anything of it sent"


async def test_a_batch_that_is_repeated_under_its_idempotency_key_announces_nothing_twice(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        body = {"items": [
            {"connection": home.connection, "delivery": home.promise(parcels=[f"AB{n}"])} for n in range(100)
        ]}  # fmt: skip
        headers = {**home.headers, "Idempotency-Key": "monday"}
        answers = [await home.ask("POST", BATCH, body, headers=headers) for _ in range(2)]
        assert answers[0] == answers[1]
        assert {one["status"] for one in answers[0][1]["data"]} == {201}
        assert len(await sent_jobs(home)) == 100
        body["items"].append(body["items"][0])
        assert (await home.ask("POST", BATCH, body))[0] == 422, "a hundred at most"
        assert (await home.ask("POST", BATCH, {"items": []}))[0] == 422


async def test_each_item_of_a_batch_counts_against_the_limit_of_writes(tmp_path: Path) -> None:
    clock = ManualWallClock()
    limits = Limits(writes=2, writes_a_day=9, reads=2)
    async with run_hub(hub_file(tmp_path, limits=limits), wall=clock) as hub:
        home = await connected_home(hub)
        one = {"connection": home.connection, "delivery": {**home.promise(), "parcels": []}}
        body = {"items": [one] * 7}
        async with hub.http.post(BATCH, json=body, headers=home.headers) as answer:
            assert answer.status == 200
            assert answer.headers["RateLimit"].startswith('"writes";r=0;t=3, "writes-a-day";r=2;')
        for waited, wanted in ((0, 429), (2, 429), (1.5, 200)):
            clock.ahead += waited
            status, said = await home.ask("POST", BATCH, {"items": [one]})
            assert status == wanted, said
        clock.ahead += 60
        status, said = await home.ask("POST", BATCH, {"items": [one] * 2})
        assert (status, said["code"]) == (429, "rate_limited"), "more than the day has left: none of it is done"
        assert len(await sent_jobs(home)) == 8
        question = {"connection": home.connection, "start": "2026-11-30T10:00:00Z", "end": "2026-11-30T11:00:00Z"}
        clock.ahead += 60
        assert (await home.ask("POST", "/v1/availability", {"items": [question] * 5}))[0] == 200
        async with hub.http.get("/v1/deliveries", headers=home.headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "2"), "each question counts as a read"


async def test_one_question_at_the_checkout_tells_the_availability_of_many_homes(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home, other = await connected_home(hub), await connected_home(hub)
        mine = await connected_home(hub, home.retailer, state="pending")
        start = datetime.now(UTC) + timedelta(days=1)
        span = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
        items: list[dict[str, Any]] = [
            {"connection": home.connection, **span, "entrance": "front"},
            {"connection": home.connection, **span, "entrance": "garage"},
            {"connection": mine.connection, **span},
            {"connection": other.connection, **span},
            {"connection": home.connection, **span, "end": span["start"]},
            {"connection": 7, **span},
        ]
        status, said = await home.ask("POST", "/v1/availability", {"items": items})
        assert status == 200, said
        told = [(one["status"], (one["body"] or {}).get("why"), (one["problem"] or {}).get("code"))
                for one in said["data"]]  # fmt: skip
        assert told == [
            (200, "not_known", None), (200, "entrance_not_permitted", None), (200, "not_granted", None),
            (404, None, "not_found"), (422, None, "invalid"), (422, None, "invalid"),
        ]  # fmt: skip
        for index in (0, 1, 2):
            asked = {name: value for name, value in items[index].items() if name != "connection"}
            query = "&".join(f"{name}={value}".replace("+", "%2B") for name, value in asked.items())
            alone = await home.ask("GET", f"/v1/connections/{items[index]['connection']}/availability?{query}")
            assert alone == (200, said["data"][index]["body"]), "as each has it alone"
        _, key = await home.ask("POST", "/v1/api_keys", {"label": "checkout", "right": "read"})
        reading = replace(home, retailer=replace(home.retailer, token=key["token"]))
        assert (await reading.ask("POST", "/v1/availability", {"items": items}))[0] == 200, "it changes nothing"
