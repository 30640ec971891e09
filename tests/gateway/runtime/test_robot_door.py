"""A dishonest robot and a dishonest supervisor at a real broker and real pages: nothing opens by a lie."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac

from devices.reports import DoorReport, DoorState, LockReport, LockState
from devices.vendors.words import TopicSuffix
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm
from gateway.domain.visit.state import Phase
from tests.gateway.runtime.hostile_robot import (
    OPERATOR_KEY,
    OTHER_OPERATOR_KEY,
    Browser,
    Claims,
    Doorway,
    Robot,
    browser,
    doorway,
    public,
    robots,
    signed,
    state_of,
)
from tests.waiting import wait_until

HEADER = {"alg": "Ed25519", "kid": "trundle-1", "typ": "perron-robot+jwt"}
SAID = "OpeningDecided"
STATUS_REFUSED = {403, 409, 413, 429}


async def comes(there: Doorway, robot: Robot, request: str = "q1") -> str:
    """An honest robot is let as far as the supervisor's question."""
    await robot.says(robot.token(await robot.asks(request)), "perronIdentity")
    await wait_until(lambda: there.visit is not None)
    await there.rings_out()
    assert there.visit is not None
    return there.visit


async def says_yes(there: Doorway, ines: Browser, visit: str) -> str:
    """An honest supervisor looks and says yes; return what was signed."""
    there.made.film(visit)
    token = ines.token(ines.claims(visit, await ines.picture(visit)))
    assert await ines.sends(token) == 200
    await wait_until(lambda: there.unlocks == 1)
    there.made.bolt = LockState.UNLOCKED
    there.made.says("lock", LockReport(bolt=LockState.UNLOCKED))
    await wait_until(lambda: there.phase is Phase.UNLOCKED)
    return token


def moves(there: Doorway, door: DoorState) -> None:
    """The leaf moves."""
    there.made.door = door
    there.made.says("door", DoorReport(door=door))


async def goes_in(there: Doorway, robot: Robot, request: str = "q1") -> None:
    """The robot is let in and drives in."""
    await wait_until(lambda: robot.last(request) == "GRANTED")
    await robot.says(robot.state((request, "GRANTED"), loads=()))
    moves(there, DoorState.OPEN)
    await wait_until(lambda: there.phase is Phase.INSIDE)


async def goes_in_by_a_yes(there: Doorway, robot: Robot, ines: Browser) -> str:
    """The robot comes, the supervisor says yes, and it goes in; return the visit."""
    visit = await comes(there, robot)
    await says_yes(there, ines, visit)
    await goes_in(there, robot)
    return visit


async def falls_shut(there: Doorway) -> None:
    """The door closes, and time passes in which the box would lock it."""
    moves(there, DoorState.CLOSED)
    await there.made.quiet()
    for _ in range(4):
        there.made.passes(6)
        await there.made.quiet()
        if there.locks and there.made.bolt is LockState.UNLOCKED:  # the bolt obeys
            there.made.bolt = LockState.LOCKED
            there.made.says("lock", LockReport(bolt=LockState.LOCKED))
            await there.made.quiet()


async def asks_again_and_leaves(there: Doorway, robot: Robot) -> None:
    """Let a robot that drives by itself again ask for the zone, and leave it: only then the box locks."""
    await robot.says(robot.state(("q2", "REQUESTED"), loads=()))
    await wait_until(lambda: robot.last("q2") == "QUEUED")
    await robot.says(robot.state(loads=()))
    await wait_until(lambda: there.made.front.state.visit is None or there.made.front.state.visit.courier_left)
    await falls_shut(there)
    assert there.locks >= 1


def hs256(key: str) -> Any:  # noqa: ANN401 - a function that signs
    def sign(data: bytes) -> bytes:
        mac = hmac.HMAC(key.encode(), hashes.SHA256())
        mac.update(data)
        return mac.finalize()

    return sign


