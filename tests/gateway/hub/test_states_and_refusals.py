"""Every state and every reason that a retailer is told, had over HTTP, with a real box behind a real broker.

Hub, broker, and of the box its store, reception and line are the real ones; visits are committed as an entrance commits
them. What no home can say through a hub has no place among the reasons: `test_every_reason_has_its_way` fails for it.
"""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from gateway.domain.custody import DeclineReason
from gateway.domain.delivery.address import AddressKind, HomeAddress
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import Cancel, DeliveryBody, State
from gateway.domain.delivery.result import CollectResult, Outcome
from gateway.domain.delivery.result import DoorResult as Left
from gateway.hub.database.tables import connections
from gateway.protocol.delivery_state import PUBLIC_REASONS
from gateway.storage.snapshot import write_snapshot
from tests.gateway.domain.delivery.shop import SECRETS, make_claims, make_offer_v2, make_window
from tests.gateway.domain.delivery.shop import make_update as updated
from tests.gateway.integrations.hub_client.test_session import HOME
from tests.gateway.runtime.test_fallback import FallbackBox
from tests.gateway.runtime.test_fallback import home as home_with_fallback
from tests.hubhouse import SERIAL, HubHouse, hub_house, new_offer, run_uplink
from tests.shell.box import box as made_box
from tests.shell.box import run_box, run_tasks
from tests.shell.desk import DESK, MARC, DeskBox, home_with_desk
from tests.shell.parts import ManualTime

pytestmark = pytest.mark.slow

_HOUR = 3600


def forged(header: Mapping[str, Any], payload: Mapping[str, Any], seed: bytes = b"s" * 32) -> str:
    """A message as somebody makes it by hand."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload)]
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(b".".join(parts))
    return b".".join((*parts, urlsafe_b64encode(signature).rstrip(b"="))).decode()


# ---- what the hub itself refuses already, by the very code that the home would say -----------------------------------

HEADER = {"alg": "Ed25519", "kid": "shop-1", "typ": "perron-delivery+jwt"}
FORGED: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "malformed": lambda _said: "YQ.YQ.YQ",
    "wrong_header": lambda said: forged({**HEADER, "jwk": {"kty": "OKP"}}, said),
    "wrong_algorithm": lambda said: forged({**HEADER, "alg": "none"}, said),
    "wrong_type": lambda said: forged({**HEADER, "typ": "JWT"}, said),
    "unknown_key": lambda said: forged({**HEADER, "kid": "nobody"}, said),
    "wrong_signature": lambda said: forged(HEADER, said, seed=b"x" * 32),
    "wrong_claims": lambda said: forged(HEADER, {**said, "exp": said["iat"] + 32 * 24 * _HOUR}),
    "wrong_issuer": lambda said: forged(HEADER, {**said, "iss": "farm"}),
    "wrong_audience": lambda said: forged(HEADER, {**said, "aud": "home-2"}),
    "not_yet_valid": lambda said: forged(HEADER, {**said, "nbf": said["nbf"] + 600}),
    "unsupported": lambda said: forged(
        {**HEADER, "typ": "perron-delivery-2+jwt"}, {**said, "delivery": {**said["delivery"], "needs": ["wings"]}}
    ),
    "no_longer_valid": lambda said: forged(HEADER, {**said, "iat": said["iat"] - 7200, "exp": said["iat"] - 1}),
}


async def test_what_is_not_believed_is_refused_with_the_reason_of_the_home(tmp_path: Path) -> None:
    async with hub_house(tmp_path, there=False) as here:
        for reason, forge in FORGED.items():
            said = json.loads(
                make_claims(new_offer(), now=here.made.clock.now(), aud=HOME).model_dump_json(exclude_none=True)
            )
            body = {"connection": here.connection, "token": forge(said)}
            status, answer = await here.ask("POST", "/v1/deliveries", body)
            assert (status, answer["code"]) == (422, "signature_refused"), reason
            assert answer["errors"][0]["code"] == reason


# ---- what the home answers -------------------------------------------------------------------------------------------

Way = Callable[[HubHouse], Awaitable[None]]


def refused(reason: str, **changes: Any) -> Way:  # noqa: ANN401 - any field of an offer
    """An offer of this kind is refused."""

    async def way(here: HubHouse) -> None:
        await here.stands(await here.offers(new_offer(**changes)), State.REFUSED, reason)

    return way


def no_longer_there(reason: str, part: str, **changes: Any) -> Way:  # noqa: ANN401 - any field of an offer
    """The owner's word still names what the house has no more: the hub passes it on, the house looks."""

    async def way(here: HubHouse) -> None:
        # Of a brand that never came it tells nothing
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        before = here.made.store.brands.permission("shop")
        assert before is not None
        wider = replace(before.terms, **{part: getattr(before.terms, part) | {*changes.values()}})
        await here.made.store.brands.decide("shop", PermissionStatus.GRANTED, here.made.clock.now(), terms=wider)
        await here.knows(**{part: sorted(getattr(wider, part))})
        await _forgets_the_places_of_entrances(here)
        await here.stands(await here.offers(new_offer(**changes)), State.REFUSED, reason)
        await here.made.store.brands.decide("shop", PermissionStatus.GRANTED, here.made.clock.now(), terms=before.terms)
        await here.knows(**{part: sorted(getattr(before.terms, part))})

    return way


