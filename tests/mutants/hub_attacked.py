"""Faults in what keeps strangers and old databases from holding up, filling or fooling the hub."""

from tests.mutants.words import Mutant

LIMITS = "tests/gateway/system/test_http_limits.py"
FLOOD = "test_of_three_hundred_requests_sent_at_once_one_is_answered_and_the_connection_closed"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="requests that a client sent ahead begin in one turn of the loop",
        file="gateway/system/http_limits.py",
        old="        await started.take()\n",
        new="",
        tests=(f"{LIMITS}::{FLOOD}",),
    ),
    Mutant(
        name="a client may send ahead as many requests as it likes",
        file="gateway/system/http_limits.py",
        old="            protocol.close()  # after this answer; nothing more is read\n",
        new="            pass\n",
        tests=(f"{LIMITS}::{FLOOD}",),
    ),
    Mutant(
        name="whoever waited for a turn and left keeps everybody behind from theirs",
        file="gateway/system/http_limits.py",
        old="            if not turn.done():  # else the connection has gone meanwhile\n",
        new="            if turn is not None:\n",
        tests=(f"{LIMITS}::test_each_begins_in_a_turn_of_its_own_and_who_left_is_passed_over",),
    ),
)
