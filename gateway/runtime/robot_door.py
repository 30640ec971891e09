"""Lets robots ask for one entrance: challenges them, passes their proven requests to it, and answers their requests.

It decides nothing about the door. `gateway.domain.robot_zone` says what each request is answered, and the entrance says
whether anything opens. A robot's messages reach it through the entrance's actor. It keeps one challenge for each robot
and a bounded number of requests.
"""

import asyncio
import contextlib
import math
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from devices import commands as d
from devices.reports import RobotIdentityReport, RobotReport, ZoneRequest, ZoneStatus
from devices.vendors import VENDORS
from devices.vendors.vda5050 import serial_of
from gateway.config.devices import RobotDevice
from gateway.config.home import Home
from gateway.config.topics import device_topic
from gateway.domain import robot_zone
from gateway.domain.delivery.barcodes import InvalidBarcode, normalise
from gateway.domain.delivery.promise import delivery_key
from gateway.domain.frozen import Frozen
from gateway.domain.robot_zone import Answer, RequestKey
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions.robot_fit import DRIVES_BY_ITSELF, drives_by_itself
from gateway.domain.visit.state import RobotProof
from gateway.mqtt.publisher import Publisher
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode
from gateway.protocol.robot_token import RobotClaims, verify_identity
from gateway.runtime.entrance import EntranceActor
from gateway.system.clock import Clock
from gateway.system.token_bucket import TokenBucket

log = structlog.get_logger(__name__)

CHALLENGE_LIFETIME_S = 60.0
TICK_S = 1.0  # between two looks at what has to be said again
REPEAT_S = 5.0  # after so long an answer that the robot does not show is sent again
MESSAGE_LIFE_S = 5  # of an answer at the broker
CHALLENGE_INTERVAL_S = 1.0  # between two challenges to one robot, whatever it asks for
ANSWERS_PER_S, ANSWERS_BURST = 4.0, 16.0  # to one robot; what is left out is said at a later look


class Challenge(Frozen):
    """What the box asked a robot to sign; `sent` is monotonic."""

    request: RequestKey
    nonce: str
    sent: float


class Said(Frozen):
    """The last answer to a request; `at` is monotonic."""

    grant: d.Grant
    at: float


def operator_keys(home: Home) -> dict[str, EnrolledKey]:
    """Return the key of each operator by its `kid`."""
    return {
        key.kid: EnrolledKey(operator, PublicKey.from_jwk(key.x))
        for operator, section in home.operators.items()
        for key in section.keys
    }


def open_robot_doors(
    home: Home, *, entrances: Mapping[str, EntranceActor], publisher: Publisher, clock: Clock
) -> dict[str, "RobotDoor"]:
    """Make the zone before each entrance where robots come in; it follows the entrance."""
    doors: dict[str, RobotDoor] = {}
    for name, actor in entrances.items():
        if home.entrances[name].robots is not None:
            doors[name] = door = RobotDoor(actor, home=home, publisher=publisher, clock=clock)
            actor.on_robot.append(door.on_report)
            actor.on_commands.append(door.on_commands)
    return doors


