"""Attacks on a whole house: real broker, real gateway, simulated house. What the door did is told by the house's log.

A test in which the door never opened where it should have does not pass: each plays a delivery too.
"""

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from devices.reports import DoorState, FridgeReport, LockReport, LockState
from devices.simulators import control as ask
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef
from gateway.cli.broker import open_session, wait_for_message
from gateway.config.devices import LockDevice
from gateway.config.topics import BRIDGE_STATE, OFFER_TOPIC, RESULT_TOPIC, entrance_topic
from gateway.demo.actors import PromisedDelivery
from gateway.demo.observers import TIMEOUT_MARGIN_S, Body
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement, door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT, ScenarioRun
from gateway.demo.verdict import read_proofs
from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, courier_token_digest, new_courier_token
from gateway.domain.delivery.promise import Cancel, Claims, Offer, Update, Window
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import Phase
from gateway.mqtt.client import ShortSession
from gateway.mqtt.packets import InboundMessage, Sent
from gateway.protocol.delivery_message import sign_delivery
from gateway.storage.audit_log import entries
from gateway.storage.schema import connect
from gateway.system.clock import machine_time
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow

LOCK, FRIDGE = "front-lock", "kitchen-fridge"
TO_THE_LOCK = f"perron/{LOCK}/set"
OTHER = ("LP123456785CN",)
DENIED = 0x87  # MQTT 5: not authorised
ANSWERS, TRIES = 10.0, 3  # seconds for a broker to do so


async def says(play: ScenarioRun, account: str, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
    """Publish under an account, as whoever stole its password can; the broker's reason code.

    Whose account it is takes its line back, maybe before the broker has answered: then it is said again.
    """
    for _ in range(TRIES):
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS), open_session(play.plan.home.broker.account(account), []) as guest:
                outcome = guest.publish(topic, payload, retain=retain)
                assert isinstance(outcome, Sent)
                return (await outcome.acknowledged).code
    return None


@asynccontextmanager
async def listening(play: ScenarioRun, topic: str) -> AsyncIterator[list[InboundMessage]]:
    """All that is said on a topic, as the installer's tool hears it."""
    so_far: list[InboundMessage] = []
    async with open_session(play.plan.home.broker.account("installer"), [topic]) as guest:

        async def listen() -> None:
            while True:
                so_far.append(await guest.receive())

        listener = asyncio.create_task(listen())
        try:
            yield so_far
        finally:
            listener.cancel()
            await asyncio.wait([listener])


async def offer_of(play: ScenarioRun, **promised: object) -> tuple[PromisedDelivery, bytes]:
    """A promise, and the signed message that made it."""
    async with listening(play, OFFER_TOPIC) as offers:
        parcels = await play.announce_delivery(**promised)
        await wait_until(lambda: offers)
    return parcels, offers[-1].payload


def door(play: ScenarioRun) -> tuple[str, ...]:
    play.log.read_new_lines()
    return door_movements(play.log.lines)


def signed(play: ScenarioRun, said: Offer | Update | Cancel) -> tuple[bytes, str]:
    """A retailer's message and its number."""
    signer, seconds = next(iter(play.plan.signers.values())), int(machine_time().timestamp())
    claims = Claims(
        iss=signer.brand, aud=play.plan.home.box, iat=seconds, nbf=seconds, exp=seconds + 3600,
        jti=secrets.token_urlsafe(18), delivery=said,
    )  # fmt: skip
    return sign_delivery(claims, signer.key, kid=signer.kid), claims.jti


async def updated(  # noqa: PLR0913 - what an update may change
    play: ScenarioRun,
    parcels: PromisedDelivery,
    *,
    version: int,
    codes: tuple[str, ...] | None = None,
    secret: bytes | None = None,
    window: Window | None = None,
) -> Body:
    """The retailer says the promise anew; the box's answer."""
    signer = next(iter(play.plan.signers.values()))
    said = Update(
        id=parcels.id,
        version=version,
        entrance=play.plan.entrance,
        carrier=play.plan.home.brands[signer.brand].permission.carriers[0],
        place=next(name for name, spot in play.section.places.items() if spot.fridge is None),
        window=window or parcels.window,
        parcels=codes or parcels.codes,
        courier_sha256=courier_token_digest(secret or secrets.token_bytes(COURIER_TOKEN_BYTES)),
    )
    message, jti = signed(play, said)

    def answers() -> list[Body]:
        return [body for body in play.watch.bodies("result") if body.get("answers") == jti]

    assert await says(play, "retailer", OFFER_TOPIC, message) == 0
    await play.watch.wait_until("the answer", lambda: bool(answers()), within=TIMEOUT_MARGIN_S)
    return answers()[0]


