"""Where retailers' signed messages and the owner's wishes are taken in."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.domain.delivery.features import SPEAKS
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Phase
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.publisher import GATEWAY_BIRTH_AND_WILL, is_gateway_online, rfc3339_ms
from gateway.protocol import jws, owner_requests
from gateway.protocol.box_hub import Ack, JobOutcome, token_digest
from gateway.protocol.delivery_message import sign_delivery
from gateway.runtime.inbox import MAX_QUEUED_MESSAGES, MAX_QUEUED_REQUESTS
from gateway.storage.hub_journal import EventSigner
from gateway.storage.models import StoreFailed
from tests.gateway.domain.delivery.shop import (
    PARCEL,
    SECRETS,
    make_cancel,
    make_claims,
    make_offer,
    make_offer_v2,
    make_update,
    sign_claims,
)
from tests.shell.box import ShellBox, box, run_box, run_tasks
from tests.shell.house import home_without_permission, make_home
from tests.waiting import assert_stays, wait_until

QUIET_S = 0.05  # seconds in which an answer that nobody is to get would have come
RETRY_S = 0.01  # seconds between two tries to store a stop: short, for a test


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path) as made, run_tasks(made.reception.run()):
        yield made


def offered(made: ShellBox, token: bytes, *, retain: bool = False) -> None:
    made.reception.on_retailer_message(
        InboundMessage(topic="perron/deliveries/offer", payload=token, retain=retain, session=1)
    )


def asked(made: ShellBox, wish: object, *, entrance: str = "front", retain: bool = False) -> None:
    payload = wish if isinstance(wish, bytes) else json.dumps(wish).encode()
    made.reception.on_owner_message(entrance, InboundMessage(topic="set", payload=payload, retain=retain, session=1))


def answers(made: ShellBox) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in made.line.on("perron/deliveries/result")]


def replies(made: ShellBox, entrance: str = "front") -> list[tuple[str, bool, str | None]]:
    said = [json.loads(one.payload) for one in made.line.on(f"perron/entrance/{entrance}/event")]
    return [(one["id"], one["accepted"], one["why"]) for one in said if one["kind"] == "wish"]


# ---- retailers -------------------------------------------------------------------------------------------------------


async def test_a_hub_that_keeps_nothing_of_what_it_is_told_is_taken_no_more_from_than_may_wait(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.hub_journal.MAX_WAITING_EVENTS", 3)
    now = made.clock.now()
    await made.store.hub_journal.set_signer(EventSigner(home="home-1", key=made.key), now)

    async def heard(token: bytes) -> JobOutcome:
        return await made.reception.accept_from_hub(token, "home-1")

    nobody = [b"a.b.%d" % number for number in range(5)]
    assert await heard(sign_claims(make_claims(make_offer()))) is JobOutcome.ANSWERED
    assert [await heard(one) for one in nobody] == [JobOutcome.ANSWERED] * 2 + [JobOutcome.RETRY_LATER] * 3
    assert await heard(sign_claims(make_claims(make_offer(id="d2", parcels=("P2",))))) is JobOutcome.RETRY_LATER
    assert await heard(sign_claims(make_claims(make_cancel()))) is JobOutcome.ANSWERED, (
        "access is taken away at any time"
    )
    made_, head = made.store.hub_journal.last_seq(), token_digest(made.store.hub_journal.unacknowledged(0, 9)[-1].token)
    await made.store.hub_journal.acknowledge(Ack(seq=made_, head=head), now)
    assert await heard(sign_claims(make_claims(make_offer(id="d2", parcels=("P2",))))) is JobOutcome.ANSWERED


async def test_a_signed_offer_is_answered_and_its_entrance_is_told(made: ShellBox) -> None:
    message = make_claims(make_offer())
    offered(made, sign_claims(message))
    await wait_until(lambda: answers(made))
    (answer,) = answers(made)
    assert (answer["answers"], answer["accepted"], answer["state"]) == (message.jti, True, "scheduled")
    assert made.touched == ["front"]
    assert made.store.deliveries.order("shop.d1") is not None


async def test_the_first_offer_of_a_brand_without_a_permission_tells_the_owner_once(tmp_path: Path) -> None:
    async with (
        box(tmp_path, home_without_permission(make_home(tmp_path))) as made,
        run_tasks(made.reception.run(), made.office.run()),
    ):
        for number in range(3):
            offered(
                made,
                sign_claims(
                    make_claims(make_offer(id=f"d{number}", parcels=(f"p-{number}",), courier_sha256=f"{number:064x}"))
                ),
            )
        await wait_until(lambda: len(answers(made)) == 3)
        await wait_until(lambda: made.line.on("perron/entrance/front/message"))
        await made.quiet()
        (said,) = (json.loads(one.payload) for one in made.line.on("perron/entrance/front/message"))
        assert (said["about"], said["urgent"], said["delivery"]) == ("brand_asks", False, "shop.d0")
        assert said["text"].startswith("shop, par Colissimo, demande à entrer : Hall, Fridge seulement (Front, Garage)")
        assert {answer["state"] for answer in answers(made)} == {"awaiting_permission"}


async def test_a_forged_offer_is_refused_and_touches_nothing(made: ShellBox) -> None:
    forged = sign_delivery(make_claims(make_offer()), SECRETS["stranger"], kid="shop-1")
    offered(made, forged)
    await wait_until(lambda: answers(made))
    assert (answers(made)[0]["accepted"], answers(made)[0]["code"]) == (False, "wrong_signature")
    assert made.touched == []
    assert made.store.deliveries.order("shop.d1") is None


async def test_the_same_bytes_get_the_same_answer(made: ShellBox) -> None:
    token = sign_claims(make_claims(make_offer()))
    offered(made, token)
    await wait_until(lambda: len(answers(made)) == 1)
    offered(made, token)
    await wait_until(lambda: len(answers(made)) == 2)
    assert answers(made)[0] == answers(made)[1]


async def test_a_stored_copy_of_an_offer_is_old_news(made: ShellBox) -> None:
    offered(made, sign_claims(make_claims(make_offer())), retain=True)
    await assert_stays(lambda: answers(made) == [], QUIET_S)


@pytest.mark.parametrize("token", [b"", b"\xff" * 100, b"a.b.c", b"x" * 70_000])
async def test_rubbish_is_refused(made: ShellBox, token: bytes) -> None:
    offered(made, token)
    await wait_until(lambda: answers(made))
    assert answers(made)[0]["accepted"] is False


async def test_a_flood_of_offers_is_told_of_in_one_line_and_the_next_offer_is_answered(made: ShellBox) -> None:
    with capture_logs() as lines:
        for _ in range(MAX_QUEUED_MESSAGES + 100):
            offered(made, b"rubbish")
    assert [line["event"] for line in lines] == ["offers_flooded"]
    await wait_until(lambda: len(answers(made)) == MAX_QUEUED_MESSAGES)
    offered(made, sign_claims(make_claims(make_offer())))
    await wait_until(lambda: answers(made)[-1]["accepted"])


async def test_a_flood_of_offers_neither_ends_the_box_nor_costs_the_walk_test_its_delivery(made: ShellBox) -> None:
    for _ in range(MAX_QUEUED_MESSAGES + 100):
        offered(made, b"rubbish")
    made.reception.submit_test_message(sign_claims(make_claims(make_offer())))
    await wait_until(lambda: len(answers(made)) == MAX_QUEUED_MESSAGES + 1)
    assert answers(made)[-1]["accepted"]


async def test_an_answer_that_could_not_be_stored_is_not_given(made: ShellBox, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = asyncio.Event()

    async def full(*_: object) -> None:
        refused.set()
        raise StoreFailed("full")

    with monkeypatch.context() as patch:
        patch.setattr(made.store.deliveries, "accept", full)
        offered(made, sign_claims(make_claims(make_offer())))
        await refused.wait()
    await assert_stays(lambda: answers(made) == [], QUIET_S)
    offered(made, sign_claims(make_claims(make_offer(id="d2"))))
    await wait_until(lambda: answers(made))  # it goes on


async def test_a_cancel_reaches_a_ringing_visit(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    offered(ready, sign_claims(make_claims(make_cancel(), now=ready.clock.now())))
    await wait_until(lambda: ready.front.state.visit is None)
    assert ready.commands(c.AnswerScan)[-1].refusal is Refusal.CANCELLED


async def test_a_delivery_that_moves_to_another_entrance_is_told_to_both(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    moved = make_update(entrance="garage", window=make_offer().window)
    offered(ready, sign_claims(make_claims(moved, now=ready.clock.now())))
    await wait_until(lambda: any(one["answers"] for one in answers(ready) if one.get("answers")))
    if answers(ready)[-1]["accepted"]:
        await wait_until(lambda: ready.front.state.visit is None)
        assert set(ready.touched) == {"front", "garage"}


# ---- the owner -------------------------------------------------------------------------------------------------------


async def test_a_revocation_reaches_a_ringing_visit(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    asked(ready, {"id": "w1", "do": "revoke", "brand": "shop"})
    await wait_until(lambda: ready.front.state.visit is None)
    assert ready.commands(c.AnswerScan)[-1].refusal is Refusal.BRAND_NOT_PERMITTED
    assert replies(ready) == [("w1", True, None)]
    assert set(ready.touched) == {"front", "garage"}


async def test_a_delivery_that_the_household_refuses_opens_nothing_even_when_it_rings_already(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    asked(ready, {"id": "w1", "do": "refuse_delivery", "delivery": "shop.d1"})
    await wait_until(lambda: ready.front.state.visit is None)
    assert ready.commands(c.AnswerScan)[-1].refusal is Refusal.DECLINED_BY_HOUSEHOLD
    asked(ready, {"id": "w2", "do": "refuse_delivery", "delivery": "shop.d1"})
    await wait_until(lambda: len(replies(ready)) > 1)
    assert replies(ready) == [("w1", True, None), ("w2", False, "no parcel: unknown_delivery")]
    ready.passes(20.0)  # of no effect since it is refused: the red light is over
    await ready.quiet()
    ready.scan(PARCEL)
    await wait_until(lambda: len(ready.commands(c.AnswerScan)) > 2)
    assert ready.commands(c.AnswerScan)[-1].refusal is Refusal.DECLINED_BY_HOUSEHOLD
    assert ready.commands(c.Unlock) == []


async def test_the_end_of_trust_in_a_key_reaches_a_ringing_visit(ready: ShellBox) -> None:
    await ready.ring(PARCEL)
    assert await ready.reception.distrust_key(ready.home.brands["shop"].keys[0].x, "p-anna") is None
    await wait_until(lambda: ready.front.state.visit is None)
    assert ready.commands(c.AnswerScan)[-1].refusal is Refusal.KEY_DISTRUSTED
    assert set(ready.touched) == {"front", "garage"}


async def test_what_a_visit_hears_of_its_delivery_does_not_count_its_own_opening(
    ready: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready.commits(await ready.ring(PARCEL))
    await wait_until(lambda: ready.front.state.visit is not None and ready.front.state.visit.unlock_intent)
    await ready.quiet()  # no decision under way writes over the state that this test sets
    visit = ready.front.state.visit
    assert visit is not None
    ready.front.state = replace(ready.front.state, visit=replace(visit, phase=Phase.ADVANCING))
    heard: list[e.Event] = []
    monkeypatch.setattr(ready.front, "post", heard.append)
    asked(ready, {"id": "w1", "do": "permit", "brand": "shop"})
    await wait_until(lambda: any(isinstance(event, e.FactsChanged) for event in heard))
    (facts,) = (event.delivery for event in heard if isinstance(event, e.FactsChanged))
    assert (facts.refusal, facts.openings_left) == (None, 1)
    stored = ready.store.deliveries.facts("shop.d1", ready.clock.now())
    assert stored is not None
    assert (stored.refusal, stored.openings_left) == (Refusal.ALREADY_USED, 0)


async def test_a_revocation_ends_the_readiness_that_is_watched(ready: ShellBox) -> None:
    facts = ready.store.deliveries.facts("shop.d1", ready.clock.now())
    assert facts is not None
    ready.front.post(e.PreflightDue(delivery=facts))
    await wait_until(lambda: ready.front.state.preflights)
    asked(ready, {"id": "w1", "do": "revoke", "brand": "shop"})
    await wait_until(lambda: not ready.front.state.preflights)


async def test_a_stop_counts_from_its_receipt_before_anything_is_stored(made: ShellBox) -> None:
    asked(made, {"id": "w1", "do": "stop"})
    assert made.front.is_stopped()
    assert not made.entrances["garage"].is_stopped()
    assert not made.store.entrances.stop_state("front").stopped
    await wait_until(lambda: replies(made))
    assert made.store.entrances.stop_state("front").stopped
    assert replies(made) == [("w1", True, None)]


async def test_a_stop_holds_though_it_cannot_be_stored_and_can_be_lifted_later(
    ready: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StoreFailed("full")

    with monkeypatch.context() as patch:
        patch.setattr(ready.store.entrances, "set_stop", full)
        asked(ready, {"id": "w1", "do": "stop"})
        asked(ready, {"id": "w2", "do": "stop"})
        await wait_until(lambda: len(replies(ready)) == 2)
        await wait_until(lambda: ready.front.state.stopped)
    assert replies(ready)[0] == ("w1", False, "not stored: full")
    await ready.quiet()
    assert ready.front.is_stopped()
    asked(ready, {"id": "w3", "do": "lift"})
    await wait_until(lambda: not ready.front.is_stopped())
    # An intent can stand on it again
    assert ready.front.state.stop_epoch == ready.store.entrances.stop_state("front").epoch
    await ready.commits(await ready.ring(PARCEL))
    await wait_until(lambda: ready.commands(c.ReserveOpening))
    await ready.quiet()
    assert "reached after-publish" in ready.order


async def test_a_stop_that_could_not_be_stored_is_stored_as_soon_as_the_disk_takes_it(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the entrance shows as stopped must be so after a restart too."""
    monkeypatch.setattr("gateway.runtime.inbox.STORE_RETRY_DELAY_S", RETRY_S)

    async def full(*_: object, **__: object) -> int:
        raise StoreFailed("full")

    with monkeypatch.context() as patch:
        patch.setattr(made.store.entrances, "set_stop", full)
        for number in range(3):
            asked(made, {"id": f"w{number}", "do": "stop"})
        await wait_until(lambda: len(replies(made)) == 3)
        asked(made, {"id": "w4", "do": "lift"})
        await wait_until(lambda: len(replies(made)) == 4)
        assert not made.store.entrances.stop_state("front").stopped
    await wait_until(lambda: made.store.entrances.stop_state("front").stopped)
    stored = made.store.entrances.stop_state("front")
    asked(made, {"id": "w5", "do": "lift"})
    await wait_until(lambda: len(replies(made)) == 5)
    assert replies(made)[-1] == ("w5", True, None)
    # And it is not stored again after that
    await assert_stays(lambda: not made.store.entrances.stop_state("front").stopped, 5 * RETRY_S)
    assert made.store.entrances.stop_state("front").epoch > stored.epoch


