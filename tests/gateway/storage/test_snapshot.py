"""A copy of the store: whole at one instant, and one in which nothing opens that may have been used since."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.result import Refusal
from gateway.domain.guests.passes import PassState
from gateway.domain.guests.provisioning import CodeState
from gateway.domain.visit import commands as c
from gateway.protocol.hash_chain import find_break
from gateway.storage.keepers import StoredKeeperCode
from gateway.storage.models import StoreFailed
from gateway.storage.snapshot import write_snapshot
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    commit_reservation,
    entrance_state,
    make_step,
    open_store,
    receive,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import (
    NOW,
    make_cancel,
    make_claims,
    make_home,
    make_offer,
    make_update,
    noon_plus,
    sign_claims,
)
from tests.gateway.people import digest, newcomer, sign_in_entry
from tests.guestcodes import leave_code

LATER = noon_plus(hours=1)
"""When the copy is put to use: the original went on meanwhile."""


@pytest.fixture
async def original(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with a delivery to come and one that somebody rings for, an owner who is signed in."""
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await receive(store, make_offer(id="rings", parcels=("rings",), courier_sha256="a" * 64))
        await commit_reservation(store, "shop.rings", visit="v1")
        await store.accounts.set_claim_code(digest("code"), NOW)
        await store.accounts.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
        yield store


async def put_to_use(tmp_path: Path) -> Path:
    """Where the copy lies, as a box has it open that knows the time."""
    folder = tmp_path / "new"
    folder.mkdir()
    write_snapshot(tmp_path / "perron.sqlite", folder / "perron.sqlite", NOW)
    async with open_store(folder) as store:
        await store.box.raise_time_floor(LATER.utc)
    return folder


async def test_a_copy_is_whole_and_the_original_is_as_before(tmp_path: Path, original: Store) -> None:
    before = original.log.head()
    copied = write_snapshot(tmp_path / "perron.sqlite", tmp_path / "copy.sqlite", NOW)
    assert original.log.head() == before
    assert visit_delivery(original).refusal is None
    assert copied.running == {"v1"}
    assert (copied.brands, [one.name for one in copied.people]) == (("farm", "shop"), ["Anna"])
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy.sqlite").rename(tmp_path / "copy" / "perron.sqlite")
    async with open_store(tmp_path / "copy") as store:
        assert find_break(store.log.entries()) is None
        assert store.log.head().seq >= copied.head.seq > before.seq
        assert store.log.hash_at(before.seq) == before.hash, "a checkpoint of the original still stands in it"


async def test_what_the_original_used_after_the_copy_opens_nothing_in_it(tmp_path: Path, original: Store) -> None:
    late = make_claims(make_offer(id="late", parcels=("late",), courier_sha256="b" * 64), now=noon_plus(minutes=50))
    folder = await put_to_use(tmp_path)
    await original.deliveries.accept(sign_claims(late), late, noon_plus(minutes=50))
    await commit_reservation(original, "shop.d1", visit="v2")
    assert visit_delivery(original).refusal is Refusal.ALREADY_USED
    async with open_store(folder) as store:
        await store.brands.decide("shop", PermissionStatus.GRANTED, LATER)
        assert visit_delivery(store).refusal is Refusal.ANNOUNCE_AGAIN
        assert visit_delivery(store, "shop.rings").refusal is Refusal.ALREADY_USED, "whatever came of it"
        for replayed in (
            late,
            make_claims(make_offer(), now=NOW),
            make_claims(make_update(), now=noon_plus(minutes=50)),
        ):
            answer = await store.deliveries.accept(sign_claims(replayed), replayed, LATER)
            assert (answer.result.accepted, answer.result.code) == (False, "announce_again"), "it was said before"
        assert store.deliveries.facts("shop.late", LATER) is None
        assert visit_delivery(store).refusal is Refusal.ANNOUNCE_AGAIN
        held = await commit_reservation(store, "shop.d1", visit="v3")
        assert held.delivery.refusal is Refusal.ANNOUNCE_AGAIN  # type: ignore[union-attr]  # it was overtaken


@pytest.mark.parametrize("said", [make_update(version=7), make_offer(version=7)], ids=["update", "offer"])
async def test_a_delivery_that_is_announced_anew_may_come_in_again(
    tmp_path: Path, original: Store, said: object
) -> None:
    del original
    folder = await put_to_use(tmp_path)
    async with open_store(folder) as store:
        await store.brands.decide("shop", PermissionStatus.GRANTED, LATER)
        (result,) = [one for one in store.deliveries.changed_results(LATER) if one.delivery == "d1"]
        assert (result.state, result.reason) == ("refused", "announce_again"), "its retailer is told"
        anew = make_claims(said, now=noon_plus(hours=1, minutes=2))  # type: ignore[arg-type]  # one of two
        answer = await store.deliveries.accept(sign_claims(anew), anew, noon_plus(hours=1, minutes=2))
        assert answer.result.accepted, answer.result.code
        assert visit_delivery(store).refusal is None