# ---- a captured unlock -----------------------------------------------------------------------------------------------


def soon_forgotten(plan: DemoPlan) -> DemoPlan:
    """A house whose lock keeps no command for longer than three seconds."""
    devices = {
        name: one.model_copy(update={"command_hold": 3.0}) if isinstance(one, LockDevice) else one
        for name, one in plan.home.devices.items()
    }
    return replace(plan, home=plan.home.model_copy(update={"devices": devices}))


async def test_an_unlock_that_the_lock_never_obeyed_opens_nothing_later_nor_after_a_reboot_with_a_wrong_clock(
    tmp_path: Path,
) -> None:
    """A lock that has just booted counts from nothing: by its uptime alone the captured deadline lies ahead again."""
    async with run_whole_house(tmp_path, soon_forgotten) as play, listening(play, TO_THE_LOCK) as sent:
        parcels = await play.announce_delivery()
        await play.set_fault(LOCK, "deaf")
        await play.scan_codes(parcels)
        await play.wait_for_alarm(AlarmCode.UNLOCK_UNKNOWN, due=play.timing.ring + 3 * play.plan.latency)
        await play.wait_for_seal()
        await play.set_fault(LOCK, "deaf", on=False)
        (unlock,) = (one for one in sent if b'"unlock"' in one.payload)

        async def replayed(why: str) -> None:
            before, heard = len(play.log.lines), len(play.watch.seen)
            assert await says(play, "gateway", TO_THE_LOCK, unlock.payload) == 0
            await play.log.wait_for_line("refused", within=TIMEOUT_MARGIN_S, after=before, device=LOCK, why=why)
            await play.watch.wait_for_reconnect(
                heard, within=2 * TIMEOUT_MARGIN_S
            )  # else the next one takes nothing over

        await replayed("expired")
        for clock_off in (0.0, -600.0, 600.0):
            await play.set_fault(LOCK, "clock_off", clock_off)
            await play.house.ask(ask.RebootDevice(device=LOCK))
            await play.house.until_connected()
            await replayed("foreign_boot")
        assert door(play) == ()

        # Who took the gateway's chair so often is another box to it.
        await play.watch.wait_until(
            "safe mode", lambda: play.watch.state.get("safe_mode") is True, within=TIMEOUT_MARGIN_S
        )
        await play.owner.send_request("acknowledge")
        await play.watch.wait_until(
            "no safe mode", lambda: play.watch.state.get("safe_mode") is False, within=TIMEOUT_MARGIN_S
        )
        await play.wait_until_ready()
        # And yet the lock, its clock still wrong, obeys what is meant now
        parcels = await play.announce_delivery(codes=OTHER)
        await play.deliver(parcels)
        (*_, unlock) = (one for one in sent if b'"unlock"' in one.payload)
        await replayed("repeated")
        assert door(play) == MOVES_ONCE_IN_AND_OUT


# ---- couriers --------------------------------------------------------------------------------------------------------


