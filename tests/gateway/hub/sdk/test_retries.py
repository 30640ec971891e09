"""A retailer's program behind a bad network: what it repeats takes effect once, and it says what it cannot know."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.hub.sdk import (
    AsyncClient,
    Client,
    ConflictError,
    HubFailedError,
    HubUnreachableError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    Retries,
)
from gateway.hub.sdk import operations as api
from gateway.hub.sdk.models import (
    DeliveryMetadataChange,
    DeliveryOrderChange,
    NewDeliveryOrder,
    NewPlainDelivery,
    NewWebhookEndpoint,
    NewWindow,
    PlainDeliveryChange,
)
from gateway.hub.sdk.request import ApiRequest, Fault, Reply, Send, Sleep, exchange
from tests.announcing import ConnectedHome, connected_home
from tests.hubs import hub_file, run_hub

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SHORT = Retries(first_s=0.0)
KEYS = iter(range(10**6))


@dataclass
class LossyLine:
    """A proxy before the hub. `lost`: how many answers it still loses, after the hub gave them."""

    hub: str
    lost: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = self.hub.removeprefix("http://")
        there, back = await asyncio.open_connection(*address.split(":"))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = await whole_message(reader)
                self.requests.append(request)
                back.write(re.sub(rb"(?i)(?<=\r\nhost: )[^\r]+", address.encode(), request, count=1))
                answer = await whole_message(there)
                if self.lost:
                    self.lost -= 1
                    break
                writer.write(answer)
        for end in (writer, back):
            end.close()


async def whole_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


@contextlib.asynccontextmanager
async def lossy_line(hub: str) -> AsyncIterator[tuple[LossyLine, str]]:
    line = LossyLine(hub)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    try:
        yield line, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def order(home: ConnectedHome, **more: Any) -> NewPlainDelivery:  # noqa: ANN401 - an order's fields
    start = datetime.now(UTC) + timedelta(days=1)
    fields = {"entrance": "front", "place": "hall", "carrier": "Chronopost", "parcels": ["XY123456785FR"], **more}
    window = NewWindow(start=start, end=start + timedelta(hours=2))
    return NewPlainDelivery(connection=home.connection, delivery=NewDeliveryOrder(window=window, **fields))


async def test_an_order_whose_answer_is_lost_again_and_again_is_announced_once(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, lossy_line(hub.url) as (line, url):
        home = await connected_home(hub)

        def announce() -> tuple[str, list[str]]:
            with Client(url, home.retailer.token, retries=SHORT) as client:
                made = client.create_delivery(order(home, name="order-1"))
                return made.id, [each.id for each in client.iterate_deliveries()]

        line.lost = 4
        made, found = await asyncio.to_thread(announce)
        assert found == [made]
        keys = {head.lower().partition(b"idempotency-key: ")[2].partition(b"\r\n")[0] for head in line.requests[:5]}
        assert len(keys) == 1, "each try has the same key"
        async with AsyncClient(url, home.retailer.token, retries=SHORT) as client:
            line.lost = 4
            wanted = order(home, parcels=["XY123456799FR"])
            second = await client.create_delivery(wanted, idempotency_key="order-2")
            again = await client.create_delivery(wanted, idempotency_key="order-2")
            assert again.id == second.id, "a program that was killed asks again under its own key"
            assert [each.id async for each in client.iterate_deliveries(limit=1)] == [second.id, made]
            line.lost = 99
            with pytest.raises(HubUnreachableError):
                await client.create_delivery(order(home))
            line.lost = 0


async def test_what_may_have_happened_is_said_where_a_repetition_cannot_tell(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, lossy_line(hub.url) as (line, url):
        home = await connected_home(hub)
        async with AsyncClient(url, home.retailer.token, retries=SHORT) as client:
            made = await client.create_delivery(order(home))
            change = PlainDeliveryChange(version=1, delivery=DeliveryOrderChange(parcels=["XY123456799FR"]))
            line.lost = 1
            with pytest.raises(ConflictError, match="may have taken effect") as conflict:
                await client.change_delivery(made.id, change)
            assert (conflict.value.code, conflict.value.maybe_done) == ("stale_version", True)
            now = await client.read_delivery(made.id)
            assert (now.version, now.parcels) == (2, ["XY123456799FR"]), "it was done once"
            with pytest.raises(ConflictError) as conflict:
                await client.change_delivery(made.id, change)
            assert not conflict.value.maybe_done, "no answer was lost"
            unversioned = change.model_copy(update={"version": None})
            line.lost, before = 1, len(line.requests)
            with pytest.raises(HubUnreachableError):
                await client.change_delivery(made.id, unversioned)
            assert len(line.requests) == before + 1, "repeated it would be another version"
            line.lost = 1
            changed = await client.change_delivery(made.id, DeliveryMetadataChange(metadata={"warehouse": "Lyon"}))
            assert changed.metadata == {"warehouse": "Lyon"}
            line.lost = 1
            endpoint = await client.create_webhook_endpoint(NewWebhookEndpoint(url="https://shop.example/hooks"))
            line.lost = 2
            await client.delete_webhook_endpoint(endpoint.id)
            with pytest.raises(NotFoundError):
                await client.delete_webhook_endpoint(endpoint.id)
            line.lost, before = 1, len(line.requests)
            with pytest.raises(HubUnreachableError):
                await client.create_sandbox()
            assert len(line.requests) == before + 1, "it takes no key, so a repetition would make a second one"


# ---- what `exchange` decides, told what came of each try ------------------------------------------------------------


def run(
    request: ApiRequest[Any], *outcomes: Reply | Fault, retries: Retries = SHORT
) -> tuple[list[Send], list[float], Any]:
    """What was sent, how long was waited, and the answer or the exception."""
    sent, waited, left = list[Send](), list[float](), list(outcomes)
    steps = exchange(request, retries, chance=lambda: 0.5, new_key=lambda: f"key-{next(KEYS)}", now=lambda: NOW)
    try:
        step = next(steps)
        while True:
            match step:
                case Send():
                    sent.append(step)
                    step = steps.send(left.pop(0))
                case Sleep(seconds):
                    waited.append(seconds)
                    step = steps.send(None)
    except StopIteration as end:
        return sent, waited, end.value
    except (HubUnreachableError, RefusedError) as error:
        return sent, waited, error


def reply(status: int, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}")


LOST, UNSENT = Fault("reset", arrived=True), Fault("refused", arrived=False)
CARRIERS = Reply(200, {}, b'{"data": []}')
AT = (NOW + timedelta(seconds=9)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_the_waits_double_up_to_the_longest_and_are_spread_by_chance() -> None:
    _, waited, error = run(api.list_carriers(), *[LOST] * 7, retries=Retries(tries=7, first_s=1.0, max_s=8.0))
    assert (waited, type(error)) == ([0.5, 1.0, 2.0, 4.0, 4.0, 4.0], HubUnreachableError)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [({"retry_after": "7"}, 7.0), ({"retry_after": AT}, 9.0), ({}, 0.0), ({"retry_after": "soon"}, 0.0)],
)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_it_waits_for_as_long_as_the_hub_asks(status: int, header: dict[str, str], seconds: float) -> None:
    sent, waited, answer = run(api.list_carriers(), reply(status, **header), CARRIERS)
    assert (len(sent), waited, answer.data) == (2, [seconds], [])


def test_a_hub_that_asks_for_an_hour_is_not_waited_for() -> None:
    sent, waited, error = run(api.list_carriers(), reply(429, retry_after="3600"))
    assert (len(sent), waited, type(error)) == (1, [], RateLimitedError)


@pytest.mark.parametrize(
    ("request_", "outcomes", "tries", "kind"),
    [
        (api.create_sandbox(), [UNSENT, UNSENT, reply(429), LOST], 4, HubUnreachableError),
        (api.create_sandbox(), [reply(503)], 1, HubFailedError),
        (api.list_carriers(), [reply(400)], 1, InvalidRequestError),
        (api.list_carriers(), [reply(404)], 1, NotFoundError),
        (api.list_carriers(), [LOST] * 5, 5, HubUnreachableError),
        (api.list_carriers(), [reply(500)] * 5, 5, HubFailedError),
        (api.list_carriers(), [Reply(200, {}, b"<html>")], 1, HubUnreachableError),
    ],
)  # fmt: skip
def test_how_often_it_tries_and_what_it_raises(
    request_: ApiRequest[Any], outcomes: list[Reply | Fault], tries: int, kind: type[Exception]
) -> None:
    sent, _, error = run(request_, *outcomes)
    assert (len(sent), type(error)) == (tries, kind)


def test_a_try_that_the_client_gave_up_may_still_be_at_work_under_the_same_key() -> None:
    conflict = Reply(409, {}, b'{"code": "conflict"}')
    made = api.make_courier_code("dlv-1")
    sent, _, error = run(made, LOST, conflict, conflict, reply(404))
    assert (len(sent), type(error)) == (4, NotFoundError)
    sent, _, error = run(made, conflict)
    assert (len(sent), type(error)) == (1, ConflictError)
