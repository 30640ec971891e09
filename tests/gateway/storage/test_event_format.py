"""A hub that is older or newer than the box gets a moved delivery in the format that it reads."""

import json
from hashlib import sha256
from pathlib import Path

from gateway.domain.delivery.fallback import Place
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import ReportParcelResult
from gateway.protocol.box_hub import BoxEvent, BrandAnswer, token_digest, verify_by_box
from gateway.storage.hub_journal import EventSigner
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import entrance_state, make_step, open_store, visit_delivery
from tests.gateway.domain.delivery.shop import make_offer, make_update, noon_plus
from tests.gateway.protocol.golden_versions import BOX_KEY
from tests.gateway.protocol.released.box import ask, unpack
from tests.gateway.storage.test_hub_journal import HOME, KEY, Hub, accepted, results, signer, synced

GARAGE = Place(entrance="garage", place="hall")
NOW = noon_plus(hours=2)  # in the window


async def moved(store: Store, hub: Hub) -> None:
    """The hub knows a delivery to the front door, and the house has moved it to the garage."""
    await accepted(store, make_offer(), now=NOW)
    await synced(store, hub, NOW)
    assert await store.deliveries.move("shop.d1", GARAGE, Refusal.NOT_READY, NOW) is not None


async def test_a_hub_that_publishes_nothing_gets_format_1_and_a_later_one_everything(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await moved(store, hub)
        await synced(store, hub, NOW)
        assert [one.moved_to for one in results(hub)] == [None], "nothing of it is new for this hub"
        await store.hub_journal.set_event_format(2)
        await synced(store, hub, NOW)
        assert [(one.state, one.moved_to) for one in results(hub)][1:] == [(State.WINDOW_OPEN, "garage")]
        await accepted(store, make_update(place="attic"), now=NOW)
        await synced(store, hub, NOW)
        answer = results(hub)[-1]
        assert (answer.accepted, answer.moved_to) == (False, "garage"), "a refused change moves nothing back"
        await store.hub_journal.set_event_format(1000)
        count = len(hub.tokens)
        await synced(store, hub, NOW)
        assert len(hub.tokens) == count, "a hub of a later release reads the newest format of this box"


async def test_events_that_wait_for_a_hub_are_taken_back_if_an_older_one_came_in_its_place(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await store.hub_journal.set_event_format(2)
        await moved(store, hub)
        await store.hub_journal.write_due_events(NOW)
        (waiting,) = store.hub_journal.unacknowledged(0, 9)
        event = verify_by_box(BoxEvent, waiting.token, KEY.public)
        assert isinstance(event, BoxEvent)
        assert event.result is not None
        assert event.result.moved_to == "garage"
        await store.hub_journal.set_event_format(1)
        await synced(store, hub, NOW)
        assert hub.refused == 0, "the chain goes on"
        assert {one.moved_to for one in results(hub)} == {None}


async def test_an_answer_to_a_brand_is_left_out_for_a_hub_that_does_not_read_it(tmp_path: Path) -> None:
    digest = token_digest(b"a question")
    refusal = BrandAnswer(brand="shop", token_sha256=digest, accepted=False, code="brand_not_permitted")
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await store.hub_journal.set_event_format(2)
        assert await store.hub_journal.answer_brand(refusal, NOW)
        assert await store.hub_journal.answer_brand(refusal, NOW)
        (waiting,) = store.hub_journal.unacknowledged(0, 9)
        event = verify_by_box(BoxEvent, waiting.token, KEY.public)
        assert isinstance(event, BoxEvent)
        assert event.answer is not None
        await store.hub_journal.set_event_format(1)
        (waiting,) = store.hub_journal.unacknowledged(0, 9)
        event = verify_by_box(BoxEvent, waiting.token, KEY.public)
        assert isinstance(event, BoxEvent)
        assert event.answer is None


async def test_the_hub_of_the_release_before_reads_every_event_of_today_s_box(tmp_path: Path) -> None:
    """It refuses an event in a format that it has not published: then no later event would reach it."""
    unpack(tmp_path)
    house = json.loads((tmp_path / "house.json").read_text(encoding="utf-8"))
    (tmp_path / "store").mkdir()
    hub = Hub(key=BOX_KEY.public)
    async with open_store(tmp_path / "store") as store:
        await store.hub_journal.set_signer(EventSigner(home=HOME, key=BOX_KEY), NOW)
        await moved(store, hub)
        await synced(store, hub, NOW)
        older = len(hub.tokens)
        await store.hub_journal.set_event_format(2)
        await synced(store, hub, NOW)
    read = ask(tmp_path, house, events=[token.decode() for token in hub.tokens])["events"]
    assert all(isinstance(one, dict) for one in read[:older])
    assert [one["result"]["state"] for one in read[:older] if "result" in one] == ["window_open"]
    assert read[older:] == ["wrong_claims"]


async def test_which_parcels_are_missing_is_told_to_a_hub_that_reads_it_unless_it_is_too_long(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await store.hub_journal.set_event_format(2)
        short, long = ("AB1", "AB2", "AB3"), tuple(f"X{number:0>99}" for number in range(12))
        for name, parcels in (("short", short), ("long", long)):
            courier = sha256(name.encode()).hexdigest()
            await accepted(store, make_offer(id=name, parcels=parcels, courier_sha256=courier), now=NOW)
            under = visit_delivery(store, f"shop.{name}", NOW)
            state = entrance_state(under, visit=name, parcels=frozenset(parcels[:1]))
            missing = len(parcels) - 1
            ended = ReportParcelResult(visit=name, delivery=under.id, outcome=Outcome.PARTLY_DELIVERED, missing=missing)
            await store.commit(make_step(state, ended, now=NOW))
        await synced(store, hub, NOW)
        told = {one.delivery: one for one in results(hub) if one.state is State.PARTLY_DELIVERED}
        assert told["short"].missing_parcels == ("AB2", "AB3")
        assert (told["long"].missing, told["long"].missing_parcels) == (11, None)
        log = b"".join(entry.body for entry in store.log.entries() if isinstance(entry.body, bytes))
        assert b"AB2" not in log, "the log has digests of codes only"
