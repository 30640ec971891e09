"""What each kind of closure answers about itself: ready, open, secured, used by whom. One table for each question."""

from typing import Any

import pytest

from devices.reports import OperationSource
from gateway.domain.delivery.features import Dimensions
from gateway.domain.visit.closures import (
    AnyClosure,
    BoltedDoor,
    Compartment,
    GarageDoor,
    KeyedDoor,
    KeySafe,
    Strike,
)
from gateway.domain.visit.closures.contract import Circumstances, Deposit, Overdue, ReportOrigin, Use, is_by_hand
from gateway.domain.visit.commands import AlarmCode, Notification
from tests.gateway.domain.visit.closures.seen import fact, seen

BOLTED = BoltedDoor(id="flat")
FIXED_KNOB = BoltedDoor(id="flat", unlatch=True)
GARAGE = GarageDoor(id="garage")
GARAGE_WITH_BEAM = GarageDoor(id="garage", obstruction_sensor=True)
STRIKE = Strike(id="street")
BOX = Compartment(id="small", devices={"content": "eye"}, size=(300, 200, 400))
BLIND_BOX = Compartment(id="small")
SAFE = KeySafe(id="safe", back_within=600.0)
KEYED = KeyedDoor(id="hall")

LOCKED = {"lock": "locked", "door": "closed"}
EMPTY = {"latch": "locked", "lid": "closed", "content": "empty"}
AT_HOME = {"flap": "closed", "key": "present"}


@pytest.mark.parametrize(
    ("closure", "values", "words"),
    [
        (BOLTED, LOCKED, ()),
        (BOLTED, LOCKED | {"lock": "locked?"}, ("lock",)),
        (BOLTED, LOCKED | {"lock": "unknown?"}, ("lock",)),
        (BOLTED, LOCKED | {"lock": "unlocked?"}, ("lock",)),
        (BOLTED, LOCKED | {"door": "closed?"}, ("door",)),
        (BOLTED, LOCKED | {"door": "unknown?"}, ("door",)),
        (BOLTED, LOCKED | {"door": "open?"}, ("door",)),
        (GARAGE, {"door": "closed"}, ()),
        (GARAGE, {"door": "closed?"}, ("lock", "door")),
        (GARAGE_WITH_BEAM, {"door": "closed", "way": "clear"}, ()),
        (GARAGE_WITH_BEAM, {"door": "closed", "way": "clear?"}, ("way",)),
        (GARAGE_WITH_BEAM, {"door": "closed", "way": "obstructed?"}, ("way",)),
        (STRIKE, {"door": "closed"}, ()),
        (STRIKE, {"door": "open?"}, ()),
        (STRIKE, {"door": "unknown?"}, ("door",)),
        (BOX, EMPTY, ()),
        (BOX, EMPTY | {"content": "occupied"}, ("occupied",)),
        (BOX, EMPTY | {"content": "occupied?"}, ("occupied",)),
        (BOX, EMPTY | {"content": "empty?"}, ("content",)),
        (BOX, EMPTY | {"content": "unknown?"}, ("content",)),
        (BOX, EMPTY | {"latch": "locked?"}, ("latch",)),
        (BOX, EMPTY | {"lid": "closed?"}, ("lid",)),
        (BLIND_BOX, {"latch": "locked", "lid": "closed"}, ()),
        (SAFE, AT_HOME, ()),
        (SAFE, AT_HOME | {"key": "absent?"}, ("key_out",)),
        (SAFE, AT_HOME | {"key": "present?"}, ("key",)),
        (SAFE, AT_HOME | {"key": "unknown?"}, ("key",)),
        (SAFE, AT_HOME | {"flap": "closed?"}, ("flap",)),
        (KEYED, {"door": "closed"}, ()),
        (KEYED, {"door": "closed?"}, ("door",)),
        (KEYED, {"door": "open?"}, ("door",)),
    ],
)
def test_it_may_be_opened_only_when_it_lacks_nothing_and_unknown_is_a_lack(
    closure: AnyClosure, values: dict[str, str], words: tuple[str, ...]
) -> None:
    assert closure.not_ready(seen(closure, values)) == words