async def _forgets_the_places_of_entrances(here: HubHouse) -> None:
    """The hub knows no more of them than of a home of an earlier release: else it would refuse a wrong pair itself."""
    async with here.hub.hub.store.writing() as tx:
        this = connections.c.id == here.connection
        known = await tx.scalar(select(connections.c.terms).where(this))
        await tx.execute(update(connections).where(this).values(terms={**(known or {}), "entrance_places": None}))


async def collision(here: HubHouse) -> None:
    first = new_offer()
    await here.stands(await here.offers(first), State.SCHEDULED)
    await here.stands(await here.offers(new_offer(parcels=first.parcels)), State.REFUSED, "code_collision")


async def reused(here: HubHouse) -> None:
    await here.stands(await here.offers(new_offer(), jti="said-twice-000001"), State.SCHEDULED)
    await here.stands(await here.offers(new_offer(), jti="said-twice-000001"), State.REFUSED, "jti_reused")


async def offered_already(here: HubHouse) -> None:
    said = new_offer()
    await here.directly(said)
    made = await here.offers(said)
    await here.answered(made, "already_offered")
    await here.stands(made, State.SCHEDULED)


async def withdrawn_already(here: HubHouse) -> None:
    said = new_offer()
    await here.directly(Cancel(id=said.id, version=2))
    made = await here.offers(said)
    await here.answered(made, "cancelled")
    await here.stands(made, State.CANCELLED)


async def too_low(here: HubHouse) -> None:
    said = new_offer()
    made = await here.offers(said)
    await here.stands(made, State.SCHEDULED)
    await here.directly(_anew(said, 5))
    await here.changes(made, _anew(said, 3))
    await here.answered(made, "version_too_low")


async def said_in_an_older_version(here: HubHouse) -> None:
    said = make_offer_v2(
        id=f"v2-{next(SERIAL)}",
        parcels=(f"P-{next(SERIAL)}",),
        courier_sha256=None,
        entrances=("garage",),
        entrance="garage",
        place="hall",
    )
    made = await here.offers(said)
    await here.stands(made, State.SCHEDULED)
    await here.changes(made, _anew(new_offer(id=said.id, entrance="garage"), 2))
    await here.answered(made, "downgrade")
    await here.stands(made, State.SCHEDULED)


def _anew(said: DeliveryBody, version: int) -> DeliveryBody:
    plain = {name: value for name, value in said.model_dump().items() if name not in {"do", "window"}}
    return updated(**{**plain, "version": version, "window": said.window})


async def inside_hours(here: HubHouse) -> None:
    terms = here.made.store.brands.permission("shop")
    assert terms is not None
    narrow = replace(terms.terms, hours="06:00-07:00")
    await here.made.store.brands.decide("shop", PermissionStatus.GRANTED, here.made.clock.now(), terms=narrow)
    await here.stands(await here.offers(new_offer()), State.REFUSED, "outside_window")
    await here.made.store.brands.decide("shop", PermissionStatus.GRANTED, here.made.clock.now(), terms=terms.terms)


