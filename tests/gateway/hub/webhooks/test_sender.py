import asyncio
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.hub.config import Webhooks
from gateway.hub.database.tables import attempts, events, messages
from gateway.hub.webhooks import queue
from gateway.hub.webhooks.queue import QueueLane
from gateway.hub.webhooks.sender import MAX_ENDPOINTS_PER_LANE
from tests.hubs import hub_file, run_hub
from tests.receiver import ReceivedRequest, run_receiver, shared_receiver
from tests.webhookhouse import TEST_WEBHOOKS, ManualWallClock, WebhookHouse, webhook_house

pytestmark = pytest.mark.slow


def tried(number: int) -> Callable[[list[Any]], bool]:
    return lambda log: sum(one["attempts_made"] for one in log) >= number


def verified(heard: ReceivedRequest, secret: str) -> bool:
    try:
        Webhook(secret).verify(heard.body, heard.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_what_happened_is_told_in_order_and_standardwebhooks_verifies_it(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint()
        await at.tell(5)
        heard = await at.receiver.until(5)
        assert all(verified(one, endpoint["secret"]) for one in heard)
        assert [one.said["seq"] for one in heard] == [1, 2, 3, 4, 5]
        assert [one.said["previous"] for one in heard] == [0, 1, 2, 3, 4], "a gap can be told"
        assert heard[0].said["type"] == "delivery.changed"
        assert heard[0].said["data"] == {"id": "dlv-1", "number": 0}
        assert datetime.fromisoformat(heard[0].said["timestamp"]).tzinfo is UTC
        assert heard[0].headers["Content-Type"] == "application/json"
        log = await at.settled(endpoint)
        assert [(one["state"], one["id"]) for one in log] == [("delivered", one.id) for one in reversed(heard)]
        async with at.hub.http.get("/metrics") as answer:
            assert "perron_webhooks_sent_total 5.0" in await answer.text()


async def test_a_changed_body_or_another_secret_is_not_verified(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint, other = await at.endpoint("/ok/a"), await at.endpoint("/ok/b")
        await at.tell()
        (heard,) = await at.receiver.until(1, "/ok/a")
        assert verified(heard, endpoint["secret"])
        assert not verified(heard, other["secret"])
        assert not verified(
            ReceivedRequest(heard.path, heard.headers, heard.body.replace("dlv-1", "dlv-2")), endpoint["secret"]
        )


async def test_a_receiver_that_was_dead_has_everything_once_it_lives_under_the_same_ids(tmp_path: Path) -> None:
    with run_receiver(tmp_path) as own:
        async with webhook_house(tmp_path, receiver=own) as at:
            endpoint = await at.endpoint()
            at.receiver.kill()
            await at.tell(8)
            log = await at.until(endpoint, lambda log: any(one["attempts_made"] for one in log))
            assert {one["attempts"][0]["result"] for one in log if one["attempts"]} == {"unreachable"}
            ids = {one["id"] for one in log}
            at.receiver.start()
            async with asyncio.timeout(20):
                while len({one.id for one in at.receiver.heard()}) < 8:
                    at.later(7)
                    await asyncio.sleep(0.1)
            assert {one.id for one in at.receiver.heard()} == ids
            assert (await at.ask("GET", f"/{endpoint['id']}"))["failing"] is None


async def test_a_retry_has_the_same_id_and_body_and_its_own_timestamp_and_signature(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint("/once")
        await at.tell()
        await at.settled(endpoint)
        at.later(8)
        first, second = await at.receiver.until(2)
        assert (first.id, first.body) == (second.id, second.body)
        assert int(second.headers["webhook-timestamp"]) >= int(first.headers["webhook-timestamp"]) + 7
        assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
        assert verified(first, endpoint["secret"])
        assert verified(second, endpoint["secret"])
        (told,) = await at.until(endpoint, lambda log: log[0]["state"] == "delivered")
        assert [(one["number"], one["status"], one["result"]) for one in told["attempts"]] == [
            (2, 200, "taken"), (1, 500, "refused")
        ]  # fmt: skip


async def test_a_message_is_tried_for_more_than_a_day_then_given_up_and_told(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint("/status/500")
        began = at.hub.hub.now()
        await at.tell()
        told: dict[str, Any] = {}
        for tries in range(1, 13):
            (told,) = await at.until(endpoint, tried(tries))
            if told["due"] is not None:
                due = datetime.fromisoformat(told["due"])
                at.later((due - at.hub.hub.now()).total_seconds() + 6)
        assert (told["state"], told["due"], len(told["attempts"])) == ("given_up", None, 12)
        assert (at.hub.hub.now() - began).total_seconds() > 24 * 3600
        assert len({one.id for one in at.receiver.heard()}) == 1
        assert len(at.receiver.heard()) == 12
        await at.ask("POST", f"/{endpoint['id']}/messages/{told['id']}/replay", status=202)
        await at.until(endpoint, lambda log: log[0]["attempts_made"] == 13 and log[0]["state"] == "waiting")


async def test_a_day_of_retries_goes_on_over_restarts(tmp_path: Path) -> None:
    file, wall = hub_file(tmp_path, webhooks=TEST_WEBHOOKS), ManualWallClock()
    receiver = shared_receiver()
    async with run_hub(file, wall=wall) as hub:
        at = WebhookHouse(hub, receiver, retailer := await hub.retailer(), wall)
        endpoint = await at.endpoint("/status/503")
        await at.tell()
        await at.settled(endpoint)
    for tries in range(2, 6):
        wall.ahead += 3600 * 5
        async with run_hub(file, wall=wall) as hub:
            await WebhookHouse(hub, receiver, retailer, wall).until(endpoint, tried(tries))
    assert len(receiver.heard()) == 5


async def counted(at: WebhookHouse) -> tuple[int, int, int]:
    """How many messages, tries and events there are."""
    async with at.hub.hub.store.reading() as tx:
        found = [await tx.scalar(select(func.count()).select_from(table)) for table in (messages, attempts, events)]
    return found[0] or 0, found[1] or 0, found[2] or 0


async def test_what_was_sent_a_month_ago_is_forgotten_and_what_still_waits_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_SWEEP_BATCH_ROWS", 2)
    async with webhook_house(tmp_path) as at:
        good, poor = await at.endpoint(), await at.endpoint("/status/503")
        await at.tell(3)
        await at.until(good, lambda log: [one["state"] for one in log] == ["delivered"] * 3)
        await at.until(poor, tried(1))
        now, swept = at.hub.hub.now(), list[int]()
        for later in (queue.LOG_RETENTION - timedelta(minutes=1), *[queue.LOG_RETENTION + timedelta(minutes=1)] * 3):
            async with at.hub.hub.store.writing() as tx:
                swept.append(await queue.delete_old(tx, now + later))
        assert swept == [0, 2, 1, 0], "some at a time: nobody's write waits for all of it"
        assert await at.log(good) == []
        assert [one["state"] for one in await at.log(poor)] == ["waiting"] * 3
        there, tries, told = await counted(at)
        assert (there, told) == (3, 3), "what happened stays, only the log of its sending goes"
        assert 1 <= tries <= 3, "of the failing one"


async def test_a_hub_forgets_by_itself_what_was_sent_a_month_ago(tmp_path: Path) -> None:
    file, wall, receiver = hub_file(tmp_path, webhooks=TEST_WEBHOOKS), ManualWallClock(), shared_receiver()
    async with run_hub(file, wall=wall) as hub:
        at = WebhookHouse(hub, receiver, retailer := await hub.retailer(), wall)
        endpoint = await at.endpoint()
        await at.tell(3)
        await at.until(endpoint, lambda log: [one["state"] for one in log] == ["delivered"] * 3)
        assert await counted(at) == (3, 3, 3)
    wall.ahead += queue.LOG_RETENTION.total_seconds() + 60
    async with run_hub(file, wall=wall) as hub:
        at = WebhookHouse(hub, receiver, retailer, wall)
        await at.until(endpoint, lambda log: log == [])
        assert await counted(at) == (0, 0, 3)


async def test_410_disables_at_once_and_the_retailer_is_told(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        gone, other = await at.endpoint("/status/410"), await at.endpoint("/ok")
        await at.tell(3)
        said = [one.said for one in await at.receiver.until(4, "/ok")]
        assert {"id": gone["id"], "disabled": "gone"} in [
            one["data"] for one in said if one["type"] == "webhook_endpoint.disabled"
        ]
        told = await at.ask("GET", f"/{gone['id']}")
        assert (told["enabled"], told["disabled"]) == (False, "gone")
        assert len(at.receiver.heard("/status/410")) == 1
        assert {one["state"] for one in await at.log(gone)} == {"given_up"}
        await at.tell()
        await at.until(other, lambda log: len(log) == 5 and log[0]["state"] == "delivered")
        assert len(at.receiver.heard("/status/410")) == 1, "and nothing more is sent there"
        await at.ask("POST", f"/{gone['id']}/test", status=409)
        await at.ask("PATCH", f"/{gone['id']}", {"enabled": True, "url": at.receiver.url + "/back"})
        await at.ask("POST", f"/{gone['id']}/replay", {}, status=202)
        assert [one.said["seq"] for one in await at.receiver.until(5, "/back")] == [1, 2, 3, 4, 5]


async def test_an_endpoint_that_fails_for_days_is_disabled(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint("/status/500")
        days, told = 0, endpoint
        for days in range(8):  # noqa: B007 - which one it was is what is asserted
            made = sum(one["attempts_made"] for one in await at.log(endpoint))
            at.later(24 * 3600)
            await at.tell()
            await at.until(endpoint, tried(made + 1))
            told = await at.ask("GET", f"/{endpoint['id']}")
            if not told["enabled"]:
                break
        assert (told["enabled"], told["disabled"]) == (False, "failing")
        assert days == 5, "after the first failure"


async def test_redirects_are_not_followed_and_answers_without_end_are_cut(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        to = await at.endpoint(f"/to?{at.receiver.url}/inside")
        huge, fine, odd = await at.endpoint("/huge"), await at.endpoint("/huge-ok"), await at.endpoint("/odd")
        await at.tell()
        assert (await at.settled(to))[0]["attempts"][0]["result"] == "redirected"
        assert at.receiver.heard("/inside") == []
        assert len((await at.settled(huge))[0]["attempts"][0]["excerpt"]) == 200
        assert (await at.settled(fine))[0]["state"] == "delivered"
        excerpt = (await at.settled(odd))[0]["attempts"][0]["excerpt"]
        assert excerpt.startswith("script alert(1) /script [31mred x")
        assert excerpt.isascii()
        assert excerpt.isprintable()


async def test_a_receiver_that_asks_for_peace_has_it(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint("/later/600")
        await at.tell()
        (told,) = await at.settled(endpoint)
        wait = datetime.fromisoformat(told["due"]) - datetime.fromisoformat(told["attempts"][0]["at"])
        assert wait.total_seconds() == 600


async def test_one_message_that_a_receiver_does_not_like_holds_up_no_other(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint("/picky/3")
        await at.tell(12)
        log = await at.until(endpoint, lambda log: sum(one["state"] == "delivered" for one in log) == 11)
        assert [one["seq"] for one in log if one["state"] == "waiting"] == [3]


async def test_sixty_that_hang_hold_up_no_other(tmp_path: Path) -> None:
    async with webhook_house(tmp_path, Webhooks(private=True, plain=True, timeout=1)) as at:
        for _ in range(4):
            at.retailer = await at.hub.retailer()
            for _ in range(15):
                await at.endpoint("/hang")
            await at.tell(3)
        began = time.monotonic()
        await at.receiver.until(32, "/hang")  # as many as are tried at once
        at.retailer = await at.hub.retailer("Soleil")
        good = await at.endpoint("/ok")
        await at.tell(30)
        await at.receiver.until(30, "/ok")
        tried = len(at.receiver.heard("/hang"))
        later = MAX_ENDPOINTS_PER_LANE[QueueLane.POOR] * (time.monotonic() - began)  # of one second each
        assert tried <= 32 + 60 + later, "each of the others held it up once at most, and then each other"
        assert (await at.until(good, lambda log: log[0]["attempts_made"] == 1))[0]["state"] == "delivered"


@pytest.mark.parametrize(
    "numbers", [["127.0.0.1"], ["10.1.2.3", "127.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:7f00:1"]]
)
async def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(tmp_path: Path, numbers: list[str]) -> None:
    asked = []

    def turned(host: str, _port: int) -> list[tuple[socket.AddressFamily, str]]:
        asked.append(host)
        return [(socket.AF_INET6 if ":" in number else socket.AF_INET, number) for number in numbers]

    async with webhook_house(tmp_path, Webhooks(plain=True), lookup=turned) as at:
        endpoint = await at.endpoint(f"http://shop.example:{at.receiver.port}/ok")
        await at.tell()
        (told,) = await at.settled(endpoint)
        assert (told["attempts"][0]["result"], told["attempts"][0]["status"]) == ("not_allowed", None)
        assert asked == ["shop.example"]
        assert at.receiver.heard() == []
