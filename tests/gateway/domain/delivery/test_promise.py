"""What a retailer may say, and what it sees."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.domain.delivery.promise import (
    Claims,
    DeliveryOrder,
    DeliveryResult,
    Offer,
    OrderStatus,
    OrderUsage,
    State,
    Window,
    order_of,
    order_status,
)
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from tests.gateway.domain.delivery.shop import NOON, PARCEL, make_claims, make_offer

WIRE: dict[str, Any] = json.loads(make_claims(make_offer()).model_dump_json(exclude_none=True))


def read(**changes: Any) -> Offer:  # noqa: ANN401 - any JSON
    """An offer as it comes in, with some of its fields changed."""
    body = {key: value for key, value in (WIRE["delivery"] | changes).items() if value is not ...}
    said = Claims.model_validate_json(json.dumps(WIRE | {"delivery": body})).delivery
    assert isinstance(said, Offer)
    return said


def test_an_offer_is_read_as_it_was_written() -> None:
    assert read() == make_offer()
    assert read(parcels=..., courier_sha256=..., max_celsius=4).parcels == ()


def test_times_are_kept_in_utc_whatever_their_offset() -> None:
    window = {"start": "2026-06-10T15:00:00+02:00", "end": "2026-06-10t15:30:00.250z"}
    found = read(window=window).window
    assert found == Window(start=NOON + timedelta(hours=1), end=NOON + timedelta(hours=3, minutes=30, seconds=0.25))
    assert found.start.tzinfo is UTC


def test_times_as_java_and_dotnet_write_them_are_cut_to_microseconds() -> None:
    window = {"start": "2026-06-10T13:00:00.123456789Z", "end": "2026-06-10T15:30:00.7654321+02:00"}
    found = read(window=window).window
    assert (found.start.microsecond, found.end.microsecond) == (123_456, 765_432)


def test_parcels_stand_in_their_one_writing() -> None:
    assert read(parcels=["8L 20524 75203 2", "(00)106141411234567897"]).parcels == (PARCEL, "106141411234567897")


HOUR = {"start": "2026-06-10T13:00:00Z", "end": "2026-06-10T14:00:00Z"}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "Front"},
        {"id": "a/b"},
        {"id": "x" * 65},
        {"id": "d1\n"},
        {"version": 0},
        {"version": 2**31},
        {"version": "1"},
        {"version": 1.5},
        {"version": True},
        {"entrance": "+"},
        {"carrier": ""},
        {"carrier": "x" * 81},
        {"carrier": "a\u001b[31m"},
        {"carrier": "a\nb"},
        {"carrier": "a\0"},
        {"carrier": "tsopono\u202erhC"},
        {"carrier": "Chrono\u200bpost"},
        {"carrier": " Colissimo"},
        {"carrier": None},
        {"window": HOUR | {"end": HOUR["start"]}},
        {"window": HOUR | {"end": "2026-06-09T14:00:00Z"}},
        {"window": HOUR | {"end": "2026-06-18T13:00:00Z"}},
        {"window": HOUR | {"start": "2026-06-10T13:00:00"}},
        {"window": HOUR | {"start": "2026-06-10 13:00:00Z"}},
        {"window": HOUR | {"start": "2026-06-10T13:00:00.1234567890Z"}},
        {"window": HOUR | {"start": "2026-06-10"}},
        {"window": HOUR | {"start": "2026-W24-3T13:00:00Z"}},
        {"window": HOUR | {"start": "2026-02-30T13:00:00Z"}},
        {"window": HOUR | {"start": "2026-06-10T24:00:00Z"}},
        {"window": HOUR | {"start": 1781096400}},
        {"window": {"start": "0001-01-01T00:00:00+14:00", "end": "0001-01-02T00:00:00Z"}},
        {"window": {"start": "0001-01-01T00:00:00Z", "end": "0001-01-02T00:00:00Z"}},
        {"window": {"start": "9999-12-31T20:00:00Z", "end": "9999-12-31T23:59:59Z"}},
        {"window": {"start": "9999-12-31T20:00:00Z", "end": "9999-12-31T23:59:59-23:59"}},
        {"window": HOUR | {"middle": "2026-06-10T13:30:00Z"}},
        {"window": [HOUR["start"], HOUR["end"]]},
        {"parcels": ["(01)04006381333931"]},
        {"parcels": ["perron:" + "0" * 32]},
        {"parcels": [""]},
        {"parcels": [7]},
        {"parcels": [PARCEL, "8L 20524 75203 2"]},
        {"parcels": [f"p{n}" for n in range(51)]},
        {"parcels": PARCEL},
        {"courier_sha256": "AB" * 32},
        {"courier_sha256": "ab" * 31},
        {"max_celsius": 1e9},
        {"max_celsius": "4"},
        {"gift": True},
        {"do": "steal"},
        {"do": ...},
    ],
)
def test_what_is_not_meant_so_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**changes)


def test_a_time_from_our_own_code_needs_its_offset_too() -> None:
    with pytest.raises(ValidationError):
        Window(start=datetime(2026, 6, 10, 13), end=NOON)  # noqa: DTZ001 - the mistake that is tried


def test_two_brands_may_call_their_deliveries_alike() -> None:
    assert order_of("shop", make_offer()).key == "shop.d1"
    assert order_of("farm", make_offer()).key == "farm.d1"


PROMISE = order_of("shop", make_offer())
BEFORE, INSIDE, AT_END = NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=3)


def seen(
    what: DeliveryOrder = PROMISE,
    usage: OrderUsage = OrderUsage(),  # noqa: B008 - frozen
    objection: Refusal | None = None,
    *,
    utc: datetime | None = BEFORE,
) -> tuple[State, str | None]:
    found: OrderStatus = order_status(what, usage, objection, utc=utc)
    return found.state, found.reason


def test_a_promise_passes_through_its_states_as_time_goes() -> None:
    assert seen() == (State.SCHEDULED, None)
    assert seen(utc=INSIDE - timedelta(microseconds=1)) == (State.SCHEDULED, None)
    assert seen(utc=INSIDE) == (State.WINDOW_OPEN, None)
    assert seen(utc=AT_END - timedelta(microseconds=1)) == (State.WINDOW_OPEN, None)
    assert seen(utc=AT_END) == (State.EXPIRED, None)


def test_without_trusted_time_no_window_opens_or_ends() -> None:
    assert seen(utc=None) == (State.SCHEDULED, None)


def test_a_label_is_awaited_before_the_permission() -> None:
    bare = order_of("shop", make_offer(parcels=()))
    assert seen(bare, objection=Refusal.AWAITING_PERMISSION) == (State.AWAITING_LABEL, None)
    assert seen(objection=Refusal.AWAITING_PERMISSION) == (State.AWAITING_PERMISSION, None)
    assert seen(bare, utc=AT_END) == (State.EXPIRED, None)


def test_what_the_permission_forbids_is_refused_with_its_reason() -> None:
    assert seen(objection=Refusal.CARRIER_NOT_PERMITTED) == (State.REFUSED, "carrier_not_permitted")


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((Outcome.DELIVERED,), (State.DELIVERED, None)),
        ((Outcome.PARTLY_DELIVERED,), (State.PARTLY_DELIVERED, None)),
        ((Outcome.NOT_DELIVERED,), (State.NOT_DELIVERED, "not_delivered")),
        ((Outcome.ATTENDED,), (State.NOT_DELIVERED, "attended")),
        ((Outcome.UNKNOWN,), (State.NOT_DELIVERED, "unknown")),
        ((Outcome.PARTLY_DELIVERED, Outcome.DELIVERED), (State.DELIVERED, None)),
        ((Outcome.DELIVERED, Outcome.UNKNOWN), (State.DELIVERED, None)),
        ((Outcome.UNKNOWN, Outcome.REFUSED), (State.NOT_DELIVERED, "unknown")),
        ((Outcome.REFUSED,), (State.WINDOW_OPEN, None)),
    ],
)
def test_the_best_outcome_of_all_visits_counts_and_a_refused_scan_ends_nothing(
    outcomes: tuple[Outcome, ...], expected: tuple[State, str | None]
) -> None:
    assert seen(usage=OrderUsage(outcomes=outcomes), utc=INSIDE) == expected


def test_a_running_visit_goes_before_what_an_earlier_one_brought() -> None:
    assert seen(usage=OrderUsage(visiting=True, outcomes=(Outcome.UNKNOWN,))) == (State.VISITING, None)


def test_a_result_is_written_with_the_words_of_the_design() -> None:
    result = DeliveryResult(
        box="box-1", at=NOON, brand="shop", delivery="d1", state=State.DELIVERED, house=DoorResult.LOCKED_AGAIN
    )
    assert json.loads(result.model_dump_json(exclude_none=True)) == {
        "box": "box-1",
        "at": "2026-06-10T12:00:00Z",
        "brand": "shop",
        "delivery": "d1",
        "state": "delivered",
        "missing": 0,
        "house": "locked_again",
    }
    assert DeliveryResult.model_validate_json(result.model_dump_json()) == result