async def test_a_retailer_may_always_take_back_what_he_promised(tmp_path: Path, original: Store) -> None:
    del original
    folder = await put_to_use(tmp_path)
    async with open_store(folder) as store:
        before = make_claims(make_cancel(), now=NOW)
        assert (await store.deliveries.accept(sign_claims(before), before, LATER)).result.accepted
        assert visit_delivery(store).refusal is Refusal.CANCELLED


async def test_before_the_time_is_known_nothing_counts_as_signed_since(tmp_path: Path, original: Store) -> None:
    del original
    write_snapshot(tmp_path / "perron.sqlite", tmp_path / "copy.sqlite", NOW)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy.sqlite").rename(tmp_path / "copy" / "perron.sqlite")
    async with open_store(tmp_path / "copy") as store:
        await store.brands.decide("shop", PermissionStatus.GRANTED, LATER)
        early = make_claims(make_offer(id="new", parcels=("new",), courier_sha256="c" * 64), now=LATER)
        assert (await store.deliveries.accept(sign_claims(early), early, LATER)).result.code == "announce_again"


async def test_in_a_copy_nobody_is_let_in_or_signed_in_and_every_entrance_is_in_safe_mode(
    tmp_path: Path, original: Store
) -> None:
    running = make_step(
        entrance_state(visit_delivery(original, "shop.rings"), visit="v1"), c.StartRecording(visit="v1")
    )
    await original.commit(running)
    folder = await put_to_use(tmp_path)
    async with open_store(folder) as store:
        assert {one.standing for one in store.brands.permissions()} == {PermissionStatus.PENDING}
        assert store.accounts.sessions_of("p-anna") == ()
        for name in make_home().entrances:
            found = store.entrances.state(name)
            assert found is not None
            assert (found.safe_mode, found.visit, found.incident) == (True, None, None)
        assert await store.box.next_session_number() > 1_000_000, (
            "no answer to a question of the original proves anything"
        )
        generation = "SELECT generation FROM box"
        assert store.box.reader().value(str, generation) != original.box.reader().value(str, generation)


async def test_what_cannot_be_copied_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed):
        write_snapshot(tmp_path / "nowhere.sqlite", tmp_path / "copy.sqlite", NOW)
    async with open_store(tmp_path):
        pass
    (tmp_path / "copy.sqlite").write_bytes(b"somebody's")
    with pytest.raises(StoreFailed):
        write_snapshot(tmp_path / "perron.sqlite", tmp_path / "copy.sqlite", NOW)
    assert (tmp_path / "copy.sqlite").read_bytes() == b"somebody's"


async def test_a_guest_whose_pass_was_withdrawn_since_does_not_come_in_by_the_copy(
    tmp_path: Path, original: Store
) -> None:
    code = await leave_code(original, NOW, keypad="pad")
    folder = await put_to_use(tmp_path)
    async with open_store(folder) as store:
        (held,) = store.guests.passes()
        assert (held.state, held.version) == (PassState.REVOKED, 2)
        (left,) = store.guests.codes_of(held.id)
        assert (left.id, left.state) == (code.id, CodeState.WITHDRAWING), "it is read back at the keypad"
    (as_before,) = original.guests.passes()
    assert as_before.state is PassState.GRANTED


async def test_a_store_in_doubt_withdraws_every_pass(original: Store) -> None:
    await leave_code(original, NOW, keypad="pad")
    await original.rollback.begin_doubt("rolled_back", NOW, signer="key", tell_at=None)
    (held,) = original.guests.passes()
    assert held.state is PassState.REVOKED


async def test_a_keeper_whose_code_was_withdrawn_since_opens_nothing_by_the_copy(
    tmp_path: Path, original: Store
) -> None:
    given = StoredKeeperCode(
        id="c1", keeper="marie", code=b"0" * 32, session=None, browser=None, by="p-anna", made=NOW.utc, seen=NOW.utc
    )
    assert await original.keepers.add_code(given, NOW)
    folder = await put_to_use(tmp_path)
    async with open_store(folder) as store:
        code = store.keepers.code("c1")
        assert code is not None
        assert code.withdrawn is not None