async def test_of_two_couriers_at_one_door_each_opens_it_with_his_own_code_only(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path) as play:
        one = await play.announce_delivery()
        two = await play.announce_delivery(codes=OTHER)
        await play.courier.does("arrive")
        await play.thief.does("arrive")

        for code in (one.courier_code, two.codes[0]):  # one courier's code, the other's parcel
            await play.thief.scans(code)
        await play.wait_for_refusal(Refusal.COURIER_NOT_PROVEN)
        await play.wait_for_refusal(Refusal.COURIER_NOT_PROVEN, due=play.timing.courier)
        assert not play.watch.events("ring")

        await play.wait_for_new_scan()
        for code in (one.codes[0], two.codes[0], one.courier_code, two.courier_code):  # both at the same moment
            await play.courier.scans(code)
        await play.wait_for_no_opening()
        assert not play.watch.events("ring")
        assert door(play) == ()

        await play.wait_for_new_scan()
        await play.courier.scans(one.codes[0])
        await play.courier.scans(one.courier_code)
        for code in (two.codes[0], two.courier_code):
            await play.thief.scans(code)
            await play.watch.wait_for_event("answer", word="wait", refusal=Refusal.BUSY.value)
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        await play.leave_and_seal()
        assert [body["delivery"] for body in play.watch.events("outcome")] == [f"{one.brand}.{one.id}"]

        await play.wait_for_new_scan()
        await play.deliver(two)
        assert [body["delivery"] for body in play.watch.events("outcome")] == [
            f"{one.brand}.{one.id}",
            f"{two.brand}.{two.id}",
        ]
        assert door(play) == 2 * MOVES_ONCE_IN_AND_OUT


async def test_a_promise_that_is_made_anew_takes_back_what_was_scanned_under_the_old_one(tmp_path: Path) -> None:
    """The old courier is not to come in any more; the new one, with the new parcel, is."""
    async with run_whole_house(tmp_path) as play:
        parcels = await play.announce_delivery()
        secret = secrets.token_bytes(COURIER_TOKEN_BYTES)
        await play.courier.does("arrive")
        await play.courier.scans(parcels.courier_code)
        await play.watch.wait_for_event("answer", word="wait")  # else the box may hear of the new promise first
        answer = await updated(play, parcels, version=2, secret=secrets.token_bytes(COURIER_TOKEN_BYTES))
        assert answer["accepted"] is True
        await play.courier.scans(parcels.codes[0])
        await play.wait_for_refusal(Refusal.COURIER_NOT_PROVEN)
        await play.wait_for_refusal(Refusal.COURIER_NOT_PROVEN, due=play.timing.courier)

        await play.wait_for_new_scan()
        await play.courier.scans(parcels.codes[0])
        await play.watch.wait_for_event("answer", word="wait")
        answer = await updated(play, parcels, version=3, codes=OTHER, secret=secret)
        assert answer["accepted"] is True
        await play.courier.scans(new_courier_token(secret))
        await play.wait_for_refusal(Refusal.COURIER_NOT_PROVEN)
        await play.wait_for_refusal(Refusal.COURIER_NOT_PROVEN, due=play.timing.courier)
        assert not play.watch.events("ring")
        assert door(play) == ()

        await play.wait_for_new_scan()
        await play.courier.scans(OTHER[0])
        await play.courier.scans(new_courier_token(secret))
        await play.wait_for_ringing()
        late = Window(start=parcels.window.end, end=parcels.window.end + timedelta(hours=1))
        for version, changes in ((4, {"window": late}), (5, {"codes": parcels.codes})):
            answer = await updated(play, parcels, version=version, **changes)
            assert answer["code"] == "too_late"  # whoever rings stands there under what was promised then
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        assert (await updated(play, parcels, version=6, window=late))["code"] == "too_late"
        assert (await play.retailer.cancel(parcels.id, version=7))["code"] == "too_late"
        await play.leave_and_seal()
        assert [body["outcome"] for body in play.watch.events("outcome")] == ["delivered"]
        assert door(play) == MOVES_ONCE_IN_AND_OUT


# ---- at the very moment of the intent --------------------------------------------------------------------------------

AROUND = (-0.3, -0.003, 0.001, 0.3)  # seconds from the end of the ringing, when the intent is decided


async def at_the_intent(play: ScenarioRun, seconds: float, account: str, topic: str, payload: bytes) -> None:
    """Say it so long after the intent is due (before, if negative), over a line that is open already."""
    rang = await play.watch.wait_for_event("phase", within=TIMEOUT_MARGIN_S, phase=Phase.RINGING)
    due = datetime.fromisoformat(rang["at"]) + timedelta(seconds=play.timing.ring + seconds)
    async with open_session(play.plan.home.broker.account(account), []) as guest:
        await asyncio.sleep((due - machine_time()).total_seconds())
        sent = guest.publish(topic, payload)
        assert isinstance(sent, Sent)
        await sent.acknowledged