async def test_the_owner_s_flood_fills_no_memory_and_its_last_stop_holds(made: ShellBox) -> None:
    for number in range(1000):
        asked(made, {"id": f"w{number}", "do": "lift" if number % 2 else "stop"})
        asked(made, {"id": f"a{number}", "do": "acknowledge", "visit": None})
    asked(made, {"id": "last", "do": "stop"})
    reception = made.reception
    assert reception._owner_requests.qsize() == MAX_QUEUED_REQUESTS  # noqa: SLF001 - what waits there fills the memory
    assert reception._stop_requests.qsize() <= MAX_QUEUED_REQUESTS + 1  # noqa: SLF001 - as above
    assert made.front.is_stopped()
    async with run_box(made):
        await wait_until(lambda: made.front.state.stopped and not reception._stop_requests.qsize())  # noqa: SLF001 - as above
        await made.quiet()
        assert made.front.state.stopped
        assert made.front.is_stopped()


async def test_a_stop_waits_behind_no_other_wish(made: ShellBox, monkeypatch: pytest.MonkeyPatch) -> None:
    never = asyncio.Event()

    async def slow(*_: object, **__: object) -> None:
        await never.wait()

    monkeypatch.setattr(made.store.recordings, "set_hold", slow)
    asked(made, {"id": "w1", "do": "hold", "visit": "v1"})
    asked(made, {"id": "w2", "do": "stop"})
    await wait_until(lambda: replies(made))
    assert replies(made) == [("w2", True, None)]


