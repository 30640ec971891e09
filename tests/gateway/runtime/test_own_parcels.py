"""A parcel that the owner announces himself: promised by the box, followed, let in once."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.reports import ParcelStatus
from gateway.config.home import Home, OwnParcelsSection
from gateway.domain.delivery.own_parcel import OWN_BRAND, READING_PROBLEMS, TrackedStatus
from gateway.domain.delivery.promise import Claims, State
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Phase
from gateway.mqtt.packets import InboundMessage
from gateway.protocol import jws
from gateway.runtime.own_parcels import (
    PARCEL_REFUSAL_TEXTS,
    PARCEL_STATE_TEXTS,
    PARCEL_STATUS_TEXTS,
    AnnouncementProblem,
    ParcelAnnouncement,
    ParcelState,
    ParcelView,
    parse_day_hours,
)
from gateway.storage import own_parcels as stored
from gateway.storage.own_parcels import ParcelRefusal
from gateway.storage.snapshot import write_snapshot
from tests.gateway.domain.delivery.house import commit_reservation, make_step, receive
from tests.gateway.domain.delivery.shop import NOON, NOW, PARCEL, make_offer
from tests.shell.box import ShellBox, box, run_box, run_tasks
from tests.shell.house import make_home
from tests.shell.parts import ManualTime
from tests.waiting import assert_stays, wait_until

TODAY = date(2026, 6, 10)
OTHER = "8L20524752049"


def with_garage(folder: Path) -> Home:
    """The garage opens without the owner's tap; the front door leads into the living space."""
    return make_home(folder).model_copy(update={"own_parcels": OwnParcelsSection(without_tap=("garage",))})


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, with_garage(tmp_path)) as made, run_tasks(made.reception.run()):
        yield made


async def announced(made: ShellBox, number: str = PARCEL, **changes: Any) -> ParcelView:  # noqa: ANN401 - any field
    answer = await tried(made, number, **changes)
    assert isinstance(answer, ParcelView), answer
    return answer


async def tried(made: ShellBox, number: str = PARCEL, **changes: Any) -> ParcelView | str:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {"entrance": "front", "place": "hall", "first_day": TODAY, "last_day": TODAY}
    return await made.reception.own_parcels.announce(ParcelAnnouncement(number=number, **fields | changes), "anna")


def track(made: ShellBox, status: ParcelStatus | None, code: str = PARCEL) -> None:
    """What a live report of this instant says; None: nothing is known."""
    at = made.clock.now().utc
    made.store.tracked.clear()
    if status is not None:
        made.store.tracked[code] = TrackedStatus(status=status, at=at, until=at + timedelta(hours=12))
    made.reception.update_deliveries(tuple(view.key for view in made.reception.own_parcels.views()))


def refusal(made: ShellBox, view: ParcelView) -> Refusal | None:
    facts = made.store.deliveries.facts(view.key, made.clock.now())
    assert facts is not None
    return facts.refusal


# ---- the promise -----------------------------------------------------------------------------------------------------


async def test_the_box_itself_promises_it_under_its_own_key_and_the_number_stands_nowhere_in_the_id(
    made: ShellBox,
) -> None:
    view = await announced(made, note="shoes")
    order = made.store.deliveries.order(view.key)
    assert order is not None
    assert (order.brand, order.carrier, order.signed_by) == (OWN_BRAND, "Colissimo", made.key.public.text)
    assert order.id.startswith("colissimo-")
    assert PARCEL.lower() not in view.key
    (parcel,) = made.store.own_parcels.parcels()
    token: bytes = made.store.own_parcels.reader().execute("SELECT token FROM own_parcel").fetchone()[0]
    keys = {"box": jws.EnrolledKey(OWN_BRAND, made.key.public)}
    verified = jws.verify_enrolled(token, keys, jws.DELIVERY, Claims, max_bytes=4096)
    assert not isinstance(verified, jws.RejectedMessage)
    assert (verified[1].iss, verified[1].delivery.id) == (OWN_BRAND, order.id)
    assert parcel.note == "shoes"
    log = json.dumps(list(made.store.log.bodies_of_kind("own_parcel")))
    assert PARCEL not in log
    assert "anna" in log


async def test_it_is_published_to_nobody(made: ShellBox) -> None:
    async with run_tasks(made.office.run()):
        view = await announced(made)
        assert await made.reception.own_parcels.cancel(view.id, "anna") is None
        made.office.schedule_results()
        await assert_stays(lambda: made.line.sent == [], 0.2)
    assert made.store.deliveries.changed_results(made.clock.now()) == ()