async def test_a_cancel_at_the_very_moment_of_the_intent_is_either_in_time_or_told_that_it_is_too_late(
    tmp_path: Path,
) -> None:
    async with run_whole_house(tmp_path) as play:
        told: list[str | None] = []
        for number, seconds in enumerate(AROUND):
            parcels = await play.retailer.promise(codes=[f"PARCEL-{number}"])
            await play.wait_until_ready()
            play.watch.mark_seen()
            before = len(door(play))
            await play.scan_codes(parcels)
            cancel, jti = signed(play, Cancel(id=parcels.id, version=2))
            await at_the_intent(play, seconds, "retailer", OFFER_TOPIC, cancel)
            await play.wait_for_phase("ready", due=2 * play.timing.never + play.timing.post_roll)
            (answer,) = (body for body in play.watch.bodies("result") if body.get("answers") == jti)
            told.append(answer.get("code"))
            assert door(play)[before:] == ((DoorMovement.UNLOCKED, DoorMovement.LOCKED) if told[-1] else ())
        assert (told[0], told[-1]) == (None, "too_late")  # both sides were met
        assert set(told) == {None, "too_late"}


@pytest.mark.parametrize(("do", "undo"), [("revoke", "permit"), ("stop", "lift")])
async def test_no_intent_is_on_record_after_the_owners_no_however_close_it_came(
    tmp_path: Path, do: str, undo: str
) -> None:
    async with run_whole_house(tmp_path) as play:
        entrance = entrance_topic(play.plan.entrance, "set")
        for number, seconds in enumerate(AROUND):
            parcels = await play.retailer.promise(codes=[f"PARCEL-{number}"])
            await play.wait_until_ready()
            play.watch.mark_seen()
            about = {"brand": parcels.brand} if do == "revoke" else {}
            await play.scan_codes(parcels)
            wish = json.dumps({"id": f"no-{number}", "do": do, **about}).encode()
            await at_the_intent(play, seconds, "owner", entrance, wish)
            await play.wait_for_phase("ready", due=2 * play.timing.never + play.timing.post_roll)
            said = await play.watch.wait_for_event("wish", within=TIMEOUT_MARGIN_S, id=f"no-{number}")
            assert said["accepted"] is True
            await play.owner.send_request(undo, **about)
        record = on_record(play)
        rounds = " ".join(record).split("yes")[: len(AROUND)]
        assert len(rounds) == len(AROUND)
        assert all(said.split() in (["no"], ["intent", "no"]) for said in rounds), record
        assert ("intent" in rounds[0], "intent" in rounds[-1]) == (False, True)  # both sides were met
        assert door(play).count(DoorMovement.UNLOCKED) <= record.count("intent")


def on_record(play: ScenarioRun) -> list[str]:
    """What the box's log tells in its order: each intent, each of the owner's noes, each yes after it."""
    words: list[str] = []
    with closing(connect(play.plan.home.storage.folder / "perron.sqlite3", writes=False)) as log:
        for entry in entries(log, after=0, upto=None):
            assert isinstance(entry.body, bytes)
            match json.loads(entry.body):
                case {"kind": "stop"} | {"kind": "permission", "standing": "revoked"}:
                    words.append("no")
                case {"kind": "lift"} | {"kind": "permission", "standing": "granted"} if "no" in words:
                    words.append("yes")
                case {"kind": "step", "commands": commands}:
                    words += ["intent" for command in commands if command["command"] == "Reserve"]
    return words


# ---- cameras ---------------------------------------------------------------------------------------------------------


async def test_no_unlock_leaves_when_a_camera_is_unplugged_within_the_last_half_second_before_it(
    tmp_path: Path,
) -> None:
    """How late it can be unplugged in time depends on the machine: it is tried ever earlier until it was in time."""
    async with run_whole_house(tmp_path) as play:
        hall = play.section.cameras.inside[0]
        for number, lead in enumerate((0.1, 0.3, 0.5)):
            parcels = await play.retailer.promise(codes=[f"PARCEL-{number}"])
            await play.wait_until_ready()
            play.watch.mark_seen()
            await play.scan_codes(parcels)
            await play.wait_for_ringing()
            await asyncio.sleep(play.timing.ring - lead)
            await play.set_link(hall, up=False)
            await asyncio.sleep(lead + play.timing.live)
            opened = len(door(play)) > 2 * number  # as the tries before it
            await play.set_link(hall, up=True)
            await play.watch.wait_until(
                "ready", lambda: play.watch.state.get("phase") == "ready", within=2 * TIMEOUT_MARGIN_S
            )
            if not opened:
                break
            assert play.watch.messages(urgent=True)[-1]["about"] == AlarmCode.CAMERA_LOST
        else:
            pytest.fail("it was never in time")


