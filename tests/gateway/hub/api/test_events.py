import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.hub.api.sse import MAX_STREAMS_PER_RETAILER, SseStreams
from gateway.hub.deliveries.events import Event
from gateway.hub.http.operation import ApiCaller
from tests.announcing import ConnectedHome, connected_home
from tests.hubs import RunningHub, hub_file, run_hub
from tests.waiting import wait_until


async def messages(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Read a stream's messages as a browser would, without the library."""
    found: dict[str, str] = {}
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if not text and "data" in found:
            event = json.loads(found["data"])
            assert (found["id"], found["event"]) == (event["id"], event["type"])
            yield event
        if not text:
            found = {}
        elif not text.startswith(":"):
            name, _, value = text.partition(": ")
            found[name] = value


async def first(answer: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        async for event in messages(answer):
            found.append(event)
            if len(found) == count:
                break
    return found


async def everything(home: ConnectedHome, query: str = "") -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        status, page = await home.ask("GET", f"/v1/events?limit=3{query}{cursor}")
        assert status == 200, page
        found += page["data"]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


async def test_events_are_listed_oldest_first_behind_a_place_and_by_type(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home, other = await connected_home(hub), await connected_home(hub)
        made = [await home.announce() for _ in range(4)]
        await other.announce()
        await home.ask("POST", f"/v1/deliveries/{made[0]['id']}/cancel", {})
        events = await everything(home)
        assert [event["about"] for event in events] == [*(one["id"] for one in made), made[0]["id"]]
        assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
        assert events[0]["data"]["state"] == "awaiting_permission"
        assert await everything(home, f"&after={events[2]['id']}") == events[3:]
        assert await everything(home, "&types=delivery.changed,connection.decided") == events[4:]
        assert await everything(home, "&order=newest") == events[::-1], "whoever looks at them sees the newest first"
        of_these = f"&order=newest&after={events[1]['id']}&types=delivery.created"
        assert await everything(home, of_these) == events[3:1:-1]
        status, said = await home.ask("GET", f"/v1/events/{events[1]['id']}")
        assert (status, said) == (200, events[1])
        theirs = (await everything(other))[0]["id"]
        status, said = await home.ask("GET", f"/v1/events?after={theirs}")
        assert (status, said["code"]) == (400, "bad_cursor"), "another's event is no place here"


async def test_a_stream_tells_events_as_they_happen(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await home.announce()
        async with hub.http.get("/v1/events/stream", headers=home.headers) as answer:
            assert answer.content_type == "text/event-stream"
            made = await home.announce()
            [event] = await first(answer, 1)
        assert (event["about"], event["type"]) == (made["id"], "delivery.created"), "not the one before it"


async def test_a_reader_that_comes_back_misses_nothing_over_cuts_and_a_restart_of_the_hub(tmp_path: Path) -> None:
    file, seen, last = hub_file(tmp_path), [], None
    async with run_hub(file) as hub:
        home = await connected_home(hub)
        await home.announce()
        last = (await everything(home))[0]["id"]
        for _ in range(3):
            await home.announce()
            async with hub.http.get("/v1/events/stream", headers={**home.headers, "Last-Event-ID": last}) as answer:
                seen += await first(answer, 1)
                last = seen[-1]["id"]
            await home.announce()  # while nobody listens
        unheard = await home.announce()
    async with run_hub(file) as again:
        home.hub = again
        newest = await home.announce()
        async with again.http.get("/v1/events/stream", headers={**home.headers, "Last-Event-ID": last}) as answer:
            seen += await first(answer, 8 - len(seen))
        assert seen == (await everything(home))[1:]
        assert [event["about"] for event in seen[-2:]] == [unheard["id"], newest["id"]]


async def test_a_stream_ends_with_the_hub_so_its_reader_goes_to_another(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        async with run_hub(hub_file(tmp_path)) as hub:
            home = await connected_home(hub)
            answer = await http.get(f"{hub.url}/v1/events/stream", headers=home.headers)
        async with asyncio.timeout(60):
            assert (await answer.read()).startswith(b"retry: ")


async def test_a_revoked_key_s_stream_ends(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        _, made = await home.ask("POST", "/v1/api_keys", {"label": "screen", "right": "read"})
        own = {"Authorization": f"Bearer {made['token']}"}
        async with hub.http.get("/v1/events/stream", headers=own) as answer:
            await home.ask("DELETE", f"/v1/api_keys/{made['id']}")
            await home.announce()
            async with asyncio.timeout(60):
                assert b"delivery.created" not in await answer.read()


async def test_a_retailer_has_so_many_streams_and_one_that_ended_makes_room(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home, other = await connected_home(hub), await connected_home(hub)
        open_ = [await follow(hub, home) for _ in range(MAX_STREAMS_PER_RETAILER)]
        refused = await follow(hub, home)
        assert (refused.status, (await refused.json(content_type=None))["code"]) == (429, "rate_limited")
        assert "Retry-After" in refused.headers
        theirs = await follow(hub, other)
        assert theirs.status == 200
        open_[0].close()
        async with asyncio.timeout(60):
            while (again := await follow(hub, home)).status != 200:
                await home.announce()  # what cannot be sent shows that nobody listens
                await asyncio.sleep(0.1)
        for answer in (*open_, theirs, again):
            answer.close()


async def follow(hub: RunningHub, home: ConnectedHome) -> aiohttp.ClientResponse:
    return await hub.http.get("/v1/events/stream", headers=home.headers)


async def test_a_delivery_s_timeline_tells_the_states_that_it_went_through(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce(parcels=[])
        path = f"/v1/deliveries/{made['id']}"
        await home.ask("PATCH", path, {"delivery": {"parcels": ["ABC1"]}})
        await home.ask("POST", f"{path}/cancel", {})
        steps, cursor = [], ""
        while True:
            _, page = await home.ask("GET", f"{path}/timeline?limit=2{cursor}")
            steps += [(step["version"], step["state"]) for step in page["data"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert steps == [(1, "awaiting_label"), (2, "awaiting_permission"), (3, "cancelled")]


async def test_what_others_are_told_makes_nobody_read_who_is_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    found = SseStreams._read_events  # noqa: SLF001 - it is counted, and done

    async def counted(self: SseStreams, caller: ApiCaller, after: int, types: frozenset[str]) -> list[Event] | None:
        reads[caller.retailer] += 1
        return await found(self, caller, after, types)

    monkeypatch.setattr(SseStreams, "_read_events", counted)
    async with run_hub(hub_file(tmp_path)) as hub:
        busy, quiet = await connected_home(hub), await connected_home(hub)

        async def follows(home: ConnectedHome, count: int) -> int:
            query = {"seconds": 60}
            async with hub.http.get("/v1/events/stream", params=query, headers=home.headers) as answer:
                return len(await first(answer, count))

        both = [asyncio.create_task(follows(busy, 20)), asyncio.create_task(follows(quiet, 1))]
        await wait_until(lambda: reads[busy.retailer.id] and reads[quiet.retailer.id])
        for number in range(20):
            await busy.announce(name=f"order-{number}")
        assert await both[0] == 20
        before = reads[quiet.retailer.id]
        await quiet.announce()
        assert await both[1] == 1, "and hears of its own at once"
        assert before <= 2 < reads[busy.retailer.id]


async def test_while_nobody_follows_what_is_announced_makes_the_streams_read_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    found = SseStreams._newest_numbers  # noqa: SLF001 - it is counted, and done

    async def counted(self: SseStreams) -> dict[str, int]:
        looks.append(len(looks))
        return await found(self)

    monkeypatch.setattr(SseStreams, "_newest_numbers", counted)
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for _ in range(3):
            await home.announce()
        assert not looks
        async with hub.http.get("/v1/events/stream", params={"seconds": 60}, headers=home.headers) as answer:
            await wait_until(lambda: len(looks) > 0)
            await home.announce()
            assert len(await first(answer, 1)) == 1
