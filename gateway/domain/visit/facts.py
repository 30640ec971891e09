"""What devices say, turned into facts.

Bad news is believed at once. Good news counts only as the answer to a question asked after the last bad news.
"""

from typing import assert_never

from devices.reports import Bolt, Door
from gateway.domain.frozen import replace
from gateway.domain.visit import batteries, intrusion, presence
from gateway.domain.visit import events as e
from gateway.domain.visit.commands import Alarm, AlarmCode
from gateway.domain.visit.rules import door_open, intent
from gateway.domain.visit.state import Camera, Entrance, Fact, Phase, T, Way
from gateway.domain.visit.step import Step

DOOR_GOOD: frozenset[Bolt | Door] = frozenset({Door.CLOSED})
GOOD: frozenset[Bolt | Door | Way] = DOOR_GOOD | {Bolt.LOCKED, Way.CLEAR}  # what needs proof

DeviceEvent = (
    e.BrokerUp
    | e.BrokerDown
    | e.LockHeard
    | e.DoorHeard
    | e.DeviceSpoke
    | e.WayHeard
    | e.BatteryHeard
    | e.DeviceLost
    | e.ReportsMissed
    | e.CameraChanged
    | e.DiskChanged
    | e.WalkTested
    | e.FridgeHeard
)


def absorb(step: Step, event: DeviceEvent) -> None:
    """Learn from one event of a device or of its link."""
    match event:
        case e.BrokerUp(session=session):
            step.state = replace(step.state, session=session)
            presence.forget(step)
            blind(step, "lock", "door")
            step.ask("lock", "door")
        case e.BrokerDown():
            step.state = replace(step.state, session=None)
            presence.forget(step)
            blind(step, "lock", "door")
        case e.LockHeard():
            _lock_heard(step, event)
        case e.DoorHeard():
            _door_heard(step, event)
        case e.WayHeard():
            _way_heard(step, event)
        case e.DeviceSpoke(device=device, heard=heard):
            _spoke(step, device, heard)
        case e.BatteryHeard():
            batteries.heard(step, event)
        case e.DeviceLost(device=device):
            blind(step, device)
        case e.ReportsMissed():
            blind(step, "lock", "door")
            step.ask("lock", "door")
        case e.CameraChanged():
            _camera_changed(step, event)
        case e.DiskChanged(ok=ok):
            if intent(step.state) and step.state.disk and not ok:
                step.say(Alarm(code=AlarmCode.DISK_FULL))
            step.state = replace(step.state, disk=ok)
        case e.WalkTested(barred=barred):
            step.state = replace(step.state, barred=barred)
        case e.FridgeHeard(place=place, cold=cold):
            step.state = replace(step.state, cold={**step.state.cold, place: cold})
        case _:
            assert_never(event)


def blind(step: Step, *devices: str) -> None:
    """Observation of these devices broke: what they said is unknown, and nobody can claim that nothing happened."""
    if "lock" in devices:
        step.state = replace(step.state, bolt=replace(step.state.bolt, value=Bolt.UNKNOWN, answered=-1))
    if "door" in devices:
        step.state = replace(step.state, door=replace(step.state.door, value=Door.UNKNOWN, answered=-1))
    if "door" in devices or "way" in devices:  # who went in meanwhile nobody saw
        step.state = replace(step.state, way=replace(step.state.way, value=Way.UNKNOWN, answered=-1))
        _not_out(step)
    step.doubt(*devices, *(("way",) if "door" in devices else ()))
    if "lock" in devices or "door" in devices:
        _broke(step)


def _not_out(step: Step) -> None:
    """The courier's word that he is out holds no longer."""
    if step.state.visit is not None and step.visit.out:
        step.visit = replace(step.visit, out=False)


def _broke(step: Step) -> None:
    if step.state.visit is not None and step.state.visit.unbroken:
        step.visit = replace(step.visit, unbroken=False)


def _heard_now(state: Entrance, heard: e.Heard) -> bool:
    return not heard.retained and heard.session == state.session


def _overtaken(fact: Fact[T], heard: e.Heard) -> bool:
    """A copy, or late: what it left was a hole when the newer one came, and that broke observation."""
    return heard.boot == fact.boot and heard.seq is not None and heard.seq <= fact.seq


def _hole(fact: Fact[T], heard: e.Heard) -> bool:
    """Something that the device said never reached us, or it started anew."""
    if heard.seq is None or fact.seq < 0:
        return False
    return heard.seq != fact.seq + 1 or heard.boot != fact.boot


