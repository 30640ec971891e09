"""Faults in what a stranger can do to the pages, to a date, and to names that go out to phones."""

from tests.mutants.words import Mutant

WEB = "gateway/web/"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a last day of the year 9999 is taken",
        file="gateway/system/day.py",
        old="    if not FIRST_DAY <= day <= last:\n",
        new="    if not date.min <= day <= date.max:\n",
        tests=("tests/gateway/remote/test_orders.py", "-k", "last_day_cannot_be_meant"),
    ),
    Mutant(
        name="a last day that an earlier release stored ends the line to the hub",
        file="gateway/delivery/permission.py",
        old="    return instant if instant is None or instant.tzinfo is None else bounded(instant)\n",
        new="    return instant\n",
        tests=("tests/gateway/test_store_uplinks.py", "-k", "impossible_last_day"),
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
        tests=("tests/gateway/remote/test_orders.py", "-k", "read_no_more"),
    ),
)
