"""Faults in what a stranger can do to the pages, to a date, and to names that go out to phones."""

from tests.mutants.words import Mutant

WEB = "gateway/web/"
ORDERS = "tests/gateway/remote/test_orders.py"
UPLINKS = "tests/gateway/test_store_uplinks.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a last day of the year 9999 is taken",
        file="gateway/system/day.py",
        old="    if not FIRST_DAY <= day <= last:\n",
        new="    if day < FIRST_DAY:\n",
        tests=(f"{ORDERS}::test_an_order_whose_last_day_cannot_be_meant_has_failed_and_the_next_one_is_done",),
    ),
    Mutant(
        name="a last day that an earlier release stored ends the line to the hub",
        file="gateway/delivery/permission.py",
        old="    return instant if instant is None or instant.tzinfo is None else bounded(instant)\n",
        new="    return instant\n",
        tests=(
            f"{UPLINKS}::test_a_store_that_an_earlier_release_gave_an_impossible_last_day_still_tells_its_decisions",
        ),
    ),
    Mutant(
        name="a time is bounded as it is written, not as it is read again",
        file="gateway/delivery/promise.py",
        old="    if not FIRST_INSTANT <= value <= LAST_INSTANT:\n",
        new="    if not FIRST_INSTANT.year <= value.year <= LAST_INSTANT.year:\n",
        tests=("tests/gateway/test_day.py",),
    ),
    Mutant(
        name="an order that is read no more is taken up at each start",
        file="gateway/remote/orders.py",
        old="            self._ended(order, said)\n            return\n",
        new="            return\n",
        tests=(f"{ORDERS}::test_an_order_that_a_store_kept_and_that_is_read_no_more_has_failed",),
    ),
)
