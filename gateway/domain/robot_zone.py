"""The door as a zone that robots ask to enter (VDA 5050, type RELEASE): who is answered what. Pure.

Robots report their requests in their states. What each is answered follows from its own request and from the entrance's
visit, so a message that is lost or comes twice needs no case of its own. A robot is in the zone until it removes its
request, whatever it was answered. One that a person drives may drop its requests without leaving: that frees nothing.
The visit stores that doubt, so that it outlives a restart.
"""

from collections.abc import Mapping
from dataclasses import field

from devices.commands import Grant
from devices.reports import ZoneRequest, ZoneStatus
from gateway.domain.frozen import Frozen, replace
from gateway.domain.visit.events import HolderLeft, HolderStrayed
from gateway.domain.visit.state import Entrance, Phase

MAX_REQUESTS = 16  # of one robot at one zone; a robot needs one
PASSABLE_PHASES = frozenset({Phase.UNLOCKED, Phase.INSIDE})


class RequestKey(Frozen, kw_only=False):
    """A request: robots number their own."""

    robot: str
    request: str


class Requested(Frozen):
    """One request as the zone knows it."""

    status: ZoneStatus
    scan: str | None = None  # the scan by which the entrance was asked for it; None: it was not asked yet
    is_visiting: bool = False  # a visit began by this scan
    is_rejected: bool = False
    is_granted: bool = False  # it was granted once


class Zone(Frozen):
    """The open requests of a zone, in the order in which they came.

    `strayed`: robots that did not drive by themselves, and have reported no request since they do: where they are is
    not known.
    """

    requests: Mapping[RequestKey, Requested] = field(default_factory=dict)
    strayed: frozenset[str] = frozenset()


class Answer(Frozen):
    """What a robot is answered; `lease_s`: for how many seconds from now it may be in the zone."""

    robot: str
    request: str
    grant: Grant
    lease_s: float | None = None


def restored(state: Entrance) -> Zone:
    """Return the zone after a restart: no request is known, and whose place was unknown is so still."""
    visit = state.visit
    if visit is None or visit.robot is None or not visit.holder_astray:
        return Zone()
    return Zone(strayed=frozenset({visit.robot}))


def observe(zone: Zone, robot: str, reported: tuple[ZoneRequest, ...] | None, *, is_driving: bool = True) -> Zone:
    """Return the zone after a robot reported its requests for it; those that it no longer reports are over.

    `reported` None: it said nothing of them.

    `is_driving`: its mode is one in which it drives by itself.
    """
    strayed = zone.strayed if is_driving else zone.strayed | {robot}
    if reported is None:
        return replace(zone, strayed=strayed)
    if is_driving and reported:
        strayed -= {robot}
    kept = {key: one for key, one in zone.requests.items() if key.robot != robot}
    keys = {RequestKey(robot, one.id): one.status for one in reported[:MAX_REQUESTS]}
    known = {key: replace(one, status=keys[key]) for key, one in zone.requests.items() if key in keys}
    new = {key: Requested(status=status) for key, status in keys.items() if key not in known}
    order = dict.fromkeys((*zone.requests, *new))
    merged = {**kept, **known, **new}
    return Zone(requests={key: merged[key] for key in order if key in merged}, strayed=strayed)


def waiting_requests(zone: Zone, state: Entrance) -> tuple[RequestKey, ...]:
    """Return the requests for which the entrance may be asked now, in order: none while a visit runs."""
    if state.visit is not None:
        return ()
    return tuple(
        key
        for key, one in zone.requests.items()
        if one.status is ZoneStatus.REQUESTED and one.scan is None and not one.is_rejected
    )


def ask_entrance(zone: Zone, key: RequestKey, scan: str) -> Zone:
    """Record by which scan the entrance is asked for a request."""
    return _changed(zone, key, replace(zone.requests[key], scan=scan))


def reject(zone: Zone, key: RequestKey) -> Zone:
    """Record that a request is refused for good; the robot may make another one."""
    return _changed(zone, key, replace(zone.requests[key], is_rejected=True))


def on_refused_scan(zone: Zone, scan: str) -> Zone:
    """Record that the entrance refused a scan, and with it its request, unless the robot was already let in."""
    key = next((key for key, one in zone.requests.items() if one.scan == scan), None)
    return zone if key is None or zone.requests[key].is_granted else reject(zone, key)


def answers(zone: Zone, state: Entrance, *, is_stopped: bool, lease_s: float) -> tuple[Zone, tuple[Answer, ...]]:
    """Return what each request is answered now, and the zone that remembers which were granted.

    `is_stopped`: the owner's stop holds, from the moment at which it was received.
    """
    found: list[Answer] = []
    for key, one in zone.requests.items():
        grant = _grant(key, one, state, is_stopped=is_stopped)
        is_visiting = one.is_visiting or _is_its_visit(key, one, state)
        is_granted = one.is_granted or grant is Grant.GRANTED
        zone = _changed(zone, key, replace(one, is_visiting=is_visiting, is_granted=is_granted))
        lease = lease_s if grant is Grant.GRANTED else None
        found.append(Answer(robot=key.robot, request=key.request, grant=grant, lease_s=lease))
    return zone, tuple(found)


def _grant(key: RequestKey, one: Requested, state: Entrance, *, is_stopped: bool) -> Grant:
    visit = state.visit
    if visit is not None and _is_its_visit(key, one, state):
        is_withdrawn = is_stopped or state.stopped or visit.consent.stopped
        if visit.phase in PASSABLE_PHASES and not is_withdrawn:
            return Grant.GRANTED
        return Grant.REVOKED if one.is_granted else Grant.QUEUED
    if one.is_granted:  # its visit is over
        return Grant.REVOKED
    return Grant.REJECTED if one.is_rejected or one.is_visiting else Grant.QUEUED


def _is_its_visit(key: RequestKey, one: Requested, state: Entrance) -> bool:
    visit = state.visit
    return visit is not None and visit.robot == key.robot and visit.id == one.scan


def has_left(zone: Zone, state: Entrance, robot: str) -> bool:
    """Return whether the robot of the running visit is out: it reports no request for this zone any longer."""
    visit = state.visit
    if visit is None or visit.robot != robot or not visit.awaits_exit:
        return False
    return robot not in zone.strayed and all(key.robot != robot for key in zone.requests)


def news(  # noqa: PLR0913 - the zone before and after a report, and what the report says beside it
    before: Zone, zone: Zone, state: Entrance, robot: str, *, is_fit: bool, carries: frozenset[str]
) -> HolderLeft | HolderStrayed | None:
    """Return what the entrance has to know of its robot after a report changed the zone; None: nothing.

    It is said again with each report until the entrance has it in its state. `is_fit`: the robot drives by itself and
    nothing stops it, else it has not just driven out.
    """
    visit = state.visit
    if visit is None or visit.robot != robot or visit.holder_left:
        return None
    is_astray = robot in zone.strayed
    if (robot in before.strayed, visit.holder_astray) != (is_astray, is_astray):
        return HolderStrayed(holder=robot, is_astray=is_astray)
    return HolderLeft(holder=robot, carries=carries) if is_fit and has_left(zone, state, robot) else None


def _changed(zone: Zone, key: RequestKey, one: Requested) -> Zone:
    return replace(zone, requests={**zone.requests, key: one})
