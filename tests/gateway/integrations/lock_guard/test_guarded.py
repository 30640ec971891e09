"""The gateway's side: what of a guard's words counts, and what leaves for it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from devices import commands as asked
from devices.vendors import guard as words
from devices.vendors.words import NO_DEVICE_REF, TopicSuffix
from gateway.config.devices import DoorDevice, GuardSection, LockDevice
from gateway.config.home import Home, Storage
from gateway.mqtt.packets import Acknowledgement, InboundMessage, NotSent, Sent
from gateway.protocol.guard_message import FromGuard, ToGuard, sign_guard_message, verify_guard_message
from gateway.protocol.keys import command_key, create_key
from gateway.runtime.guard_client import ANSWER_TIMEOUT_S, MAX_MESSAGES_PER_SECOND, GuardClient
from tests.gateway.integrations.lock_guard.beside import AT
from tests.gateway.integrations.lock_guard.yard import DOOR, LOCK, SET

BOOT, LATER = "1-00000000000000ff", "2-00000000000000ff"
LOCKED = '{"bolt":"locked","part":"lock"}'


class Desk:
    """The gateway's side with a line that keeps what leaves, and a guard that says what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.key = create_key(folder / "guard.pem")
        self.home = Home(
            box="box", name="House", storage=Storage(folder=folder), entrances={},
            devices={
                LOCK: LockDevice(
                    kind="lock", vendor="guard", address=LOCK, guard=GuardSection(key=self.key.public.text)
                ),
                DOOR: DoorDevice(kind="door", vendor="guard", address=LOCK),
            },
        )  # fmt: skip
        self.mono = 100.0
        self.left: list[tuple[str, bytes]] = []
        self.seq = 0
        self.guarded = GuardClient(self.home, publisher=self, monotonic=lambda: self.mono)

    def publish(  # noqa: PLR0913 - one argument a field of an MQTT 5 PUBLISH
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry: int | None = None,
        correlation: bytes | None = None, response_topic: str | None = None,
        user_properties: Mapping[str, str] | None = None, immediate: bool = False,
    ) -> Sent | NotSent:  # fmt: skip
        del qos, retain, expiry, correlation, response_topic, user_properties, immediate
        self.left.append((topic, payload))
        done: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        done.set_result(Acknowledgement(code=0, seconds=0.0))
        return Sent(done)

    @property
    def said(self) -> ToGuard:
        key = command_key(self.home.storage.folder / "key").public
        claims = verify_guard_message(self.left[-1][1], ToGuard, key)
        assert not isinstance(claims, str)
        return claims

    def hears(  # noqa: PLR0913 - the parts of a signed message
        self, *, question: str | None = None, part: str = "lock", body: str = LOCKED, boot: str = BOOT,
        seq: int | None = None, nonce: str | None = None, topic: TopicSuffix = TopicSuffix.RESULT, lock: str = LOCK,
    ) -> tuple[tuple[str, TopicSuffix, InboundMessage], ...]:  # fmt: skip
        self.seq += 1
        claims = FromGuard.model_validate(
            {
                "lock": lock,
                "part": part,
                "channel": "result" if question else "state",
                "boot": boot,
                "seq": self.seq if seq is None else seq,
                "uptime_ms": 7,
                "counter": 3,
                "question": question,
                "nonce": nonce,
                "nonce_ms": None if nonce is None else 15_000,
                "body": body,
            }
        )
        return self.raw(sign_guard_message(claims, self.key), topic)

    def raw(
        self, payload: bytes, topic: TopicSuffix = TopicSuffix.RESULT, *, retain: bool = False
    ) -> tuple[tuple[str, TopicSuffix, InboundMessage], ...]:
        incoming = InboundMessage(
            topic=f"perron/{LOCK}/{topic}", payload=payload, retain=retain, session=4, correlation=b"4:9",
            boot="forged", seq=99, uptime_ms=99,
        )  # fmt: skip
        return self.guarded.on_message((LOCK, DOOR), topic, incoming)

    def challenged(self) -> None:
        """The guard has answered a beat."""
        self.guarded.on_connected()
        assert self.hears(question=self.said.question, part="guard", body="", nonce="n" * 22) == ()

    def ask(self, device: str = LOCK) -> str:
        letter = words.encode_command(asked.QueryState(), self.home.devices[device].device_ref)
        self.guarded.publish(f"perron/{LOCK}/get", letter.payload, correlation=b"4:1")
        return self.said.question


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_an_answer_counts_with_what_its_signature_covers_and_nothing_else(desk: Desk) -> None:
    desk.challenged()
    ((device, channel, told),) = desk.hears(question=desk.ask(), topic=TopicSuffix.EVENT)
    assert (device, channel, told.payload) == (LOCK, TopicSuffix.RESULT, LOCKED.encode())
    assert (told.answered_query, told.boot, told.uptime_ms) == (1, BOOT, 7)


async def test_news_answers_nothing_whatever_the_broker_writes_beside_it(desk: Desk) -> None:
    desk.challenged()
    ((_, _, told),) = desk.hears()
    assert (told.correlation, told.answered_query) == (None, None)


