"""The account of a delivery that is over, out of a real log: what is in it, and what is the household's."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from devices.reports import DoorReport, DoorState, LockReport, LockState, OperationSource
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.now import Now
from gateway.domain.visit.commands import AnswerScan as Answered
from gateway.domain.visit.commands import (
    ConsumeOpening,
    LogNote,
    NotifyOwner,
    ReportDoorResult,
    ReportParcelResult,
    ScanAnswer,
)
from gateway.domain.visit.commands import Notification as Says
from gateway.domain.visit.conditions.cold_chain import FridgeReported, FridgeState
from gateway.domain.visit.events import CodeMatch, ReportContext, Scanned, SensorReported
from gateway.domain.visit.state import CodeKind, Entrance, Phase
from gateway.protocol.box_hub import BoxEvent, verify_by_box
from gateway.protocol.delivery_record import DeliveryRecord, RecordEntryKind, Statement, first_break
from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.keys import BoxKey
from gateway.storage.models import StoredDecision
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    entrance_state,
    make_step,
    open_store,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_cancel, make_offer, make_update, noon_plus
from tests.gateway.storage.test_hub_journal import Hub, accepted, signer, synced
from tests.house.reports import door_report, lock_report

HEARD = ReportContext(session=1)


def at(seconds: float) -> Now:
    """So long after the courier came."""
    return noon_plus(hours=2, seconds=seconds)


def door(leaf: DoorState) -> SensorReported:
    return door_report(report=DoorReport(door=leaf), context=HEARD)


def cold(celsius: float, place: str = "fridge") -> FridgeReported:
    return FridgeReported(place=place, fridge=FridgeState(temp_c=celsius))


async def walked(store: Store, *, house: DoorResult = DoorResult.LOCKED_AGAIN, flaps: int = 0) -> None:
    """A visit from the scan until the door is proven locked, as an entrance commits it, and what else is in a log."""
    under = visit_delivery(store, now=at(0))
    scan = Scanned(
        id="scan-1", scanner="scanner", code=PARCEL, matches=(CodeMatch(kind=CodeKind.PARCEL, delivery=under),)
    )
    wrong = Scanned(id="scan-0", scanner="scanner", code="ELSE", matches=())

    def one(event: Any, *commands: Any, phase: Phase | None = None, seconds: float) -> StoredDecision:  # noqa: ANN401 - any event
        now = at(seconds)
        running = entrance_state() if phase is None else entrance_state(under, phase=phase)
        return make_step(running, *commands, event=event, now=now)

    intent = reserve_step(under, now=at(20))
    no = Answered(scan="scan-0", scanner="scanner", answer=ScanAnswer.NO, refusal=Refusal.UNKNOWN_CODE)
    wait = Answered(scan="scan-1", scanner="scanner", answer=ScanAnswer.WAIT)
    drawn = LockReport(bolt=LockState.UNLOCKED, user="Marie")
    hand = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.KEYPAD, user="Marie")
    ended = ReportParcelResult(visit="v1", delivery=under.id, outcome=Outcome.DELIVERED)
    last = ReportDoorResult(visit="v1", delivery=under.id, door_result=house)
    for each in (
        make_step(entrance_state(), event=lock_report(report=hand, context=HEARD), now=noon_plus(hours=1)),
        make_step(entrance_state(), event=door(DoorState.OPEN), now=noon_plus(hours=1)),
        make_step(entrance_state(), event=cold(3.5), now=noon_plus(hours=1)),
        make_step(entrance_state(), event=cold(-18.0, place="freezer"), now=noon_plus(hours=1)),
        one(wrong, no, seconds=-9),
        one(scan, wait, seconds=-5),
        one(cold(3.5), LogNote(what="rings"), phase=Phase.RINGING, seconds=0),
        one(door(DoorState.CLOSED), phase=Phase.RINGING, seconds=1),
        intent,
        one(lock_report(report=drawn, context=HEARD), phase=Phase.UNLOCKED, seconds=21),
        one(door(DoorState.OPEN), ConsumeOpening(visit="v1", delivery=under.id), phase=Phase.INSIDE, seconds=22),
        one(scan, wait, phase=Phase.INSIDE, seconds=25),
        *(
            one(door((DoorState.CLOSED, DoorState.OPEN)[n % 2]), phase=Phase.INSIDE, seconds=26 + n / 100)
            for n in range(flaps)
        ),
        one(cold(4.46), phase=Phase.INSIDE, seconds=30),
        one(door(DoorState.CLOSED), phase=Phase.INSIDE, seconds=40),
        one(cold(4.5), ended, phase=Phase.RELOCKING, seconds=52),
        one(
            lock_report(report=LockReport(bolt=LockState.LOCKED), context=HEARD),
            last,
            NotifyOwner(notification=Says.LOCKED_AGAIN, detail="Marie is told"),
            phase=Phase.LOCKED_AGAIN,
            seconds=60,
        ),
        one(door(DoorState.OPEN), phase=Phase.LOCKED_AGAIN, seconds=65),
        one(cold(8.0), phase=Phase.LOCKED_AGAIN, seconds=66),
        one(cold(9.0), seconds=90),
    ):
        await store.commit(each)


def account(hub: Hub) -> tuple[DeliveryRecord, Statement]:
    """The newest one that the hub was given."""
    found = [one.account for one in hub.events if one.account is not None][-1]
    statement = verify_by_box(Statement, found.token.encode(), hub.key)
    assert isinstance(statement, Statement)
    assert first_break(found.lines, statement) is None
    return found, statement


async def test_parcels_the_door_and_how_cold_it_was_are_told_and_nothing_of_the_household(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer(place="fridge", max_celsius=6.0))
        await walked(store)
        await synced(store, hub, at(100))
    found, statement = account(hub)
    told = [((line.at - at(0).utc).total_seconds(), line.what, line.code or line.celsius) for line in found.lines]
    assert told == [
        (-5, RecordEntryKind.PARCEL, PARCEL[-4:]),
        (0, RecordEntryKind.TEMPERATURE, 3.5),
        (21, RecordEntryKind.UNLOCKED, None),
        (22, RecordEntryKind.OPENED, None),
        (30, RecordEntryKind.TEMPERATURE, 4.5),
        (40, RecordEntryKind.CLOSED, None),
        (60, RecordEntryKind.LOCKED_AGAIN, None),
    ]
    assert (statement.state, statement.house, statement.missing) == (State.DELIVERED, DoorResult.LOCKED_AGAIN, 0)
    assert (statement.home, statement.brand, statement.delivery, statement.version) == ("home-1", "shop", "d1", 1)
    assert (statement.clock_trusted, statement.left_out) == (True, 0)
    whole = found.model_dump_json() + statement.model_dump_json()
    assert not [word for word in ("Marie", "v1", "front", "scanner", "freezer", "-18") if f'"{word}"' in whole]


async def test_what_need_not_be_cold_has_no_temperatures(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer(place="fridge"))
        await walked(store)
        await synced(store, hub, at(100))
    assert RecordEntryKind.TEMPERATURE not in {line.what for line in account(hub)[0].lines}


async def test_there_is_none_before_door_and_parcels_have_both_come_to_an_end(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await store.commit(reserve_step(visit_delivery(store)))
        ended = ReportParcelResult(visit="v1", delivery="shop.d1", outcome=Outcome.DELIVERED)
        await store.commit(make_step(entrance_state(visit_delivery(store), phase=Phase.RELOCKING), ended))
        await synced(store, hub, IN_WINDOW)
        assert [one.result.state for one in hub.events if one.result is not None][-1] is State.DELIVERED
        assert not [one for one in hub.events if one.account is not None]
        handed = ReportDoorResult(visit="v1", delivery="shop.d1", door_result=DoorResult.HANDED_TO_OWNER)
        await store.commit(make_step(entrance_state(visit_delivery(store), phase=Phase.HANDED_TO_OWNER), handed))
        await synced(store, hub, IN_WINDOW)
        assert account(hub)[1].house is DoorResult.HANDED_TO_OWNER
        locked = ReportDoorResult(visit="v1", delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN)
        await store.commit(make_step(Entrance(id="front"), locked))
        await synced(store, hub, IN_WINDOW)
        assert account(hub)[1].house is DoorResult.LOCKED_AGAIN
        assert [line.what for line in account(hub)[0].lines] == [
            RecordEntryKind.HANDED_TO_OWNER,
            RecordEntryKind.LOCKED_AGAIN,
        ]


async def test_it_is_an_entry_of_the_box_s_log_and_names_it_by_its_hash_alone(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await walked(store)
        await synced(store, hub, at(100))
        (found, statement), entries = account(hub), list(store.log.entries())
    (place,) = [number for number, entry in enumerate(entries) if entry.hash.hex() == statement.entry]
    body = entries[place].body
    assert isinstance(body, bytes)
    said = json.loads(body)
    assert said["kind"] == "account"
    assert canonical_json(said["lines"]) == canonical_json(
        json.loads(found.model_dump_json(exclude_none=True))["lines"]
    )
    same = {**json.loads(statement.model_dump_json(exclude_none=True)), "at": said["account"]["at"]}
    assert {name: same[name] for name in said["account"]} == said["account"]
    told = found.model_dump_json() + statement.model_dump_json()
    assert not [entry for entry in entries if entry.hash.hex() in told.replace(statement.entry, "")]
    assert "seq" not in told


async def test_a_new_key_signs_an_account_that_the_hub_does_not_have_anew(tmp_path: Path) -> None:
    new, hub = BoxKey.generate(), Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await synced(store, hub)
        await walked(store)
        await store.hub_journal.write_due_events(at(100))
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(new), at(100))
        hub.key = new.public
        await synced(store, hub, at(100))
    assert account(hub)[1].state is State.DELIVERED


async def test_a_door_that_flaps_without_end_still_fits_into_an_event_and_says_that_lines_are_left_out(
    tmp_path: Path,
) -> None:
    hub = Hub()
    name = "d" * 64
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await accepted(store, make_offer(id=name, parcels=("OTHER",), courier_sha256="cd" * 32))
        await walked(store, flaps=200)
        await synced(store, hub, at(100))
    found, statement = account(hub)
    assert statement.left_out > 100
    assert found.lines[0].what is RecordEntryKind.PARCEL
    assert found.lines[-1].what is RecordEntryKind.LOCKED_AGAIN
    assert isinstance(hub.events[-1], BoxEvent)
    assert hub.refused == 0


async def test_what_was_erased_is_in_no_account_and_nothing_falls(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await walked(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "perron.sqlite")) as database:
        database.execute("UPDATE entry SET body = NULL, digest = zeroblob(32) WHERE visit = 'v1' OR visit IS NULL")
        database.commit()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await synced(store, hub, at(100))
    found, statement = account(hub)
    assert (found.lines, statement.state) == ((), State.DELIVERED)


async def test_it_names_the_bytes_of_the_message_that_was_taken_last(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        taken = await accepted(store, make_update())
        refused = await accepted(store, make_update())
        await walked(store)
        await synced(store, hub, at(100))
    assert taken is not None
    assert refused is not None
    assert (taken.result.accepted, refused.result.accepted) == (True, False)
    statement = account(hub)[1]
    assert (statement.version, statement.message_sha256) == (2, taken.result.token_sha256)


async def test_of_what_was_promised_before_bytes_were_noted_it_names_none(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await store._writer.do(lambda db: db.execute("UPDATE delivery SET message = NULL"))  # noqa: SLF001 - as a database from before
        await walked(store)
        await synced(store, hub, at(100))
    assert account(hub)[1].message_sha256 is None


async def test_an_answer_to_a_late_cancel_carries_the_account_too(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await synced(store, hub)
        await walked(store)
        await accepted(store, make_cancel(), now=at(100))  # before anything was told of the end
        await synced(store, hub, at(100))
    assert (account(hub)[1].state, account(hub)[1].version) == (State.DELIVERED, 1), "of what was promised"
    answer = next(one.result for one in hub.events if one.account is not None)
    assert answer is not None
    assert (answer.accepted, answer.code) == (False, "too_late")