@pytest.mark.parametrize(
    ("closure", "values", "is_secured"),
    [
        (BOLTED, LOCKED, True),
        (BOLTED, LOCKED | {"lock": "locked?"}, False),
        (BOLTED, LOCKED | {"lock": "unknown?"}, False),
        (BOLTED, LOCKED | {"door": "closed?"}, False),
        (BOLTED, LOCKED | {"door": "unknown?"}, False),
        (GARAGE, {"door": "closed"}, True),
        (GARAGE, {"door": "closed?"}, False),
        (STRIKE, {"door": "closed"}, True),
        (STRIKE, {"door": "closed?"}, False),
        (BOX, EMPTY | {"content": "occupied?"}, True),
        (BOX, EMPTY | {"latch": "locked?"}, False),
        (BOX, EMPTY | {"lid": "closed?"}, False),
        (SAFE, AT_HOME, True),
        (SAFE, AT_HOME | {"key": "present?"}, False),
        (SAFE, AT_HOME | {"key": "absent?"}, False),
        (SAFE, AT_HOME | {"flap": "closed?"}, False),
        (KEYED, {"door": "closed"}, True),
        (KEYED, {"door": "closed?"}, False),
    ],
)
def test_only_what_every_sensor_has_answered_is_secured(
    closure: AnyClosure, values: dict[str, str], *, is_secured: bool
) -> None:
    view = seen(closure, values)
    assert closure.secured(view) is is_secured
    assert not closure.opened(view) or not is_secured


@pytest.mark.parametrize(
    ("closure", "values", "is_held"),
    [
        (BOLTED, {"lock": "locked", "door": "open?"}, True),
        (BOLTED, {"lock": "locked?", "door": "closed"}, False),
        (BOX, {"latch": "locked", "lid": "unknown?"}, True),
        (BOX, {"latch": "locked?", "lid": "closed"}, False),
        (STRIKE, {"door": "closed"}, False),
        (KEYED, {"door": "closed"}, False),
    ],
)
def test_what_anybody_with_a_key_opens_holds_nobody_and_a_bolt_only_by_its_answer(
    closure: AnyClosure, values: dict[str, str], *, is_held: bool
) -> None:
    assert closure.holds(seen(closure, values)) is is_held


ORDERED = Circumstances(mono=100.0, ordered_at=99.0)


@pytest.mark.parametrize(
    ("closure", "values", "now", "is_passable"),
    [
        (BOLTED, {"lock": "unlocked?"}, ORDERED, True),
        (BOLTED, {"lock": "locked?"}, ORDERED, False),
        (BOLTED, {"lock": "unknown?"}, ORDERED, False),
        (FIXED_KNOB, {"lock": "unlocked?"}, ORDERED, False),
        (FIXED_KNOB, {"lock": "unlatched?"}, ORDERED, True),
        (GARAGE, {"door": "open?"}, ORDERED, True),
        (GARAGE, {"door": "unknown?"}, ORDERED, False),
        (STRIKE, {"door": "closed?"}, ORDERED, True),
        (STRIKE, {"door": "open?"}, Circumstances(), False),
        (BOX, {"latch": "unlocked?"}, ORDERED, True),
        (BOX, {"latch": "locked?"}, ORDERED, False),
        (BOX, {"latch": "unknown?"}, ORDERED, False),
        (SAFE, {"flap": "open?", "key": "present"}, ORDERED, True),
        (SAFE, {"flap": "closed", "key": "absent?"}, ORDERED, True),
        (SAFE, AT_HOME, ORDERED, False),
        (KEYED, {"door": "open?"}, ORDERED, False),
    ],
)
def test_go_is_said_when_somebody_can_go_through(
    closure: AnyClosure, values: dict[str, str], now: Circumstances, *, is_passable: bool
) -> None:
    assert closure.passable(seen(closure, values, now=now)) is is_passable


@pytest.mark.parametrize(
    ("values", "since"),
    [
        (AT_HOME, 10.0),
        (AT_HOME | {"key": "absent?"}, None),
        (AT_HOME | {"key": "unknown?"}, None),
        (AT_HOME | {"flap": "open?"}, None),
    ],
)
def test_a_key_safe_is_closed_while_its_key_hangs_in_it(values: dict[str, str], since: float | None) -> None:
    assert SAFE.closed_since(seen(SAFE, values)) == since


def test_a_key_that_is_out_is_an_open_safe_and_nobody_at_home() -> None:
    out = seen(SAFE, {"flap": "closed", "key": "absent?"})
    assert SAFE.opened(out)
    assert not SAFE.in_use(out)


