"""Scenarios of cameras that fail or lie, and of one that reads labels."""

from devices.simulators.control import HideLabel, ShowLabel
from gateway.demo.scenario import ScenarioList, ScenarioRun
from gateway.demo.scenarios.homes import with_dark_hall
from gateway.demo.scenarios.people import EXPECT_STOPPED
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
HALL_CAMERA = "hall-camera"
DOORBELL_CAMERA = "doorbell"


@SCENARIOS.add(_("a dark, still, empty hall is no fault: delivered"), equip=with_dark_hall)
async def _empty_dark_hall(play: ScenarioRun) -> None:
    await play.deliver()


@SCENARIOS.add(
    _("the doorbell's picture freezes while it rings: the door stays shut"),
    EXPECT_STOPPED,
    refusals=(Refusal.CAMERA_UNAVAILABLE,),
)
async def _camera_frozen(play: ScenarioRun) -> None:
    """The picture stands still while packets flow on: what the 2017 attack looked like."""
    await play.scan_and_ring()
    await play.set_fault(DOORBELL_CAMERA, "frozen")
    await play.wait_for_refusal(Refusal.CAMERA_UNAVAILABLE, due=play.timing.ring + play.timing.live)
    await play.set_fault(DOORBELL_CAMERA, "frozen", on=False)
    await play.wait_for_no_opening()


@SCENARIOS.add(
    _("the doorbell is offline: told before anybody comes, and the door stays shut"),
    EXPECT_STOPPED,
    refusals=(Refusal.CAMERA_UNAVAILABLE,),
    notifications=(Notification.NOT_READY, Notification.AT_THE_DOOR, Notification.NOT_OPENED),
)
async def _camera_offline(play: ScenarioRun) -> None:
    await play.set_link(DOORBELL_CAMERA, up=False)
    parcels = await play.retailer.promise()
    await play.wait_for_notification(Notification.NOT_READY)
    await play.scan_codes(parcels)
    await play.wait_for_refusal(Refusal.CAMERA_UNAVAILABLE, due=play.timing.ring + play.timing.live)
    await play.wait_for_no_opening()


@SCENARIOS.add(
    _("the hall's camera is lost with the courier inside: alarm, a declared gap, and locked again"),
    alarms=(AlarmCode.CAMERA_LOST,),
    cameras_with_gaps=frozenset({HALL_CAMERA}),
)
async def _camera_lost_inside(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    await play.set_link(HALL_CAMERA, up=False)
    await play.wait_for_alarm(AlarmCode.CAMERA_LOST)
    await play.set_link(HALL_CAMERA, up=True)
    await play.leave_and_seal()


@SCENARIOS.add(
    _("the video process is killed with the courier inside: another films on, the gap is declared"),
    alarms=(AlarmCode.CAMERA_LOST,),
    cameras_with_gaps=frozenset({HALL_CAMERA, DOORBELL_CAMERA}),
)
async def _video_killed(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    play.narrate("box", "the video process dies")
    play.stage.kill_video()
    for _camera in (HALL_CAMERA, DOORBELL_CAMERA):
        await play.wait_for_alarm(AlarmCode.CAMERA_LOST)
    await play.wait_for_cameras()
    await play.leave_and_seal()


@SCENARIOS.add(_("the camera at the door reads the parcel's label and the courier's code"))
async def _label_by_camera(play: ScenarioRun) -> None:
    """There is no scanner. The code is shown on the courier's phone."""
    parcels = await play.announce_delivery()
    await play.courier.does("arrive")
    play.narrate("courier", "holds the parcel's label before the camera")
    await play.house.ask(ShowLabel(camera=DOORBELL_CAMERA, code=parcels.codes[0]))
    await play.watch.wait_for_event("answer", within=30, scanner=DOORBELL_CAMERA, word="wait")
    play.narrate("courier", "shows the one-time code to the camera")
    await play.house.ask(ShowLabel(camera=DOORBELL_CAMERA, code=parcels.courier_code, symbology="qr"))
    await play.wait_for_ringing()
    await play.house.ask(HideLabel(camera=DOORBELL_CAMERA))
    await play.wait_for_unlocked()
    await play.courier.goes_in()
    await play.leave_and_seal()