async def test_who_tells_the_truth_comes_in_once_and_the_door_is_locked_behind_him(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        visit = await comes(there, robot)
        token = await says_yes(there, ines, visit)
        await goes_in(there, robot)
        assert await ines.sends(token) in STATUS_REFUSED, "the same yes again"
        (said,) = (one for one in there.made.store.log.bodies_of_visit(visit) if one["event"]["event"] == SAID)
        assert (said["event"]["token"], said["event"]["key"]) == (token, ines.jwk), "for the proof, as it was signed"
        await robot.says(robot.state(loads=()))
        await falls_shut(there)
        assert (there.unlocks, there.locks > 0) == (1, True)
        assert await ines.sends(token) in STATUS_REFUSED, "the same yes after the visit"
        await robot.says(robot.state(("q2", "REQUESTED")))
        await there.settles(robot)
        assert there.unlocks == 1


async def test_no_forged_or_replayed_identity_rings_the_bell(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1", "r2") as (robot, other):
        await robot.says(robot.token({"nonce": "0" * 32}), "perronIdentity")  # nobody asked
        asked = await robot.asks("q0")
        old = robot.token(asked, iat=robot.claims(asked)["iat"] - 61, exp=robot.claims(asked)["iat"] - 1)
        forged: list[str | bytes] = [
            old,
            robot.token(asked, nonce="0" * 32),
            robot.token(asked, sub="KIT/0002"),
            robot.token(asked, aud="box-2"),
            robot.token(asked, iss="snow"),
            robot.token(asked, iat=robot.claims(asked)["iat"] + 30, exp=robot.claims(asked)["iat"] + 80),
            robot.token(asked, exp=robot.claims(asked)["exp"] + 3600),
            robot.token(asked, delivery="d2"),
            robot.token(asked, brand="farm"),
            robot.token(asked, loads=[]),
            robot.token(asked, loads=["another"]),
            robot.token(asked, admin=True),
            signed(HEADER, robot.claims(asked), OTHER_OPERATOR_KEY.sign),
            signed(HEADER | {"kid": "snow-1"}, robot.claims(asked), OTHER_OPERATOR_KEY.sign),
            signed(HEADER | {"kid": "snow-1"}, robot.claims(asked, iss="snow"), OTHER_OPERATOR_KEY.sign),
            signed(HEADER | {"alg": "none"}, robot.claims(asked), lambda _data: b""),
            signed(HEADER | {"alg": "HS256"}, robot.claims(asked), hs256(public(OPERATOR_KEY))),
            signed(HEADER | {"typ": "perron-yes+jwt"}, robot.claims(asked), OPERATOR_KEY.sign),
            b"", b"\x00" * 100, b"." * 16_000, b"x" * 60_000, "{}",
        ]  # fmt: skip
        for number, token in enumerate(forged):
            there.made.passes(2)
            challenge = await robot.asks(f"q{number + 1}")
            fresh = token.replace(asked["nonce"], challenge["nonce"]) if isinstance(token, str) else token
            await robot.says(fresh, "perronIdentity")
            await there.settles(robot)
            assert there.visit is None, (number, token)
        there.made.passes(2)
        challenge = await other.asks("z1")
        await other.says(robot.token(challenge), "perronIdentity")
        await robot.says(other.token(challenge), "perronIdentity", at=other.address)
        await there.settles(robot, other)
        assert there.visit is None
        assert there.unlocks == 0


async def test_an_identity_is_good_for_one_challenge_of_one_robot(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        token = robot.token(await robot.asks("q1"))
        await robot.says(token, "perronIdentity")
        await wait_until(lambda: there.visit is not None)
        await there.rings_out()
        assert await ines.sends(ines.token(ines.claims(there.visit or "", b"", yes=False, picture_sha256=None))) == 200
        await wait_until(lambda: there.visit is None)
        there.made.passes(2)
        challenge = await robot.asks("q2")
        for _ in range(3):
            await robot.says(token, "perronIdentity")
        await there.settles_with(robot, ("q2", "REQUESTED"))
        assert there.visit is None
        await robot.says(robot.token(challenge), "perronIdentity")
        await wait_until(lambda: there.visit is not None)


async def test_no_yes_counts_but_the_one_for_this_opening_on_this_picture_of_this_browser(tmp_path: Path) -> None:
    async with (
        doorway(tmp_path) as there,
        robots(there, "r1") as (robot,),
        browser(there) as ines,
        browser(there) as second,
        browser(there, "otto", "snow") as otto,
    ):
        early = await ines.picture("0" * 16)
        visit = await comes(there, robot)
        assert await otto.visits() == [], "another operator's supervisor sees nothing"
        assert await otto.picture(visit) == b""
        served = await second.picture(visit)
        seen = await ines.picture(visit)
        now = ines.claims(visit, seen)["iat"]
        lies: list[tuple[str, Claims]] = [
            ("a picture of another browser", ines.claims(visit, served)),
            ("a picture that nobody served", ines.claims(visit, b"\xff\xd8 mine")),
            ("no picture", ines.claims(visit, early)),
            ("no digest", ines.claims(visit, seen, picture_sha256=None)),
            ("another opening", ines.claims(visit, seen, closure="garage")),
            ("another visit", ines.claims("f" * 16, seen)),
            ("another box", ines.claims(visit, seen, aud="box-2")),
            ("another person", ines.claims(visit, seen, sub="otto")),
            ("another operator", ines.claims(visit, seen, iss="snow")),
            ("of the future", ines.claims(visit, seen, iat=now + 20, exp=now + 40)),
            ("over", ines.claims(visit, seen, iat=now - 40, exp=now - 10)),
            ("for ever", ines.claims(visit, seen, exp=now + 3600)),
            ("backwards", ines.claims(visit, seen, exp=now - 1)),
            ("a yes that is a number", ines.claims(visit, seen, yes=1)),
            ("a further claim", ines.claims(visit, seen, closures=["door"])),
        ]
        for what, claims in lies:
            there.made.passes(0.5)
            assert await ines.sends(ines.token(claims)) in STATUS_REFUSED, what
        honest = ines.claims(visit, seen)
        tokens = [
            second.token(honest),
            ines.token(honest, kid=second.ident),
            second.token(honest, kid=ines.ident),
            ines.token(honest, alg="none"),
            ines.token(honest, typ="perron-order+jwt"),
            ines.token(honest, jwk={}),
            ines.token(honest)[:-8],
            "",
            "é" * 4_000,
        ]
        for token in tokens:
            there.made.passes(0.5)
            assert await ines.sends(token) in STATUS_REFUSED, token[:80]
        assert await otto.sends(otto.token(otto.claims(visit, seen))) in STATUS_REFUSED
        there.made.passes(5)
        assert await ines.sends(ines.token(ines.claims(visit, seen))) in STATUS_REFUSED, "a picture of five seconds ago"
        await there.made.quiet()
        assert (there.unlocks, there.phase) == (0, Phase.APPROVING)
        await says_yes(there, ines, visit)
        assert there.unlocks == 1


async def test_a_second_robot_gets_no_lease_of_the_first_and_cannot_end_it(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1", "r2") as (first, second), browser(there) as ines:
        await second.says(second.state(("q1", "GRANTED")))  # it claims a lease that nobody gave
        visit = await goes_in_by_a_yes(there, first, ines)
        for body in (
            second.state(("q1", "GRANTED")),
            second.state(("q1", "REQUESTED"), ("q9", "REQUESTED")),
            second.state(("q1", "REVOKED")),
            second.state(),
            first.state(loads=()),  # with the first one's name, on its own topic
        ):
            await second.says(body)
        await second.says(first.state(loads=()), at=first.address)  # the broker lets nobody write there
        await second.says({"responses": [{"requestId": "q1", "grantType": "REVOKED"}]}, "responses", at=first.address)
        await there.settles(second)
        assert {grant for _, grant in second.grants} == {"QUEUED"}
        assert there.visit == visit
        await falls_shut(there)
        assert there.locks == 0, "the first robot is inside: nothing closes on it"
        await first.says(first.state(loads=()))
        await falls_shut(there)
        assert there.locks >= 1


async def test_a_zone_that_is_released_inside_locks_no_open_door_and_lets_nobody_else_in(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1", "r2") as (liar, other), browser(there) as ines:
        visit = await goes_in_by_a_yes(there, liar, ines)
        await liar.says(liar.state(loads=()))  # it stands in the door and says that it left
        await other.says(other.state(("z1", "REQUESTED")))
        await there.settles(other)
        for _ in range(5):
            there.made.passes(30)
            await there.made.quiet()
        assert (there.locks, there.visit) == (0, visit), "a door that stands open is not locked"
        assert other.last("z1") == "QUEUED"
        await liar.says(liar.state(("q1", "GRANTED"), ("q3", "REQUESTED")))  # it wants in again
        await there.settles(liar)
        assert liar.last("q3") == "QUEUED"
        assert there.unlocks == 1


async def test_what_a_robot_says_of_its_place_and_of_the_time_opens_nothing_and_closes_nothing(tmp_path: Path) -> None:
    inside: Claims = {
        "mobileRobotPosition": {"x": 1.0, "y": 1.0, "theta": 0.0, "mapId": "home", "localized": True},
        "lastNodeId": "inside", "lastNodeSequenceId": 99, "timestamp": "2099-01-01T00:00:00.000Z",
    }  # fmt: skip
    outside: Claims = {**inside, "mobileRobotPosition": {"x": -99.0, "y": 0.0, "theta": 0.0, "mapId": "street"}}
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        await robot.says(robot.state(**inside))
        await robot.says(robot.state(("q1", "GRANTED"), **inside))
        await there.settles(robot)
        assert (there.visit, robot.challenges) == (None, [])
        visit = await comes(there, robot, "q2")
        await says_yes(there, ines, visit)
        await goes_in(there, robot, "q2")
        await robot.says(robot.state(("q2", "GRANTED"), loads=(), **outside))
        await there.settles_with(robot, ("q2", "GRANTED"))
        await falls_shut(there)
        assert (there.locks, there.visit) == (0, visit), "only the end of its request says that it is out"


async def test_a_flood_of_states_is_bounded_and_costs_the_honest_robot_nothing(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1", "s1") as (honest, noisy), browser(there) as ines:
        for number in range(300):
            many = [(f"f{number}-{n}", "REQUESTED") for n in range(60)]
            await noisy.says(noisy.state(*many, loads=tuple(f"L{n}" for n in range(60))))
            await noisy.says(b"{" * 3_000)
            await noisy.says(b"x" * 20_000, "perronIdentity")
        await goes_in_by_a_yes(there, honest, ines)
        assert len(noisy.challenges) <= 2, "one challenge at a time, whatever is asked"
        assert "GRANTED" not in {grant for _, grant in noisy.grants}
        assert len(noisy.grants) < 100, "some answers a second, of the 4,800 that it asked for"
        await noisy.says(noisy.state(zoneRequests="x" * 60_000))
        await honest.says(honest.state(loads=()))
        await falls_shut(there)
        assert there.locks >= 1


async def test_a_request_for_another_zone_or_for_that_id_in_another_zone_set_asks_for_nothing(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,):
        body = robot.state(("q1", "REQUESTED"))
        (request,) = body["zoneRequests"]
        for change in ({"zoneSetId": "first-floor"}, {"zoneSetId": ""}, {"zoneId": "door-2"}):
            await robot.says(body | {"zoneRequests": [request | change]})
            await there.settles(robot)
            assert robot.challenges == [], change
        await robot.says(body)
        await wait_until(lambda: robot.challenges)


async def test_a_stored_message_of_a_robot_asks_for_nothing_and_frees_nothing(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        await there.settles(robot)
        assert (robot.challenges, robot.last("stored")) == ([], None), "the broker had it before the box came"
        await goes_in_by_a_yes(there, robot, ines)
        gone = json.dumps(state_of(robot.address, loads=())).encode()
        there.made.hear("r1", TopicSuffix.STATE, gone, retain=True)
        await falls_shut(there)
        assert there.locks == 0


async def test_a_robot_that_a_person_drives_inside_drops_its_request_and_nothing_locks_behind_it(
    tmp_path: Path,
) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        visit = await goes_in_by_a_yes(there, robot, ines)
        await robot.says(robot.state(loads=(), operatingMode="INTERVENED"))
        await robot.says(robot.state(loads=()))  # it drives by itself again, somewhere
        await wait_until(lambda: AlarmCode.ROBOT_STRANDED in [one.code for one in there.made.commands(RaiseAlarm)])
        await falls_shut(there)
        assert (there.locks, there.visit) == (0, visit)
        await asks_again_and_leaves(there, robot)


async def test_a_gateway_that_is_killed_while_a_person_drives_the_robot_inside_does_not_believe_that_it_left(
    tmp_path: Path,
) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        visit = await goes_in_by_a_yes(there, robot, ines)
        await robot.says(robot.state(("q1", "GRANTED"), loads=(), operatingMode="MANUAL"))  # it keeps its request
        await wait_until(lambda: AlarmCode.ROBOT_STRANDED in [one.code for one in there.made.commands(RaiseAlarm)])
        await there.settles_with(robot, ("q1", "GRANTED"))
        await robot.says(robot.state(loads=(), operatingMode="INTERVENED"))
        await there.made.quiet()
        await there.is_killed()
        await robot.says(robot.state(loads=()))  # it drives by itself again, somewhere
        await falls_shut(there)
        await there.is_killed()
        await robot.says(robot.state(loads=()))
        await falls_shut(there)
        assert (there.locks, there.visit) == (0, visit)
        await asks_again_and_leaves(there, robot)


async def test_a_gateway_that_is_killed_before_it_saw_the_robot_go_in_locks_nothing_behind_it(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        await says_yes(there, ines, await comes(there, robot))
        await there.is_killed()  # the robot goes in, and the door falls shut
        silent = robot.state(loads=())
        del silent["zoneRequests"]  # it says nothing of them: it may be anywhere
        await robot.says(silent)
        await falls_shut(there)
        assert there.locks == 0
        await robot.says(robot.state(("q1", "GRANTED"), loads=()))
        await falls_shut(there)
        assert there.locks == 0
        await robot.says(robot.state(loads=()))
        await falls_shut(there)
        assert there.locks >= 1


async def test_a_robot_whose_protective_field_is_violated_as_it_leaves_is_out_once_it_drives_on(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        await goes_in_by_a_yes(there, robot, ines)
        violated = {"activeEmergencyStop": "NONE", "fieldViolation": True}
        await robot.says(robot.state(loads=(), safetyState=violated))
        await wait_until(lambda: AlarmCode.ROBOT_STRANDED in [one.code for one in there.made.commands(RaiseAlarm)])
        await falls_shut(there)
        assert there.locks == 0
        await robot.says(robot.state(loads=()))
        await wait_until(lambda: there.made.front.state.visit is None or there.made.front.state.visit.courier_left)
        await falls_shut(there)
        assert there.locks >= 1


async def test_a_robot_that_stops_because_its_permission_ended_is_stranded_at_once(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        visit = await goes_in_by_a_yes(there, robot, ines)
        assert await ines.sends(ines.token(ines.claims(visit, b"", yes=False, picture_sha256=None))) == 200
        await wait_until(lambda: robot.last("q1") == "REVOKED")
        lost = [{"errorType": "RELEASE_LOST", "errorLevel": "CRITICAL"}]
        await robot.says(robot.state(("q1", "REVOKED"), loads=(), errors=lost, driving=False))
        await wait_until(lambda: AlarmCode.ROBOT_STRANDED in [one.code for one in there.made.commands(RaiseAlarm)])
        await falls_shut(there)
        assert there.locks == 0


async def test_a_robot_that_stops_inside_and_swears_that_it_moves_raises_the_alarm_once_and_keeps_the_door(
    tmp_path: Path,
) -> None:
    async with doorway(tmp_path) as there, robots(there, "r1") as (robot,), browser(there) as ines:
        await goes_in_by_a_yes(there, robot, ines)
        stopped = {"safetyState": {"activeEmergencyStop": "MANUAL", "fieldViolation": False}}
        for _ in range(5):
            await robot.says(robot.state(("q1", "GRANTED"), loads=(), **stopped))
            await robot.says(robot.state(("q1", "GRANTED"), loads=()))
        await there.settles_with(robot, ("q1", "GRANTED"))
        alarms = [alarm.code for alarm in there.made.commands(RaiseAlarm)]
        assert alarms.count(AlarmCode.ROBOT_STRANDED) == 1
        await falls_shut(there)
        assert there.locks == 0
