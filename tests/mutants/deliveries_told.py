"""Faults in a delivery as its retailer has it: its name, his facts, its parcels, what is told of it."""

from tests.mutants.mutant import Mutant

NAMES = "tests/gateway/hub/api/test_own_names.py"
CAPITALS = "test_an_order_number_in_capitals_with_dots_and_underscores_is_a_name_and_every_box_can_read_its_id"
SHAPE = "tests/gateway/hub/api/test_event_shape.py"
PLACES = "tests/gateway/hub/api/test_places.py"
CARRIER_KEYS = "tests/gateway/hub/api/test_carrier_keys.py"
FORMAT = "tests/gateway/storage/test_event_format.py"
NUMBERS = "tests/gateway/domain/delivery/test_carriers.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="two names of which a box can read the same are one",
        file="gateway/hub/deliveries/orders.py",
        old='    return f"{readable}-{sha256(name.encode()).hexdigest()[:16]}"\n',
        new="    return readable\n",
        tests=(f"{NAMES}::{CAPITALS}",),
    ),
    Mutant(
        name="a cancel is told as accepted while the home has not answered",
        file="gateway/hub/api/deliveries.py",
        old='"cancel": orders.CancelStatus.REQUESTED}',
        new='"cancel": orders.CancelStatus.ACCEPTED}',
        tests=(f"{NAMES}::test_a_cancel_that_is_on_its_way_says_so_until_the_home_has_answered",),
    ),
    Mutant(
        name="an older answer of a home replaces a newer one",
        file="gateway/hub/boxes/box_events.py",
        old="        status = None if is_stale else status_of(result, known=row.seq > 0)\n",
        new="        status = status_of(result, known=row.seq > 0)\n",
        tests=(f"{SHAPE}::test_no_event_tells_an_older_answer_than_one_that_was_told",),
    ),
    Mutant(
        name="a delivery whose change was refused is told nothing more",
        file="gateway/hub/boxes/box_events.py",
        old="        newest = await newest_version(self.tx, row, result)\n",
        new="        newest = row.version\n",
        tests=(f"{SHAPE}::test_after_a_refused_change_the_home_is_heard_again_on_the_version_that_counts",),
    ),
    Mutant(
        name="an accepted change whose state is the same is told nobody",
        file="gateway/hub/boxes/box_events.py",
        old='        is_answer = changed.get("answered", row.answered) != row.answered\n',
        new="        is_answer = False\n",
        tests=(f"{SHAPE}::test_a_change_that_the_home_accepts_is_told_once_though_the_state_is_the_same",),
    ),
    Mutant(
        name="a place of another entrance is passed on to the home",
        file="gateway/hub/deliveries/availability.py",
        old="    if known is None or place in known or place not in",
        new="    if known is None or place in known or place in",
        tests=(f"{PLACES}::test_a_place_that_does_not_belong_to_the_entrance_is_refused_at_once",),
    ),
    Mutant(
        name="a carrier's key sees the retailer's metadata",
        file="gateway/hub/api/deliveries.py",
        old="is_carrier = caller is not None and caller.carrier is not None",
        new="is_carrier = False",
        tests=(f"{CARRIER_KEYS}::test_a_carrier_s_key_sees_the_retailer_s_deliveries_of_that_carrier_only",),
    ),
    Mutant(
        name="the missing parcels are told though the event has no room for them",
        file="gateway/storage/rows.py",
        old="return missing if has_come and missing is not None and is_short_enough(missing) else None",
        new="return missing if has_come and missing is not None else None",
        tests=(f"{FORMAT}::test_which_parcels_are_missing_is_told_to_a_hub_that_reads_it_unless_it_is_too_long",),
    ),
    Mutant(
        name="a label of Chronopost is one of DPD too",
        file="gateway/domain/delivery/carriers.py",
        old="(?![A-Z]{2}[0-9]{9}248)",
        new="",
        tests=(f"{NUMBERS}::test_a_promise_by_tracking_number_or_label_matches_a_scan_of_either",),
    ),
)