async def test_a_camera_unplugged_right_after_the_unlock_is_alarmed_its_gap_declared_and_the_door_locked(
    tmp_path: Path,
) -> None:
    async with run_whole_house(tmp_path) as play:
        hall = play.section.cameras.inside[0]
        await play.scan_codes(await play.announce_delivery())
        await play.log.wait_for_line("bolt", within=play.timing.ring + TIMEOUT_MARGIN_S, state="withdrawn")
        await play.set_link(hall, up=False)
        await play.wait_for_alarm(AlarmCode.CAMERA_LOST)
        await play.courier.goes_in()
        await play.set_link(hall, up=True)
        await play.leave_and_seal()
        proofs = read_proofs(play.stage)
        assert proofs.problems == ()
        assert {hole.camera for manifest in proofs.manifests for hole in manifest.gaps} == {hall}
        assert door(play) == MOVES_ONCE_IN_AND_OUT


# ---- what the broker kept, and what comes twice ----------------------------------------------------------------------


async def test_nothing_that_the_broker_kept_is_acted_on_neither_live_nor_after_a_restart(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path) as play:
        parcels, offer = await offer_of(play)
        brand, entrance = parcels.brand, entrance_topic(play.plan.entrance, "set")
        before, results = dict(play.watch.state), len(play.watch.bodies("result"))
        await play.courier.does("arrive")
        for wish in ({"do": "home"}, {"do": "away"}, {"do": "revoke", "brand": brand}, {"do": "stop"}):
            body = json.dumps({"id": "kept", **wish}).encode()
            assert await says(play, "owner", entrance, body, retain=True) == 0
            assert await says(play, "retailer", OFFER_TOPIC, offer, retain=True) == 0
            for code in (parcels.codes[0], parcels.courier_code):
                await play.courier.scans(code, retain=True)
            await play.kill_gateway()  # of each topic the broker keeps the newest message
        await play.owner.send_request("acknowledge")  # so many deaths are safe mode
        await play.wait_until_ready()
        await play.watch.wait_until(
            "safe mode over", lambda: not play.watch.state["safe_mode"], within=TIMEOUT_MARGIN_S
        )
        await play.wait_for_no_opening()
        assert play.watch.events("ring") == play.watch.events("answer") == []
        assert [wish["id"] for wish in play.watch.events("wish") if wish["id"] == "kept"] == []
        assert [body for body in play.watch.bodies("result")[results:] if body.get("answers")] == []
        facts = ("stopped", "somebody_home", "away", "safe_mode", "phase")
        assert {name: play.watch.state[name] for name in facts} == {name: before[name] for name in facts}
        assert door(play) == ()
        await play.deliver(parcels)
        assert door(play) == MOVES_ONCE_IN_AND_OUT


async def test_what_comes_twice_counts_once(tmp_path: Path) -> None:
    """Every device says each message twice, as QoS 1 may; the retailer sends its offer twice, the owner his stop."""
    async with run_whole_house(tmp_path) as play:
        for device in (*play.section.scanners, play.plan.lock, play.plan.door, play.plan.signal):
            await play.set_fault(device, "duplicates")
        parcels, offer = await offer_of(play)
        answers = [body for body in play.watch.bodies("result") if body.get("answers")]
        assert await says(play, "retailer", OFFER_TOPIC, offer) == 0
        await play.watch.wait_until("the same answer", lambda: play.watch.bodies("result").count(answers[-1]) == 2,
                               within=TIMEOUT_MARGIN_S)  # fmt: skip
        await play.deliver(parcels)
        for kind in ("ring", "reserve", "unlock", "spend", "lock", "outcome"):
            assert len(play.watch.events(kind)) == 1, kind
        assert door(play) == MOVES_ONCE_IN_AND_OUT
        assert not play.watch.messages(urgent=True)
        await play.courier.scans(parcels.codes[0])
        await play.wait_for_refusal(Refusal.ALREADY_USED)
        assert await says(play, "retailer", OFFER_TOPIC, offer) == 0
        await play.watch.wait_until("the same answer", lambda: play.watch.bodies("result").count(answers[-1]) == 3,
                               within=TIMEOUT_MARGIN_S)  # fmt: skip
        await play.scan_codes(parcels)
        await play.wait_for_no_opening()
        assert door(play) == MOVES_ONCE_IN_AND_OUT


