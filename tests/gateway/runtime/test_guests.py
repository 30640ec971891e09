"""Passes and stays on a real store and in front of a real entrance: granted, scanned, withdrawn, and never filmed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from devices.commands import ClearCode, QueryState, SetCode
from devices.reports import CodesReport, CodeStatus, ErrorReport, KeypadCode, OperationError
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.devices import KeypadDevice
from gateway.config.home import GuestsSection, Home
from gateway.config.validation import find_problems
from gateway.domain.delivery.permission import DAYS
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.guests.passes import Pass, PassProblem, PassState, Stay
from gateway.domain.guests.provisioning import CodeState
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import StrayCodeReported
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.entrance_configuration import private_periods
from gateway.runtime.guests import NewPass, new_pin
from gateway.runtime.keypad_codes import KeypadCodes
from gateway.runtime.maintenance import factory_reset
from gateway.runtime.maintenance.decommission import WipeObstacle, WipeObstacleReason
from gateway.runtime.maintenance.reload import replacement_errors
from gateway.storage.audit_log import bodies_of_kind
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import make_offer
from tests.guestcodes import leave_code
from tests.shell.box import SESSION, ShellBox, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.waiting import wait_until

PAD = "pad"


def guest_home(folder: Path, *, keypads: tuple[str, ...] = ()) -> Home:
    """The usual house, whose front door admits guests."""
    home = make_home(folder)
    front = home.entrances["front"].model_copy(update={"guests": GuestsSection(keypads=keypads)})
    devices = {**home.devices, PAD: KeypadDevice(kind="keypad", vendor="perron", slots=(20, 21))}
    return home.model_copy(update={"entrances": {**home.entrances, "front": front}, "devices": devices})


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, guest_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


def new_pass(made: ShellBox, *, openings: int | None = None, hours: float = 48) -> NewPass:
    now = made.clock.now().utc
    return NewPass(
        guest="Anna", entrances=frozenset({"front"}), starts=now - timedelta(hours=1),
        ends=now + timedelta(hours=hours), days=frozenset(DAYS), openings=openings,
    )  # fmt: skip


async def granted(made: ShellBox, *, openings: int | None = None) -> Pass:
    held = await made.reception.guests.grant(new_pass(made, openings=openings), "anna")
    assert isinstance(held, Pass), held
    return held


def refusals(made: ShellBox) -> list[Refusal | None]:
    return [answer.refusal for answer in made.commands(c.AnswerScan)]


async def test_a_guest_scans_the_code_of_the_pass_and_the_door_is_ordered_open_without_bell_or_film(
    made: ShellBox,
) -> None:
    held = await granted(made)
    made.scan(made.reception.guests.code(held))
    await wait_until(lambda: made.commands(c.Unlock))
    assert not made.commands(c.RingBell)
    assert not made.commands(c.StartRecording)
    (told,) = made.commands(c.NotifyOwner)
    assert (told.notification, told.picture, told.delivery) == (c.Notification.ADMITTED, False, held.key)


async def test_a_code_of_a_former_version_or_of_another_box_is_an_unknown_code(made: ShellBox) -> None:
    held = await granted(made)
    code = made.reception.guests.code(held)
    await made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    made.scan(code)
    await wait_until(lambda: refusals(made))
    assert refusals(made) == [Refusal.UNKNOWN_CODE]
    now = made.store.guests.find_pass(held.id)
    assert now is not None
    made.scan(made.reception.guests.code(now))
    await wait_until(lambda: len(refusals(made)) == 2)
    assert refusals(made)[-1] is Refusal.REVOKED


async def test_a_pass_opens_no_entrance_that_admits_no_guests(made: ShellBox) -> None:
    new = replace(new_pass(made), entrances=frozenset({"front", "garage"}))
    held = await made.reception.guests.grant(new, None)
    assert isinstance(held, Pass)
    assert held.entrances == {"front"}
    assert made.store.matches_at("garage", "courier:x", made.clock.now()) == ()
    only_garage = replace(new, entrances=frozenset({"garage"}))
    assert await made.reception.guests.grant(only_garage, None) is PassProblem.NO_ENTRANCE


async def test_a_proposal_opens_nothing_until_it_is_granted_and_is_stored_once(made: ShellBox) -> None:
    for _ in range(2):
        await made.reception.guests.grant(new_pass(made), None, proposed_by="calendar:7")
    (held,) = made.store.guests.passes()
    assert held.state is PassState.PROPOSED
    made.scan(made.reception.guests.code(held))
    await wait_until(lambda: refusals(made))
    assert refusals(made) == [Refusal.AWAITING_PERMISSION]
    changed = await made.reception.guests.change(held.id, PassState.GRANTED, "anna")
    assert isinstance(changed, Pass)
    assert changed.version == 2


async def test_the_page_of_a_pass_is_found_by_its_own_address_only(made: ShellBox) -> None:
    held = await granted(made)
    guests = made.reception.guests
    token = guests.page(held).removeprefix("/guest/")
    assert guests.find(token) == held
    assert guests.find(token[:-1] + ("a" if token[-1] != "a" else "b")) is None
    assert guests.find(held.id) is None
    await guests.change(held.id, PassState.ENDED, None)
    assert guests.find(token) is None


async def test_a_stay_reaches_the_entrance_refuses_couriers_and_outlives_a_restart(made: ShellBox) -> None:
    await receive(made.store, make_offer(courier_sha256=None))
    now = made.clock.now().utc
    stay = Stay(id="s1", guest="Anna", starts=now - timedelta(hours=1), ends=now + timedelta(days=2))
    assert await made.reception.guests.plan_stay(stay, "anna") is None
    made.scan(PARCEL)
    await wait_until(lambda: refusals(made))
    assert refusals(made) == [Refusal.GUEST_PRESENT]
    assert made.store.guests.stays_of("front") == (stay.period,)
    await made.reception.guests.end_stay("s1", "anna")
    await wait_until(lambda: not made.front.state.stays or made.front.state.stays[0].end <= made.clock.now().utc)
    assert await made.reception.guests.end_stay("s1", "anna") is PassProblem.UNKNOWN


def test_a_camera_rests_in_the_stays_that_hold_at_every_entrance_that_it_films(tmp_path: Path) -> None:
    home = make_home(tmp_path)  # "cam" films front door and garage, "hall" the front door
    begin = datetime(2026, 12, 1, tzinfo=UTC)
    everywhere = Stay(id="s1", guest="", starts=begin, ends=begin + timedelta(days=1))
    front = replace(everywhere, id="s2", entrances=frozenset({"front"}))
    assert [one.camera for one in private_periods(home, [everywhere])] == ["cam", "hall"]
    assert [one.camera for one in private_periods(home, [front])] == ["hall"]
    assert private_periods(home, [replace(everywhere, is_proposed=True)]) == ()


async def test_the_log_names_no_guest_and_no_code(made: ShellBox) -> None:
    held = await granted(made)
    code = made.reception.guests.code(held)
    made.scan(code)
    await wait_until(lambda: made.commands(c.Unlock))
    log = b"".join(entry.body for entry in made.store.log.entries() if isinstance(entry.body, bytes))
    assert b"Anna" not in log
    assert code.removeprefix("perron:").encode() not in log
    assert bodies_of_kind(made.store.guests.reader(), "pass_added")[0]["pass"] == held.id


async def test_visits_under_a_pass_are_counted_in_the_intent_s_transaction(made: ShellBox) -> None:
    held = await granted(made, openings=1)
    made.scan(made.reception.guests.code(held))
    await wait_until(lambda: made.commands(c.Unlock))
    facts = made.store.deliveries.facts(held.key, made.clock.now())
    assert facts is not None
    assert facts.openings_left == 0


def test_every_pin_is_one_that_every_keypad_takes() -> None:
    pins = {new_pin() for _ in range(300)}
    assert all(len(pin) == 6 and "0" not in pin and not pin.startswith("12") for pin in pins)
    assert len(pins) > 290


def test_a_house_file_that_names_no_keypad_or_place_is_refused(tmp_path: Path) -> None:
    home = guest_home(tmp_path, keypads=("lock",))
    front = home.entrances["front"].model_copy(update={"guests": GuestsSection(place="attic", keypads=("lock",))})
    wrong = home.model_copy(update={"entrances": {**home.entrances, "front": front}})
    found = {problem.loc[2:] for problem in find_problems(wrong) if "guests" in problem.loc}
    assert found == {("guests", "place"), ("guests", "keypads", 0)}


# ---- codes at a keypad ----------------------------------------------------------------------------------------------


class Keypad:
    """A keypad behind the box's publisher, that answers when it is asked."""

    def __init__(self, made: ShellBox) -> None:
        self.made, self.posted = made, list[bool]()
        self.codes = KeypadCodes(
            made.home, store=made.store, publisher=made.line, outbox=made.office, clock=made.clock,
            post=self._post, on_change=lambda: None,
        )  # fmt: skip
        self.stored: dict[int, KeypadCode] = {}
        self.is_deaf = self.keeps = False
        self.read = 0
        self.codes.on_connected(SESSION)

    def _post(self, _entrance: str, event: e.Event) -> None:
        assert isinstance(event, StrayCodeReported)
        self.posted.append(event.is_left)

    async def step(self, seconds: float = 1.0) -> None:
        """Time passes, the box looks at its codes, and the keypad does and answers what it was told."""
        self.made.time.mono += seconds
        await self.codes._advance_all()  # noqa: SLF001 - the loop's own step, without its waiting
        said, self.read = self.made.line.sent[self.read :], len(self.made.line.sent)
        for one in said:
            if f"perron/{PAD}/" in one.topic and not self.is_deaf:
                self._obey(TopicSuffix(one.topic.rpartition("/")[2]), one.payload)

    def _obey(self, channel: TopicSuffix, payload: bytes) -> None:
        command = VENDORS["perron"].decode_command(channel, payload, self.made.home.devices[PAD].device_ref)
        match command:
            case SetCode(slot=int(slot)):
                self.stored[slot] = KeypadCode(
                    slot=slot, status=CodeStatus.ENABLED, name=command.name, starts=command.starts, ends=command.ends
                )
            case ClearCode(slot=slot) if not self.keeps:
                self.stored.pop(slot, None)
            case QueryState(echo=str(echo)):
                self.answers(CodesReport(codes=tuple(self.stored.values()), is_complete=True), echo.encode())
            case _:
                pass

    def answers(self, report: CodesReport | ErrorReport, correlation: bytes | None, *, retain: bool = False) -> None:
        section = self.made.home.devices[PAD]
        (one,) = VENDORS["perron"].encode_report(report, section.device_ref)
        message = InboundMessage(
            topic="t", payload=one.payload, retain=retain, session=SESSION, correlation=correlation
        )
        self.codes.on_message(PAD, TopicSuffix.RESULT, message)

    def state(self) -> CodeState:
        """How far the only code is."""
        (code,) = self.made.store.guests.codes_of(self.made.store.guests.passes()[0].id)
        return code.state


