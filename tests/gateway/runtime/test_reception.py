"""A reception with its real store: scans, the receivers' acts, answers, results, messages, deadlines, restarts."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.custody import OFFER_LIFE_S, CustodyRefusal, CustodyStage, DeclineReason
from gateway.domain.delivery.promise import Update
from gateway.evidence.epcis_export import signed_epcis
from gateway.evidence.verify import verify_proof
from gateway.protocol.key_succession import KeyHistory
from gateway.storage.models import StoreFailed
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_cancel, make_update, make_window, noon_plus
from tests.shell.box import IN_WINDOW_MONO_S
from tests.shell.desk import DESK, MARC, NINA, OTHER_PARCEL, DeskBox, desk_box
from tests.shell.house import PARCEL
from tests.shell.parts import ManualTime
from tests.waiting import wait_until


async def taken(desk: DeskBox) -> None:
    """A parcel was announced, offered and received."""
    await desk.announce()
    await desk.offered()
    assert (await desk.desk.accept(MARC, PARCEL)).refusal is None


async def test_a_parcel_is_delivered_for_the_retailer_once_the_receiver_scanned_it(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        await desk.offered()
        await wait_until(lambda: desk.shown() == ["go"])
        assert desk.box.store.deliveries.result("shop.d1", desk.box.clock.now()).state == "visiting"  # type: ignore[union-attr]  # it was announced
        assert not any(result["state"] == "delivered" for result in desk.results()), (
            "the courier's scan delivers nothing"
        )
        outcome = await desk.desk.accept(MARC, PARCEL)
        assert outcome.refusal is None
        await wait_until(lambda: any(result["state"] == "delivered" for result in desk.results()))
        assert desk.results()[-1]["custody"] == "receiver"
        assert "house" not in desk.results()[-1], "no door was moved"


async def test_with_nobody_on_duty_the_scanner_says_no_and_the_owner_learns_it_once(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        for number in range(3):
            desk.scan(PARCEL)
            await wait_until(lambda number=number: len(desk.shown()) == number + 1)  # type: ignore[misc]  # bound now
        assert desk.shown() == ["no"] * 3
        assert desk.refusals() == ["no_receiver"] * 3
        await wait_until(lambda: len(desk.messages()) == 1)
        assert desk.messages()[0]["about"] == "no_receiver"
        assert (
            desk.messages()[0]["text"] == "Colissimo came for shop, and nobody was on duty at the reception (Concierge)"
        )
        assert len(desk.box.store.log.bodies_of_kind("custody")) == 1, "one entry for one refusal, however often"
        assert desk.stage() is CustodyStage.ANNOUNCED


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"window": make_window(3, 4)}, "outside_window"),
        ({"parcels": (OTHER_PARCEL,)}, "unknown_code"),
        ({"carrier": "Colissimo", "entrance": "front", "place": "hall"}, "unknown_code"),
    ],
)
async def test_what_may_not_come_is_answered_no(tmp_path: Path, changes: dict[str, object], refusal: str) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.desk.set_duty(MARC, on=True)
        await desk.announce(**changes)
        desk.scan(PARCEL)
        await wait_until(lambda: desk.shown() == ["no"])
        assert desk.refusals() == [refusal]


async def test_a_stored_scan_of_the_broker_is_no_courier(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        await desk.desk.set_duty(MARC, on=True)
        desk.scan(PARCEL, retain=True)
        await asyncio.sleep(0.1)
        assert (desk.shown(), desk.stage()) == ([], None)


async def test_a_receiver_takes_only_what_the_courier_offers_and_only_on_duty(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        assert (await desk.desk.accept(MARC, PARCEL)).refusal is CustodyRefusal.NOT_OFFERED
        await desk.offered()
        assert (await desk.desk.accept(NINA, PARCEL)).refusal is CustodyRefusal.NOT_ON_DUTY
        assert (await desk.desk.accept(MARC, OTHER_PARCEL)).refusal is CustodyRefusal.NOT_OFFERED
        assert desk.stage() is CustodyStage.OFFERED


async def test_a_declined_parcel_tells_the_retailer_why_and_may_come_again(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        await desk.offered()
        assert (await desk.desk.decline(MARC, "shop.d1", PARCEL, DeclineReason.NO_ROOM)).refusal is None
        await wait_until(lambda: any(one["state"] == "not_delivered" for one in desk.results()))
        assert desk.results()[-1]["reason"] == "declined_no_room"
        await wait_until(lambda: len(desk.messages()) == 1)
        assert desk.messages()[0]["text"] == "The reception (Concierge) did not take the parcel from shop: no room"
        await desk.offered()
        await desk.desk.accept(MARC, PARCEL)
        await wait_until(lambda: [one["state"] for one in desk.results()][-1:] == ["delivered"])


async def test_a_parcel_goes_on_to_the_household_and_the_owner_confirms_it(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await taken(desk)
        assert (await desk.desk.confirm("p-anna", PARCEL)).refusal is CustodyRefusal.NOT_HANDED_OVER
        assert (await desk.desk.hand_over(NINA, PARCEL, "Anna")).refusal is CustodyRefusal.NOT_YOURS
        assert (await desk.desk.hand_over(MARC, PARCEL, "Anna Dupont")).refusal is None
        held = desk.parcel()
        assert held is not None
        assert held.state.to == "Anna Dupont"
        assert (await desk.desk.confirm("p-anna", PARCEL)).refusal is None
        assert desk.stage() is CustodyStage.CONFIRMED
        await wait_until(lambda: [one["about"] for one in desk.messages()] == ["parcel_received", "parcel_handed_over"])
        assert desk.messages()[0]["text"] == "Marc Petit: the parcel from shop is at the reception (Concierge)"
        log = json.dumps(desk.box.store.log.bodies_of_kind("custody"))
        assert "Dupont" not in log
        assert PARCEL not in log


async def test_two_parcels_are_delivered_when_both_are_taken(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce(parcels=(PARCEL, OTHER_PARCEL))
        await desk.offered(PARCEL)
        await desk.desk.accept(MARC, PARCEL)
        await desk.offered(OTHER_PARCEL)
        assert not any(one["state"] in {"delivered", "partly_delivered"} for one in desk.results())
        await desk.desk.accept(MARC, OTHER_PARCEL)
        await wait_until(lambda: [one["state"] for one in desk.results()][-1:] == ["delivered"])


async def test_what_was_not_offered_until_the_window_ended_is_missing(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce(parcels=(PARCEL, OTHER_PARCEL))
        await desk.offered(PARCEL)
        await desk.desk.accept(MARC, PARCEL)
        await desk.passes(3600.0)
        await wait_until(lambda: bool(desk.results()) and desk.results()[-1]["state"] == "partly_delivered")
        assert desk.results()[-1]["missing"] == 1
        assert not any(one["state"] == "expired" for one in desk.results())


async def test_an_offer_that_nobody_answers_lapses_and_the_courier_may_scan_again(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        await desk.offered()
        await desk.passes(OFFER_LIFE_S)
        await wait_until(lambda: desk.stage() is CustodyStage.ANNOUNCED)
        result = desk.box.store.deliveries.result("shop.d1", desk.box.clock.now())
        assert result is not None
        assert result.state == "window_open"
        desk.scan(PARCEL)
        await wait_until(lambda: desk.stage() is CustodyStage.OFFERED)


async def test_the_retailer_can_neither_change_nor_cancel_what_a_receiver_has(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await taken(desk)
        update = make_update(entrance=DESK, place=DESK, courier_sha256=None)
        assert isinstance(update, Update)
        now = noon_plus(hours=2)
        assert (await receive(desk.box.store, update, now=now)).result.code == "too_late"
        assert (await receive(desk.box.store, make_cancel(), now=now)).result.code == "too_late"


async def test_perishable_goods_that_stay_too_long_raise_one_alarm_that_a_restart_does_not_lose(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce(max_celsius=4.0, window=make_window(1, 6))
        await desk.offered()
        await desk.desk.accept(MARC, PARCEL)
        await desk.passes(7100.0)
        assert not any(one["urgent"] for one in desk.messages())
    later = ManualTime(mono=IN_WINDOW_MONO_S + 7201.0)
    async with desk_box(tmp_path, time=later) as desk:
        await wait_until(lambda: any(one["urgent"] for one in desk.messages()))
        (alarm,) = (one for one in desk.messages() if one["urgent"])
        assert alarm["about"] == "kept_too_long"
        assert "goods that must stay cold still lie at the reception (Concierge): Marc Petit" in alarm["text"]
        await desk.passes(7200.0)
        assert sum(one["urgent"] for one in desk.messages()) == 1


async def test_a_reception_that_keeps_nothing_cold_takes_no_cold_delivery(tmp_path: Path) -> None:
    async with desk_box(tmp_path, keep_cold=None) as desk:
        with pytest.raises(AssertionError, match="place_not_cold"):
            await desk.announce(max_celsius=4.0)


async def test_a_receiver_is_on_duty_within_his_hours_only(tmp_path: Path) -> None:
    evening = ManualTime(mono=100.0 + 7 * 3600.0)
    async with desk_box(tmp_path, time=evening) as desk:
        assert desk.box.clock.now().utc.astimezone(ZoneInfo("Europe/Paris")) == datetime(
            2026, 6, 10, 21, tzinfo=ZoneInfo("Europe/Paris")
        )
        assert not await desk.desk.set_duty(MARC, on=True)
        assert desk.desk.on_duty() == frozenset()


async def test_who_goes_off_duty_gets_no_more_couriers(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        await desk.desk.set_duty(MARC, on=True)
        await desk.desk.set_duty(MARC, on=False)
        desk.scan(PARCEL)
        await wait_until(lambda: desk.refusals() == ["no_receiver"])


async def test_the_custody_is_sealed_step_by_step_and_each_step_verifies(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await taken(desk)
        held = desk.parcel()
        assert held is not None
        folder = tmp_path / "visits" / held.visit
        await wait_until((folder / "manifest.json").exists)
        await desk.desk.hand_over(MARC, PARCEL, "Anna")
        await desk.desk.confirm("p-anna", PARCEL)
        await wait_until(lambda: len(list(folder.glob("manifest*.json"))) >= 2)
        await desk.box.quiet()
        verdict = verify_proof(folder, public_key=desk.box.key.public)
        assert verdict.ok, verdict
        assert verdict.parts[0].manifest.delivery is not None
        assert verdict.parts[0].manifest.outcome == "delivered"
        document, _ = signed_epcis(
            folder, key=desk.box.key, line=KeyHistory(), zone=ZoneInfo("Europe/Paris"), made=NOW.utc, codes={}
        )
        steps = [event["bizStep"] for event in json.loads(document)["epcisBody"]["eventList"]]
        assert steps == ["arriving", "receiving", "collecting", "accepting"]


async def test_what_a_crash_left_unsealed_is_sealed_at_the_next_start(tmp_path: Path) -> None:
    async with desk_box(tmp_path, runs=False) as desk:
        await desk.announce()
        await desk.desk.set_duty(MARC, on=True)
        await desk.desk.offer(PARCEL, source="test")
        await desk.desk.accept(MARC, PARCEL)
        held = desk.parcel()
    assert held is not None
    folder = tmp_path / "visits" / held.visit
    assert not folder.exists(), "the archive did not run"
    async with desk_box(tmp_path) as desk:
        await wait_until((folder / "manifest.json").exists)
        assert desk.stage() is CustodyStage.RECEIVED
    async with desk_box(tmp_path) as desk:
        await desk.box.quiet()
        assert len(list(folder.glob("manifest*.json"))) == 1, "a start without news seals nothing"


async def test_a_start_while_a_parcel_is_offered_seals_nothing(tmp_path: Path) -> None:
    """The scan of the courier alone is no custody: what is sealed begins with who took the parcel, or declined it."""
    async with desk_box(tmp_path, runs=False) as desk:
        await desk.announce()
        await desk.desk.set_duty(MARC, on=True)
        await desk.desk.offer(PARCEL, source="test")
    async with desk_box(tmp_path) as desk:
        await desk.box.quiet()
        held = desk.parcel()
        assert held is not None
        folder = tmp_path / "visits" / held.visit
        assert not folder.exists()
        await desk.desk.accept(MARC, PARCEL)
        await wait_until((folder / "manifest.json").exists)
        await desk.box.quiet()
        assert len(list(folder.glob("manifest*.json"))) == 1


async def test_a_full_disk_answers_no_and_nobody_is_believed_to_have_a_parcel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        await desk.desk.set_duty(MARC, on=True)

        async def full(*_: object) -> None:
            raise StoreFailed("no space left on device")

        monkeypatch.setattr(desk.box.store.custodies, "decide", full)
        desk.scan(PARCEL)
        await wait_until(lambda: desk.shown() == ["no"])
        assert desk.refusals() == ["not_ready"]
        assert desk.stage() is None


async def test_a_flood_of_scans_is_dropped_and_the_next_courier_is_heard(tmp_path: Path) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        await desk.desk.set_duty(MARC, on=True)
        for number in range(500):
            desk.scan(f"wrong-{number}")
        await desk.box.quiet()
        assert len(desk.shown()) <= 5
        desk.box.time.mono += 1.5
        desk.scan(PARCEL)
        await wait_until(lambda: desk.stage() is CustodyStage.OFFERED)
        assert len(desk.box.store.log.bodies_of_kind("custody")) == 1
