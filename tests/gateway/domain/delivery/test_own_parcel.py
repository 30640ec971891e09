"""What the owner may announce, and when a parcel of his own may come in."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.reports import ParcelStatus
from gateway.domain.delivery.barcodes import ParcelCode, normalise
from gateway.domain.delivery.candidate import DeliveryContext, candidate
from gateway.domain.delivery.own_parcel import (
    ANY_CARRIER,
    CARRIERS,
    MAX_TEXT_CHARS,
    OWN_BRAND,
    READING_PROBLEMS,
    YES_WITHIN_S,
    ReadNumber,
    TrackedStatus,
    approval_limit_s,
    live_status,
    own_delivery_id,
    own_parcel_refusal,
    own_window,
    read_number,
    tracked_statuses,
)
from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import MAX_WINDOW, OrderUsage, order_of
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.timing import Timing
from tests.gateway.domain.delivery.shop import NOON, NOW, PARCEL, make_offer, noon_plus

PARIS = ZoneInfo("Europe/Paris")
TODAY = date(2026, 6, 10)
CODES = frozenset({PARCEL})
OUT = ParcelStatus.OUT_FOR_DELIVERY

# ---- the number ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "carrier"),
    [
        ("8L20524752032", PARCEL, "colissimo"),
        (" 8l 2052 4752 032\n", PARCEL, "colissimo"),
        ("1Z999AA10123456784", "1Z999AA10123456784", "ups"),
        ("RR123456785FR", "RR123456785FR", "laposte"),
        ("XJ123456785FR", "XJ123456785FR", "chronopost"),
        ("RR123456785DE", "RR123456785DE", "dhl"),
        ("RR123456785JP", "RR123456785JP", None),
        ("%008182709980000020045327276", "09980000020045", "dpd"),
        ("TBA123456789012", "TBA123456789012", "amazon"),
        ("09980000020045", "09980000020045", None),
        ("https://www.laposte.fr/outils/suivre-vos-envois?code=8L20524752032", PARCEL, "colissimo"),
        ("https://trace.dpd.fr/fr/trace/09980000020045", "09980000020045", "dpd"),
        ("https://www.ups.com/track?loc=fr_FR&tracknum=1Z999AA10123456784&requester=WT", "1Z999AA10123456784", "ups"),
        ("https://gls-group.com/FR/fr/suivi-colis?match=12345678901", "12345678901", "gls"),
        ("https://id.gs1.org/00/376104250021234569", "376104250021234569", None),
        ("Bonjour, votre colis 8L20524752032 arrive le 12", PARCEL, "colissimo"),
        ("https://shop.example/order/20260610?tracking=8L20524752032", PARCEL, "colissimo"),
    ],
)
def test_a_number_is_found_in_what_people_type_paste_or_photograph(text: str, code: str, carrier: str | None) -> None:
    assert read_number(text) == ReadNumber(code=code, carrier=carrier)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no_number"),
        ("hello", "too_short"),
        ("12345", "too_short"),
        ("https://www.laposte.fr/outils/suivre-vos-envois", "no_number"),
        ("https://shop.example/?a=12345678&b=87654321", "several_numbers"),
        ("8L20524752032 8L20524752049", "several_numbers"),
        ("8L20524752032\n8L20524752049", "several_numbers"),
        ("]E04006381333931", "not_a_parcel"),
        ("perron:" + "a" * 26, "not_a_parcel"),
        ("x" * (MAX_TEXT_CHARS + 1), "too_long"),
        ("https://[/", "no_number"),
        ("two words that are none", "no_number"),
    ],
)
def test_where_there_is_no_one_number_it_is_said_why(text: str, why: str) -> None:
    assert read_number(text) == why


@given(st.text(max_size=300))
def test_whatever_is_typed_is_either_a_code_of_the_door_or_a_known_problem(text: str) -> None:
    read = read_number(text)
    if isinstance(read, str):
        assert read in READING_PROBLEMS
        return
    code = normalise(read.code)
    assert isinstance(code, ParcelCode)
    assert code.value == read.code, "the scanner's code is the same one"
    assert len(read.code) >= 8
    assert read.carrier is None or read.carrier in CARRIERS


@given(st.sampled_from(["8L20524752032", "1Z999AA10123456784", "RR123456785FR"]), st.sampled_from(["code", "id", "q"]))
def test_a_link_and_its_number_mean_the_same_parcel(number: str, key: str) -> None:
    linked, typed = read_number(f"https://carrier.example/track?{key}={number}&lang=fr"), read_number(number)
    assert linked == typed


def test_the_id_of_a_promise_shows_its_carrier_and_nothing_of_the_number() -> None:
    id_ = own_delivery_id("mondial_relay", PARCEL, b"k" * 32)
    assert id_.startswith("mondial-relay-")
    assert PARCEL.lower() not in id_
    assert id_ == own_delivery_id("mondial_relay", PARCEL, b"k" * 32), "once announced, always the same promise"
    assert id_ != own_delivery_id("mondial_relay", PARCEL, b"l" * 32), "another box has another key"
    assert id_ != own_delivery_id("mondial_relay", "8L20524752049", b"k" * 32)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_carrier_makes_an_id_and_a_name_that_a_promise_may_have(carrier: str) -> None:
    offer = make_offer(id=own_delivery_id(carrier, PARCEL, b"k" * 32), carrier=CARRIERS[carrier])
    assert len(offer.id) <= 64


# ---- the status ------------------------------------------------------------------------------------------------------


def tracked(status: ParcelStatus, at: datetime = NOON, hours: float = 12) -> dict[str, TrackedStatus]:
    return {PARCEL: TrackedStatus(status=status, at=at, until=at + timedelta(hours=hours))}


def refusal(status: dict[str, TrackedStatus], said: date | None = None, now: Now = NOW) -> Refusal | None:
    return own_parcel_refusal(CODES, said, status, zone=PARIS, now=now)


def test_it_may_come_in_while_a_live_report_of_today_says_that_it_is_out_for_delivery() -> None:
    assert refusal(tracked(OUT)) is None
    assert refusal(tracked(OUT), now=noon_plus(hours=9, minutes=59)) is None


@pytest.mark.parametrize("status", [status for status in ParcelStatus if status is not OUT])
def test_every_other_status_keeps_it_out(status: ParcelStatus) -> None:
    assert refusal(tracked(status)) is Refusal.NOT_OUT_FOR_DELIVERY


def test_what_is_not_known_keeps_it_out() -> None:
    assert refusal({}) is Refusal.NOT_OUT_FOR_DELIVERY


def test_an_old_report_keeps_it_out() -> None:
    assert refusal(tracked(OUT, hours=1), now=noon_plus(hours=1)) is Refusal.NOT_OUT_FOR_DELIVERY


def test_yesterdays_report_keeps_it_out_and_the_day_is_the_houses_own() -> None:
    before_midnight = datetime(2026, 6, 9, 21, 59, tzinfo=UTC)  # 23:59 in Paris
    after = replace(NOW, utc=before_midnight + timedelta(minutes=2))
    assert refusal(tracked(OUT, at=before_midnight), now=after) is Refusal.NOT_OUT_FOR_DELIVERY
    in_utc_yesterday = datetime(2026, 6, 9, 22, 1, tzinfo=UTC)  # 00:01 in Paris, of the 10th
    assert refusal(tracked(OUT, at=in_utc_yesterday)) is Refusal.NOT_OUT_FOR_DELIVERY, "it is more than 12 hours old"
    assert refusal(tracked(OUT, at=in_utc_yesterday, hours=24)) is None


def test_a_report_of_the_future_is_no_report() -> None:
    assert refusal(tracked(OUT, at=NOON + timedelta(seconds=1))) is Refusal.NOT_OUT_FOR_DELIVERY


def test_the_owners_word_counts_for_its_day_alone() -> None:
    assert refusal({}, TODAY) is None
    assert refusal({}, TODAY - timedelta(days=1)) is Refusal.NOT_OUT_FOR_DELIVERY
    assert refusal({}, TODAY + timedelta(days=1)) is Refusal.NOT_OUT_FOR_DELIVERY
    midnight = replace(NOW, utc=datetime(2026, 6, 10, 22, tzinfo=UTC))
    assert refusal({}, TODAY, midnight) is Refusal.NOT_OUT_FOR_DELIVERY


@pytest.mark.parametrize("status", [ParcelStatus.IN_TRANSIT, ParcelStatus.REGISTERED, ParcelStatus.UNKNOWN])
def test_the_owners_word_counts_where_the_carrier_never_says_out_for_delivery(status: ParcelStatus) -> None:
    assert refusal(tracked(status), TODAY) is None


@pytest.mark.parametrize("status", [ParcelStatus.DELIVERED, ParcelStatus.RETURNING, ParcelStatus.AT_PICKUP_POINT])
def test_a_tracking_that_says_where_else_it_is_outweighs_the_owners_word(status: ParcelStatus) -> None:
    assert refusal(tracked(status), TODAY) is Refusal.NOT_OUT_FOR_DELIVERY


@given(
    st.sampled_from(ParcelStatus),
    st.integers(-172_800, 172_800),
    st.integers(1, 90_000),
    st.one_of(st.none(), st.integers(-2, 2)),
)
def test_nothing_but_a_live_report_of_today_or_the_owners_word_for_today_lets_it_in(
    status: ParcelStatus, age: int, life: int, said: int | None
) -> None:
    at = NOON - timedelta(seconds=age)
    said_day = None if said is None else TODAY + timedelta(days=said)
    known = {PARCEL: TrackedStatus(status=status, at=at, until=at + timedelta(seconds=life))}
    if refusal(known, said_day) is None:
        is_today = at.astimezone(PARIS).date() == TODAY
        assert said == 0 or (status is OUT and 0 <= age < life and is_today)


def test_a_number_that_stands_twice_with_two_statuses_is_unknown() -> None:
    rows = [(PARCEL, OUT), ("8l 2052 4752 032", ParcelStatus.IN_TRANSIT), ("\x00", OUT)]
    found = tracked_statuses(iter(rows), at=NOON, until=NOON + timedelta(hours=1))
    assert {code: one.status for code, one in found.items()} == {PARCEL: ParcelStatus.UNKNOWN}
    assert live_status(CODES, found, zone=PARIS, now=NOW) is ParcelStatus.UNKNOWN


# ---- the candidate ---------------------------------------------------------------------------------------------------

PERMISSION = Permission(
    brand=OWN_BRAND,
    version=1,
    standing=PermissionStatus.GRANTED,
    terms=PermissionTerms(
        entrances=frozenset({"front", "garage"}), places=frozenset({"hall"}), carriers=frozenset({"Colissimo"})
    ),
)
HOUSE = DeliveryContext(
    box="box-1", zone=PARIS, courier_proof=frozenset({"front", "garage"}), own_permission=PERMISSION,
    without_tap=frozenset({"garage"}), tracked=tracked(OUT),
)  # fmt: skip


def test_the_living_space_asks_the_owner_and_a_garage_of_his_choice_does_not() -> None:
    for entrance, needs_yes in (("front", True), ("garage", False)):
        order = order_of(OWN_BRAND, make_offer(entrance=entrance))
        seen = candidate(order, None, OrderUsage(), context=HOUSE, now=NOW)
        assert (seen.needs_yes, seen.needs_courier, seen.refusal, seen.openings_left) == (needs_yes, False, None, 1)


def test_it_opens_once() -> None:
    order = order_of(OWN_BRAND, make_offer(entrance="garage"))
    spent = candidate(order, None, OrderUsage(used=1, withdrawals=1), context=HOUSE, now=NOW)
    assert (spent.refusal, spent.openings_left) == (Refusal.ALREADY_USED, 0)


def test_a_stored_permission_of_that_name_counts_for_nothing() -> None:
    wide = replace(PERMISSION, terms=replace(PERMISSION.terms, openings=10, carriers=frozenset({"Anybody"})))
    order = order_of(OWN_BRAND, make_offer(entrance="garage", carrier="Anybody"))
    seen = candidate(order, wide, OrderUsage(), context=HOUSE, now=NOW)
    assert seen.refusal is Refusal.CARRIER_NOT_PERMITTED
    nobody = replace(HOUSE, own_permission=None)
    order = order_of(OWN_BRAND, make_offer(entrance="garage"))
    assert candidate(order, wide, OrderUsage(), context=nobody, now=NOW).refusal is Refusal.BRAND_NOT_PERMITTED


def test_a_brands_parcel_needs_no_tracking() -> None:
    shop = replace(PERMISSION, brand="shop")
    order = order_of("shop", make_offer(entrance="garage", parcels=("8L20524752049",)))
    assert candidate(order, shop, OrderUsage(), context=HOUSE, now=NOW).refusal is None


# ---- the window, and the time for the yes ----------------------------------------------------------------------------


def test_days_are_the_houses_own_and_hours_belong_to_one_day() -> None:
    assert own_window(TODAY, TODAY, None, zone=PARIS, now=NOW) == (
        datetime(2026, 6, 9, 22, tzinfo=UTC), datetime(2026, 6, 10, 22, tzinfo=UTC),
    )  # fmt: skip
    hours = time(14), time(16, 30)
    assert own_window(TODAY, TODAY, hours, zone=PARIS, now=NOW) == (
        datetime(2026, 6, 10, 12, tzinfo=UTC), datetime(2026, 6, 10, 14, 30, tzinfo=UTC),
    )  # fmt: skip
    assert own_window(TODAY, TODAY + timedelta(days=1), hours, zone=PARIS, now=NOW) is None


def test_a_window_that_is_over_backwards_or_too_long_is_none() -> None:
    yesterday = TODAY - timedelta(days=1)
    assert own_window(yesterday, yesterday, None, zone=PARIS, now=NOW) is None
    assert own_window(TODAY, yesterday, None, zone=PARIS, now=NOW) is None
    assert own_window(TODAY, TODAY + timedelta(days=7), None, zone=PARIS, now=NOW) is None
    assert own_window(TODAY, TODAY, (time(8), time(9)), zone=PARIS, now=NOW) is None


@given(st.dates(date(2026, 6, 10), date(2027, 6, 10)), st.integers(0, 6))
def test_a_window_is_never_longer_than_a_promise_may_be(first: date, more: int) -> None:
    window = own_window(first, first + timedelta(days=more), None, zone=PARIS, now=NOW)
    assert window is not None
    start, end = window
    assert start < end <= start + MAX_WINDOW


@given(st.floats(0.1, 3600), st.floats(0.1, 3600), st.floats(0.1, 3600))
def test_a_yes_to_an_own_parcel_never_counts_later_than_a_minute_after_the_scan(
    ring: float, live: float, approval: float
) -> None:
    timing = Timing(ring=ring, live=live, approval=approval)
    own = approval_limit_s(OWN_BRAND, timing)
    assert own <= approval
    assert own == 0 or ring + live + own <= YES_WITHIN_S + 1e-6
    assert approval_limit_s("shop", timing) == approval


def test_a_carrier_may_be_unknown() -> None:
    assert ANY_CARRIER in CARRIERS