@pytest_asyncio.fixture
async def pad(tmp_path: Path) -> AsyncIterator[Keypad]:
    async with box(tmp_path, guest_home(tmp_path, keypads=(PAD,))) as made:
        yield Keypad(made)


async def test_a_code_is_given_and_withdrawn_by_read_back_and_its_pin_is_forgotten(pad: Keypad) -> None:
    held = await granted(pad.made)
    (code,) = pad.made.store.guests.live_codes()
    await pad.step()
    await pad.step()
    assert (pad.state(), set(pad.stored)) == (CodeState.SET, {20})
    await pad.step()
    await pad.step()
    assert pad.state() is CodeState.PROVEN
    assert pad.posted == [False]
    await pad.made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    for _ in range(5):
        await pad.step()
    assert (pad.state(), pad.stored) == (CodeState.WITHDRAWN, {})
    (gone,) = pad.made.store.guests.codes_of(held.id)
    assert (gone.pin, len(code.pin)) == ("", 6)


async def test_a_pass_that_is_withdrawn_without_trusted_time_leaves_the_keypad_at_once(pad: Keypad) -> None:
    held = await granted(pad.made)
    for _ in range(4):
        await pad.step()
    read = pad.made.clock.now
    pad.made.clock.now = lambda: replace(read(), trusted=False)  # type: ignore[method-assign]  # its clock is not set
    await pad.made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    for _ in range(2):
        await pad.step()
    assert pad.stored == {}, "the order to delete leaves as soon as the keypad has said whose code it is"
    for _ in range(2):
        await pad.step()
    assert pad.state() is CodeState.WITHDRAWN


