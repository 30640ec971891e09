"""The box's journal for a hub: what is written, signed, sent again, and numbered anew."""

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from shutil import copyfile

import pytest

from gateway.domain.delivery.permission import PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import Cancel, Claims, DeliveryBody, DeliveryResult, State
from gateway.domain.now import Now
from gateway.domain.visit.commands import ReportReadiness
from gateway.domain.visit.state import Entrance
from gateway.protocol.box_hub import (
    GENESIS_DIGEST,
    MAX_EVENT_BYTES,
    Ack,
    BoxEvent,
    OpenDelivery,
    token_digest,
    verify_by_box,
)
from gateway.protocol.delivery_message import sign_delivery, verify_delivery
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectedMessage
from gateway.protocol.keys import BoxKey
from gateway.storage import hub_journal
from gateway.storage.hub_journal import EventSigner
from gateway.storage.models import MessageAnswer
from gateway.storage.snapshot import write_snapshot
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import make_step, open_store, visit_delivery
from tests.gateway.domain.delivery.shop import (
    NOW,
    SECRETS,
    enrolled_keys,
    make_cancel,
    make_claims,
    make_offer,
    make_update,
    noon_plus,
    sign_claims,
)

KEY = BoxKey.generate()
HOME = "home-1"


def signer(key: BoxKey = KEY, name: str = HOME) -> EventSigner:
    return EventSigner(home=name, key=key)


@dataclass
class Hub:
    """What a hub keeps of one home: only what follows, under the key it knows."""

    key: PublicKey = field(default_factory=lambda: KEY.public)
    tokens: list[bytes] = field(default_factory=list)
    refused: int = 0

    def hears(self, token: bytes) -> None:
        found = verify_by_box(BoxEvent, token, self.key)
        if not isinstance(found, BoxEvent) or found.home != HOME:
            self.refused += 1
        elif found.seq == len(self.tokens) + 1 and found.prev == self.ack.head:
            self.tokens.append(token)
        elif found.seq <= len(self.tokens) and self.tokens[found.seq - 1] == token:
            pass
        else:
            self.refused += 1

    @property
    def ack(self) -> Ack:
        return Ack(seq=len(self.tokens), head=token_digest(self.tokens[-1]) if self.tokens else GENESIS_DIGEST)

    @property
    def events(self) -> list[BoxEvent]:
        found = [verify_by_box(BoxEvent, token, self.key) for token in self.tokens]
        return [one for one in found if isinstance(one, BoxEvent)]

    def knows(self, delivery: str) -> State | None:
        told = [one.result.state for one in self.events if one.result is not None and one.result.delivery == delivery]
        return told[-1] if told else None


async def accepted(
    store: Store, said: DeliveryBody | Cancel, *, brand: str = "shop", now: Now = NOW
) -> MessageAnswer | None:
    return await heard(store, sign_claims(make_claims(said, brand=brand, now=now)), now)


async def heard(store: Store, token: bytes, now: Now = NOW) -> MessageAnswer | None:
    verified: Claims | RejectedMessage = verify_delivery(token, enrolled_keys(), box="box-1", also=HOME, now=now)
    return await store.hub_journal.accept(token, verified, now)


async def synced(store: Store, hub: Hub, now: Now = NOW) -> None:
    """Tell all there is, until the hub has it."""
    for _ in range(10):
        await store.hub_journal.write_due_events(now)
        await store.hub_journal.acknowledge(hub.ack, now)
        waiting = store.hub_journal.unacknowledged(0, 1000)
        if not waiting and not store.hub_journal.has_due_events(now):
            return
        for one in waiting:
            hub.hears(one.token)
    pytest.fail("it does not come to rest")


def results(hub: Hub) -> list[DeliveryResult]:
    return [one.result for one in hub.events if one.result is not None]


async def test_a_brand_that_announces_without_end_makes_no_events_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.offers.MAX_MESSAGES_PER_ENTRANCE", 3)  # of an entrance, and this house has two
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        answers = [
            await accepted(store, make_offer(id=f"d{number}", parcels=(f"P{number}",), courier_sha256=f"{number:064}"))
            for number in range(9)
        ]
        assert [answer is None for answer in answers] == [False] * 6 + [True] * 3
        assert store.hub_journal.last_seq() == 6