def visited(outcome: Outcome, left: Left, state: State, reason: str | None = None, missing: int = 0) -> Way:
    """A visit that ends so."""

    async def way(here: HubHouse) -> None:
        said = new_offer(parcels=(f"P-{next(SERIAL)}", f"P-{next(SERIAL)}"))
        made = await here.offers(said)
        await here.stands(made, State.WINDOW_OPEN)
        visit = await here.begins(said)
        await here.stands(made, State.VISITING)
        await here.ends(said, visit, outcome, left, missing)
        found = await here.stands(made, state, reason)
        assert (found["missing"], found["house"]) == (missing, left)
        has_come = state in {State.DELIVERED, State.PARTLY_DELIVERED}
        which = sorted(said.parcels)[:missing] if has_come else None
        assert found["missing_parcels"] == which, "the box itself says which"
        for path in (f"/v1/deliveries/{made}/timeline", "/v1/events"):
            _, told = await here.ask("GET", f"{path}?limit=100")
            newest = told["data"][-1]
            if newest.get("type") != "delivery.proof":
                assert newest.get("data", newest)["missing_parcels"] == which

    return way


async def collected_nothing(here: HubHouse) -> None:
    said = _returns()
    made = await here.offers(said)
    await here.stands(made, State.WINDOW_OPEN)
    visit = await here.begins(said)
    await here.ends(said, visit, Outcome.NOT_COLLECTED, Left.LOCKED_AGAIN, collected=CollectResult.NOT_COLLECTED)
    found = await here.stands(made, State.NOT_COLLECTED, "not_collected")
    assert found["collected"] == "not_collected"


def _returns() -> DeliveryBody:
    """An order that only collects."""
    number = next(SERIAL)
    return make_offer_v2(
        id=f"r-{number}", parcels=(), collect=(f"R-{number}",), courier_sha256=f"{number:064x}", window=make_window()
    )


async def during_the_visit(here: HubHouse) -> None:
    said = new_offer()
    made = await here.offers(said)
    await here.stands(made, State.WINDOW_OPEN)
    visit = await here.begins(said)
    await here.stands(made, State.VISITING)
    await here.changes(made, _anew(said, 2))
    await here.answered(made, "too_late")
    await here.ends(said, visit, Outcome.DELIVERED, Left.LOCKED_AGAIN)
    await here.stands(made, State.DELIVERED)


NOON: Mapping[str, Way] = {
    "unknown_entrance": no_longer_there("unknown_entrance", "entrances", entrance="cellar"),
    "unknown_place": no_longer_there("unknown_place", "places", place="attic"),
    "place_not_cold": refused("place_not_cold", max_celsius=4.0),
    "courier_code_missing": refused("courier_code_missing", courier_sha256=None),
    "code_collision": collision,
    "jti_reused": reused,
    "already_offered": offered_already,
    "cancelled": withdrawn_already,
    "version_too_low": too_low,
    "downgrade": said_in_an_older_version,
    "outside_window": inside_hours,
}
IN_THE_WINDOW: Mapping[str, Way] = {
    "too_late": during_the_visit,
    "attended": visited(Outcome.ATTENDED, Left.NOT_OPENED, State.NOT_DELIVERED, "attended"),
    "unknown": visited(Outcome.UNKNOWN, Left.HANDED_TO_OWNER, State.NOT_DELIVERED, "unknown"),
    "not_collected": collected_nothing,
    "not_delivered": visited(Outcome.NOT_DELIVERED, Left.LOCKED_AGAIN, State.NOT_DELIVERED, "not_delivered", 2),
}