async def test_an_answer_of_before_the_withdrawal_proves_nothing_about_it(pad: Keypad) -> None:
    held = await granted(pad.made)
    for _ in range(2):
        await pad.step()
    pad.is_deaf = True
    await pad.step()  # asked whether it has the code, and answers late
    pad.answers(CodesReport(codes=(), is_complete=True), b"1:2")  # not yet: the order to store it is on its way
    await pad.made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    await pad.step()
    assert pad.state() is CodeState.WITHDRAWING
    assert pad.made.line.sent[-1].topic == f"perron/{PAD}/get", "it is asked anew"


async def test_a_withdrawal_while_the_box_stores_an_answer_is_not_undone(pad: Keypad) -> None:
    held = await granted(pad.made)
    for _ in range(2):
        await pad.step()
    (before,) = pad.made.store.guests.live_codes()
    await pad.made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    proven = replace(before, state=CodeState.PROVEN)
    saved = await pad.made.store.guests.save_code_at(proven, pad.made.clock.now(), before=before)
    assert (saved.is_stored, pad.state()) == (False, CodeState.WITHDRAWING)


async def test_a_keypad_that_keeps_the_code_is_an_alarm_and_closes_the_entrance_to_couriers(pad: Keypad) -> None:
    held = await granted(pad.made)
    for _ in range(3):
        await pad.step()
    pad.keeps = True
    await pad.made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    for _ in range(3):
        await pad.step()
    assert pad.state() is CodeState.WITHDRAWING
    assert pad.posted == [False]
    await pad.step(901)
    assert pad.posted == [False, True]
    bodies = [stored.body for stored in pad.made.store.messages.unsent()]
    assert sum(b"code_still_valid" in body for body in bodies) == 1
    pad.keeps = False
    await pad.step(61)
    for _ in range(3):
        await pad.step()
    assert pad.state() is CodeState.WITHDRAWN
    assert pad.posted == [False, True, False]


