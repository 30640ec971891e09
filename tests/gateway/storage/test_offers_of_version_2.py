"""Orders of version 2 in the store: what is kept of them, what they may replace, and what changes nothing."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.home import Home
from gateway.config.robots import RobotsSection
from gateway.domain.delivery.features import SUPPORTED_FEATURES, Dimensions
from gateway.domain.delivery.label import LabelRule
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.promise_v2 import CancelV2
from gateway.domain.delivery.result import CollectResult, Outcome, Refusal
from gateway.domain.visit.commands import ReportParcelResult
from gateway.domain.visit.state import CodeKind
from gateway.protocol import jws
from gateway.protocol.delivery_message import verify_delivery
from gateway.storage.database import Database
from gateway.storage.models import MessageAnswer
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    commit_reservation,
    entrance_state,
    make_step,
    open_store,
    receive,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import (
    BOX,
    NOW,
    PARCEL,
    SECRETS,
    enrolled_keys,
    make_cancel,
    make_claims,
    make_home,
    make_offer,
    make_offer_v2,
    make_update,
    make_update_v2,
)

SIZE = {"length": 400, "width": 300, "height": 200}
RULES = (LabelRule.AUTHORITY_TO_LEAVE, LabelRule.NOT_AFTER)


def words(answer: MessageAnswer) -> tuple[bool | None, str | None, State | None]:
    return answer.result.accepted, answer.result.code, answer.result.state


async def test_what_an_order_says_is_kept_over_a_restart_and_replaced_as_a_whole(tmp_path: Path) -> None:
    offer = make_offer_v2(entrances=("front", "garage"), dimensions=SIZE, label_rules=RULES, info={"note": "Fragile"})
    async with open_store(tmp_path) as store:
        assert words(await receive(store, offer)) == (True, None, State.SCHEDULED)
    async with open_store(tmp_path) as store:
        order = store.deliveries.order("shop.d1")
        assert order is not None
        assert (order.message_version, order.entrances) == (2, frozenset({"front", "garage"}))
        assert order.dimensions == Dimensions(length=400, width=300, height=200)
        assert order.label_rules == {"4322", "4325"}
        assert order.info == {"note": "Fragile"}
        assert visit_delivery(store).dimensions == order.dimensions
        assert words(await receive(store, make_update_v2())) == (True, None, State.SCHEDULED)
        order = store.deliveries.order("shop.d1")
        assert order is not None
        assert (order.entrances, order.dimensions, order.label_rules, order.info) == (None, None, frozenset(), {})


async def test_what_is_to_be_collected_is_kept_and_its_code_found_as_such(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(collect=("RB123456785GB",)))
        (match,) = store.deliveries.matches("RB123456785GB", IN_WINDOW)
        assert (match.kind, match.delivery.collect) == (CodeKind.COLLECT, frozenset({"RB123456785GB"}))
        again = make_offer_v2(id="d2", parcels=("P-2",), courier_sha256="c" * 64, collect=("RB123456785GB",))
        assert words(await receive(store, again))[1] == "code_collision"
    async with open_store(tmp_path) as store:
        order = store.deliveries.order("shop.d1")
        assert order is not None
        assert order.collect == {"RB123456785GB"}
        assert words(await receive(store, make_update_v2())) == (True, None, State.SCHEDULED)
        assert store.deliveries.matches("RB123456785GB", IN_WINDOW) == ()


async def test_an_order_that_only_collects_waits_for_no_label_and_has_its_courier_s_code(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        bare = make_offer_v2(parcels=(), collect=("R-1",), entrance="garage", courier_sha256=None)
        assert words(await receive(store, bare)) == (False, "courier_code_missing", State.REFUSED)
        await receive(store, make_offer_v2(id="d2", parcels=(), collect=("R-1",), entrance="garage"))
        delivery = store.deliveries.facts("shop.d2", IN_WINDOW)
        assert delivery is not None
        assert (delivery.only_collects, delivery.needs_courier) == (True, True)
        result = store.deliveries.result("shop.d2", IN_WINDOW)
        assert result is not None
        assert result.state is State.WINDOW_OPEN


async def test_what_a_visit_collected_is_in_the_result(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(collect=("R-1",)))
        told = ReportParcelResult(
            visit="v1", delivery="shop.d1", outcome=Outcome.DELIVERED, collected=CollectResult.NOT_COLLECTED
        )
        await store.commit(make_step(entrance_state(), told))
        result = store.deliveries.result("shop.d1", IN_WINDOW)
        assert result is not None
        assert (result.state, result.collected) == (State.DELIVERED, CollectResult.NOT_COLLECTED)


async def test_an_order_of_version_1_says_nothing_of_all_that(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        order = store.deliveries.order("shop.d1")
        assert order is not None
        assert (order.message_version, order.entrances, order.dimensions) == (1, None, None)


async def test_no_message_of_version_1_drops_the_limits_of_an_order_of_version_2(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(dimensions=SIZE))
        for older in (make_update(), make_update(version=9), make_offer(version=9)):
            answer = await receive(store, older)
            assert words(answer) == (False, "downgrade", State.SCHEDULED)
        order = store.deliveries.order("shop.d1")
        assert order is not None
        assert order.dimensions is not None
        assert words(await receive(store, make_cancel(version=2))) == (True, None, State.CANCELLED), (
            "a cancel drops none"
        )
        assert words(await receive(store, make_update(version=3))) == (False, "cancelled", State.CANCELLED)


async def test_an_order_of_version_1_may_grow_into_one_of_version_2(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer(version=3))
        assert words(await receive(store, make_update_v2(version=3))) == (False, "version_too_low", State.SCHEDULED)
        assert words(await receive(store, make_update_v2(version=4, dimensions=SIZE))) == (True, None, State.SCHEDULED)
        assert words(await receive(store, make_update(version=5))) == (False, "downgrade", State.SCHEDULED)
        assert words(await receive(store, CancelV2(id="d1", version=5, needs=()))) == (True, None, State.CANCELLED)


async def test_an_order_that_names_an_entrance_that_is_not_here_is_refused(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        answer = await receive(store, make_offer_v2(entrances=("cellar", "front")))
        assert words(answer) == (False, "unknown_entrance", State.REFUSED)


# ---- an unknown need -------------------------------------------------------------------------------------------------


def with_needs(needs: list[str], *, version: int = 2, do: str = "update") -> bytes:
    payload = json.loads(make_claims(make_update_v2(version=version)).model_dump_json(exclude_none=True))
    payload["delivery"] |= {"needs": needs, "do": do, "place": "fridge", "wings": 2}
    return jws.sign(jws.DELIVERY_2, json.dumps(payload).encode(), SECRETS["shop"].sign, kid="shop-1")


async def accept(store: Store, token: bytes) -> MessageAnswer:
    return await store.deliveries.accept(token, verify_delivery(token, enrolled_keys(), box=BOX, now=NOW), NOW)


async def all_rows(store: Store) -> dict[str, list[Any]]:
    """All that the store holds, but for the log, which records that a message was rejected."""

    def read(db: Database) -> dict[str, list[Any]]:
        tables = db.column("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        names = [name for name in tables if name != "entry"]
        return {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}").fetchall())) for name in names}  # noqa: S608 - names of our own tables

    return await store.deliveries.writer.do(read)


async def test_what_the_box_does_not_understand_is_refused_whole_with_the_words(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        answer = await accept(store, with_needs(["antlers", "wings"]))
        result = answer.result
        assert (result.accepted, result.code, result.unsupported) == (False, "unsupported", ("antlers", "wings"))
        assert (result.brand, result.delivery, result.version) == ("shop", "d1", 2)
        assert answer.changed == ()
        assert "antlers, wings" in str(result.why)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(
        st.from_regex(r"[a-z][a-z0-9_]{0,15}", fullmatch=True) | st.sampled_from(sorted(SUPPORTED_FEATURES)),
        max_size=20,  # one too many is malformed
    ),
    st.sampled_from(["offer", "update", "cancel"]),
    st.integers(min_value=1, max_value=9),
)
async def test_an_unknown_need_changes_nothing(needs: set[str], do: str, version: int) -> None:
    with TemporaryDirectory() as folder:
        async with open_store(Path(folder)) as store:
            await receive(store, make_offer_v2(version=2))
            before = await all_rows(store)
            answer = await accept(store, with_needs(sorted(needs | {"wings"}), version=version, do=do))
            assert answer.result.code == "unsupported"
            assert await all_rows(store) == before


# ---- the label -------------------------------------------------------------------------------------------------------


async def test_a_label_that_forbids_it_is_why_the_door_stays_closed(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())

        def refusal(**label: str) -> Refusal | None:
            rules = {identifier.removeprefix("ai"): value for identifier, value in label.items()}
            (match,) = store.deliveries.matches(PARCEL, IN_WINDOW, rules)
            return match.delivery.refusal

        assert refusal() is None
        assert refusal(ai4322="0") is Refusal.LABEL_FORBIDS
        assert refusal(ai4323="1") is Refusal.LABEL_FORBIDS
        local = IN_WINDOW.utc.astimezone(store.deliveries._context.zone)  # noqa: SLF001 - the house's zone
        assert refusal(ai4324=f"{local:%y%m%d%H%M}") is None, "the label says the time of the house, not UTC"
        assert refusal(ai4325=f"{local - timedelta(minutes=1):%y%m%d%H%M}") is Refusal.OUTSIDE_WINDOW
        assert refusal(ai4324=f"{local:%y%m%d}2359") is Refusal.OUTSIDE_WINDOW
        await receive(store, make_cancel())
        assert refusal(ai4322="0") is Refusal.CANCELLED, "what the store knows comes first"


async def test_the_courier_s_code_is_no_label(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(label_rules=RULES))
        (parcel,) = store.deliveries.matches(PARCEL, IN_WINDOW)
        assert parcel.delivery.refusal is Refusal.LABEL_FORBIDS, "the rules that the retailer named were not read"
        (courier,) = store.deliveries.matches(f"courier:{'ab' * 32}", IN_WINDOW)
        assert courier.delivery.refusal is None
        read = {"4322": "1", "4325": "2612319999"}
        (parcel,) = store.deliveries.matches(PARCEL, IN_WINDOW, read)
        assert parcel.delivery.refusal is None


@pytest.mark.parametrize("domain", ["https://id.gs1.org", "https://brand.example/some/path"])
async def test_a_link_of_any_domain_is_the_parcel_with_this_number(tmp_path: Path, domain: str) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer(parcels=(f"{domain}/00/106141411234567897?4322=1",)))
        assert store.deliveries.matches("106141411234567897", IN_WINDOW)


# ---- an order for a robot --------------------------------------------------------------------------------------------


def with_robots() -> Home:
    home = make_home()
    robots = RobotsSection(devices=("r1",), zone="door-1")
    front = home.entrances["front"].model_copy(update={"robots": robots})
    return home.model_copy(update={"entrances": {**home.entrances, "front": front}})


async def test_an_order_for_a_robot_is_kept_and_needs_no_courier_s_code(tmp_path: Path) -> None:
    offer = make_offer_v2(holder="robot", yes_each=True, courier_sha256=None)
    async with open_store(tmp_path, with_robots()) as store:
        assert words(await receive(store, offer)) == (True, None, State.SCHEDULED)
    async with open_store(tmp_path, with_robots()) as store:
        delivery = visit_delivery(store)
        assert (delivery.for_robot, delivery.yes_each, delivery.needs_courier) == (True, True, False)
        assert words(await receive(store, make_update_v2())) == (True, None, State.SCHEDULED)
        assert not visit_delivery(store).for_robot, "the whole order is replaced"


async def test_an_order_for_a_robot_is_refused_where_no_robots_come_in(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        answer = await receive(store, make_offer_v2(holder="robot", yes_each=True))
        assert words(answer) == (False, "unsupported", State.REFUSED)


async def test_one_yes_opens_once_whatever_visit_it_is_used_in(tmp_path: Path) -> None:
    async with open_store(tmp_path, with_robots()) as store:
        for name in ("d1", "d2"):
            offer = make_offer_v2(id=name, parcels=(f"P-{name}",), holder="robot", yes_each=True, courier_sha256=None)
            await receive(store, offer)
        await commit_reservation(store, "shop.d1", permit="a" * 64)
        with pytest.raises(sqlite3.IntegrityError):
            await commit_reservation(store, "shop.d2", visit="v2", permit="a" * 64)
