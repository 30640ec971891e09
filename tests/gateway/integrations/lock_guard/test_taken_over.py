"""The house's broker is taken over, replays, holds back, invents, stands still: nothing opens."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.commands import UnlockDoor
from devices.reports import AvailabilityReport, BoltMotion, LockReport, LockState, OperationError, OperationSource
from devices.vendors import guard as words
from devices.vendors.words import NO_DEVICE_REF
from gateway.mqtt.packets import NotSent
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.guard_message import FromGuard, ToGuard, sign_guard_message, verify_guard_message
from gateway.protocol.keys import command_key, create_key, load_key
from tests.gateway.integrations.lock_guard.beside import AT
from tests.gateway.integrations.lock_guard.yard import (
    COMMAND_LIFETIME_S,
    DOOR,
    LOCK,
    RESULT,
    SET,
    GuardTestbed,
    correlation_properties,
    guard_file,
    guard_testbed,
)
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
A_WHILE = 0.5  # seconds in which what was to move would have moved: the bolt needs 0.05


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[GuardTestbed]:
    async with guard_testbed(tmp_path) as made:
        yield made


async def unlocked_and_locked(place: GuardTestbed) -> bytes:
    """A whole opening as it should be; returns the signed unlock as the attacker has it."""
    await place.ready()
    await place.unlocks("v1")
    assert await place.box.answer(LOCK) == LockReport(bolt=LockState.UNLOCKED, motion=BoltMotion.IDLE, jammed=False,
                                                      source=OperationSource.REMOTE)  # fmt: skip
    await place.locks("v1")
    claims = place.attacker.of(SET)
    return claims[0].payload


async def test_what_the_gateway_signs_moves_the_bolt_and_the_answers_prove_it(place: GuardTestbed) -> None:
    async with place.guard() as process:
        await unlocked_and_locked(place)
        answer = await place.box.answer(LOCK)
        assert isinstance(answer, LockReport)
        assert answer.bolt is LockState.LOCKED
        assert (place.moves("withdrawn"), place.moves("thrown")) == (1, 1)
        await wait_until(lambda: process.state.owes_locking is False)


async def test_a_replay_at_once_or_later_opens_nothing(place: GuardTestbed) -> None:
    async with place.guard():
        unlock = await unlocked_and_locked(place)
        for _ in range(5):
            await place.attacker.say(SET, unlock)
        await assert_stays(lambda: place.moves("withdrawn") == 1, COMMAND_LIFETIME_S + A_WHILE)
        await place.attacker.say(SET, unlock)
        await place.attacker.say(SET, unlock, retain=True)
        await place.box.answer(LOCK)
        await assert_stays(lambda: place.moves("withdrawn") == 1, A_WHILE)


async def test_a_replay_after_the_guard_s_reboot_opens_nothing(place: GuardTestbed) -> None:
    async with place.guard():
        unlock = await unlocked_and_locked(place)
    async with place.guard():
        await place.attacker.say(SET, unlock)
        await place.ready()
        await place.attacker.say(SET, unlock)
        await assert_stays(lambda: place.moves("withdrawn") == 1, A_WHILE)
        await place.unlocks("v2")


async def test_an_unlock_opens_no_other_lock(place: GuardTestbed) -> None:
    """Challenge, boot, counter and time are those of the other lock's guard: only the name in the order is not."""
    gateway = command_key(place.folder / "key")
    other = guard_file(place.folder, place.house, place.radio, gateway.public.text, lock="back-lock")
    async with place.guard(other):
        await wait_until(lambda: bool(place.attacker.of("perron/back-lock/availability")))
        beat = ToGuard(at="beat", lock="back-lock", question="b" * 22)
        await place.attacker.say("perron/back-lock/get", sign_guard_message(beat, gateway))
        await wait_until(lambda: any(claims.nonce for claims in said_by_guard(place, "back-lock")))
        facts = next(claims for claims in said_by_guard(place, "back-lock") if claims.nonce is not None)
        unlock = UnlockDoor(id="u9", intent="v9", issued_at=AT, expires_at=AT, boot=facts.boot, until_ms=20_000)
        body = words.encode_command(unlock, NO_DEVICE_REF).payload.decode()

        def order(lock: str) -> bytes:
            said = ToGuard(at="set", lock=lock, question=f"{lock}-order-of-it", nonce=facts.nonce, counter=1, body=body)
            return sign_guard_message(said, gateway)

        for _ in range(3):
            await place.attacker.say("perron/back-lock/set", order(LOCK))
        await assert_stays(lambda: place.moves("withdrawn") == 0, A_WHILE)
        await place.attacker.say("perron/back-lock/set", order("back-lock"))
        await wait_until(lambda: place.moves("withdrawn") == 1)


async def test_what_is_held_back_until_it_is_too_late_opens_nothing(place: GuardTestbed) -> None:
    async with place.guard():
        await place.ready()
        place.house.pause()  # it has everything, and delivers nothing
        assert not isinstance(place.box.unlock("v1"), NotSent)
        await assert_stays(lambda: place.moves("withdrawn") == 0, COMMAND_LIFETIME_S + A_WHILE)
        place.house.resume()
        await place.box.answer(LOCK)
        await wait_until(lambda: OperationError.EXPIRED in place.box.refusals())
        assert place.moves("withdrawn") == 0