def learn(step: Step, fact: Fact[T], value: T, heard: e.Heard) -> Fact[T]:
    """The fact after a report: `value` is said now, `heard` tells what that proves."""
    same_boot = fact.boot is None or heard.boot == fact.boot
    whole = not _hole(fact, heard)
    held = fact.value is value and same_boot and whole
    is_good = same_boot and value in GOOD
    self_evident = value in DOOR_GOOD and not step.state.rules.door_answers  # a basic door cannot be asked
    answers_now = heard.answers is not None and heard.answers >= fact.floor
    return Fact(
        value=value,
        proven=self_evident or (is_good and (answers_now or (held and fact.proven))),
        since=fact.since if held else step.now.mono,
        answered=heard.answers if heard.answers is not None else fact.answered if held else -1,
        floor=fact.floor if is_good and (whole or answers_now) else step.state.question + 1,
        boot=heard.boot,
        seq=fact.seq if heard.seq is None else heard.seq,
    )


def _lock_heard(step: Step, event: e.LockHeard) -> None:
    report, heard, old = event.report, event.heard, step.state.bolt
    if not _heard_now(step.state, heard) or _overtaken(old, heard):
        return
    if _hole(old, heard):
        _broke(step)
    bolt = learn(step, old, report.bolt, heard)
    step.state = replace(step.state, bolt=bolt)
    intrusion.bolt_moved(step, old.value, event)
    if report.jammed and intent(step.state):  # told unasked, it is how the lock answers a command
        step.visit = replace(step.visit, jammed=True, unanswered=step.visit.unanswered and heard.answers is not None)
    if report.event or (report.bolt is Bolt.LOCKED and not bolt.proven):
        _ask_again(step, "lock", old, heard)


def _door_heard(step: Step, event: e.DoorHeard) -> None:
    door_said, heard, old = event.report.door, event.heard, step.state.door
    if not _heard_now(step.state, heard) or _overtaken(old, heard):
        return
    door = learn(step, old, door_said, heard)
    step.state = replace(step.state, door=door)
    unclear = door_said is not Door.CLOSED and not door_open(step.state)
    if _hole(old, heard) or unclear:
        _broke(step)
    intrusion.door_moved(step, old.value, heard)
    if door_said is Door.CLOSED and not door.proven:
        _ask_again(step, "door", old, heard)


def _way_heard(step: Step, event: e.WayHeard) -> None:
    heard, old = event.heard, step.state.way
    if not _heard_now(step.state, heard) or _overtaken(old, heard):
        return
    way = learn(step, old, event.way, heard)
    step.state = replace(step.state, way=way)
    if event.way is not Way.CLEAR:
        _not_out(step)
    elif not way.proven:
        _ask_again(step, "way", old, heard)


def _ask_again(step: Step, device: str, old: Fact[T], heard: e.Heard) -> None:
    """Unproven good news is asked about at once; relocking asks its own questions."""
    relocking = step.state.visit is not None and step.state.visit.phase is Phase.RELOCKING
    news = heard.answers is None or heard.boot != old.boot
    if news and not relocking:
        step.ask(device)


def _spoke(step: Step, device: str, heard: e.Heard) -> None:
    """Carry the device's sequence number on."""
    if not _heard_now(step.state, heard):
        return
    if device == "lock" and not _overtaken(step.state.bolt, heard):
        bolt = step.state.bolt
        step.state = replace(step.state, bolt=_carried(step, bolt, heard))
    elif device == "door" and not _overtaken(step.state.door, heard):
        door = step.state.door
        step.state = replace(step.state, door=_carried(step, door, heard))


def _carried(step: Step, fact: Fact[T], heard: e.Heard) -> Fact[T]:
    if heard.seq is None:
        return fact
    if _hole(fact, heard):
        _broke(step)
    if fact.boot is not None and heard.boot != fact.boot:  # it started anew: its next answer proves, nothing before
        return replace(fact, proven=False, floor=step.state.question + 1, boot=heard.boot, seq=heard.seq)
    return replace(fact, boot=heard.boot, seq=heard.seq)


def _camera_changed(step: Step, event: e.CameraChanged) -> None:
    had = step.state.cameras.get(event.camera, Camera())
    has = Camera(live=event.live, moving=event.moving, recording=event.recording)
    step.state = replace(step.state, cameras={**step.state.cameras, event.camera: has})
    required = event.camera in step.state.rules.cameras
    lost = had.live and had.recording and not (has.live and has.recording)
    if required and lost and intent(step.state) and step.visit.filming:
        step.say(Alarm(code=AlarmCode.CAMERA_LOST, detail=event.camera))
        step.visit = replace(step.visit, gaps=_with(step.visit.gaps, event.camera))


def _with(gaps: tuple[str, ...], gap: str) -> tuple[str, ...]:
    return gaps if gap in gaps else (*gaps, gap)
