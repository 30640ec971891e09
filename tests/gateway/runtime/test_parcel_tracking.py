"""Where the household's parcels are, as its Home Assistant reports by statestream, or by an automation that answers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from devices.reports import ParcelStatus
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.domain.delivery.own_parcel import live_status
from gateway.domain.now import Now
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.own_parcels import ParcelAnnouncement, ParcelState, ParcelView
from gateway.runtime.parcel_tracking import ANSWER_AGE, QUERY_INTERVAL_S, ParcelTracker
from gateway.runtime.reconnects import SETTLE_TIME_S
from gateway.storage.models import StoreFailed
from tests.gateway.domain.delivery.shop import NOON, NOW, PARCEL
from tests.shell.box import AnsweringPublisher, ShellBox, box, run_tasks
from tests.shell.house import make_home
from tests.waiting import assert_stays, wait_until

BASE = "homeassistant/sensor/parcels"
OUT, UNKNOWN = ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.UNKNOWN


def with_tracking(folder: Path) -> Home:
    """One list by statestream (`stream`), one by an automation of the owner's (`asked`)."""
    document = make_home(folder).model_dump(mode="json")
    entity = {"kind": "parcels", "vendor": "homeassistant"}
    document["devices"] |= {
        "stream": entity | {"address": BASE},
        "asked": entity | {"address": "sensor.parcels"},
    }
    return Home.model_validate(document, strict=False)


class Followed:
    """A box whose tracking is followed, in session 1."""

    def __init__(self, made: ShellBox) -> None:
        self.made, self.changed = made, list[str]()
        assert isinstance(made.line, AnsweringPublisher)
        made.line.mute = True
        self.tracker = ParcelTracker(
            made.home, store=made.store, publisher=made.line, clock=made.clock, on_change=self.changed.extend
        )
        self.session = 1
        self.tracker.on_connected(1)

    def hear(self, channel: TopicSuffix, payload: bytes, *, device: str = "stream", retain: bool = False) -> None:
        message = InboundMessage(topic="t", payload=payload, retain=retain, session=self.session)
        self.tracker.on_message(device, channel, message)

    def lists(self, status: str, *, number: str = PARCEL, retain: bool = False) -> None:
        self.hear(TopicSuffix.PARCELS, json.dumps([{"barcode": number, "status": status}]).encode(), retain=retain)

    def answers(self, echo: str, status: str) -> None:
        body = {"echo": echo, "parcels": [{"barcode": PARCEL, "status": status}]}
        self.hear(TopicSuffix.RESULT, json.dumps(body).encode(), device="asked")

    @property
    def queries(self) -> list[str]:
        return [one.payload.decode() for one in self.made.line.on("perron/asked/get")]

    @property
    def status(self) -> ParcelStatus:
        store = self.made.store
        now = self.made.clock.now()
        return live_status(frozenset({PARCEL}), store.tracked, zone=store.delivery_context.zone, now=now)

    async def announce(self) -> ParcelView:
        day = self.made.clock.now().utc.date()
        parcel = ParcelAnnouncement(number=PARCEL, entrance="garage", place="hall", first_day=day, last_day=day)
        view = await self.made.reception.own_parcels.announce(parcel, None)
        assert isinstance(view, ParcelView)
        return view


@asynccontextmanager
async def follow(folder: Path) -> AsyncIterator[Followed]:
    async with box(folder, with_tracking(folder)) as made:
        yield Followed(made)


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    async with follow(tmp_path) as one:
        yield one


async def test_a_list_that_arrives_live_counts_until_the_next_one(followed: Followed) -> None:
    assert followed.status is UNKNOWN
    followed.lists("out_for_delivery")
    assert followed.status is OUT
    followed.lists("delivered")
    assert followed.status is ParcelStatus.DELIVERED
    followed.hear(TopicSuffix.PARCELS, b"[]")
    assert followed.status is UNKNOWN


async def test_what_the_broker_had_stored_counts_for_nothing(followed: Followed) -> None:
    followed.hear(TopicSuffix.LAST_UPDATED, NOON.isoformat().encode(), retain=True)
    followed.lists("out_for_delivery", retain=True)
    assert followed.status is UNKNOWN


async def test_a_new_connection_knows_nothing_and_neither_does_a_lost_one(followed: Followed) -> None:
    followed.lists("out_for_delivery")
    followed.tracker.on_disconnected()
    assert followed.status is UNKNOWN
    followed.lists("out_for_delivery")
    followed.tracker.on_connected(2)
    assert followed.status is UNKNOWN


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        (TopicSuffix.STATE, b"unavailable"),
        (TopicSuffix.STATE, b"unknown"),
        (TopicSuffix.BRIDGE, b"offline"),
        (TopicSuffix.PARCELS, b"{"),
        (TopicSuffix.PARCELS, b'{"parcels": []}'),
    ],
)
async def test_tracking_that_fails_knows_nothing(followed: Followed, channel: TopicSuffix, payload: bytes) -> None:
    followed.lists("out_for_delivery")
    followed.hear(channel, payload)
    assert followed.status is UNKNOWN