async def test_no_key_lets_anybody_else_speak_for_the_house(made: ShellBox) -> None:
    """Neither a message on the broker nor one of the hub makes such a promise, though the box's own key signed it."""
    view = await announced(made)
    token: bytes = made.store.own_parcels.reader().execute("SELECT token FROM own_parcel").fetchone()[0]
    made.reception.on_retailer_message(InboundMessage(topic="offer", payload=token, retain=False, session=1))
    await wait_until(lambda: made.line.on("perron/deliveries/result"))
    (answer,) = (json.loads(one.payload) for one in made.line.on("perron/deliveries/result"))
    assert (answer["accepted"], answer["code"]) == (False, "unknown_key")
    assert OWN_BRAND not in made.store.brands.known
    order = made.store.deliveries.order(view.key)
    assert order is not None
    assert order.version == 1


async def test_the_same_parcel_is_announced_once_and_again_when_it_was_withdrawn(made: ShellBox) -> None:
    view = await announced(made)
    assert await tried(made) == ParcelRefusal.ALREADY_ANNOUNCED
    assert await tried(made, carrier="dpd", entrance="garage") == ParcelRefusal.ALREADY_ANNOUNCED, "nor elsewhere"
    assert await made.reception.own_parcels.cancel(view.id, "anna") is None
    assert await made.reception.own_parcels.cancel(view.id, "anna") == ParcelRefusal.UNKNOWN_PARCEL
    again = await announced(made, entrance="garage")
    order = made.store.deliveries.order(again.key)
    assert order is not None
    assert (again.key, order.version, order.entrance, again.state) == (view.key, 3, "garage", ParcelState.EXPECTED)


async def test_a_parcel_that_a_permitted_brand_announced_needs_no_second_promise(made: ShellBox) -> None:
    await receive(made.store, make_offer(carrier=min(made.home.brands["shop"].permission.carriers)), now=NOW)
    assert await tried(made) == ParcelRefusal.ANNOUNCED_BY_BRAND


async def test_a_brand_that_announces_it_later_has_the_word_at_the_door(made: ShellBox) -> None:
    await announced(made, comes_today=True)
    made.time.mono += 5400  # into the brand's window
    now = made.clock.now()
    assert [match.delivery.brand for match in made.store.deliveries.matches(PARCEL, now)] == [OWN_BRAND]
    await receive(made.store, make_offer(carrier=min(made.home.brands["shop"].permission.carriers)), now=NOW)
    assert [match.delivery.brand for match in made.store.deliveries.matches(PARCEL, now)] == ["shop"]
    await commit_reservation(made.store)
    found = [(match.delivery.brand, match.delivery.refusal) for match in made.store.deliveries.matches(PARCEL, now)]
    assert found == [("shop", Refusal.ALREADY_USED)], "the same label is not let in once more as the owner's own"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"number": "abc"}, "too_short"),
        ({"carrier": "pigeon"}, AnnouncementProblem.CARRIER),
        ({"last_day": TODAY - timedelta(days=1)}, AnnouncementProblem.WINDOW),
        ({"entrance": "roof"}, "unknown_entrance"),
        ({"place": "cellar"}, "unknown_place"),
    ],
)
async def test_what_cannot_be_announced_is_refused_with_its_reason_and_nothing_is_stored(
    made: ShellBox, changes: dict[str, Any], why: str
) -> None:
    assert await tried(made, **{"number": PARCEL} | changes) == why
    assert made.reception.own_parcels.views() == ()