async def test_a_stored_copy_of_a_wish_is_never_acted_on(made: ShellBox) -> None:
    asked(made, {"id": "w1", "do": "stop"}, retain=True)
    await assert_stays(lambda: not made.front.is_stopped() and replies(made) == [], QUIET_S)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (b"stop!", "not JSON"),
        ({"id": "w1", "do": "open"}, None),
        ({"id": "w1", "do": "stop", "now": True}, "a key that is not known"),
    ],
)
async def test_a_malformed_wish_gets_a_clear_reply(made: ShellBox, wish: object, why: str | None) -> None:
    asked(made, wish)
    ((id_, accepted, said),) = replies(made)
    assert (id_, accepted) == ("?", False)
    assert said == why or (why is None and said is not None and said.startswith("do: one of"))
    assert not made.front.is_stopped()


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"do": "permit", "brand": "nobody"}, "nobody"),
        ({"do": "hold", "visit": "none"}, "no film of none"),
        ({"do": "erase", "visit": "none"}, "no film of none"),
        ({"do": "clear_lockout", "scanner": "none"}, "no scanner none at this entrance"),
    ],
)
async def test_what_is_not_there_is_said_to_be_so(made: ShellBox, wish: dict[str, str], why: str) -> None:
    asked(made, {"id": "w1", **wish})
    await wait_until(lambda: replies(made))
    ((_, accepted, said),) = replies(made)
    assert not accepted
    assert said is not None
    assert why in said