async def test_an_answered_message_is_one_event_however_often_it_comes(tmp_path: Path) -> None:
    hub, token = Hub(), sign_claims(make_claims(make_offer()))
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        for _ in range(3):
            answer = await heard(store, token)
            assert answer is not None
            assert answer.result.accepted
        await synced(store, hub)
        (result,) = results(hub)
        assert (result.delivery, result.accepted, result.state) == ("d1", True, State.SCHEDULED)
        assert store.hub_journal.open_deliveries(NOW) == (OpenDelivery(brand="shop", delivery="d1", version=1),)


async def test_a_message_for_the_home_s_name_at_the_hub_is_meant_for_this_box(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        ours = await heard(store, sign_claims(make_claims(make_offer(), aud=HOME)))
        other = await heard(store, sign_claims(make_claims(make_offer(id="d2"), aud="home-2")))
    assert ours is not None
    assert ours.result.accepted
    assert other is not None
    assert other.result.code == "wrong_audience"


async def test_what_is_not_believed_is_told_and_a_flood_of_it_is_not(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        forged = sign_delivery(make_claims(make_offer()), SECRETS["stranger"], kid="shop-1")
        await heard(store, forged)
        await synced(store, hub)
        (result,) = results(hub)
        assert (result.accepted, result.code, result.brand, result.why) == (False, "wrong_signature", None, None)
        answers = [await heard(store, b"a.b.%d" % number) for number in range(100)]
        assert sum(answer is not None for answer in answers) == hub_journal.MAX_REJECTED_MESSAGES_PER_HOUR - 1
        assert await heard(store, forged) is not None, "what was answered is answered again"
        assert await heard(store, b"a.b.c", noon_plus(hours=2)) is not None, "and the next hour has room"


@pytest.mark.parametrize(
    ("change", "state", "now"),
    [
        (lambda store: store.brands.decide("shop", PermissionStatus.REVOKED, NOW), State.REFUSED, NOW),
        (lambda _store: asyncio.sleep(0), State.WINDOW_OPEN, noon_plus(hours=2)),
        (lambda _store: asyncio.sleep(0), State.EXPIRED, noon_plus(hours=4)),
        (lambda store: store.deliveries.accept(*_both(make_cancel()), NOW), State.CANCELLED, NOW),
    ],
)
async def test_whatever_changes_a_delivery_is_told_once(
    tmp_path: Path, change: Callable[[Store], object], state: State, now: Now
) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await synced(store, hub)
        await change(store)  # type: ignore[misc]  # each is one of the store's coroutines
        for _ in range(3):
            await synced(store, hub, now)
        assert [one.state for one in results(hub)] == [State.SCHEDULED, state]


def _both(said: DeliveryBody | Cancel) -> tuple[bytes, Claims]:
    message = make_claims(said)
    return sign_claims(message), message


async def test_a_change_that_came_by_the_house_s_own_broker_is_told_too(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await store.deliveries.accept(*_both(make_update()), NOW)
        await synced(store, hub)
        assert [one.version for one in results(hub)] == [1, 2]


async def test_of_what_never_came_by_the_hub_it_is_told_nothing(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        message = make_claims(make_offer(), brand="farm")
        await store.deliveries.accept(sign_claims(message), message, NOW)
        await store.brands.decide("farm", PermissionStatus.REVOKED, NOW)
        await synced(store, hub, noon_plus(hours=4))
        assert hub.tokens == []


async def test_the_owner_s_decisions_on_a_brand_that_came_by_the_hub_are_told(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await synced(store, hub)
        await store.brands.decide("shop", PermissionStatus.REVOKED, NOW)
        await synced(store, hub)
        decided = [one.decided for one in hub.events if one.decided is not None]
        assert [(one.brand, one.standing) for one in decided] == [("shop", "granted"), ("shop", "revoked")]
        assert decided[0].entrances == ("front", "garage")


async def test_the_widest_permission_still_fits_into_an_event(tmp_path: Path) -> None:
    many = [f"{'carrier ' * 9}{number:03}" for number in range(300)]
    terms = PermissionTerms(
        entrances=frozenset(f"entrance-{number:03}{'x' * 50}" for number in range(300)), places=frozenset({"hall"}),
        carriers=frozenset(many), expires=NOW.utc + timedelta(days=3, microseconds=7),
    )  # fmt: skip
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await store.brands.decide("shop", PermissionStatus.GRANTED, NOW, terms=terms)
        await synced(store, hub)
        decided = [one.decided for one in hub.events if one.decided is not None]
        assert (decided[-1].standing, decided[-1].expires) == ("granted", terms.expires)
        assert all(len(token) < MAX_EVENT_BYTES for token in hub.tokens)


@pytest.mark.parametrize("kept", ["2999-12-31T23:00:00Z", "0027-01-31T23:00:00Z", "9999-12-31T23:00:00Z"])
async def test_a_store_that_an_earlier_release_gave_an_impossible_last_day_still_tells_its_decisions(
    tmp_path: Path, kept: str
) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await store.brands.decide(
            "shop",
            PermissionStatus.GRANTED,
            NOW,
            terms=PermissionTerms(entrances=frozenset({"front"}), expires=NOW.utc),
        )
    with contextlib.closing(sqlite3.connect(tmp_path / "perron.sqlite", autocommit=True)) as db:
        (terms,) = db.execute("SELECT terms FROM permission WHERE brand = 'shop'").fetchone()
        changed = json.dumps(json.loads(terms) | {"expires": kept})
        db.execute("UPDATE permission SET terms = ? WHERE brand = 'shop'", (changed,))
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await synced(store, hub)
        decided = [one.decided for one in hub.events if one.decided is not None]
        assert decided[-1].standing == "granted"
        assert decided[-1].expires is not None
        assert (decided[-1].expires < NOW.utc) is (kept < "2000")


async def test_a_carrier_that_no_message_can_name_is_not_told_and_the_decision_is(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        carriers = frozenset({"Colissimo", "La\u00a0Poste", "DHL "})  # as a house file may have them
        await store.brands.decide(
            "shop",
            PermissionStatus.GRANTED,
            NOW,
            terms=PermissionTerms(entrances=frozenset({"front"}), carriers=carriers),
        )
        await synced(store, hub)
        decided = [one.decided for one in hub.events if one.decided is not None]
        assert decided[-1].carriers == ("Colissimo",)


async def test_how_an_entrance_is_doing_stays_in_the_house(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await synced(store, hub)
        under = visit_delivery(store, "shop.d1")
        await store.commit(
            make_step(Entrance(id="front"), ReportReadiness(delivery=under.id, lacking=("lock", "camera")))
        )
        await synced(store, hub)
        found = store.deliveries.result("shop.d1", NOW)
        assert found is not None
        assert found.lacking == ("lock", "camera"), "the retailer on the house's own broker is told"
        assert len(results(hub)) == 1, "the hub is not, and nothing has changed for it"
        await store.brands.decide("shop", PermissionStatus.REVOKED, NOW)
        await synced(store, hub)
        assert [one.lacking for one in results(hub)] == [None, None], "nor when it is told something else"


async def test_what_is_acknowledged_is_not_sent_again_and_old_events_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_journal, "MAX_KEPT_ACKNOWLEDGED_EVENTS", 2)
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        for number in range(6):
            await accepted(store, make_offer(id=f"d{number}", parcels=(f"p{number}",), courier_sha256=f"{number:064x}"))
            await synced(store, hub)
        assert store.hub_journal.unacknowledged(0, 10) == ()
        made = store.hub_journal.last_seq()
        assert (store.hub_journal.acknowledged_seq(), made) == (len(hub.tokens), len(hub.tokens))
    with contextlib.closing(sqlite3.connect(tmp_path / "perron.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM uplink_event").fetchone() == (2,)
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        assert store.hub_journal.last_seq() == made, "a restart goes on where it was"


async def test_more_than_may_wait_is_told_as_its_last_state_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_journal, "MAX_WAITING_EVENTS", 3)
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        for number in range(3):
            await accepted(store, make_offer(id=f"d{number}", parcels=(f"p{number}",), courier_sha256=f"{number:064x}"))
        for hours in (2, 4):
            assert await store.hub_journal.write_due_events(noon_plus(hours=hours)) == 0
        assert store.hub_journal.last_seq() == 3
        await synced(store, hub, noon_plus(hours=4))
        assert {hub.knows(f"d{number}") for number in range(3)} == {State.EXPIRED}


async def test_a_hub_that_says_a_number_no_box_reaches_changes_nothing(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await store.hub_journal.acknowledge(Ack(seq=2**53 - 1, head="f" * 64), NOW)
        await synced(store, hub)
        assert hub.knows("d1") is State.SCHEDULED


def noted(folder: Path) -> int:
    query = "SELECT count(*) FROM entry WHERE kind = 'uplink_renumbered'"
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'perron.sqlite'}?mode=ro", uri=True)) as beside:
        return int(beside.execute(query).fetchone()[0])


async def test_a_hub_that_has_another_chain_each_time_does_not_fill_the_house_s_log(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        for number in range(30):
            assert not await store.hub_journal.acknowledge(Ack(seq=100 + number, head=f"{number:064}"), NOW)
        assert noted(tmp_path) == 1
        assert not await store.hub_journal.acknowledge(Ack(seq=7, head="f" * 64), noon_plus(hours=2))
        assert noted(tmp_path) == 2
        await store.hub_journal.acknowledge(hub.ack, noon_plus(hours=2))
        await synced(store, hub)
        assert hub.knows("d1") is State.SCHEDULED, "and nothing of it is lost"


async def test_a_new_key_signs_what_is_not_acknowledged_anew(tmp_path: Path) -> None:
    new, hub = BoxKey.generate(), Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await synced(store, hub)
        await store.brands.decide("shop", PermissionStatus.REVOKED, NOW)
        await store.hub_journal.write_due_events(NOW)
    before = list(hub.tokens)
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(new), NOW)
        assert store.hub_journal.last_seq() > len(before)
        hub.key = new.public  # it followed the change, which the old key had signed
        await synced(store, hub)
        assert hub.tokens[: len(before)] == before
        assert hub.knows("d1") is State.REFUSED
        assert hub.refused == 0


async def test_what_belonged_to_another_home_is_forgotten(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await store.hub_journal.set_signer(signer(name="home-2"), NOW)
        assert (store.hub_journal.last_seq(), store.hub_journal.open_deliveries(NOW)) == (0, ())
        assert not store.hub_journal.has_due_events(noon_plus(hours=4))


def put_back(folder: Path) -> None:
    """Put a copy of the store in the place of the store, as a restore does."""
    for left in folder.glob("perron.sqlite*"):
        left.unlink()
    (folder / "copy.sqlite").rename(folder / "perron.sqlite")


async def test_a_copy_of_the_store_goes_on_behind_what_the_hub_has(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer())
        await synced(store, hub)
        await asyncio.to_thread(write_snapshot, tmp_path / "perron.sqlite", tmp_path / "copy.sqlite", NOW)
        await accepted(store, make_cancel())
        await synced(store, hub)
    put_back(tmp_path)
    had = len(hub.tokens)
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await synced(store, hub, noon_plus(hours=1))
        assert len(hub.tokens) > had
        assert [one.seq for one in hub.events] == list(range(1, len(hub.tokens) + 1))
        found = store.deliveries.result("shop.d1", noon_plus(hours=1))
        assert found is not None
        assert hub.knows("d1") is found.state


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_lost_or_put_back_the_hub_ends_with_what_the_box_knows(tmp_path: Path, seed: int) -> None:
    lot, hub, now, names = random.Random(seed), Hub(), NOW, 0
    file, older, kept = tmp_path / "perron.sqlite", tmp_path / "older.sqlite", list[bytes]()
    for _ in range(4):
        async with open_store(tmp_path) as store:
            await store.hub_journal.set_signer(signer(), now)
            for _ in range(10):
                match lot.randrange(7):
                    case 0 | 1:
                        names += 1
                        said = make_offer(id=f"d{names}", parcels=(f"p{names}",), courier_sha256=f"{names:064x}")
                        await accepted(store, said, now=now)
                    case 2:
                        await accepted(store, make_cancel(id=f"d{lot.randint(1, names + 1)}"), now=now)
                    case 3:
                        standing = PermissionStatus.REVOKED if lot.random() < 0.5 else PermissionStatus.GRANTED
                        await store.brands.decide("shop", standing, now)
                    case 4:
                        await store.hub_journal.write_due_events(now)
                    case 5:
                        for one in store.hub_journal.unacknowledged(0, 20):
                            if lot.random() < 0.8:
                                hub.hears(one.token)
                    case _:
                        if lot.random() < 0.7:
                            await store.hub_journal.acknowledge(hub.ack, now)
        match lot.randrange(4):
            case 0:
                copyfile(file, older)
            case 1 if older.exists():
                copyfile(older, file)
            case 2:
                kept = list(hub.tokens)
            case _:
                hub.tokens = list(kept) if lot.random() < 0.5 else hub.tokens
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), now)
        await synced(store, hub, now)
        for told in store.hub_journal.open_deliveries(now):
            found = store.deliveries.result(f"shop.{told.delivery}", now)
            assert found is not None
            assert hub.knows(told.delivery) is found.state
        assert [one.seq for one in hub.events] == list(range(1, len(hub.tokens) + 1))
        assert store.hub_journal.acknowledged_seq() == len(hub.tokens)