async def test_an_answer_that_is_long_in_coming_is_news(desk: Desk) -> None:
    desk.challenged()
    question = desk.ask()
    desk.mono += ANSWER_TIMEOUT_S + 0.1
    ((_, _, told),) = desk.hears(question=question)
    assert told.answered_query is None


async def test_an_answer_to_no_question_of_ours_is_news(desk: Desk) -> None:
    desk.challenged()
    ((_, _, told),) = desk.hears(question="x" * 22)
    assert told.answered_query is None


async def test_the_same_words_twice_count_once(desk: Desk) -> None:
    desk.challenged()
    question = desk.ask()
    assert desk.hears(question=question, seq=50) != ()
    assert desk.hears(question=question, seq=50) == ()
    assert desk.hears(seq=49) == ()


async def test_another_boot_is_believed_by_its_answer_alone(desk: Desk) -> None:
    desk.challenged()
    assert desk.hears(boot=LATER) == (), "an old tale, perhaps"
    question = desk.ask()
    ((_, _, told),) = desk.hears(question=question, boot=LATER, seq=1)
    assert told.boot == LATER
    assert desk.hears(boot=BOOT) == ()


async def test_what_another_guard_signed_counts_for_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.challenged()
    question = desk.ask()
    desk.key = create_key(tmp_path / "other.pem")
    assert desk.hears(question=question) == ()


async def test_what_is_of_another_lock_or_stored_counts_for_nothing(desk: Desk) -> None:
    desk.challenged()
    assert desk.hears(question=desk.ask(), lock="back-lock") == ()
    assert desk.raw(b'{"bolt":"locked","part":"lock"}') == ()
    assert desk.raw(words.OFFLINE, TopicSuffix.STATE) == ()
    assert desk.raw(b'{"online":true}', TopicSuffix.AVAILABILITY) == ()
    assert desk.raw(LOCKED.encode(), TopicSuffix.AVAILABILITY) == ()


async def test_that_the_guard_is_gone_needs_no_proof(desk: Desk) -> None:
    desk.challenged()
    gone = desk.raw(words.OFFLINE, TopicSuffix.AVAILABILITY)
    assert [(device, told.boot, told.answered_query) for device, _, told in gone] == [
        (LOCK, None, None),
        (DOOR, None, None),
    ]


async def test_the_door_s_words_reach_the_door_alone(desk: Desk) -> None:
    desk.challenged()
    ((device, _, _),) = desk.hears(question=desk.ask(DOOR), part="door", body='{"door":"closed","part":"door"}')
    assert device == DOOR


async def test_a_question_waits_for_a_challenge(desk: Desk) -> None:
    desk.guarded.on_connected()
    assert desk.said.at == "beat"
    beat = desk.said.question
    desk.ask()
    assert [topic for topic, _ in desk.left] == [f"perron/{LOCK}/get"]
    desk.hears(question=beat, part="guard", body="", nonce="n" * 22)
    assert (desk.said.at, desk.said.nonce) == ("get", "n" * 22)


def unlocking() -> bytes:
    command = asked.UnlockDoor(id="u1", intent="v1", issued_at=AT, expires_at=AT, boot=BOOT, until_ms=5)
    return words.encode_command(command, NO_DEVICE_REF).payload


async def test_an_unlock_carries_the_challenge_and_the_next_counter_once(desk: Desk) -> None:
    desk.challenged()
    assert isinstance(desk.guarded.publish(SET, unlocking(), immediate=True), Sent)
    assert (desk.said.at, desk.said.nonce, desk.said.counter) == ("set", "n" * 22, 4)
    assert desk.guarded.publish(SET, unlocking(), immediate=True) == NotSent.NO_CHALLENGE


async def test_without_a_living_challenge_no_unlock_leaves(desk: Desk) -> None:
    assert desk.guarded.publish(SET, unlocking()) == NotSent.NO_CHALLENGE
    desk.challenged()
    desk.mono += 14.5
    assert desk.guarded.publish(SET, unlocking()) == NotSent.NO_CHALLENGE
    assert not [topic for topic, _ in desk.left if topic == SET]


async def test_what_is_for_others_leaves_as_it_is(desk: Desk) -> None:
    desk.guarded.publish("perron/front-signal/set", b"{}")
    assert desk.left == [("perron/front-signal/set", b"{}")]
    told = InboundMessage(topic="perron/front-signal/state", payload=b"{}", retain=True, session=1)
    assert desk.guarded.on_message(("front-signal",), TopicSuffix.STATE, told) == (
        ("front-signal", TopicSuffix.STATE, told),
    )


async def test_a_flood_of_forgeries_costs_only_so_much(desk: Desk) -> None:
    desk.challenged()
    for _ in range(MAX_MESSAGES_PER_SECOND):
        desk.raw(b"a.b.c")
    assert desk.hears() == ()
    desk.mono += 1.0
    assert desk.hears() != ()