class RobotDoor:
    """The zone before one entrance."""

    def __init__(self, actor: EntranceActor, *, home: Home, publisher: Publisher, clock: Clock) -> None:
        section = home.entrances[actor.state.id].robots
        if section is None:
            raise ValueError(f"no robots come in at {actor.state.id}")
        self._actor, self._home, self._publisher, self._clock = actor, home, publisher, clock
        self._section, self._robots = section, section.devices
        self._keys = operator_keys(home)
        self._zone = robot_zone.restored(actor.state)
        self._challenges: dict[str, Challenge] = {}  # robot -> the newest one
        self._challenged: dict[str, float] = {}  # robot -> when it was challenged last (monotonic)
        self._answer_rates = {robot: TokenBucket(ANSWERS_PER_S, ANSWERS_BURST) for robot in section.devices}
        self._loads: dict[str, frozenset[str]] = {}  # robot -> what it carries, by its newest report
        self._said: dict[RequestKey, Said] = {}
        self._headers = 0
        self._wake = asyncio.Event()
        self.on_change: list[Callable[[], object]] = []

    def on_report(self, robot: str, report: RobotReport | RobotIdentityReport, *, retained: bool) -> None:
        """Take over what a robot of this entrance sent. A retained message asks for nothing and proves nothing."""
        if retained or robot not in self._robots:
            return
        if isinstance(report, RobotIdentityReport):
            self._on_identity(robot, report.token)
        else:
            if report.loads is not None:  # else it does not say, and what it said last counts
                self._loads[robot] = _parcels(report.loads)
            says_zones = report.requests is not None
            reported = tuple(filter(self._is_here, report.requests or ())) if says_zones else None
            before, is_driving = self._zone, report.mode in DRIVES_BY_ITSELF
            self._zone = robot_zone.observe(before, robot, reported, is_driving=is_driving)
            self._said = {key: said for key, said in self._said.items() if key in self._zone.requests}
            self._tell_entrance(before, robot, is_fit=says_zones and drives_by_itself(report))
        self._wake.set()

    def _is_here(self, request: ZoneRequest) -> bool:
        """Return whether a request is for the zone of this entrance."""
        return request.zone == self._section.zone and self._section.zone_set in (None, request.zone_set)

    def on_commands(self, commands: tuple[c.Command, ...]) -> None:
        """Take over what the entrance decided: a refused scan refuses the request that caused it."""
        for command in commands:
            if isinstance(command, c.AnswerScan) and command.answer is c.ScanAnswer.NO:
                self._zone = robot_zone.on_refused_scan(self._zone, command.scan)
        self._wake.set()

    async def run(self) -> None:
        """Answer the robots until cancelled."""
        self._actor.on_change.append(self._wake.set)
        try:
            while True:
                self._answer_all()
                self._challenge_waiting()
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._wake.wait()
        finally:
            self._actor.on_change.remove(self._wake.set)

    def _tell_entrance(self, before: robot_zone.Zone, robot: str, *, is_fit: bool) -> None:
        """Tell the entrance that its robot is out, or that nobody knows where it is."""
        carries = self._loads.get(robot, frozenset())
        event = robot_zone.news(before, self._zone, self._actor.state, robot, is_fit=is_fit, carries=carries)
        if event is not None:
            self._actor.post(event)

    def _answer_all(self) -> None:
        now, state = self._clock.now(), self._actor.state
        lease_s = state.rules.timing.yes_life
        self._zone, answers = robot_zone.answers(
            self._zone, state, is_stopped=self._actor.is_stopped(), lease_s=lease_s
        )
        for answer in answers:
            key = RequestKey(answer.robot, answer.request)
            said = self._said.get(key)
            is_due = said is None or said.grant is not answer.grant or self._is_due(answer, key, now.mono - said.at)
            if is_due and self._answer_rates[answer.robot].take(now.mono):
                self._send_answer(answer)
                self._said[key] = Said(grant=answer.grant, at=now.mono)

    def _is_due(self, answer: Answer, key: RequestKey, age_s: float) -> bool:
        """Return whether an answer is sent again: a lease that runs out, or an answer that the robot does not show."""
        if answer.lease_s is not None and age_s >= answer.lease_s / 3:
            return True
        shown, grant = self._zone.requests[key].status, answer.grant
        is_unshown = (grant is d.Grant.GRANTED and shown is ZoneStatus.REQUESTED) or (
            grant is d.Grant.REVOKED and shown is ZoneStatus.GRANTED
        )
        return is_unshown and age_s >= REPEAT_S

    def _send_answer(self, answer: Answer) -> None:
        now = self._clock.now()
        self._headers += 1
        lease = None if answer.lease_s is None else now.utc + timedelta(seconds=answer.lease_s)
        command = d.AnswerZoneRequest(
            header=self._headers, issued_at=now.utc, request=answer.request, grant=answer.grant, lease_expiry=lease
        )
        log.info("robot_answered", entrance=self._actor.state.id, robot=answer.robot, grant=answer.grant.value)
        self._send(answer.robot, command)

    def _challenge_waiting(self) -> None:
        """Challenge each robot that waits while nobody is let in, again when it did not answer in time.

        A robot has one challenge at a time, for the first of its requests.
        """
        now = self._clock.now()
        first: dict[str, RequestKey] = {}
        for key in robot_zone.waiting_requests(self._zone, self._actor.state):
            first.setdefault(key.robot, key)
        for key in first.values():
            last = self._challenges.get(key.robot)
            if last is not None and last.request == key and now.mono - last.sent < CHALLENGE_LIFETIME_S:
                continue
            if now.mono - self._challenged.get(key.robot, -math.inf) < CHALLENGE_INTERVAL_S:
                continue
            challenge = Challenge(request=key, nonce=secrets.token_hex(16), sent=now.mono)
            self._challenges[key.robot], self._challenged[key.robot] = challenge, now.mono
            expires = now.utc + timedelta(seconds=CHALLENGE_LIFETIME_S)
            self._send(
                key.robot,
                d.ChallengeRobot(box=self._home.box, request=key.request, nonce=challenge.nonce, expires_at=expires),
            )

    def _on_identity(self, robot: str, token: bytes) -> None:
        """Ask the entrance for a robot that proved who it is. Each challenge counts once.

        A token with other claims than this challenge needs is left alone: a robot may wait at another door of this
        home too, and its token for that one arrives here as well.
        """
        now, challenge = self._clock.now(), self._challenges.pop(robot, None)
        if challenge is None or now.mono - challenge.sent >= CHALLENGE_LIFETIME_S:
            log.warning("robot_identity_unasked", robot=robot)
            return
        if challenge.request not in robot_zone.waiting_requests(self._zone, self._actor.state):
            return  # somebody else came meanwhile: it is challenged again afterwards
        found = verify_identity(
            token, self._keys, robot=self._serial(robot), box=self._home.box, nonce=challenge.nonce,
            seconds=now.utc.timestamp(),
        )  # fmt: skip
        device = self._home.devices[robot]
        if isinstance(found, RejectedMessage) or not isinstance(device, RobotDevice) or device.operator != found.iss:
            why = found.code.value if isinstance(found, RejectedMessage) else "wrong_issuer"
            log.warning("robot_identity_rejected", robot=robot, why=why)
            if isinstance(found, RejectedMessage) and found.code is RejectionCode.WRONG_CLAIMS:
                self._challenges[robot] = challenge
                return
            self._zone = robot_zone.reject(self._zone, challenge.request)
            return
        self._ask_entrance(robot, challenge.request, found)

    def _ask_entrance(self, robot: str, request: RequestKey, claims: RobotClaims) -> None:
        loads = _parcels(claims.loads)
        if not loads:
            self._zone = robot_zone.reject(self._zone, request)
            return
        scan = secrets.token_hex(8)
        self._zone = robot_zone.ask_entrance(self._zone, request, scan)
        proof = RobotProof(robot=robot, delivery=delivery_key(claims.brand, claims.delivery), loads=loads)
        self._actor.post(e.Scanned(id=scan, scanner=robot, code=min(loads), robot=proof))

    def _serial(self, robot: str) -> str:
        return serial_of(self._home.devices[robot].address)

    def _send(self, robot: str, command: d.Command) -> None:
        device = self._home.devices[robot]
        publication = VENDORS[device.vendor].encode_command(command, device.device_ref)
        topic = device_topic(self._home, robot, publication.suffix)
        self._publisher.publish(topic, publication.payload, expiry=MESSAGE_LIFE_S)


def _parcels(loads: tuple[str, ...]) -> frozenset[str]:
    """Return the parcel codes among what a robot carries; other loads do not concern the door."""
    codes = (normalise(load) for load in loads)
    return frozenset(code.value for code in codes if not isinstance(code, InvalidBarcode))