async def test_an_erasure_that_the_disk_refuses_is_told_and_ends_nothing(
    made: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(made.reception, "erase", broken)
    asked(made, {"id": "w1", "do": "erase", "visit": "v1"})
    asked(made, {"id": "w2", "do": "home"})
    await wait_until(lambda: len(replies(made)) == 2)
    assert [(id_, accepted) for id_, accepted, _ in replies(made)] == [("w1", False), ("w2", True)]


@pytest.mark.parametrize(
    ("wish", "event"),
    [
        ({"do": "acknowledge", "visit": "v1"}, e.OwnerAcknowledged(visit="v1")),
        ({"do": "acknowledge"}, e.OwnerAcknowledged(visit=None)),
        ({"do": "approve", "visit": "v1"}, e.OwnerDecided(visit="v1", yes=True)),
        ({"do": "refuse", "visit": "v1"}, e.OwnerDecided(visit="v1", yes=False)),
        ({"do": "clear_lockout", "scanner": "scanner"}, e.LockoutCleared(scanner="scanner")),
        ({"do": "home"}, e.HomeChanged(somebody_home=True, away=False)),
        ({"do": "away"}, e.HomeChanged(somebody_home=False, away=True)),
        ({"do": "nobody_home"}, e.HomeChanged(somebody_home=False, away=False)),
        ({"do": "lock"}, e.LockRequested(id="lockup-5eed", by=None)),
    ],
)
async def test_each_wish_becomes_its_event(
    made: ShellBox, wish: dict[str, str], event: e.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.inbox.secrets.token_hex", lambda _size: "5eed")
    asked(made, {"id": "w1", **wish})
    await wait_until(lambda: replies(made))
    assert replies(made) == [("w1", True, None)]
    assert list(made.front._event_queue) == [event]  # noqa: SLF001 - what waits there is what it will decide on


async def test_what_the_household_says_is_stored(made: ShellBox) -> None:
    asked(made, {"id": "w1", "do": "home"})
    await wait_until(lambda: replies(made))
    assert made.store.entrances.presence("front").somebody_home


# ---- pauses ----------------------------------------------------------------------------------------------------------


def hours(made: ShellBox, passed: float) -> str:
    """So many hours from now, as a wish writes it."""
    return rfc3339_ms(made.clock.now().utc + timedelta(hours=passed))


async def test_a_pause_that_was_acknowledged_counts_for_the_very_next_scan(ready: ShellBox) -> None:
    asked(ready, {"id": "w1", "do": "pause", "end": hours(ready, 1)})
    await wait_until(lambda: replies(ready))
    ready.scan(PARCEL)
    assert replies(ready) == [("w1", True, None)]
    await wait_until(lambda: ready.commands(c.AnswerScan))
    assert ready.commands(c.AnswerScan)[-1].refusal is Refusal.PAUSED
    assert not ready.commands(c.RingBell)


async def test_a_pause_is_on_disk_before_it_is_acknowledged(made: ShellBox) -> None:
    stored: list[int] = []

    def replying(_topic: str, payload: bytes) -> None:
        if b'"kind":"wish"' in payload:
            stored.append(len(made.store.pauses.planned(made.clock.now())))

    made.line.refuses = replying
    asked(made, {"id": "w1", "do": "pause", "end": hours(made, 1)})
    await wait_until(lambda: replies(made))
    assert stored == [1]


async def test_a_pause_that_the_disk_does_not_take_is_not_called_done(
    ready: ShellBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreFailed("full")

    with monkeypatch.context() as patch:
        patch.setattr(ready.store.pauses, "plan", full)
        asked(ready, {"id": "w1", "do": "pause", "end": hours(ready, 1)})
        await wait_until(lambda: replies(ready))
    assert replies(ready) == [("w1", False, "not stored: full")]
    assert ready.front.state.pauses == ()


async def test_a_pause_is_this_entrance_s_or_everybody_s_and_ends_by_one_word(ready: ShellBox) -> None:
    garage = ready.entrances["garage"]
    asked(ready, {"id": "w1", "do": "pause", "end": hours(ready, 1)})
    asked(ready, {"id": "w2", "do": "pause", "start": hours(ready, 2), "end": hours(ready, 3), "everywhere": True})
    await wait_until(lambda: len(ready.front.state.pauses) == 2)
    await wait_until(lambda: len(garage.state.pauses) == 1)
    now, later = ready.front.state.pauses
    assert garage.state.pauses == (later,)
    asked(ready, {"id": "w3", "do": "end_pause", "pause": later.id})
    await wait_until(lambda: ready.front.state.pauses == (now,) and garage.state.pauses == ())
    assert replies(ready) == [("w1", True, None), ("w2", True, None), ("w3", True, None)]


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"do": "pause", "end": "2020-01-01T00:00:00Z"}, "no pause: backwards"),
        ({"do": "pause", "start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}, "no pause: past"),
        ({"do": "pause", "end": "2030-01-01T00:00:00Z"}, "no pause: too_long"),
        ({"do": "end_pause", "pause": "nobody"}, "no pause: unknown"),
    ],
)
async def test_what_is_no_pause_is_said_to_be_none(made: ShellBox, wish: dict[str, str], why: str) -> None:
    asked(made, {"id": "w1", **wish})
    await wait_until(lambda: replies(made))
    assert replies(made) == [("w1", False, why)]


async def test_a_pause_ends_by_itself_and_the_same_parcel_is_let_in(ready: ShellBox) -> None:
    asked(ready, {"id": "w1", "do": "pause", "end": hours(ready, 0.01)})
    await wait_until(lambda: ready.front.state.pauses)
    ready.scan(PARCEL)
    await wait_until(lambda: ready.commands(c.AnswerScan))
    ready.passes(40)
    await wait_until(lambda: not ready.front.state.pauses)
    await ready.ring(PARCEL)
    assert [answer.refusal for answer in ready.commands(c.AnswerScan)] == [Refusal.PAUSED, None]


async def test_the_log_names_who_asked_to_lock(ready: ShellBox) -> None:
    assert (
        await ready.reception.submit_request("front", owner_requests.OwnerLockRequest(id="w1", do="lock"), "anna")
        is None
    )
    await wait_until(lambda: any(isinstance(step.event, e.LockRequested) for step in ready.journal.steps))
    bodies = [json.loads(one.body) for one in ready.store.log.entries() if isinstance(one.body, bytes)]
    (row,) = [body for body in bodies if body["kind"] == "step" and body["event"]["event"] == "LockAsked"]
    assert row["event"]["by"] == "anna"
    assert row["commands"] == [{"command": "Note", "what": "lockup_proven"}]


async def test_every_result_says_what_the_box_understands_and_a_refusal_names_what_it_does_not(made: ShellBox) -> None:
    payload = json.loads(make_claims(make_offer_v2()).model_dump_json(exclude_none=True))
    payload["delivery"]["needs"] = ["antlers", "wings"]
    unknown = jws.sign(jws.DELIVERY_2, json.dumps(payload).encode(), SECRETS["shop"].sign, kid="shop-1")
    for token in (sign_claims(make_claims(make_offer())), unknown):
        offered(made, token)
    await wait_until(lambda: len(made.line.on("perron/deliveries/result/shop")) == 2)
    first, second = (json.loads(one.payload) for one in made.line.on("perron/deliveries/result/shop"))
    assert first["speaks"] == second["speaks"] == {"delivery": [1, 2], "needs": list(SPEAKS.needs)}
    assert (first["accepted"], "unsupported" in first) == (True, False)
    assert (second["accepted"], second["code"]) == (False, "unsupported")
    assert (second["unsupported"], second["delivery"]) == (["antlers", "wings"], "d1")


def test_the_gateway_s_retained_state_says_it_too_and_is_read_as_online_whatever_else_it_says() -> None:
    online, offline = GATEWAY_BIRTH_AND_WILL.online, GATEWAY_BIRTH_AND_WILL.offline
    assert online is not None
    assert json.loads(online)["speaks"] == SPEAKS.model_dump(mode="json")
    assert is_gateway_online(online)
    assert is_gateway_online(b'{"state":"online","more":{"to":"come"}}')
    for retained in (offline, None, b"", b"online", b'"online"', b"[]", b'{"state":"ONLINE"}', b"\xff"):
        assert not is_gateway_online(retained)
