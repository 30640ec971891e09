"""The codes of keepers in the store: digests only, withdrawn at once, and never more than a few."""

import sqlite3
from datetime import timedelta
from pathlib import Path

from gateway.domain.delivery.barcodes import courier_token_digest
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit.events import FactsChanged, KeeperWithdrawn, Scanned
from gateway.domain.visit.state import KeeperCode
from gateway.storage.keepers import MAX_CODES, MAX_WITHDRAWN, WITHDRAWN_KEPT, KeeperLink
from gateway.storage.models import CommitResult
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    entrance_state,
    make_step,
    open_store,
    receive,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.keepers import CLAIRE, COMPANY, code_text, give_code, scanned, stored_code

LATER = replace(NOW, utc=NOW.utc + timedelta(hours=1))


async def test_a_scanned_code_is_its_keepers_and_nobody_elses(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        claire, company = await give_code(store, 1), await give_code(store, 2, COMPANY)
        assert store.keepers.find(scanned(1)) == claire
        assert store.keepers.find(scanned(2)) == company
        for other in (scanned(3), code_text(1), "8L20524752032", "", "courier:"):
            assert store.keepers.find(other) is None, other


async def test_no_code_is_in_the_database(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await give_code(store, 123456789)
    content = (tmp_path / "perron.sqlite").read_bytes()
    assert courier_token_digest((123456789).to_bytes(16)) in content.hex()
    for secret in (code_text(123456789).encode(), (123456789).to_bytes(16)):
        assert secret not in content


async def test_a_withdrawn_code_is_still_known_by_name_and_counts_no_more(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        claire = await give_code(store, 1)
        assert await store.keepers.withdraw((claire.code, "unknown"), LATER, by="p-anna") == (claire.code,)
        assert store.keepers.find(scanned(1)) == replace(claire, withdrawn=True)
        assert store.keepers.codes(CLAIRE) == ()
        assert await store.keepers.withdraw((claire.code,), LATER, by="p-anna") == (), "it is withdrawn once"
        row = store.log.bodies_of_kind("keeper_code_withdrawn")
        assert [(one["keeper"], one["code"], one["by"]) for one in row] == [(CLAIRE, claire.code, "p-anna")]


async def test_all_codes_of_a_keeper_go_together_with_the_links(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        codes = {(await give_code(store, number)).code for number in (1, 2)}
        other = await give_code(store, 3, COMPANY)
        link = KeeperLink(id="l", secret=b"x", keeper=CLAIRE, by="p-anna", made=NOW.utc)
        assert await store.keepers.add_link(link, NOW, lives=timedelta(hours=48))
        assert set(await store.keepers.withdraw_keeper(CLAIRE, LATER, by="p-anna")) == codes
        assert store.keepers.link("l") is None
        assert store.keepers.find(scanned(3)) == other


async def test_a_keeper_has_at_most_eight_codes(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number in range(MAX_CODES):
            await give_code(store, number)
        assert not await store.keepers.add_code(stored_code(100), NOW)
        link = KeeperLink(id="l", secret=b"x", keeper=CLAIRE, by="p-anna", made=NOW.utc)
        assert not await store.keepers.add_link(link, NOW, lives=timedelta(hours=48))
        await give_code(store, 200, COMPANY)
        assert await store.keepers.add_code(stored_code(100), NOW, replaces="code-3"), "renewing needs no room"
        assert {code.id for code in store.keepers.codes(CLAIRE)} == {
            f"code-{number}" for number in (0, 1, 2, 4, 5, 6, 7, 100)
        }


async def test_a_link_gives_one_code_once(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        link = KeeperLink(id="l", secret=b"x", keeper=CLAIRE, by="p-anna", made=NOW.utc)
        assert await store.keepers.add_link(link, NOW, lives=timedelta(hours=48))
        assert await store.keepers.redeem_link("l", stored_code(1, session=b"s"), NOW)
        assert not await store.keepers.redeem_link("l", stored_code(2, session=b"t"), NOW)
        assert [code.id for code in store.keepers.codes(CLAIRE)] == ["code-1"]


async def test_withdrawn_codes_are_forgotten_after_a_time_and_beyond_a_number(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number in range(MAX_WITHDRAWN + 5):
            await give_code(store, number)
            when = replace(NOW, utc=NOW.utc + timedelta(minutes=number))
            await store.keepers.withdraw((f"code-{number}",), when, by="p-anna")
        known = [number for number in range(MAX_WITHDRAWN + 5) if store.keepers.find(scanned(number)) is not None]
        assert known == list(range(5, MAX_WITHDRAWN + 5)), "the newest"
        await give_code(store, 500)
        much_later = replace(NOW, utc=NOW.utc + WITHDRAWN_KEPT + timedelta(days=1))
        await store.keepers.withdraw(("code-500",), much_later, by="p-anna")
        assert store.keepers.find(scanned(10)) is None
        assert store.keepers.find(scanned(500)) is not None


async def test_an_older_copy_of_the_store_lets_no_keeper_in(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number, keeper in ((1, CLAIRE), (2, COMPANY)):
            await give_code(store, number, keeper)
        await store.keepers.withdraw_all(LATER)
        for number in (1, 2):
            found = store.keepers.find(scanned(number))
            assert found is not None
            assert found.withdrawn


async def test_an_intent_of_a_keeper_whose_code_was_withdrawn_a_moment_ago_is_rolled_back(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        claire = await give_code(store, 1)
        facts = visit_delivery(store)
        step = reserve_step(facts)
        assert step.state.visit is not None
        kept = replace(step, state=replace(step.state, visit=replace(step.state.visit, keeper=claire)))
        await store.keepers.withdraw((claire.code,), LATER, by="p-anna")
        assert await store.commit(kept) == KeeperWithdrawn(codes=frozenset({claire.code}))
        assert visit_delivery(store).openings_left == facts.openings_left, "nothing was reserved"
        unknown = KeeperCode(code="of another box", keeper=CLAIRE)
        strange = replace(step, state=replace(step.state, visit=replace(step.state.visit, keeper=unknown)))
        assert await store.commit(strange) == KeeperWithdrawn(codes=frozenset({unknown.code}))


async def test_an_intent_of_a_keeper_whose_code_counts_is_stored(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        claire, step = await give_code(store, 1), reserve_step(visit_delivery(store))
        assert step.state.visit is not None
        visit = replace(step.state.visit, keeper=claire)
        outcome = await store.commit(replace(step, state=replace(step.state, visit=visit)))
        assert isinstance(outcome, CommitResult)
        stored = store.entrances.state("front")
        assert stored is not None
        assert stored.visit is not None
        assert stored.visit.keeper == claire, "a restart knows who has the key"


async def test_newer_facts_of_the_delivery_come_first(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        claire, step = await give_code(store, 1), reserve_step(visit_delivery(store), epoch=7)
        assert step.state.visit is not None
        kept = replace(step, state=replace(step.state, visit=replace(step.state.visit, keeper=claire)))
        await store.keepers.withdraw((claire.code,), LATER, by="p-anna")
        assert isinstance(await store.commit(kept), FactsChanged)


async def test_the_log_of_a_scan_names_the_keeper_and_has_no_code(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        claire = await give_code(store, 1)
        plain = Scanned(id="s1", scanner="scanner", code="x")
        scan = Scanned(id="s2", scanner="scanner", code=scanned(1), keeper=claire)
        for event in (plain, scan):
            await store.commit(make_step(entrance_state(), c.LogNote(what="x"), event=event, now=IN_WINDOW))
        first, second = (row["event"] for row in store.log.bodies_of_kind("step"))
        assert "keeper" not in first
        assert "awaiting" not in first
        assert (second["keeper"], second["withdrawn"], second["matches"]) == (CLAIRE, False, [])
        assert scanned(1) not in str(second)


async def test_a_database_of_before_keepers_has_none(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "databases" / "0016.sqlite"
    file = tmp_path / "perron.sqlite"
    file.write_bytes(old.read_bytes())
    before = sqlite3.connect(file)
    assert before.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'keeper%'").fetchone() == (0,)
    before.close()
    async with open_store(tmp_path) as store:
        assert store.keepers.find(scanned(1)) is None
        await give_code(store, 1)
        assert store.keepers.find(scanned(1)) is not None