async def test_forged_commands_open_nothing(place: GuardTestbed) -> None:
    async with place.guard():
        await place.ready()
        nonces = [claims.nonce for claims in said_by_guard(place) if claims.nonce is not None]
        boot = said_by_guard(place)[-1].boot
        unlock = UnlockDoor(id="u1", intent="v1", issued_at=AT, expires_at=AT, boot=boot, until_ms=20_000)
        body = words.encode_command(unlock, NO_DEVICE_REF).payload
        claims = ToGuard(at="set", lock=LOCK, question="q" * 22, nonce=nonces[-1], counter=1, body=body.decode())
        real = sign_guard_message(claims, command_key(place.folder / "key"))
        for forged in (
            b"",
            body,
            b'{"state":"UNLOCK"}',
            claims.model_dump_json().encode(),
            sign_guard_message(claims, SigningKey.from_seed(bytes(32))),
            real.rpartition(b".")[0] + b".",
            real.rpartition(b".")[0] + b"." + b"A" * 86,
        ):
            await place.attacker.say(SET, forged)
        await place.box.answer(LOCK)
        await assert_stays(lambda: place.moves("withdrawn") == 0, A_WHILE)
        await place.attacker.say(SET, real)  # and what he lacked was the key alone
        await wait_until(lambda: place.moves("withdrawn") == 1)


def said_by_guard(place: GuardTestbed, lock: str = LOCK) -> list[FromGuard]:
    key = load_key(place.folder / f"{lock}.pem")
    letters = [x for x in place.attacker.letters if x.topic.startswith(f"perron/{lock}/") and b"." in x.payload]
    found = [verify_guard_message(letter.payload, FromGuard, key.public) for letter in letters]
    return [claims for claims in found if isinstance(claims, FromGuard)]


async def test_a_forged_or_repeated_answer_counts_for_nothing(place: GuardTestbed) -> None:
    async with place.guard():
        await place.ready()
        old = next(letter for letter in place.attacker.of(RESULT) if b"." in letter.payload)
        await place.unlocks("v1")
        await wait_until(lambda: any(d == LOCK and isinstance(r, LockReport) and r.bolt is LockState.UNLOCKED
                                for d, r, _ in place.box.heard))  # fmt: skip
        await place.attacker.client.unsubscribe("#")
    await wait_until(lambda: isinstance(place.box.heard[-1][1], AvailabilityReport) and place.box.heard[-1][0] == DOOR)
    # the guard is gone: all that is heard now is the attacker's
    before = len(place.box.heard)
    forger = create_key(place.folder / "forger.pem")
    number = place.box.ask(LOCK)
    correlation = correlation_properties(f"{place.box.session}:{number}".encode())
    boot = next(told.boot for _, _, told in reversed(place.box.heard) if told.boot is not None)
    lie = words.encode_report(LockReport(bolt=LockState.LOCKED), NO_DEVICE_REF)[0].payload
    claims = FromGuard(lock=LOCK, part="lock", channel="result", boot=boot or "", seq=10_000, uptime_ms=9_999_999,
                       counter=9, question="q" * 22, body=lie.decode())  # fmt: skip
    for forged in (
        lie,
        b'{"lock_state":"locked"}',
        old.payload,
        sign_guard_message(claims, forger),
        claims.model_dump_json().encode(),
    ):
        for channel in ("result", "state", "event", "availability"):
            await place.attacker.say(f"perron/{LOCK}/{channel}", forged, correlation)
            await place.attacker.say(f"perron/{LOCK}/{channel}", forged, retain=True)
    await place.attacker.say(f"perron/{LOCK}/availability", words.OFFLINE)  # the last that is heard, so all was
    await wait_until(lambda: len(place.box.heard) > before)
    heard = {(device, type(report)) for device, report, _ in place.box.heard[before:]}
    assert heard == {(LOCK, AvailabilityReport), (DOOR, AvailabilityReport)}, "bad news alone needs no proof"


async def test_without_a_guard_that_answers_no_unlock_leaves(place: GuardTestbed) -> None:
    async with place.guard():
        await place.ready()
        await place.unlocks("v1")
        before = len(place.box.heard)
    gone = (LOCK, AvailabilityReport(online=False))
    await wait_until(lambda: gone in [(device, report) for device, report, _ in place.box.heard[before:]])
    assert place.box.unlock("v2") == NotSent.NO_CHALLENGE


async def test_a_lock_command_of_the_radio_never_crosses_the_house_s_broker(place: GuardTestbed) -> None:
    async with place.guard():
        await unlocked_and_locked(place)
        topics = {letter.topic for letter in place.attacker.letters}
        assert {topic.split("/")[1] for topic in topics} <= {LOCK, "bridge"}
        assert not [letter for letter in place.attacker.letters if b"deviceURL" in letter.payload]


async def test_an_order_that_comes_after_a_newer_one_opens_nothing(place: GuardTestbed) -> None:
    async with place.guard():
        await place.ready()
        place.house.pause()
        place.box.unlock("v1")
        place.house.resume()
        await wait_until(lambda: place.moves("withdrawn") == 1)
        first = place.attacker.of(SET)[0].payload
        await place.locks("v1")
        await place.unlocks("v2")
        await place.locks("v2")
        await place.attacker.say(SET, first)
        await place.box.answer(LOCK)
        await assert_stays(lambda: place.moves("withdrawn") == 2, A_WHILE)
