"""Scenarios of cameras that fail or lie, and of one that reads labels."""

from dataclasses import replace

from devices.simulators import control as ask
from gateway.demo.scenario import USUAL_NOTIFICATIONS, Expectation, Scenario, ScenarioRun
from gateway.demo.scenarios.homes import with_dark_hall
from gateway.demo.scenarios.people import EXPECT_STOPPED
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.system.i18n import _

HALL_CAMERA = "hall-camera"
DOORBELL_CAMERA = "doorbell"


async def _empty_dark_hall(play: ScenarioRun) -> None:
    await play.delivers(await play.promised())


async def _camera_frozen(play: ScenarioRun) -> None:
    """The picture stands still while packets flow on: what the 2017 attack looked like."""
    parcels = await play.promised()
    await play.shows(parcels)
    await play.rung()
    await play.fault(DOORBELL_CAMERA, "frozen")
    await play.refused(Refusal.CAMERA_UNAVAILABLE, due=play.timing.ring + play.timing.live)
    await play.fault(DOORBELL_CAMERA, "frozen", on=False)
    await play.stays_shut()


async def _camera_offline(play: ScenarioRun) -> None:
    await play.link(DOORBELL_CAMERA, up=False)
    parcels = await play.retailer.promise()
    await play.told(Notification.NOT_READY)
    await play.shows(parcels)
    await play.refused(Refusal.CAMERA_UNAVAILABLE, due=play.timing.ring + play.timing.live)
    await play.stays_shut()


async def _camera_lost_inside(play: ScenarioRun) -> None:
    parcels = await play.promised()
    await play.gets_in(parcels)
    await play.link(HALL_CAMERA, up=False)
    await play.alarm(AlarmCode.CAMERA_LOST)
    await play.link(HALL_CAMERA, up=True)
    await play.comes_out()


async def _video_killed(play: ScenarioRun) -> None:
    """Another video process goes on filming; what lies between is a declared gap."""
    parcels = await play.promised()
    await play.gets_in(parcels)
    play.narrate("box", "the video process dies")
    play.stage.kill_video()
    await play.alarm(AlarmCode.CAMERA_LOST)
    await play.alarm(AlarmCode.CAMERA_LOST)
    await play.cameras_live()
    await play.comes_out()


async def _label_by_camera(play: ScenarioRun) -> None:
    """No scanner: the camera at the door reads the parcel's label, then the code on the courier's phone."""
    parcels = await play.promised()
    await play.courier.arrives()
    play.narrate("courier", "holds the parcel's label before the camera")
    await play.house.ask(ask.ShowLabel(camera=DOORBELL_CAMERA, code=parcels.codes[0]))
    await play.watch.event("answer", within=30, scanner=DOORBELL_CAMERA, word="wait")
    play.narrate("courier", "shows the one-time code to the camera")
    await play.house.ask(ask.ShowLabel(camera=DOORBELL_CAMERA, code=parcels.courier_code, symbology="qr"))
    await play.rung()
    await play.house.ask(ask.HideLabel(camera=DOORBELL_CAMERA))
    await play.may_enter()
    await play.courier.goes_in()
    await play.comes_out()


EXPECT_CAMERA_REFUSAL = replace(EXPECT_STOPPED, refusals=(Refusal.CAMERA_UNAVAILABLE,))

SCENARIOS = (
    Scenario(
        name="empty-dark-hall",
        line=_("a dark, still, empty hall is no fault: delivered"),
        play=_empty_dark_hall,
        house=with_dark_hall,
    ),
    Scenario(
        name="camera-frozen",
        line=_("the doorbell's picture freezes while it rings: the door stays shut"),
        play=_camera_frozen,
        expected=EXPECT_CAMERA_REFUSAL,
    ),
    Scenario(
        name="camera-offline",
        line=_("the doorbell is offline: told before anybody comes, and the door stays shut"),
        play=_camera_offline,
        expected=replace(
            EXPECT_CAMERA_REFUSAL, told=(Notification.NOT_READY, Notification.AT_THE_DOOR, Notification.NOT_OPENED)
        ),
    ),
    Scenario(
        name="camera-lost-inside",
        line=_("the hall's camera is lost with the courier inside: alarm, a declared gap, and locked again"),
        play=_camera_lost_inside,
        expected=Expectation(alarms=(AlarmCode.CAMERA_LOST,), gaps=frozenset({HALL_CAMERA})),
    ),
    Scenario(
        name="video-killed",
        line=_("the video process is killed with the courier inside: another films on, the gap is declared"),
        play=_video_killed,
        expected=Expectation(
            alarms=(AlarmCode.CAMERA_LOST,), gaps=frozenset({HALL_CAMERA, DOORBELL_CAMERA}), told=USUAL_NOTIFICATIONS
        ),
    ),
    Scenario(
        name="label-by-camera",
        line=_("the camera at the door reads the parcel's label and the courier's code"),
        play=_label_by_camera,
    ),
)
