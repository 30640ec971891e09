"""Faults in what lets a parcel of the owner's own in, and in what the facts of a brand say."""

from tests.mutants.mutant import Mutant

DOMAIN = "tests/gateway/domain/delivery/test_own_parcel.py"
SERVICE = "tests/gateway/runtime/test_own_parcels.py"
TRACKING = "tests/gateway/runtime/test_parcel_tracking.py"
SEEDS = "tests/gateway/domain/visit/test_seeds.py"
FACTS = "tests/gateway/protocol/test_brand_facts.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="yesterday's report that a parcel is out for delivery lets it in",
        file="gateway/domain/delivery/own_parcel.py",
        old="        and _day(status.at, zone) == _day(now.utc, zone)\n",
        new="",
        tests=(f"{DOMAIN}::test_yesterdays_report_keeps_it_out_and_the_day_is_the_houses_own", SEEDS),
    ),
    Mutant(
        name="an aged report that a parcel is out for delivery lets it in",
        file="gateway/domain/delivery/own_parcel.py",
        old="and status.at <= now.utc < status.until",
        new="and status.at <= now.utc",
        tests=(f"{DOMAIN}::test_an_old_report_keeps_it_out", SEEDS),
    ),
    Mutant(
        name="the owner's word of another day lets his parcel in",
        file="gateway/domain/delivery/own_parcel.py",
        old="said_today = said_day is not None and said_day == _day(now.utc, zone)",
        new="said_today = said_day is not None",
        tests=(f"{DOMAIN}::test_the_owners_word_counts_for_its_day_alone",),
    ),
    Mutant(
        name="the owner's word lets in what was delivered elsewhere",
        file="gateway/domain/delivery/own_parcel.py",
        old="(said_today and status not in _FINAL)",
        new="said_today",
        tests=(f"{DOMAIN}::test_a_tracking_that_says_where_else_it_is_outweighs_the_owners_word",),
    ),
    Mutant(
        name="the living space opens to the owner's parcel without his tap",
        file="gateway/domain/delivery/candidate.py",
        old="or (is_own and not order.lies_at <= context.without_tap)",
        new="or (is_own and False)",
        tests=(f"{DOMAIN}::test_the_living_space_asks_the_owner_and_a_garage_of_his_choice_does_not", SEEDS),
    ),
    Mutant(
        name="a yes more than a minute after the scan lets the owner's parcel in",
        file="gateway/domain/delivery/own_parcel.py",
        old="    return min(timing.approval, max(0.0, YES_WITHIN_S - timing.ring - timing.live))",
        new="    return timing.approval",
        tests=(f"{DOMAIN}::test_a_yes_to_an_own_parcel_never_counts_later_than_a_minute_after_the_scan", SEEDS),
    ),
    Mutant(
        name="what the broker had stored about parcels is believed",
        file="gateway/runtime/parcel_tracking.py",
        old="case r.ParcelsReport(parcels=tuple() as parcels) if not incoming.retain:",
        new="case r.ParcelsReport(parcels=tuple() as parcels):",
        tests=(f"{TRACKING}::test_what_the_broker_had_stored_counts_for_nothing",),
    ),
    Mutant(
        name="parcels stay known over a new connection",
        file="gateway/runtime/parcel_tracking.py",
        old="        for device in self.devices:\n            self._forget(device)\n            self._query(device)\n",
        new="        for device in self.devices:\n            self._query(device)\n",
        tests=(f"{TRACKING}::test_a_new_connection_knows_nothing_and_neither_does_a_lost_one",),
    ),
    Mutant(
        name="an answer to a query of another connection is believed",
        file="gateway/runtime/parcel_tracking.py",
        old="return number is not None and first is not None and first <= number <= self._queries",
        new="return number is not None",
        tests=(f"{TRACKING}::test_an_answer_to_no_query_of_this_connection_counts_for_nothing",),
    ),
    Mutant(
        name="the same parcel is promised twice, at two entrances",
        file="gateway/storage/own_parcels.py",
        old="same = [parcel.row for parcel in known if parcel.code == code] + ([] if row is None else [row])",
        new="same = [] if row is None else [row]",
        tests=(f"{SERVICE}::test_the_same_parcel_is_announced_once_and_again_when_it_was_withdrawn",),
    ),
    Mutant(
        name="the owner's parcel is reported to retailers",
        file="gateway/storage/rows.py",
        old="d.look_at <= ? AND d.brand != '{OWN_BRAND}' ORDER",
        new="d.look_at <= ? ORDER",
        tests=(f"{SERVICE}::test_it_is_published_to_nobody",),
    ),
    Mutant(
        name="a scan that several brands' codes fit counts against each of them",
        file="gateway/protocol/brand_facts.py",
        old="all(match.delivery.startswith(prefix) for match in row.event.matches)",
        new="any(match.delivery.startswith(prefix) for match in row.event.matches)",
        tests=(f"{FACTS}::test_what_another_brand_did_counts_for_nothing",),
    ),
)