@pytest.mark.parametrize(
    ("closure", "values", "marks", "result"),
    [
        (BOX, EMPTY | {"content": "occupied"}, frozenset(), Deposit.LEFT),
        (BOX, EMPTY | {"content": "empty"}, frozenset(), Deposit.NOTHING),
        (BOX, EMPTY | {"content": "occupied?"}, frozenset(), Deposit.UNKNOWN),
        (BOX, EMPTY | {"content": "unknown?"}, frozenset(), Deposit.UNKNOWN),
        (BLIND_BOX, {"latch": "locked", "lid": "closed"}, frozenset(), Deposit.BY_FILM),
        (SAFE, AT_HOME, frozenset(), Deposit.NOTHING),
        (SAFE, AT_HOME, frozenset({"key_taken"}), Deposit.BY_FILM),
        (BOLTED, LOCKED, frozenset(), Deposit.BY_FILM),
    ],
)
def test_that_something_was_left_is_answered_and_never_guessed(
    closure: AnyClosure, values: dict[str, str], marks: frozenset[str], *, result: Deposit
) -> None:
    assert closure.deposited(seen(closure, values, now=Circumstances(marks=marks))) is result


@pytest.mark.parametrize(
    ("values", "before", "marks"),
    [
        (AT_HOME, frozenset(), frozenset()),
        ({"flap": "open?", "key": "absent?"}, frozenset(), {"key_taken"}),
        (AT_HOME, {"key_taken"}, {"key_returned"}),
        (AT_HOME | {"key": "present?"}, {"key_taken"}, frozenset()),
        (AT_HOME | {"key": "unknown?"}, {"key_taken"}, frozenset()),
    ],
)
def test_a_key_is_back_only_when_its_hook_has_answered_so(
    values: dict[str, str], before: set[str], marks: set[str]
) -> None:
    assert SAFE.marks(seen(SAFE, values, now=Circumstances(marks=frozenset(before)))) == marks


def test_the_time_for_the_key_runs_from_when_it_went() -> None:
    out = seen(SAFE, {"flap": "closed", "key": "absent?"}, now=Circumstances(mono=110.0))  # it went at 10
    assert SAFE.overdue(out) == Overdue(alarm=AlarmCode.KEY_LATE, notification=Notification.KEY_MISSED, limit_s=500.0)
    late = seen(SAFE, {"flap": "closed", "key": "absent?"}, now=Circumstances(mono=9999.0))
    assert SAFE.overdue(late).limit_s == 1.0


@pytest.mark.parametrize(
    ("sides", "fits"),
    [
        ((200, 300, 400), True),
        ((400, 200, 300), True),
        ((1, 1, 400), True),
        ((201, 300, 400), False),
        ((100, 301, 301), False),
        ((10, 10, 401), False),
    ],
)
def test_a_parcel_fits_in_whatever_way_it_is_turned(sides: tuple[int, int, int], *, fits: bool) -> None:
    length, width, height = sides
    assert BOX.fits(Dimensions(length=length, width=width, height=height)) is fits


HAND, REMOTE, NOBODY = OperationSource.MANUAL, OperationSource.REMOTE, OperationSource.UNSPECIFIED


@pytest.mark.parametrize(
    ("origin", "is_away", "by_hand"),
    [
        ({"source": HAND}, False, True),
        ({"source": HAND}, True, True),
        ({"source": OperationSource.AUTO}, False, True),
        ({"source": REMOTE}, False, False),
        ({"source": REMOTE, "user": "anna"}, False, True),
        ({"source": NOBODY}, False, True),
        ({"source": NOBODY}, True, False),
        ({"source": HAND, "unlock_may_act": True}, False, True),
        ({"source": NOBODY, "unlock_may_act": True}, False, False),
        ({"source": OperationSource.AUTO, "unlock_may_act": True}, False, False),
        ({"source": REMOTE, "user": "anna", "unlock_may_act": True}, False, False),
    ],
)
def test_while_a_command_to_open_may_act_only_a_known_hand_is_one(
    origin: dict[str, Any], *, is_away: bool, by_hand: bool
) -> None:
    view = seen(BOLTED, {}, now=Circumstances(is_away=is_away))
    assert is_by_hand(ReportOrigin(**origin), view) is by_hand


