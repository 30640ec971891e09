"""Endpoints of sandboxes, which everybody has for the asking: what they are sent only after they asked for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.hub.config import Webhooks
from gateway.hub.deliveries.events import EventType, emit
from gateway.hub.webhooks.host_rate import MAX_HOSTS, MINUTE_S, HostRateLimit
from gateway.hub.webhooks.retry import answers_challenge
from tests.receiver import ReceivedRequest
from tests.webhookhouse import TEST_WEBHOOKS, WebhookHouse, delivery_row, webhook_house

CHALLENGE = "webhook_endpoint.challenge"


@asynccontextmanager
async def sandbox(folder: Path, webhooks: Webhooks = TEST_WEBHOOKS) -> AsyncIterator[WebhookHouse]:
    """A hub and a receiver, and somebody who has a sandbox."""
    async with webhook_house(folder, webhooks) as at:
        at.retailer = await at.hub.retailer("Essai", sandbox=True)
        yield at


async def tells(at: WebhookHouse, count: int) -> None:
    async with at.hub.hub.store.writing() as tx:
        for number in range(count):
            row = delivery_row(at.retailer.id, sandbox=True)
            await emit(tx, row, EventType.DELIVERY_CHANGED, {"number": number}, at.hub.hub.now())
    at.hub.hub.wake_ups.messages()


def types(heard: list[ReceivedRequest]) -> list[str]:
    return [one.said["type"] for one in heard]


async def read(at: WebhookHouse, endpoint: Any) -> Any:  # noqa: ANN401 - JSON
    return await at.ask("GET", f"/{endpoint['id']}")


async def test_an_endpoint_of_a_sandbox_gets_nothing_but_a_challenge_until_it_has_answered_that(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as at:
        endpoint = await at.endpoint("/mute")
        assert endpoint["verified"] is False
        await tells(at, 3)
        at.later(2)
        log = await at.until(endpoint, lambda log: log[-1]["attempts_made"] >= 1)
        assert [one["type"] for one in log] == [*["delivery.changed"] * 3, CHALLENGE]
        assert [one["attempts_made"] for one in log] == [0, 0, 0, 1]
        assert log[-1]["attempts"][0]["result"] == "no_challenge"
        at.later(60)
        await at.until(endpoint, lambda log: log[-1]["attempts_made"] >= 2)
        assert set(types(at.receiver.heard("/mute"))) == {CHALLENGE}
        assert (await read(at, endpoint))["verified"] is False

        await at.ask("PATCH", f"/{endpoint['id']}", {"url": f"{at.receiver.url}/ok"})
        at.later(2)
        heard = await at.receiver.until(4, "/ok")
        assert types(heard) == [CHALLENGE, *["delivery.changed"] * 3], "and what it missed follows"
        assert [one.said["data"]["number"] for one in heard[1:]] == [0, 1, 2]
        assert (await read(at, endpoint))["verified"] is True
        assert set(types(at.receiver.heard("/mute"))) == {CHALLENGE}


async def test_an_endpoint_that_has_another_address_has_to_answer_anew(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as at:
        endpoint = await at.endpoint("/ok")
        at.later(2)
        await at.until(endpoint, lambda log: log[0]["state"] == "delivered")
        assert (await at.ask("PATCH", f"/{endpoint['id']}", {"url": f"{at.receiver.url}/mute"}))["verified"] is False
        await tells(at, 1)
        at.later(2)
        log = await at.until(
            endpoint, lambda log: any(one["attempts_made"] and one["state"] == "waiting" for one in log)
        )
        assert [(one["type"], one["attempts_made"]) for one in log] == [
            ("delivery.changed", 0), (CHALLENGE, 1), (CHALLENGE, 1),
        ]  # fmt: skip
        assert set(types(at.receiver.heard("/mute"))) == {CHALLENGE}


@pytest.mark.parametrize("at_once", [False, True])
async def test_an_endpoint_that_got_another_address_while_it_was_switched_off_has_to_answer_too(
    tmp_path: Path, *, at_once: bool
) -> None:
    async with sandbox(tmp_path) as at:
        endpoint = await at.endpoint("/ok")
        at.later(2)
        await at.until(endpoint, lambda log: log[0]["state"] == "delivered")
        off, other = {"enabled": False}, {"url": f"{at.receiver.url}/mute"}
        for change in [{**off, **other}] if at_once else [off, other]:
            await at.ask("PATCH", f"/{endpoint['id']}", change)
        assert (await read(at, endpoint))["verified"] is False
        assert (await at.ask("PATCH", f"/{endpoint['id']}", {"enabled": True}))["verified"] is False
        await tells(at, 1)
        at.later(2)
        await at.until(endpoint, lambda log: any(one["attempts_made"] and one["state"] == "waiting" for one in log))
        assert types(at.receiver.heard("/mute")) == [CHALLENGE]


async def test_an_endpoint_that_never_answers_is_disabled_and_may_be_asked_again(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as at:
        endpoint = await at.endpoint("/mute")
        for _ in range(12):
            before = (await at.log(endpoint))[-1]["attempts_made"]
            at.later(timedelta(hours=10).total_seconds())
            await at.until(endpoint, lambda log, before=before: log[-1]["attempts_made"] > before)  # type: ignore[misc]  # bound in the loop
        said = await read(at, endpoint)
        assert (said["enabled"], said["disabled"], said["verified"]) == (False, "unverified", False)
        await at.ask("PATCH", f"/{endpoint['id']}", {"enabled": True, "url": f"{at.receiver.url}/ok"})
        at.later(2)
        assert types(await at.receiver.until(1, "/ok")) == [CHALLENGE]
        await at.until(endpoint, lambda log: log[0]["state"] == "delivered")
        assert (await read(at, endpoint))["verified"] is True


async def test_an_endpoint_outside_the_sandbox_has_no_challenge(tmp_path: Path) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint("/ok")
        assert endpoint["verified"] is True
        await at.tell(1)
        assert types(await at.receiver.until(1, "/ok")) == ["delivery.changed"]


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b'{"challenge": "abc"}', True), (b" abc\r\n", True), (b'"abc"', True), (b'{"challenge":"abc","more":1}', True),
        (b"", False), (b"ok", False), (b'{"challenge": "other"}', False), (b"abcabc", False), (b"\xff\xfe", False),
        (b'{"type": "webhook_endpoint.challenge", "data": {"challenge": "abc"}}', False), (b"[" * 9999, False),
    ],
)  # fmt: skip
def test_a_challenge_is_answered_by_its_text_alone_and_not_by_an_echo_of_the_message(body: bytes, good: bool) -> None:
    assert answers_challenge(body, "abc") is good


async def test_all_sandboxes_together_send_so_much_to_one_host_and_nobody_else_waits_for_that(tmp_path: Path) -> None:
    async with sandbox(tmp_path, TEST_WEBHOOKS.model_copy(update={"sandbox_posts": 5})) as at:
        for name in ("Essai", "Probe", "Versuch"):
            at.retailer = await at.hub.retailer(name, sandbox=True)
            await at.endpoint("/ok/sandbox")
            await tells(at, 4)
        at.later(2)
        await at.receiver.until(5, "/ok/sandbox")
        at.retailer = await at.hub.retailer("Lune")
        await at.endpoint("/ok/real")
        await at.tell(30)
        await at.receiver.until(30, "/ok/real")
        assert len(at.receiver.heard("/ok/sandbox")) == 5


def test_one_host_gets_so_many_in_any_minute_however_it_is_spelt_and_hosts_take_no_memory_without_bound() -> None:
    limit = HostRateLimit(3)
    assert [limit.wait_s(name, at) for at, name in enumerate(("shop.example", "SHOP.example", "shop.example."))] == [
        0
    ] * 3
    assert limit.wait_s("shop.example", 10.0) == MINUTE_S - 10
    assert limit.wait_s("other.example", 10.0) == 0
    assert limit.wait_s("shop.example", MINUTE_S) == 0
    assert limit.wait_s("shop.example", MINUTE_S) == 1.0
    for number in range(3 * MAX_HOSTS):
        limit.wait_s(f"h{number}.example", number * 1.0)
    assert len(limit._sent) <= MAX_HOSTS + 1  # noqa: SLF001 - what it remembers


async def test_an_endpoint_of_a_sandbox_has_one_replay_a_minute(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as at:
        endpoint = await at.endpoint("/ok")
        await tells(at, 3)
        assert (await at.ask("POST", f"/{endpoint['id']}/replay", {}, status=202))["queued"] == 3
        refused = await at.ask("POST", f"/{endpoint['id']}/replay", {}, status=429)
        assert refused["code"] == "rate_limited"
        at.later(61)
        assert (await at.ask("POST", f"/{endpoint['id']}/replay", {}, status=202))["queued"] == 3
    async with webhook_house(tmp_path / "real") as at:
        endpoint = await at.endpoint("/ok")
        for _ in range(2):
            await at.ask("POST", f"/{endpoint['id']}/replay", {}, status=202)