async def test_an_unreadable_time_takes_nothing_away(followed: Followed) -> None:
    followed.lists("out_for_delivery")
    followed.hear(TopicSuffix.LAST_UPDATED, b"soon")
    assert followed.status is OUT


async def test_a_message_that_was_dropped_unread_makes_it_unknown(followed: Followed) -> None:
    followed.lists("out_for_delivery")
    followed.tracker.on_missed("stream")
    assert followed.status is UNKNOWN


async def test_tracking_that_learnt_nothing_today_knows_nothing(followed: Followed) -> None:
    yesterday = NOON - timedelta(days=1)
    followed.hear(TopicSuffix.LAST_UPDATED, yesterday.isoformat().encode())
    followed.lists("out_for_delivery")
    assert followed.status is UNKNOWN
    followed.hear(TopicSuffix.LAST_UPDATED, NOON.isoformat().encode())
    followed.lists("out_for_delivery")
    assert followed.status is OUT


async def test_a_list_gets_old(followed: Followed) -> None:
    followed.lists("out_for_delivery")
    followed.made.time.mono += 9.9 * 3600
    assert followed.status is OUT
    followed.made.time.mono += 0.2 * 3600
    assert followed.status is UNKNOWN, "it is another day"


async def test_while_the_time_is_not_certain_nothing_is_learnt(followed: Followed) -> None:
    followed.made.clock.now = lambda: replace(NOW, trusted=False)  # type: ignore[method-assign]  # its clock is not set
    followed.lists("out_for_delivery")
    assert followed.made.store.tracked == {}


async def test_a_home_assistant_that_has_just_started_may_repeat_what_it_knew(followed: Followed) -> None:
    followed.hear(TopicSuffix.BRIDGE, b"offline")
    followed.hear(TopicSuffix.BRIDGE, b"online")
    followed.lists("out_for_delivery")
    assert followed.status is UNKNOWN
    followed.made.time.mono += SETTLE_TIME_S
    followed.lists("out_for_delivery")
    assert followed.status is OUT


async def test_an_automation_is_asked_when_the_box_connects_and_its_answer_counts_for_some_minutes(
    followed: Followed,
) -> None:
    assert followed.queries == ["1:1"]
    followed.answers("1:1", "out_for_delivery")
    assert followed.status is OUT
    followed.made.time.mono += ANSWER_AGE.total_seconds() - 1
    assert followed.status is OUT
    followed.made.time.mono += 1
    assert followed.status is UNKNOWN


@pytest.mark.parametrize("echo", ["1:0", "1:2", "0:1", "2:1", "x", "1:1:1"])
async def test_an_answer_to_no_query_of_this_connection_counts_for_nothing(followed: Followed, echo: str) -> None:
    followed.answers(echo, "out_for_delivery")
    assert followed.status is UNKNOWN


async def test_a_statestream_is_never_asked(followed: Followed) -> None:
    followed.tracker.query()
    assert followed.made.line.on("perron/stream/get") == []
    assert len(followed.queries) == 2


async def test_two_lists_that_disagree_make_a_parcel_unknown(followed: Followed) -> None:
    followed.lists("out_for_delivery")
    followed.answers("1:1", "delivered")
    assert followed.status is UNKNOWN
    followed.answers("1:1", "out_for_delivery")
    assert followed.status is OUT


async def test_the_entrance_is_told_when_the_owners_parcel_moves_and_of_no_other(followed: Followed) -> None:
    followed.lists("out_for_delivery")
    assert followed.changed == []
    view = await followed.announce()
    followed.lists("out_for_delivery", number="8L20524752049")
    assert followed.changed == [view.key], "it is unknown now"
    followed.lists("out_for_delivery")
    assert followed.changed == [view.key] * 2


async def test_while_a_parcel_is_expected_the_automation_is_asked_every_few_minutes(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.parcel_tracking.POLL_INTERVAL_S", 0.01)
    async with run_tasks(followed.tracker.run()):
        await assert_stays(lambda: len(followed.queries) == 1, 0.1)
        await followed.announce()
        await wait_until(lambda: len(followed.queries) == 2)
        await assert_stays(lambda: len(followed.queries) == 2, 0.1)
        followed.made.time.mono += QUERY_INTERVAL_S
        await wait_until(lambda: len(followed.queries) == 3)


async def test_a_parcel_that_its_carrier_delivered_elsewhere_is_closed(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await followed.announce()
    store = followed.made.store.own_parcels
    real, failures = store.close_delivered, [StoreFailed("full")]

    async def close(key: str, now: Now) -> object:
        if failures:
            raise failures.pop()
        return await real(key, now)

    monkeypatch.setattr(store, "close_delivered", close)
    monkeypatch.setattr("gateway.runtime.parcel_tracking.POLL_INTERVAL_S", 0.01)
    async with run_tasks(followed.tracker.run()):
        followed.lists("delivered")
        await wait_until(lambda: followed.made.reception.own_parcels.views()[0].state is ParcelState.ELSEWHERE)
    assert failures == [], "a disk that is full does not end it"
    assert followed.changed[-1] == view.key
    followed.lists("out_for_delivery")
    assert followed.made.reception.own_parcels.views()[0].state is ParcelState.ELSEWHERE