@pytest.mark.parametrize(
    ("closure", "sensor", "before", "values", "origin", "is_away", "use"),
    [
        (BOLTED, "lock", "locked", {"lock": "unlocked?"}, {"source": HAND}, False, Use.OPENED_BY_HAND),
        (BOLTED, "lock", "locked", {"lock": "unlocked?"}, {"source": REMOTE}, False, Use.UNEXPECTED),
        (BOLTED, "lock", "unlocked", {"lock": "locked?"}, {"source": HAND}, False, Use.LOCKED_BY_HAND),
        (BOLTED, "lock", "unlocked", {"lock": "locked?"}, {"source": OperationSource.AUTO}, False, Use.NONE),
        (BOLTED, "lock", "unknown", {"lock": "unlocked?"}, {"source": HAND, "is_answer": True}, False, Use.NONE),
        (BOLTED, "door", "closed", {"lock": "locked?", "door": "open?"}, {}, False, Use.SUSPICIOUS),
        (BOLTED, "door", "closed", {"lock": "unlocked?", "door": "open?"}, {}, False, Use.MOVED),
        (BOLTED, "door", "open", {"door": "closed?"}, {"is_answer": True}, False, Use.NONE),
        (GARAGE, "door", "closed", {"door": "open?"}, {"source": REMOTE}, False, Use.UNEXPECTED),
        (GARAGE, "door", "closed", {"door": "open?"}, {"source": NOBODY}, False, Use.OPENED_BY_HAND),
        (GARAGE, "door", "closed", {"door": "open?"}, {"source": NOBODY}, True, Use.UNEXPECTED),
        (STRIKE, "door", "closed", {"door": "open?"}, {"source": REMOTE}, True, Use.NONE),
        (BOX, "latch", "locked", {"latch": "unlocked?"}, {"source": NOBODY}, True, Use.UNEXPECTED),
        (BOX, "latch", "locked", {"latch": "unlocked?"}, {"source": HAND}, True, Use.OPENED_BY_HAND),
        (BOX, "lid", "closed", {"lid": "open?", "latch": "locked?"}, {}, False, Use.SUSPICIOUS),
        (BOX, "lid", "closed", {"lid": "open?", "latch": "unlocked?"}, {}, False, Use.MOVED),
        (BOX, "content", "occupied", {"content": "empty?"}, {}, False, Use.NONE),
        (SAFE, "key", "present", {"key": "absent?"}, {}, False, Use.OPENED_BY_HAND),
        (SAFE, "key", "present", {"key": "absent?"}, {}, True, Use.UNEXPECTED),
        (SAFE, "flap", "closed", {"flap": "open?"}, {}, True, Use.MOVED),
        (KEYED, "door", "closed", {"door": "open?"}, {}, True, Use.UNEXPECTED),
        (KEYED, "door", "closed", {"door": "open?"}, {}, False, Use.MOVED),
        (KEYED, "door", "open", {"door": "closed?"}, {"is_answer": True}, False, Use.NONE),
    ],
)
def test_what_moved_says_who_was_there(  # noqa: PLR0913 - a change, and all that explains it
    *,
    closure: AnyClosure,
    sensor: str,
    before: str,
    values: dict[str, str],
    origin: dict[str, Any],
    is_away: bool,
    use: Use,
) -> None:
    view = seen(closure, values, now=Circumstances(is_away=is_away))
    assert closure.interpret(sensor, before, ReportOrigin(**origin), view) is use


def test_the_openings_of_a_street_door_are_anybodys_and_all_others_are_this_homes() -> None:
    assert not STRIKE.is_private
    assert all(closure.is_private for closure in (BOLTED, GARAGE, BOX, SAFE, KEYED))


@pytest.mark.parametrize("closure", [BOLTED, GARAGE_WITH_BEAM, STRIKE, BOX, SAFE, KEYED], ids=lambda one: one.kind)
def test_a_view_proves_nothing_that_was_only_reported(closure: AnyClosure) -> None:
    for role, sensor in closure.sensors.items():
        for good in sensor.needs_answer:
            assert seen(closure, {role: good}).proves(role, good)
            assert not seen(closure, {role: f"{good}?"}).proves(role, good)
            assert not seen(closure, {role: good}).proves(role, "another")
        assert fact("x?").proven is False