async def test_a_household_announces_so_many_and_no_more(made: ShellBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_OPEN_PARCELS", 1)
    await announced(made)
    assert await tried(made, OTHER) == ParcelRefusal.TOO_MANY


async def test_without_a_certain_time_nothing_is_announced(tmp_path: Path) -> None:
    async with box(tmp_path, time=ManualTime(mono=100.0)) as made:
        made.clock.now = lambda: replace(NOW, trusted=False)  # type: ignore[method-assign]  # its clock is not set
        assert await tried(made) == AnnouncementProblem.CLOCK_UNTRUSTED


def test_every_reason_every_state_and_every_status_has_words() -> None:
    assert {*READING_PROBLEMS, *AnnouncementProblem, *ParcelRefusal} <= PARCEL_REFUSAL_TEXTS.keys()
    assert set(ParcelState) == PARCEL_STATE_TEXTS.keys()
    assert set(ParcelStatus) == PARCEL_STATUS_TEXTS.keys()
    for text in (*PARCEL_REFUSAL_TEXTS.values(), *PARCEL_STATE_TEXTS.values(), *PARCEL_STATUS_TEXTS.values()):
        assert text.to("fr") != text.to("en")


@pytest.mark.parametrize("text", ["", "8-9", "10:00-09:00", "10:00-10:00", "25:00-26:00", "10:00"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_day_hours(text)


# ---- when it may come in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.DELIVERED, ParcelState.DELIVERED),
        (Outcome.NOT_DELIVERED, ParcelState.NOT_DELIVERED),
        (Outcome.UNKNOWN, ParcelState.NOT_KNOWN),
        (Outcome.ATTENDED, ParcelState.ATTENDED),
    ],
)
async def test_the_end_of_its_visit_is_told_as_far_as_the_box_knows_it(
    made: ShellBox, outcome: Outcome, state: ParcelState
) -> None:
    view = await announced(made)
    result = c.ReportParcelResult(visit="v1", delivery=view.key, outcome=outcome)
    await made.store.commit(make_step(made.front.state, result))
    (shown,) = made.reception.own_parcels.views()
    assert (shown.state, shown.is_open) == (state, False)


async def test_its_way_is_shown_from_expected_over_out_for_delivery_to_delivered_elsewhere(made: ShellBox) -> None:
    view = await announced(made)
    assert (view.state, refusal(made, view)) == (ParcelState.EXPECTED, Refusal.NOT_OUT_FOR_DELIVERY)
    track(made, ParcelStatus.IN_TRANSIT)
    assert made.reception.own_parcels.views()[0].status is ParcelStatus.IN_TRANSIT
    assert refusal(made, view) is Refusal.NOT_OUT_FOR_DELIVERY
    track(made, ParcelStatus.OUT_FOR_DELIVERY)
    assert (made.reception.own_parcels.views()[0].state, refusal(made, view)) == (ParcelState.OPENS, None)
    assert await made.store.own_parcels.close_delivered(view.key, made.clock.now()) is None
    assert made.reception.own_parcels.views()[0].state is ParcelState.ELSEWHERE
    assert refusal(made, view) is Refusal.CANCELLED


async def test_the_owners_word_lets_it_in_today_and_can_be_taken_back(made: ShellBox) -> None:
    view = await announced(made, last_day=TODAY + timedelta(days=2))
    service = made.reception.own_parcels
    assert await service.say_today(view.id, "anna") is None
    assert refusal(made, view) is None
    assert service.views()[0].said_today
    assert await service.say_today(view.id, "anna", comes=False) is None
    assert refusal(made, view) is Refusal.NOT_OUT_FOR_DELIVERY
    await service.say_today(view.id, "anna")
    made.time.mono += 86_400
    assert refusal(made, view) is Refusal.NOT_OUT_FOR_DELIVERY, "the next day it has to be said again"
    assert not service.views()[0].said_today
    assert await service.say_today("nothing", "anna") == ParcelRefusal.UNKNOWN_PARCEL


async def test_the_owners_word_outlives_a_restart_and_a_tracking_does_not(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        said, followed = await announced(made, comes_today=True), await announced(made, OTHER)
        track(made, ParcelStatus.OUT_FOR_DELIVERY, OTHER)
        assert refusal(made, followed) is None
    async with box(tmp_path) as made:
        assert refusal(made, said) is None
        assert refusal(made, followed) is Refusal.NOT_OUT_FOR_DELIVERY


async def test_where_the_living_space_is_only_the_owner_lets_in(made: ShellBox) -> None:
    for entrance, number, needs_tap in (("front", PARCEL, True), ("garage", OTHER, False)):
        view = await announced(made, number, entrance=entrance, comes_today=True)
        facts = made.store.deliveries.facts(view.key, made.clock.now())
        assert facts is not None
        assert (facts.needs_yes, facts.needs_courier, view.needs_tap) == (needs_tap, False, needs_tap)


async def test_in_a_copy_of_the_store_it_must_be_announced_again(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        await announced(made, comes_today=True)
        write_snapshot(tmp_path / "perron.sqlite3", tmp_path / "copy.sqlite", NOW)
    folder = tmp_path / "other"
    folder.mkdir()
    (tmp_path / "copy.sqlite").rename(folder / "perron.sqlite3")
    async with box(folder) as made:
        (view,) = made.reception.own_parcels.views()
        assert (view.state, refusal(made, view)) == (ParcelState.ANNOUNCE_AGAIN, Refusal.ANNOUNCE_AGAIN)


# ---- the visit -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def ready(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day; the owner's parcel is out for delivery to the living space."""
    async with box(tmp_path, with_garage(tmp_path)) as made:
        await announced(made)
        track(made, ParcelStatus.OUT_FOR_DELIVERY)
        async with run_box(made):
            await made.good_day()
            await made.quiet()
            yield made


async def test_a_yes_that_was_given_before_the_scan_counts_for_nothing(ready: ShellBox) -> None:
    for visit in ("0", "own", ready.reception.own_parcels.views()[0].key):
        ready.front.post(e.OwnerDecided(visit=visit, yes=True))
    visit = await ready.ring(PARCEL)
    await ready.commits(visit)
    await wait_until(lambda: ready.front.state.visit is not None and ready.front.state.visit.phase is Phase.APPROVING)
    await ready.quiet()
    assert ready.commands(c.Unlock) == []


async def test_the_owner_is_asked_with_a_picture_and_his_yes_to_this_visit_opens(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    (asked,) = [one for one in ready.commands(c.NotifyOwner) if one.visit == visit]
    assert (asked.notification, asked.picture) == (c.Notification.ASKS_FOR_YES, True)
    ready.front.post(e.OwnerDecided(visit="another", yes=True))
    await ready.commits(visit)
    await ready.quiet()
    assert ready.commands(c.Unlock) == []
    ready.front.post(e.OwnerDecided(visit=visit, yes=True))
    ready.prove(visit)
    await wait_until(lambda: ready.commands(c.Unlock))
    assert [one.visit for one in ready.commands(c.Unlock)] == [visit]


async def test_a_yes_more_than_a_minute_after_the_scan_opens_nothing(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    await ready.commits(visit)
    await wait_until(lambda: ready.front.state.visit is not None and ready.front.state.visit.phase is Phase.APPROVING)
    ready.time.mono += 60 - ready.home.entrances["front"].timing.ring
    ready.prove(visit)
    ready.front.post(e.OwnerDecided(visit=visit, yes=True))
    await wait_until(lambda: ready.front.state.visit is None)
    assert ready.commands(c.Unlock) == []
    results = [one.outcome for one in ready.commands(c.ReportParcelResult)]
    assert Outcome.DELIVERED not in results


async def test_a_status_that_changes_while_it_rings_ends_the_visit(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    track(ready, ParcelStatus.DELIVERED)
    await wait_until(lambda: ready.front.state.visit is None)
    refusals = [one.refusal for one in ready.commands(c.AnswerScan) if one.refusal is not None]
    assert refusals == [Refusal.NOT_OUT_FOR_DELIVERY]
    assert ready.commands(c.Unlock) == []


async def test_the_store_itself_refuses_the_opening_when_the_day_has_ended(ready: ShellBox) -> None:
    """Nobody sends an event at midnight: the intent reads the facts again, in its transaction."""
    visit = await ready.ring(PARCEL)
    ready.store.tracked.clear()  # without a word to the entrance
    await ready.commits(visit)
    ready.front.post(e.OwnerDecided(visit=visit, yes=True))
    await wait_until(lambda: ready.front.state.visit is None)
    assert all(not any(isinstance(one, c.Unlock) for one in step.commands) for step in ready.journal.steps)


async def test_a_parcel_is_cancelled_at_the_door_too(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    (view,) = ready.reception.own_parcels.views()
    assert view.state is ParcelState.VISITING
    assert await ready.reception.own_parcels.cancel(view.id, "anna") == ParcelRefusal.TOO_LATE
    assert await tried(ready) == ParcelRefusal.ALREADY_USED


async def test_an_owners_request_by_mqtt_announces_says_and_withdraws(made: ShellBox) -> None:
    async def ask(**wish: Any) -> tuple[bool, str | None]:  # noqa: ANN401 - any field
        wish |= {"id": f"w{len(made.line.sent)}"}
        made.reception.on_owner_message(
            "garage", InboundMessage(topic="set", payload=json.dumps(wish).encode(), retain=False, session=1)
        )
        topic = "perron/entrance/garage/event"
        await wait_until(lambda: any(wish["id"].encode() in one.payload for one in made.line.on(topic)))
        said = json.loads(made.line.on(topic)[-1].payload)
        return said["accepted"], said["why"]

    parcel = {"do": "announce_parcel", "number": PARCEL, "place": "hall", "first_day": "2026-06-10"}
    assert await ask(**parcel, hours="10:00-09:00") == (False, "no parcel: window")
    assert await ask(**parcel, hours="14:00-18:00", note="shoes") == (True, None)
    (view,) = made.reception.own_parcels.views()
    assert (view.entrance, view.note, view.start) == ("garage", "shoes", datetime(2026, 6, 10, 12, tzinfo=UTC))
    assert await ask(do="parcel_today", parcel=view.id) == (True, None)
    assert made.reception.own_parcels.views()[0].said_today
    assert await ask(do="cancel_parcel", parcel=view.id) == (True, None)
    assert await ask(do="cancel_parcel", parcel=view.id) == (False, "no parcel: unknown_parcel")
    result = made.store.deliveries.result(view.key, replace(NOW, utc=NOON))
    assert result is not None
    assert result.state is State.CANCELLED