async def test_an_old_an_unasked_and_a_foreign_answer_prove_nothing(pad: Keypad) -> None:
    await granted(pad.made)
    for _ in range(2):
        await pad.step()
    there = CodesReport(codes=tuple(pad.stored.values()), is_complete=True)
    pad.answers(there, b"1:2")  # nobody asked yet
    pad.is_deaf = True
    await pad.step(1)
    pad.answers(there, b"1:2", retain=True)
    pad.answers(there, b"1:99")
    await pad.step(1)
    assert pad.state() is CodeState.SET
    pad.answers(there, b"1:2")
    await pad.step(1)
    assert pad.state() is CodeState.PROVEN


async def test_a_failed_query_is_void(pad: Keypad) -> None:
    await granted(pad.made)
    for _ in range(2):
        await pad.step()
    pad.is_deaf = True
    await pad.step(1)
    pad.answers(ErrorReport(id="x", failure=OperationError.TIMEOUT), None)
    pad.answers(CodesReport(codes=tuple(pad.stored.values()), is_complete=True), b"1:2")
    await pad.step(1)
    assert pad.state() is CodeState.SET


async def test_a_code_of_the_household_in_a_guest_s_slot_stays_there_when_a_pass_comes_and_when_it_goes(
    pad: Keypad,
) -> None:
    theirs = pad.stored[20] = KeypadCode(slot=20, status=CodeStatus.ENABLED, name="Claire")
    held = await granted(pad.made)
    for _ in range(7):
        await pad.step()
    assert (pad.state(), pad.stored[20], set(pad.stored)) == (CodeState.PROVEN, theirs, {20, 21})
    await pad.made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    for _ in range(7):
        await pad.step()
    assert (pad.state(), pad.stored) == (CodeState.WITHDRAWN, {20: theirs})


async def test_two_passes_that_are_granted_at_the_same_moment_take_two_slots(pad: Keypad) -> None:
    await asyncio.gather(granted(pad.made), granted(pad.made))
    assert sorted(code.number or 0 for code in pad.made.store.guests.live_codes()) == [20, 21]


async def test_a_code_that_is_left_at_a_keypad_of_no_entrance_any_more_is_an_alarm_too(pad: Keypad) -> None:
    await granted(pad.made)
    for _ in range(4):
        await pad.step()
    assert pad.state() is CodeState.PROVEN
    pad.codes.home = guest_home(pad.made.home.storage.folder.parent)
    pad.codes.__post_init__()
    pad.codes.on_connected(SESSION)
    pad.keeps = True
    (held,) = pad.made.store.guests.passes()
    await pad.made.reception.guests.change(held.id, PassState.REVOKED, "anna")
    await pad.step(901)
    bodies = [stored.body for stored in pad.made.store.messages.unsent()]
    assert sum(b"code_still_valid" in body for body in bodies) == 1


