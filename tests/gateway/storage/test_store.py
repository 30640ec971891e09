"""The store, on a real file: what a step changes, what a reader sees, what is told to whom."""

import asyncio
import json
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.reports import DoorState, LockState
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.closures.contract import Fact
from gateway.domain.visit.events import CodeMatch, DiskChanged, FactsChanged, PreflightDue
from gateway.domain.visit.state import (
    CameraState,
    CodeKind,
    Entrance,
    PendingScan,
    Phase,
    Recording,
    Rules,
    ScanLockout,
    Timer,
)
from gateway.protocol.hash_chain import find_break
from gateway.storage import rows as rows_module
from gateway.storage.database import Database
from gateway.storage.models import CommitResult, StoreFailed
from gateway.storage.schema import connect
from gateway.storage.store import Store
from gateway.storage.writer import Writer
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    commit_reservation,
    entrance_state,
    make_step,
    open_store,
    receive,
    release_step,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import (
    DIGEST,
    NOON,
    NOW,
    PARCEL,
    make_cancel,
    make_home,
    make_offer,
    make_update,
    make_window,
    noon_plus,
)
from tests.slow_disk import slow_disk

# ---- an entrance's steps


async def test_an_entrance_comes_back_exactly_as_it_was_stored(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        rules = Rules(cameras={"cam": True}, open_limit={"hall": 120.0})
        full = Entrance(
            id="front",
            rules=rules,
            broker_session=3,
            last_query_id=17,
            facts={
                "lock": Fact(
                    value=LockState.LOCKED,
                    proven=True,
                    stable_since=12.5,
                    answered_query_id=16,
                    min_query_id=15,
                    boot="b1",
                    seq=9,
                ),
                "door": Fact(value=DoorState.AJAR),
            },
            cameras={"cam": CameraState(live=True)},
            scan_lockouts={"scanner": ScanLockout(unknown_codes=(("x", 1.0),), label_codes=frozenset({"x", "y"}))},
            pending_scan=PendingScan(
                scan="s1",
                scanner="scanner",
                delivery="shop.d1",
                kind=CodeKind.COURIER,
                codes=frozenset({"courier:" + DIGEST}),
            ),
            visit=replace(
                entrance_state(visit_delivery(store)).visit, outcome=Outcome.UNKNOWN, recording=Recording(gaps=("cam",))
            ),  # type: ignore[type-var] # it has a visit
            timers={Timer.ALARM: 12.25},
        )
        assert store.entrances.state("front") is None
        await store.commit(make_step(full))
        assert store.entrances.state("front") == replace(full, rules=Rules())  # its rules are the house file's
    async with open_store(tmp_path) as store:
        assert store.entrances.state("front") == replace(full, rules=Rules())  # its rules are the house file's


async def test_an_unknown_entrance_is_a_bug_and_stores_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        head = store.log.head()
        with pytest.raises(LookupError):
            await store.commit(make_step(Entrance(id="cellar")))
        assert store.log.head() == head


async def test_an_intent_counts_one_opening_and_one_withdrawal(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert isinstance(await commit_reservation(store), CommitResult)
        now = visit_delivery(store)
        assert (now.openings_left, now.withdrawals_left, now.refusal) == (0, 1, Refusal.ALREADY_USED)


@pytest.mark.parametrize(
    ("withdrawal", "left"),
    [(True, (1, 2)), (False, (1, 1))],  # certainly not sent: as if nothing had been; never opened: the bolt moved
)
async def test_what_is_given_back_comes_back_once(tmp_path: Path, *, withdrawal: bool, left: tuple[int, int]) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await commit_reservation(store)
        for _ in range(2):
            await store.commit(release_step(visit_delivery(store), withdrawal=withdrawal))
            assert (visit_delivery(store).openings_left, visit_delivery(store).withdrawals_left) == left
        await store.commit(release_step(visit_delivery(store), withdrawal=not withdrawal))
        assert (visit_delivery(store).openings_left, visit_delivery(store).withdrawals_left) == left


async def test_what_is_spent_never_comes_back(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await commit_reservation(store)
        await store.commit(make_step(entrance_state(), c.ConsumeOpening(visit="v1", delivery="shop.d1")))
        await store.commit(release_step(visit_delivery(store), withdrawal=True))
        assert visit_delivery(store).openings_left == 0


async def test_a_second_try_may_come_and_a_third_not(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        for visit in ("v1", "v2"):
            assert isinstance(await commit_reservation(store, visit=visit), CommitResult)
            await store.commit(release_step(visit_delivery(store), visit=visit, withdrawal=False))
        outcome = await commit_reservation(store, visit="v3")
        assert isinstance(outcome, FactsChanged)
        assert outcome.delivery.withdrawals_left == 0


async def test_one_visit_has_one_intent(tmp_path: Path) -> None:
    async with open_store(tmp_path, make_home(shop={"openings": 3})) as store:
        await receive(store, make_offer())
        await commit_reservation(store)
        with pytest.raises(sqlite3.IntegrityError):
            await commit_reservation(store)
        assert visit_delivery(store).openings_left == 2


async def change(store: Store, what: str) -> None:
    match what:
        case "update":
            await receive(store, make_update(place="fridge"))
        case "cancel":
            await receive(store, make_cancel())
        case "revoke":
            await store.brands.decide("shop", PermissionStatus.REVOKED, NOW)
        case "permit":
            permission = store.brands.permission("shop")
            assert permission is not None
            await store.brands.decide(
                "shop", PermissionStatus.GRANTED, NOW, terms=replace(permission.terms, ask_each_time=True)
            )
        case "stop":
            await store.entrances.set_stop("front", NOW, on=True)
        case "stop and lift":
            await store.entrances.set_stop("front", NOW, on=True)
            await store.entrances.set_stop("front", NOW, on=False)
        case _:
            raise AssertionError(what)


@pytest.mark.parametrize(
    ("what", "refusal", "stopped", "epoch"),
    [
        ("update", None, False, 0),
        ("cancel", Refusal.CANCELLED, False, 0),
        ("revoke", Refusal.BRAND_NOT_PERMITTED, False, 0),
        ("permit", None, False, 0),
        ("stop", None, True, 1),
        ("stop and lift", None, False, 2),
    ],
)
async def test_whatever_commits_before_the_intent_overtakes_it(
    tmp_path: Path, what: str, refusal: Refusal | None, *, stopped: bool, epoch: int
) -> None:
    """Invariant 9: after a cancel, a revocation or a stop has committed, no intent commits."""
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        intent = reserve_step(visit_delivery(store))
        await change(store, what)
        before, head = store.entrances.state("front"), store.log.head()
        outcome = await store.commit(intent)
        assert isinstance(outcome, FactsChanged)
        facts = FactsChanged(delivery=visit_delivery(store), stopped=stopped, epoch=epoch, pauses=(), stays=())
        assert outcome == facts
        assert outcome.delivery.refusal is refusal
        assert visit_delivery(store).withdrawals_left == 2
        assert (store.entrances.state("front"), store.log.head()) == (before, head)


async def test_an_intent_that_knows_of_the_stop_does_not_commit_either(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        epoch = await store.entrances.set_stop("front", NOW, on=True)
        outcome = await store.commit(reserve_step(visit_delivery(store), epoch=epoch))
        assert isinstance(outcome, FactsChanged)
        assert outcome.stopped


async def test_of_an_overtaken_step_nothing_stays(tmp_path: Path) -> None:
    """A step with two intents, of which the second is overtaken: the first one's row goes too."""
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await receive(store, make_offer(id="d2", parcels=("two",), courier_sha256="c" * 64))
        one, two = reserve_step(visit_delivery(store)), reserve_step(visit_delivery(store, "shop.d2"), visit="v2")
        await receive(store, make_update(id="d2", parcels=("two",), courier_sha256="d" * 64))
        outcome = await store.commit(replace(one, commands=one.commands + two.commands))
        assert isinstance(outcome, FactsChanged)
        assert outcome.delivery.id == "shop.d2"
        assert visit_delivery(store).openings_left == 1


async def test_in_one_commit_an_overtaken_step_falls_out_alone(tmp_path: Path) -> None:
    """All are waiting before the writer can look: they share a transaction, and each is whole or not at all."""
    async with open_store(tmp_path, make_home(shop={"openings": 2})) as store:
        for name in ("d1", "d2"):
            await receive(store, make_offer(id=name, entrance="garage", parcels=(name,), courier_sha256=None))
        intents = [
            reserve_step(visit_delivery(store, f"shop.{name}"), visit=f"{name}-{n}")
            for name in ("d1", "d2")
            for n in "abc"
        ]
        gate = asyncio.Event()
        blocked = asyncio.create_task(_hold(store, gate))
        waiting = [asyncio.create_task(store.commit(intent)) for intent in intents]
        await asyncio.sleep(0)
        before = writer_of(store).commits
        gate.set()
        outcomes = await asyncio.gather(*waiting)
        await blocked
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [CommitResult, CommitResult, FactsChanged] * 2
        assert writer_of(store).commits <= before + 2  # what held the writer back, and all of these
        bodies = [json.loads(e.body) for e in store.log.entries() if isinstance(e.body, bytes)]
        told_of = [e["visit"] for e in bodies if e["kind"] == "step"]
        assert told_of == ["d1-a", "d1-b", "d2-a", "d2-b"]
        assert find_break(store.log.entries()) is None


async def _hold(store: Store, gate: asyncio.Event) -> None:
    """Keep the writer busy until the gate opens, so that what comes meanwhile waits together."""
    loop = asyncio.get_running_loop()

    def wait(_: sqlite3.Connection) -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

    await writer_of(store).do(wait)


def writer_of(store: Store) -> Writer:
    return store._writer  # noqa: SLF001 - tests hold it back, or put into the file what would take long otherwise


async def test_a_bug_in_one_piece_of_work_leaves_the_others_of_its_commit(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        gate = asyncio.Event()
        blocked = asyncio.create_task(_hold(store, gate))
        good = [asyncio.create_task(store.box.next_session_number()) for _ in range(2)]
        bad = asyncio.create_task(store.commit(make_step(Entrance(id="cellar"))))
        good.append(asyncio.create_task(store.box.next_session_number()))
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*good) == [1, 2, 3]
        with pytest.raises(LookupError):
            await bad
        await blocked


async def test_a_bug_in_a_piece_of_work_alone_in_its_commit_leaves_nothing_of_it(tmp_path: Path) -> None:
    def work(db: Database) -> None:
        db.log("half", NOON)
        raise LookupError("a bug")

    async with open_store(tmp_path) as store:
        head, writer = store.log.head(), writer_of(store)
        with pytest.raises(LookupError):
            await writer.do(work)
        assert store.log.head() == head
        assert await store.box.next_session_number() == 1
        assert store.log.head() == head


async def test_after_a_decision_that_was_not_stored_nothing_is_reserved_before_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        delivery = visit_delivery(store)
        good, elsewhere = replace(entrance_state(), disk_ok=True), replace(entrance_state(), id="garage")
        async with slow_disk(writer_of(store), monkeypatch) as disk:
            disk.fails_once = True
            lost, reserved, other = (
                asyncio.ensure_future(store.commit(step))
                for step in (make_step(good), reserve_step(delivery), make_step(elsewhere))
            )
            await asyncio.sleep(0)
        with pytest.raises(StoreFailed):
            await lost
        assert await reserved == DiskChanged(ok=False)
        assert isinstance(await other, CommitResult)
        await store.commit(make_step(good))
        assert await commit_reservation(store) == DiskChanged(ok=False), "it is stored, but what came before is not"
        assert visit_delivery(store).openings_left == 1
        await store.commit(make_step(replace(good, disk_ok=False), event=DiskChanged(ok=False)))
        assert isinstance(await commit_reservation(store), CommitResult)
        assert find_break(store.log.entries()) is None


async def test_whoever_was_cancelled_while_waiting_stops_nobody(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        gate = asyncio.Event()
        blocked = asyncio.create_task(_hold(store, gate))
        await asyncio.sleep(0)
        gone = asyncio.create_task(store.box.next_session_number())
        await asyncio.sleep(0)
        gone.cancel()
        gate.set()
        await blocked
        assert await store.box.next_session_number() == 2


async def test_after_the_end_nothing_is_taken(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        pass
    with pytest.raises(StoreFailed):
        await store.box.next_session_number()
    with pytest.raises(StoreFailed):
        store.log.head()
    store.box.post_time_floor(NOON)
    await store.close()


# ---- looking up


async def test_a_scan_finds_the_parcel_and_the_couriers_code(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        expected = visit_delivery(store)
        assert store.deliveries.matches(PARCEL, now=IN_WINDOW) == (CodeMatch(kind=CodeKind.PARCEL, delivery=expected),)
        assert store.deliveries.matches("courier:" + DIGEST, now=IN_WINDOW) == (
            CodeMatch(kind=CodeKind.COURIER, delivery=expected),
        )
        assert store.deliveries.matches(DIGEST, now=IN_WINDOW) == ()
        assert store.deliveries.matches("nothing", now=IN_WINDOW) == ()


async def test_a_code_of_two_deliveries_finds_first_the_one_that_may_come_in(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer(id="old"))
        await receive(store, make_offer(id="new", window=make_window(4, 5)))
        assert [m.delivery.id for m in store.deliveries.matches(PARCEL, now=noon_plus(hours=4))] == [
            "shop.new",
            "shop.old",
        ]
        assert [m.delivery.refusal for m in store.deliveries.matches(PARCEL, now=noon_plus(hours=4))] == [
            None,
            Refusal.EXPIRED,
        ]


@pytest.mark.slow
async def test_what_is_looked_up_at_the_door_goes_by_index(tmp_path: Path) -> None:
    """The plan is asserted, not the clock: no table is read from end to end, however many deliveries there are."""
    async with open_store(tmp_path) as store:

        def fill(db: sqlite3.Connection) -> None:
            db.execute("PRAGMA defer_foreign_keys = ON")
            db.execute(
                "CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS"
                " (VALUES (0) UNION ALL SELECT i + 1 FROM c WHERE i < 99999) SELECT i FROM c"
            )
            db.execute(
                "INSERT INTO delivery (key, brand, id, version, entrance, carrier, place, starts, ends)"
                " SELECT 'shop.n' || i, 'shop', 'n' || i, 1, 'front', 'Colissimo', 'hall', ?, ? FROM n",
                (int(NOON.timestamp() * 1e6), int(IN_WINDOW.utc.timestamp() * 1e6) + 1),
            )
            db.execute("INSERT INTO code SELECT 'code-' || i, 'shop.n' || i, 'parcel' FROM n")
            db.execute("ANALYZE")

        await writer_of(store).do(fill)
        (match,) = store.deliveries.matches("code-77777", now=IN_WINDOW)
        assert match.delivery.id == "shop.n77777"
        assert match.delivery.refusal is None
    reader = connect(tmp_path / "perron.sqlite", writes=False)
    queries: list[tuple[str, tuple[Any, ...]]] = [
        (rows_module.SELECT_BY_CODE, ("code-1",)),
        (rows_module.SELECT_BY_KEY, ("shop.n1",)),
        (rows_module.SELECT_NEAR, ("front", 0, 2**60, 2**60, 10)),
        (rows_module.SELECT_UNCHECKED, ("front", 0, 10)),
        (rows_module.SELECT_DUE, (0, 10)),
        ("SELECT min(look_at) FROM delivery WHERE look_at IS NOT NULL", ()),
        ("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1", ()),
    ]
    for query, parameters in queries:
        plan = [row[3] for row in reader.execute("EXPLAIN QUERY PLAN " + query, parameters)]
        scans = [line for line in plan if line.startswith("SCAN") and "USING" not in line and "(subquery" not in line]
        assert [line for line in scans if line not in {"SCAN entry", "SCAN CONSTANT ROW"}] == [], plan
        assert not any("TEMP B-TREE" in line for line in plan if "d" in line.split()), plan
    reader.close()


async def test_upcoming_deliveries_are_those_whose_window_has_not_ended(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number, hours in enumerate([(4, 5), (1, 2), (2, 3)]):
            await receive(
                store,
                make_offer(
                    id=f"d{number}", parcels=(f"p{number}",), window=make_window(*hours), courier_sha256=f"{number:064}"
                ),
            )
        await receive(store, make_offer(id="d3", parcels=("p3",), courier_sha256="9" * 64))
        await receive(store, make_cancel(id="d3"))
        assert [u.delivery.id for u in store.deliveries.upcoming("front", IN_WINDOW)] == ["shop.d2", "shop.d0"]
        assert store.deliveries.upcoming("garage", IN_WINDOW) == ()
        await store.commit(make_step(entrance_state(), event=PreflightDue(delivery=visit_delivery(store, "shop.d2"))))
        assert [u.checked for u in store.deliveries.upcoming("front", IN_WINDOW)] == [IN_WINDOW.utc, None]


async def test_a_delivery_of_next_week_is_upcoming_once_for_its_first_look_and_again_a_day_before(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer(window=make_window(7 * 24, 8 * 24)))
        assert [u.checked for u in store.deliveries.upcoming("front", NOW)] == [None]
        await store.commit(make_step(entrance_state(), event=PreflightDue(delivery=visit_delivery(store)), now=NOW))
        assert store.deliveries.upcoming("front", NOW) == ()
        assert [u.checked for u in store.deliveries.upcoming("front", noon_plus(days=6))] == [NOW.utc]
        assert len(store.deliveries.upcoming("front", noon_plus(days=7, hours=23))) == 1
        assert store.deliveries.upcoming("front", noon_plus(days=8)) == ()


# ---- the retailer


def next_check(store: Store) -> datetime | None:
    """When time alone may change a delivery's result."""
    return store.deliveries.reader().value(datetime, "SELECT min(look_at) FROM delivery")


async def test_a_retailer_hears_every_state_once_and_in_order(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        answer = await receive(store, make_offer())
        heard = [answer.result.state]

        async def listen(now: Any) -> None:  # noqa: ANN401 - a Now
            for result in store.deliveries.changed_results(now):
                assert result.delivery == "d1"
                heard.append(result.state)
                await store.deliveries.mark_reported(result, now)
            assert store.deliveries.changed_results(now) == ()

        await listen(NOW)
        assert next_check(store) == NOON + timedelta(hours=1)
        await listen(noon_plus(hours=1))
        assert next_check(store) == NOON + timedelta(hours=3)
        under = visit_delivery(store)
        await store.commit(make_step(entrance_state(under, phase=Phase.RINGING)))
        await listen(IN_WINDOW)
        await store.commit(reserve_step(under))
        await listen(IN_WINDOW)
        done = c.ReportParcelResult(visit="v1", delivery="shop.d1", outcome=Outcome.DELIVERED)
        await store.commit(
            make_step(
                entrance_state(under, phase=Phase.RELOCKING), c.ConsumeOpening(visit="v1", delivery="shop.d1"), done
            )
        )
        await listen(IN_WINDOW)
        locked = c.ReportDoorResult(visit="v1", delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN)
        await store.commit(make_step(entrance_state(under, phase=Phase.LOCKED_AGAIN), locked))
        assert store.entrances.locked_at("front") == IN_WINDOW.utc
        await listen(IN_WINDOW)
        await store.commit(make_step(entrance_state()))
        await listen(noon_plus(hours=9))
        assert heard == [State.SCHEDULED, State.WINDOW_OPEN, State.VISITING, State.DELIVERED, State.DELIVERED]
        result = store.deliveries.result("shop.d1", IN_WINDOW)
        assert result is not None
        assert (result.house, result.missing) == (DoorResult.LOCKED_AGAIN, 0)


async def test_what_was_not_told_is_found_again_after_a_restart(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert [r.state for r in store.deliveries.changed_results(IN_WINDOW)] == [State.WINDOW_OPEN]
    async with open_store(tmp_path) as store:
        assert [r.state for r in store.deliveries.changed_results(IN_WINDOW)] == [State.WINDOW_OPEN]
        assert [r.state for r in store.deliveries.changed_results(noon_plus(hours=3))] == [State.EXPIRED]


async def test_without_trusted_time_no_retailer_hears_of_a_window(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert store.deliveries.changed_results(replace(IN_WINDOW, trusted=False)) == ()


async def test_an_entrance_that_is_not_ready_is_told_and_that_it_is_again(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        for lacking in (("lock", "cam"), ()):
            await store.commit(
                make_step(entrance_state(), c.ReportReadiness(delivery="shop.d1", lacking=lacking), now=NOW)
            )
            (result,) = store.deliveries.changed_results(NOW)
            assert result.lacking == lacking
            await store.deliveries.mark_reported(result, NOW)


async def test_a_parcels_result_is_latched_and_the_houses_may_be_corrected(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer(parcels=(PARCEL, "second")))
        await commit_reservation(store)
        for outcome, missing in ((Outcome.PARTLY_DELIVERED, 1), (Outcome.DELIVERED, 0)):
            said = c.ReportParcelResult(visit="v1", delivery="shop.d1", outcome=outcome, missing=missing)
            await store.commit(make_step(entrance_state(), said))
        for house in (DoorResult.HANDED_TO_OWNER, DoorResult.LOCKED_AGAIN):
            await store.commit(
                make_step(entrance_state(), c.ReportDoorResult(visit="v1", delivery="shop.d1", door_result=house))
            )
            result = store.deliveries.result("shop.d1", IN_WINDOW)
            assert result is not None
            assert (result.state, result.missing, result.house) == (State.PARTLY_DELIVERED, 1, house)