# ---- a device that was taken over ------------------------------------------------------------------------------------


async def test_a_fridge_that_was_taken_over_says_nothing_in_anothers_name_and_its_flood_delays_nobody(
    tmp_path: Path,
) -> None:
    async with run_whole_house(tmp_path) as play:
        parcels = await play.announce_delivery()
        await play.set_link(FRIDGE, up=False)
        unlocked, locked = (
            VENDORS["somfy"].encode_report(LockReport(bolt=bolt), DeviceRef("io://1234-5678-3293/5770898"))[0].payload
            for bolt in (LockState.UNLOCKED, LockState.LOCKED)
        )
        stop = json.dumps({"id": "w1", "do": "stop"}).encode()
        async with open_session(play.plan.home.broker.account(FRIDGE), ["#", "$share/all/#"]) as thief:
            for topic, payload in (
                (f"perron/{LOCK}/state", unlocked),
                (f"perron/{LOCK}/result", locked),
                (f"perron/{LOCK}/availability", b"{}"),
                (TO_THE_LOCK, unlocked),
                (f"perron/{play.plan.door}/state", locked),
                (f"perron/{play.section.scanners[0]}/event", parcels.codes[0].encode()),
                (f"perron/{play.section.signal}/event", b'{"answered":true}'),
                (entrance_topic(play.plan.entrance, "set"), stop),
                (entrance_topic(play.plan.entrance, "state"), b"{}"),
                (entrance_topic(play.plan.entrance, "checkpoint"), b"{}"),
                (OFFER_TOPIC, b"x"), (RESULT_TOPIC, b"x"), (BRIDGE_STATE, b"x"),
                (f"perron/{FRIDGE}/../{LOCK}/state", unlocked),
                (f"perron/{FRIDGE}/set", b"x"),
                ("perron", b"x"), ("$SYS/broker/version", b"x"),
            ):  # fmt: skip
                outcome = thief.publish(topic, payload, retain=True)
                assert isinstance(outcome, Sent), topic
                assert (await outcome.acknowledged).code == DENIED, topic
            flood = asyncio.create_task(_floods(thief))
            await play.deliver(parcels)  # each step within its usual time
            await play.owner.send_request("stop")
            await play.watch.wait_until("stopped", lambda: bool(play.watch.state.get("stopped")), within=3)
            flood.cancel()
            await asyncio.wait([flood])
            assert flood.cancelled()  # until then it never ended
            came = set()
            while (incoming := await heard_now(thief)) is not None:
                came.add(incoming.topic)
        assert came <= {f"perron/{FRIDGE}/get", f"perron/{FRIDGE}/set"}
        assert not play.watch.messages(urgent=True)
        assert door(play) == MOVES_ONCE_IN_AND_OUT
        assert play.stage.gateway.deaths == []


FLOOD_PAUSE_S = 0.002  # seconds after each 40 messages: the test reads and writes its other lines meanwhile


async def _floods(thief: ShortSession) -> None:
    """As much as the line takes: temperatures that are always other, and rubbish."""
    for number in itertools.count():
        report = FridgeReport(compartment="cooler", temp_c=number % 50, door=DoorState.CLOSED)
        (letter,) = VENDORS["smartthings"].encode_report(report, DeviceRef("kitchen-fridge-1"))
        for payload in (letter.payload, b"{" * 500):
            thief.publish(f"perron/{FRIDGE}/{letter.suffix}", payload, qos=0)
        await asyncio.sleep(0 if number % 20 else FLOOD_PAUSE_S)


async def heard_now(guest: ShortSession) -> InboundMessage | None:
    """What was heard and not read yet, if anything."""
    return await wait_for_message(guest, lambda _incoming: True, within=0.5)