async def test_what_the_home_refuses_is_read_over_http(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        for reason, way in NOON.items():
            try:
                await way(here)
            except TimeoutError:
                pytest.fail(f"{reason} never came")


async def test_what_a_visit_comes_to_and_a_change_during_it(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here:
        here.made.time.mono += 1.5 * _HOUR
        for reason, way in IN_THE_WINDOW.items():
            try:
                await way(here)
            except TimeoutError:
                pytest.fail(f"{reason} never came")
        await visited(Outcome.PARTLY_DELIVERED, Left.LOCKED_AGAIN, State.PARTLY_DELIVERED, missing=1)(here)
        await visited(Outcome.DELIVERED, Left.HANDED_TO_OWNER, State.DELIVERED)(here)


# ---- what needs a house of its own -----------------------------------------------------------------------------------


async def no_longer_let_in(folder: Path) -> None:
    async with hub_house(folder) as here:
        made = await here.offers(new_offer())
        await here.stands(made, State.SCHEDULED)
        await here.made.store.brands.decide("shop", PermissionStatus.REVOKED, here.made.clock.now())
        await here.stands(made, State.REFUSED, "brand_not_permitted")


async def permitted_less_while_the_line_was_down(folder: Path) -> None:
    async with hub_house(folder, there=False) as here:
        carrier = new_offer().carrier
        async with run_uplink(here):
            await here.stands(await here.offers(new_offer()), State.SCHEDULED)
            await here.knows(carriers=[carrier])
        await here.gone()
        before = here.made.store.brands.permission("shop")
        assert before is not None
        other = replace(before.terms, carriers=frozenset({"Other"}))
        await here.made.store.brands.decide("shop", PermissionStatus.GRANTED, here.made.clock.now(), terms=other)
        made = await here.offers(new_offer())
        second = await here.offers(new_offer(carrier="Other"))
        async with run_uplink(here):
            await here.stands(made, State.REFUSED, "carrier_not_permitted")
            await here.stands(second, State.SCHEDULED)
            await here.knows(carriers=["Other"])
            said = {"connection": here.connection, "token": here.token(new_offer())}
            status, answer = await here.ask("POST", "/v1/deliveries", said)
            assert (status, answer["code"]) == (422, "not_permitted"), "the home has said its terms meanwhile"


async def key_of_no_trust(folder: Path) -> None:
    async with hub_house(folder) as here:
        made = await here.offers(new_offer())
        await here.stands(made, State.SCHEDULED)
        await here.made.store.brands.distrust(SECRETS["shop"].public.text, here.made.clock.now())
        await here.stands(made, State.REFUSED, "key_distrusted")


async def refused_by_somebody_who_lives_there(folder: Path) -> None:
    async with hub_house(folder) as here:
        offer = new_offer()
        made = await here.offers(offer)
        await here.stands(made, State.SCHEDULED)
        assert await here.made.store.deliveries.refuse(f"shop.{offer.id}", here.made.clock.now(), by="p-anna") is None
        await here.stands(made, State.REFUSED, "declined_by_household")


async def came_too_late_to_the_home(folder: Path) -> None:
    async with hub_house(folder, there=False) as here:
        now = int(here.made.time.wall())
        made = await here.offers(new_offer(), exp=now + 10 * _HOUR)
        here.made.time.mono += 5 * _HOUR
        async with run_uplink(here):
            await here.stands(made, State.REFUSED, "expired")


async def not_signed_by_the_brand(folder: Path) -> None:
    async with hub_house(folder, there=False) as here:
        said = json.loads(new_offer().model_dump_json(exclude={"id", "version", "do"}))
        status, made = await here.ask("POST", "/v1/deliveries", {"connection": here.connection, "delivery": said})
        assert status == 201, made
        async with run_uplink(here):
            await here.stands(made["id"], State.REFUSED, "hub_signed_not_permitted")
        status, made = await here.ask("POST", "/v1/deliveries", {"connection": here.connection, "delivery": said})
        assert (status, made["code"]) == (409, "signature_required"), "the home has said its terms meanwhile"


async def changed_before_it_was_refused(folder: Path) -> None:
    async with hub_house(folder, there=False) as here:
        said = new_offer(place="attic")
        made = await here.offers(said)
        await here.changes(made, _anew(said.model_copy(update={"place": "hall"}), 2))
        async with run_uplink(here):
            await here.stands(made, State.REFUSED, "unknown_delivery")


async def put_back_from_a_copy(folder: Path) -> None:
    async with hub_house(folder, there=False) as here:
        async with run_uplink(here):
            made = await here.offers(new_offer())
            await here.stands(made, State.SCHEDULED)
        store = folder / "perron.sqlite3"
        (folder / "again").mkdir()
        await asyncio.to_thread(write_snapshot, store, folder / "again" / "perron.sqlite3", here.made.clock.now())
        (folder / "key").rename(folder / "again" / "key")
        async with made_box(folder / "again", time=ManualTime(mono=here.made.time.mono + 1)) as copied:
            assert copied.key.public == here.made.key.public
            here.made = copied
            async with run_uplink(here):
                await here.stands(made, State.REFUSED, "announce_again")


async def for_another_address(folder: Path) -> None:
    async with hub_house(folder) as here:
        number = next(SERIAL)
        offer = make_offer_v2(
            id=f"a-{number}", parcels=(f"A-{number}",), courier_sha256=f"{number:064x}",
            expected_address={"postcode": "69001"},
        )  # fmt: skip
        made = await here.offers(offer)
        await here.stands(made, State.SCHEDULED)
        told = HomeAddress(kind=AddressKind.POSTCODE, text="75011")
        await here.made.store.addresses.tell(told, here.made.clock.now(), by="p-anna")
        await here.stands(made, State.REFUSED, "other_address")


ALONE: Mapping[str, Callable[[Path], Awaitable[None]]] = {
    "other_address": for_another_address,
    "brand_not_permitted": no_longer_let_in,
    "key_distrusted": key_of_no_trust,
    "declined_by_household": refused_by_somebody_who_lives_there,
    "carrier_not_permitted": permitted_less_while_the_line_was_down,
    "expired": came_too_late_to_the_home,
    "unknown_delivery": changed_before_it_was_refused,
    "announce_again": put_back_from_a_copy,
    "hub_signed_not_permitted": not_signed_by_the_brand,
}


@pytest.mark.parametrize("reason", ALONE)
async def test_what_becomes_of_a_house_is_read_over_http(tmp_path: Path, reason: str) -> None:
    await ALONE[reason](tmp_path)


# ---- what a receiver does, and where the house moves a delivery -----------------------------------------------------

CANNOT_COLLECT = "cannot_collect"  # nobody comes in there who could take a parcel
AT_THE_DESK: Mapping[str, DeclineReason] = {
    "declined": DeclineReason.DECLINED,
    "declined_damaged": DeclineReason.DAMAGED,
    "declined_unknown": DeclineReason.UNKNOWN,
    "declined_no_room": DeclineReason.NO_ROOM,
}


def for_the_desk() -> DeliveryBody:
    return new_offer(entrance=DESK, place=DESK, courier_sha256=None)


async def test_why_a_receiver_declines_and_that_he_takes_one_is_read_over_http(tmp_path: Path) -> None:
    async with hub_house(tmp_path, house=home_with_desk(tmp_path)) as here:
        here.made.time.mono += 1.5 * _HOUR
        desk = DeskBox(here.made)
        async with run_box(here.made), run_tasks(desk.desk.run()):
            returns = make_offer_v2(
                id="r-desk", entrance=DESK, place=DESK, parcels=("R-1",), collect=("R-2",), courier_sha256=None
            )
            await here.stands(await here.offers(returns), State.REFUSED, CANNOT_COLLECT)
            for reason, word in AT_THE_DESK.items():
                said = for_the_desk()
                made = await here.offers(said)
                await here.stands(made, State.WINDOW_OPEN)
                (parcel,) = said.parcels
                await desk.offered(parcel)
                await here.stands(made, State.VISITING)
                assert (await desk.desk.decline(MARC, f"shop.{said.id}", parcel, word)).refusal is None
                found = await here.stands(made, State.NOT_DELIVERED, reason)
                assert (found["custody"], found["house"]) == (None, None)
            said = for_the_desk()
            made = await here.offers(said)
            await here.stands(made, State.WINDOW_OPEN)
            await desk.offered(said.parcels[0])
            assert (await desk.desk.accept(MARC, said.parcels[0])).refusal is None
            found = await here.stands(made, State.DELIVERED)
            assert (found["custody"], found["house"]) == ("receiver", None), "no door was moved"
        assert (await steps(here, made))[-1]["custody"] == "receiver"
        assert "Petit" not in str(await here.ask("GET", "/v1/events?limit=100")), "nobody learns who it was"


async def steps(here: HubHouse, made: str) -> list[dict[str, Any]]:
    _, page = await here.ask("GET", f"/v1/deliveries/{made}/timeline")
    found: list[dict[str, Any]] = page["data"]
    return found


async def test_where_the_house_moved_a_delivery_is_read_over_http(tmp_path: Path) -> None:
    async with hub_house(tmp_path, house=home_with_fallback(tmp_path)) as here:
        here.made.time.mono += 1.5 * _HOUR
        said = new_offer(courier_sha256=None)
        made = await here.offers(said)
        await here.stands(made, State.WINDOW_OPEN)
        played = FallbackBox(DeskBox(here.made))
        async with run_box(here.made), run_tasks(played.desk.desk.run(), played.places.run()):
            await here.made.good_day()
            await here.made.quiet()
            played.at_home()
            here.made.scan(said.parcels[0])
            found = await here.until(made, lambda found: found["moved_to"] is not None)
        assert (found["moved_to"], found["entrance"], found["version"]) == ("garage", "front", 1)
        assert (await steps(here, made))[-1]["moved_to"] == "garage"
        _, page = await here.ask("GET", "/v1/events?limit=100&types=delivery.changed")
        assert page["data"][-1]["data"]["moved_to"] == "garage"
        assert "household_present" not in str(page), "nobody learns why"


def test_every_reason_has_its_way() -> None:
    ways = [*FORGED, *NOON, *IN_THE_WINDOW, *ALONE, *AT_THE_DESK, CANNOT_COLLECT]
    assert sorted(ways) == sorted(PUBLIC_REASONS)


# ---- states ----------------------------------------------------------------------------------------------------------


async def test_every_state_is_reached_by_the_home_s_own_word(tmp_path: Path) -> None:
    seen = set[str]()
    async with hub_house(tmp_path) as here:

        async def stands(made: str, state: State) -> None:
            seen.add((await here.stands(made, state))["state"])

        later = new_offer(parcels=())
        made = await here.offers(later)
        await stands(made, State.AWAITING_LABEL)
        await here.changes(made, _anew(later.model_copy(update={"parcels": ("P-LABEL",)}), 2))
        await stands(made, State.SCHEDULED)
        withdrawn = new_offer()
        gone = await here.offers(withdrawn)
        await stands(gone, State.SCHEDULED)
        token = {"token": here.token(Cancel(id=withdrawn.id, version=2))}
        assert (await here.ask("POST", f"/v1/deliveries/{gone}/cancel", token))[0] == 200
        await stands(gone, State.CANCELLED)
        await stands_refused(here, seen)
        here.made.time.mono += 1.5 * _HOUR
        await stands(made, State.WINDOW_OPEN)
        for outcome, state in (
            (Outcome.DELIVERED, State.DELIVERED), (Outcome.PARTLY_DELIVERED, State.PARTLY_DELIVERED),
        ):  # fmt: skip
            said = new_offer()
            one = await here.offers(said)
            await stands(one, State.WINDOW_OPEN)
            visit = await here.begins(said)
            await stands(one, State.VISITING)
            await here.ends(said, visit, outcome, Left.LOCKED_AGAIN)
            await stands(one, state)
        for collected in CollectResult:
            said = _returns()
            one = await here.offers(said)
            await stands(one, State.WINDOW_OPEN)
            visit = await here.begins(said)
            await here.ends(said, visit, Outcome(collected.value), Left.LOCKED_AGAIN, collected=collected)
            reason = "not_collected" if collected is CollectResult.NOT_COLLECTED else None
            await here.stands(one, State(collected.value), reason)
            seen.add(State(collected.value))
        said = new_offer()
        one = await here.offers(said)
        await stands(one, State.WINDOW_OPEN)
        visit = await here.begins(said)
        await here.ends(said, visit, Outcome.ATTENDED, Left.NOT_OPENED)
        await here.stands(one, State.NOT_DELIVERED, "attended")
        assert await here.made.reception.take_in(f"shop.{said.id}", None) is None
        assert (await here.stands(one, State.DELIVERED))["custody"] == "household"
        seen.add(State.NOT_DELIVERED)
        here.made.time.mono += 2 * _HOUR
        await stands(made, State.EXPIRED)
        async with here.hub.hub.store.writing() as tx:
            asked = {"state": "pending", "expires": here.hub.hub.now() + (make_window().end - make_window().start)}
            await tx.execute(update(connections).values(**asked))
        held = await here.offers(new_offer(window=make_window(start=8, end=9)))
        await stands(held, State.AWAITING_PERMISSION)
    assert seen == {state.value for state in State}


async def stands_refused(here: HubHouse, seen: set[str]) -> None:
    made = await here.offers(new_offer(max_celsius=4.0))
    seen.add((await here.stands(made, State.REFUSED, "place_not_cold"))["state"])