@pytest.mark.parametrize("limits", [{"openings": 1}, {"hours": "08:00-10:00"}, {"days": frozenset({"mon"})}])
async def test_a_pass_with_days_hours_or_a_number_of_openings_has_no_code_at_a_keypad_which_keeps_to_none_of_them(
    pad: Keypad, limits: dict[str, Any]
) -> None:
    held = await pad.made.reception.guests.grant(replace(new_pass(pad.made), **limits), "anna")
    assert isinstance(held, Pass)
    for _ in range(4):
        await pad.step()
    assert pad.made.store.guests.codes_of(held.id) == ()
    assert pad.stored == {}


async def test_a_keypad_without_a_free_slot_gets_no_further_code(pad: Keypad) -> None:
    for _ in range(3):
        await granted(pad.made)
    assert sorted(code.number or 0 for code in pad.made.store.guests.live_codes()) == [20, 21]


# ---- a keypad that goes, a box that is wiped -------------------------------------------------------------------------


async def test_a_wipe_withdraws_the_codes_first_and_names_the_keypad_that_keeps_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.maintenance.decommission.CODES_TIMEOUT_S", 0.2)
    async with box(tmp_path, guest_home(tmp_path, keypads=(PAD,))) as made, run_box(made):
        await made.good_day()
        pad = Keypad(made)
        await granted(made)
        while pad.state() is not CodeState.PROVEN:
            await pad.step()
        left = WipeObstacle(why=WipeObstacleReason.CODE, keypad=PAD)
        assert await made.removal.wipe("anna", held_too=False) == (left,)
        assert pad.state() is CodeState.WITHDRAWING
        assert not factory_reset.is_marked_for_wipe(made.home.storage.folder)
        for _ in range(5):
            await pad.step()
        assert pad.stored == {}
        assert await made.removal.wipe("anna", held_too=False) == ()
        assert factory_reset.is_marked_for_wipe(made.home.storage.folder)


async def test_an_owner_who_deletes_the_codes_at_the_keypad_wipes_the_box_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.maintenance.decommission.CODES_TIMEOUT_S", 0.2)
    async with box(tmp_path, guest_home(tmp_path, keypads=(PAD,))) as made, run_box(made):
        await made.good_day()
        await leave_code(made.store, made.clock.now(), keypad=PAD)
        assert await made.removal.wipe("anna", held_too=False, codes_too=True) == ()
        assert factory_reset.is_marked_for_wipe(made.home.storage.folder)


async def test_a_house_file_that_loses_a_keypad_with_a_code_is_not_taken(made: ShellBox) -> None:
    without = made.home.model_copy(update={"devices": {k: one for k, one in made.home.devices.items() if k != PAD}})
    assert not any(PAD in error for error in replacement_errors(made.home, without))
    await leave_code(made.store, made.clock.now(), keypad=PAD)
    assert (
        sum(f"`{PAD}` may still have a guest's code" in error for error in replacement_errors(made.home, without)) == 1
    )
    assert not any("guest's code" in error for error in replacement_errors(made.home, made.home))


async def test_a_code_at_a_keypad_that_the_house_file_lost_is_an_alarm_once_it_should_be_gone(made: ShellBox) -> None:
    home = made.home.model_copy(update={"devices": {k: one for k, one in made.home.devices.items() if k != PAD}})
    codes = KeypadCodes(
        home, store=made.store, publisher=made.line, outbox=made.office, clock=made.clock,
        post=lambda _entrance, _event: None, on_change=lambda: None,
    )  # fmt: skip
    code = await leave_code(made.store, made.clock.now(), keypad=PAD)

    async def alarms(at: datetime) -> int:
        read = made.clock.now
        made.clock.now = lambda: replace(read(), utc=at)  # type: ignore[method-assign]  # a moment of the next days
        await codes._advance_all()  # noqa: SLF001 - the loop's own step, without its waiting
        made.clock.now = read  # type: ignore[method-assign]  # as it was
        return sum(b"code_still_valid" in stored.body for stored in made.store.messages.unsent())

    assert [await alarms(code.ends + timedelta(minutes=minutes)) for minutes in (1, 16, 17)] == [0, 1, 1]
