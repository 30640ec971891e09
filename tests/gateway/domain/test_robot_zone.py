"""A door is a zone: a robot that asks is let in only while the door is open for it, and counts as in until it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.commands import Grant
from devices.reports import ZoneRequest, ZoneStatus
from gateway.domain import robot_zone
from gateway.domain.frozen import replace
from gateway.domain.robot_zone import Answer, RequestKey, Zone
from gateway.domain.visit.events import HolderLeft, HolderStrayed
from gateway.domain.visit.state import Consent, Entrance, Entry, Phase, Visit
from tests.house.promise import SimulatedDelivery

LEASE_S = 30.0
ONE, TWO = "r1", "r2"
SCAN = "v1"
EMPTY = Entrance(id="front")


def request(ident: str = "a", status: ZoneStatus = ZoneStatus.REQUESTED) -> ZoneRequest:
    return ZoneRequest(id=ident, zone="door-1", status=status)


def asked(*robots: str) -> Zone:
    zone = Zone()
    for robot in robots:
        zone = robot_zone.observe(zone, robot, (request(),))
    return zone


def visiting(
    phase: Phase, robot: str = ONE, *, stopped: bool = False, left: bool = False, astray: bool = False
) -> Entrance:
    entry = Entry(opened=frozenset({"door"}) if phase is Phase.INSIDE else frozenset())
    delivery = SimulatedDelivery(id="d0", start=0, end=9, for_robot=True).facts()
    consent = Consent(stopped=stopped)
    visit = Visit(
        id=SCAN,
        delivery=delivery,
        scanner=robot,
        robot=robot,
        phase=phase,
        entry=entry,
        consent=consent,
        holder_left=left,
        holder_astray=astray,
    )
    return replace(EMPTY, visit=visit)


def grants(zone: Zone, state: Entrance, *, is_stopped: bool = False) -> dict[str, Grant]:
    _, found = robot_zone.answers(zone, state, is_stopped=is_stopped, lease_s=LEASE_S)
    return {answer.robot: answer.grant for answer in found}


def let_in() -> Zone:
    """The zone while the first robot is in, and the second waits."""
    zone = robot_zone.ask_entrance(asked(ONE, TWO), RequestKey(ONE, "a"), SCAN)
    zone, found = robot_zone.answers(zone, visiting(Phase.INSIDE), is_stopped=False, lease_s=LEASE_S)
    assert Answer(robot=ONE, request="a", grant=Grant.GRANTED, lease_s=LEASE_S) in found
    return zone


def test_a_request_waits_until_the_entrance_was_asked() -> None:
    assert grants(asked(ONE), EMPTY) == {ONE: Grant.QUEUED}
    assert robot_zone.waiting_requests(asked(ONE, TWO), EMPTY) == (RequestKey(ONE, "a"), RequestKey(TWO, "a"))
    assert robot_zone.waiting_requests(asked(ONE), visiting(Phase.RINGING, TWO)) == ()


@pytest.mark.parametrize(
    ("phase", "grant"),
    [
        (Phase.RINGING, Grant.QUEUED), (Phase.APPROVING, Grant.QUEUED), (Phase.UNLOCKING, Grant.QUEUED),
        (Phase.UNLOCKED, Grant.GRANTED), (Phase.INSIDE, Grant.GRANTED), (Phase.RELOCKING, Grant.QUEUED),
        (Phase.HANDED_TO_OWNER, Grant.QUEUED),
    ],
)  # fmt: skip
def test_the_yes_alone_grants_nothing_only_the_open_door_does(phase: Phase, grant: Grant) -> None:
    zone = robot_zone.ask_entrance(asked(ONE), RequestKey(ONE, "a"), SCAN)
    assert grants(zone, visiting(phase)) == {ONE: grant}


def test_the_second_robot_waits_while_the_first_is_in() -> None:
    assert grants(let_in(), visiting(Phase.INSIDE)) == {ONE: Grant.GRANTED, TWO: Grant.QUEUED}
    assert robot_zone.waiting_requests(let_in(), visiting(Phase.INSIDE)) == ()


@pytest.mark.parametrize(
    ("state", "is_stopped"),
    [
        (visiting(Phase.INSIDE), True), (visiting(Phase.INSIDE, stopped=True), False),
        (replace(visiting(Phase.INSIDE), stopped=True), False), (visiting(Phase.HANDED_TO_OWNER), False),
        (visiting(Phase.RELOCKING), False), (EMPTY, False),
    ],
)  # fmt: skip
def test_a_stop_a_hand_over_and_the_end_revoke_what_was_granted(state: Entrance, is_stopped: bool) -> None:
    assert grants(let_in(), state, is_stopped=is_stopped)[ONE] is Grant.REVOKED


@pytest.mark.parametrize("status", list(ZoneStatus))
def test_a_robot_is_out_only_when_it_no_longer_reports_a_request(status: ZoneStatus) -> None:
    zone = robot_zone.observe(let_in(), ONE, (request("a", status),))
    assert not robot_zone.has_left(zone, visiting(Phase.INSIDE), ONE)
    zone = robot_zone.observe(zone, ONE, ())
    assert robot_zone.has_left(zone, visiting(Phase.INSIDE), ONE)
    assert not robot_zone.has_left(zone, visiting(Phase.INSIDE, left=True), ONE), "it was believed already"
    assert not robot_zone.has_left(zone, visiting(Phase.UNLOCKED), ONE), "nothing was open yet"


def test_that_another_robot_asks_for_nothing_says_nothing_of_the_one_that_is_in() -> None:
    zone = robot_zone.observe(let_in(), TWO, ())
    assert not robot_zone.has_left(zone, visiting(Phase.INSIDE), ONE)
    assert not robot_zone.has_left(zone, visiting(Phase.INSIDE), TWO)


def test_a_robot_that_a_person_drives_drops_its_request_and_is_not_out() -> None:
    inside = visiting(Phase.INSIDE)
    zone = robot_zone.observe(let_in(), ONE, (), is_driving=False)
    assert not robot_zone.has_left(zone, inside, ONE), "VDA 5050: in the mode INTERVENED it has no requests"
    zone = robot_zone.observe(zone, ONE, ())
    assert not robot_zone.has_left(zone, inside, ONE), "it drives again, and nobody knows where it is"
    zone = robot_zone.observe(zone, ONE, (request("b"),))
    assert not robot_zone.has_left(zone, inside, ONE)
    assert robot_zone.has_left(robot_zone.observe(zone, ONE, ()), inside, ONE), "it asked again, and left"


@pytest.mark.parametrize("ident", ["a", "b"])
def test_a_request_that_it_reports_while_a_person_drives_it_says_nothing_of_where_it_is(ident: str) -> None:
    zone = robot_zone.observe(let_in(), ONE, (request(ident),), is_driving=False)
    zone = robot_zone.observe(zone, ONE, ())
    assert not robot_zone.has_left(zone, visiting(Phase.INSIDE), ONE), "it lost its request as it was given back"


def test_a_state_that_says_nothing_of_requests_changes_none_but_a_person_who_drives_is_doubted_all_the_same() -> None:
    assert robot_zone.observe(let_in(), ONE, None) == let_in()
    zone = robot_zone.observe(let_in(), ONE, None, is_driving=False)
    assert zone == replace(let_in(), strayed=frozenset({ONE}))
    assert robot_zone.observe(zone, ONE, None) == zone


def told(
    zone: Zone, state: Entrance, *reported: ZoneRequest, by_itself: bool = True
) -> tuple[Zone, HolderLeft | HolderStrayed | None]:
    """The zone after a report, and what the entrance is told."""
    seen = robot_zone.observe(zone, ONE, reported, is_driving=by_itself)
    return seen, robot_zone.news(zone, seen, state, ONE, is_fit=by_itself, carries=frozenset({"A-1"}))


def test_the_entrance_is_told_that_nobody_knows_where_its_robot_is_and_when_somebody_knows_again() -> None:
    inside, astray = visiting(Phase.INSIDE), visiting(Phase.INSIDE, astray=True)
    zone, found = told(let_in(), inside, by_itself=False)
    assert found == HolderStrayed(holder=ONE, is_astray=True)
    assert told(zone, inside)[1] == found, "it is not stored yet"
    assert told(zone, astray)[1] is None
    zone, found = told(zone, astray, request("b"))
    assert found == HolderStrayed(holder=ONE, is_astray=False)
    assert told(zone, inside)[1] == HolderLeft(holder=ONE, carries=frozenset({"A-1"}))
    assert told(zone, EMPTY)[1] is None
    assert told(let_in(), visiting(Phase.INSIDE, TWO), by_itself=False)[1] is None, "another one's visit"
    assert told(let_in(), visiting(Phase.INSIDE, left=True), by_itself=False)[1] is None, "it was out"


def test_a_change_is_told_although_the_entrance_has_not_stored_the_one_before() -> None:
    inside = visiting(Phase.INSIDE)
    zone, first = told(let_in(), inside, by_itself=False)
    zone, second = told(zone, inside, request("b"))
    assert (first, second) == tuple(HolderStrayed(holder=ONE, is_astray=one) for one in (True, False))
    assert isinstance(told(zone, inside)[1], HolderLeft)


def test_after_a_restart_the_zone_doubts_what_the_visit_doubts() -> None:
    astray = visiting(Phase.INSIDE, astray=True)
    zone, found = told(robot_zone.restored(astray), astray)
    assert found is None, "it drives by itself, has no request, and may be anywhere"
    zone, found = told(zone, astray, request("b"))
    assert found == HolderStrayed(holder=ONE, is_astray=False)
    for state in (EMPTY, visiting(Phase.INSIDE)):
        assert robot_zone.restored(state) == Zone()


def test_a_robot_that_strayed_does_not_hold_another_one() -> None:
    zone = robot_zone.observe(let_in(), TWO, (), is_driving=False)
    assert robot_zone.has_left(robot_zone.observe(zone, ONE, ()), visiting(Phase.INSIDE), ONE)


def test_a_refused_scan_refuses_its_request_and_no_other() -> None:
    zone = robot_zone.ask_entrance(asked(ONE, TWO), RequestKey(ONE, "a"), SCAN)
    zone = robot_zone.on_refused_scan(zone, SCAN)
    assert grants(zone, EMPTY) == {ONE: Grant.REJECTED, TWO: Grant.QUEUED}
    assert robot_zone.waiting_requests(zone, EMPTY) == (RequestKey(TWO, "a"),)
    zone = robot_zone.observe(zone, ONE, (request("b"),))
    assert grants(zone, EMPTY)[ONE] is Grant.QUEUED, "it may ask again by another request"


def test_a_no_during_the_visit_takes_back_what_was_granted_and_does_not_reject_it() -> None:
    zone = robot_zone.on_refused_scan(let_in(), SCAN)
    assert grants(zone, visiting(Phase.RELOCKING))[ONE] is Grant.REVOKED


def test_a_visit_that_ends_without_an_opening_rejects_its_request() -> None:
    zone = robot_zone.ask_entrance(asked(ONE), RequestKey(ONE, "a"), SCAN)
    assert grants(zone, EMPTY) == {ONE: Grant.QUEUED}, "the entrance has not decided on the scan yet"
    zone, _ = robot_zone.answers(zone, visiting(Phase.RINGING), is_stopped=False, lease_s=LEASE_S)
    assert grants(zone, EMPTY) == {ONE: Grant.REJECTED}


def test_a_robot_cannot_fill_the_memory_with_requests() -> None:
    zone = robot_zone.observe(Zone(), ONE, tuple(request(str(n)) for n in range(1000)))
    assert len(zone.requests) == robot_zone.MAX_REQUESTS


STATES = st.one_of(
    st.just(EMPTY),
    st.builds(visiting, st.sampled_from(Phase), st.sampled_from((ONE, TWO)), stopped=st.booleans(), left=st.booleans()),
)
REPORTS = st.lists(
    st.builds(request, st.sampled_from("abc"), st.sampled_from(ZoneStatus)), max_size=3, unique_by=lambda r: r.id
)
STEPS = st.lists(st.tuples(st.sampled_from((ONE, TWO)), REPORTS, STATES, st.booleans()), max_size=12)


@given(STEPS)
def test_whatever_robots_report_at_most_one_is_in_and_only_through_an_open_door(
    steps: list[tuple[str, list[ZoneRequest], Entrance, bool]],
) -> None:
    zone = Zone()
    for robot, reported, state, is_stopped in steps:
        zone = robot_zone.observe(zone, robot, tuple(reported))
        for key in robot_zone.waiting_requests(zone, state)[:1]:
            zone = robot_zone.ask_entrance(zone, key, SCAN)
        zone, found = robot_zone.answers(zone, state, is_stopped=is_stopped, lease_s=LEASE_S)
        assert len(found) == len(zone.requests)
        for answer in found:
            assert (answer.lease_s is not None) is (answer.grant is Grant.GRANTED)
        granted = {answer.robot for answer in found if answer.grant is Grant.GRANTED}
        if granted:
            assert state.visit is not None
            assert granted == {state.visit.robot}
            assert state.visit.phase in robot_zone.PASSABLE_PHASES
            assert not is_stopped
