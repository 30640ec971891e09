"""The films agree with the house: its cameras show what people, doors and lamps did."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from devices.commands import LockDoor, UnlockDoor
from devices.simulators.backdrop import View
from devices.simulators.camera import SimulatedCamera
from devices.simulators.control import (
    Arrive,
    CloseDoor,
    CloseFridge,
    Force,
    Handle,
    Impossible,
    Leave,
    OpenDoor,
    OpenFridge,
    PressBell,
    PutParcel,
    ReadState,
    Request,
    Scan,
    ThumbTurn,
    WalkIn,
    WalkOut,
)
from devices.simulators.doorway import Position
from devices.simulators.house import CameraPlan, SimulatedHouse
from devices.simulators.physical_log import PhysicalLog
from devices.simulators.planes import Planes
from devices.simulators.residence import Residence
from devices.simulators.sight import Figure, Sight, Spot
from devices.simulators.staging import view_of
from tests.devices.street import (
    DOOR,
    FRIDGE,
    LOCK,
    OPENER,
    REED,
    SCANNER,
    HouseClient,
    connected_house,
    make_movement,
    make_unlock,
)
from tests.waiting import wait_until

DOORBELL = {"kind": "camera", "vendor": "alexa", "address": "doorbell-1", "sees": "outside", "bell": True}
HALL = {**DOORBELL, "address": "hall-1", "sees": "inside", "bell": False, "scene": "static_hall"}
MUCH_REDDER = 2.0  # mean of V
FRONT = {
    "front-lock": LOCK,
    "front-door": DOOR,
    "scanner": SCANNER,
    "fridge": FRIDGE,
    "doorbell": DOORBELL,
    "hall": HALL,
}
KEY_SAFE = {"safe": {"kind": "key_safe"}, "hall": {"kind": "keyed_door", "safe": "safe"}}


class WatchedCamera(SimulatedCamera):
    """A camera that tells what it was told to show."""

    sight = Sight()

    def show(self, sight: Sight) -> None:
        self.sight = sight
        super().show(sight)


class Played:
    """A house without a broker, whose people act."""

    def __init__(
        self,
        log: PhysicalLog,
        devices: Mapping[str, object],
        things: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        self.house = SimulatedHouse.model_validate({"devices": devices, "things": things or {}, **more})
        self.camera = WatchedCamera("doorbell", burnt_in_clock=False, scene="static_hall", seed=1, fps=10)
        names = [name for name, plan in self.house.devices.items() if isinstance(plan, CameraPlan)]
        cameras = dict.fromkeys(names, self.camera)
        self.residence = Residence(self.house, cameras, "rtsp://x", log, seed=1)
        self.residence.doorway.move_bolt(thrown=False, cause="the test")

    async def after(self, *requests: Request) -> Sight:
        """What is to be seen after these acts."""
        for request in requests:
            await self.residence.act(request)
        return self.camera.sight


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PhysicalLog]:
    with PhysicalLog(tmp_path / "log") as written:
        yield written


def courier(sight: Sight, who: str = "courier") -> Figure:
    return next(figure for figure in sight.figures if figure.who == who)


async def test_the_courier_comes_to_the_lens_with_a_parcel_and_shows_the_face_at_the_scan(log: PhysicalLog) -> None:
    played = Played(log, FRONT)
    assert courier(played.camera.sight).spot is Spot.AWAY

    came = courier(await played.after(Arrive()))
    assert (came.spots, came.carries) == ((Spot.AWAY, Spot.LENS), True)
    scans = courier(await played.after(Scan(code="8L20524752032")))
    assert scans.spot is Spot.LENS
    assert scans.scans > came.since


async def test_goes_in_puts_the_parcel_down_comes_out_and_goes_away_without_it(log: PhysicalLog) -> None:
    played = Played(log, FRONT)

    opens = await played.after(Arrive(), OpenDoor())
    assert (courier(opens).spot, opens.leaf.open) == (Spot.DOOR, True)
    goes_in = courier(await played.after(WalkIn()))
    assert (goes_in.spots, goes_in.carries) == ((Spot.DOOR, Spot.ENTRY, Spot.ROOM), True)
    put = await played.after(PutParcel())
    assert (courier(put).carries, put.parcels) == (False, 1)
    assert courier(await played.after(WalkOut())).spots == (Spot.ROOM, Spot.ENTRY, Spot.DOOR)
    gone = await played.after(CloseDoor(), Leave())
    assert (courier(gone).spot, courier(gone).carries, gone.leaf.open, gone.parcels) == (Spot.AWAY, False, False, 1)
    assert courier(await played.after(Arrive())).carries, "who comes again brings another parcel"


async def test_a_cold_parcel_goes_into_the_open_fridge(log: PhysicalLog) -> None:
    played = Played(log, FRONT)

    opens = await played.after(Arrive(), OpenDoor(), WalkIn(), OpenFridge())
    assert (courier(opens).spot, opens.fridge.open) == (Spot.FRIDGE, True)
    shuts = await played.after(PutParcel(), CloseFridge())
    assert (shuts.parcel_in_fridge, shuts.parcels, shuts.fridge.open) == (True, 0, False)


@pytest.mark.parametrize("end", [CloseFridge(), WalkOut()])
async def test_a_parcel_on_the_bench_is_taken_to_the_fridge_that_is_opened(log: PhysicalLog, end: Request) -> None:
    played = Played(log, FRONT)

    takes = await played.after(Arrive(), OpenDoor(), WalkIn(), PutParcel(), OpenFridge())
    assert (courier(takes).carries, takes.parcels, takes.parcel_in_fridge) == (True, 0, False)
    put = await played.after(end)
    assert (courier(put).carries, put.parcels, put.parcel_in_fridge) == (False, 0, True)


async def test_a_parcel_before_the_door_lies_on_the_mat(log: PhysicalLog) -> None:
    assert (await Played(log, FRONT).after(Arrive(), PutParcel())).parcel_outside


async def test_a_thief_brings_nothing_and_a_resident_inside_is_seen_there_from_the_start(log: PhysicalLog) -> None:
    played = Played(log, FRONT, people={"resident": "inside"})
    assert courier(played.camera.sight, "resident").spot is Spot.ROOM

    broken = await played.after(Force())
    assert (courier(broken, "thief").spot, courier(broken, "thief").carries) == (Spot.DOOR, False)
    assert courier(await played.after(ThumbTurn()), "resident").spot is Spot.ENTRY


async def test_what_the_house_refuses_is_not_seen(log: PhysicalLog) -> None:
    played = Played(log, FRONT)
    with pytest.raises(Impossible):
        await played.after(WalkIn())

    assert courier(played.camera.sight).spot is Spot.AWAY


@pytest.mark.parametrize("act", [PressBell(camera="doorbell"), Scan(code="8L20524752032")])
@pytest.mark.parametrize("before", [(), (Arrive(),)])
async def test_who_rings_or_scans_is_before_the_lens_at_once(
    log: PhysicalLog, act: Request, before: tuple[Request, ...]
) -> None:
    leg = courier(await Played(log, FRONT).after(*before, act)).leg(datetime.now(UTC))

    assert leg.end is Spot.LENS
    assert leg.done > 0.7


async def test_a_garage_door_rises_and_comes_down_as_long_as_its_motor_runs(log: PhysicalLog) -> None:
    played = Played(log, {"opener": OPENER, "reed": REED, "doorbell": DOORBELL})
    opener = played.residence.devices["opener"]
    running = asyncio.create_task(opener.run())
    await asyncio.sleep(0)

    opener.execute(make_movement(UnlockDoor, "up"))
    await wait_until(lambda: played.camera.sight.leaf.open)
    assert played.camera.sight.leaf.seconds == OPENER["travel_s"]
    opener.execute(make_movement(LockDoor, "down"))
    await wait_until(lambda: not played.camera.sight.leaf.open)
    assert played.residence.doorway.open, "it is on its way down"
    running.cancel()
    await asyncio.wait((running,))


async def test_the_courier_at_a_parcel_box_stands_before_it_and_its_lid_is_seen_open(log: PhysicalLog) -> None:
    played = Played(log, {"doorbell": DOORBELL}, {"c1": {"kind": "compartment"}, "c2": {"kind": "compartment"}})
    opened = await played.after(Arrive(), Handle(thing="c2", act="open_with_key", who="courier"))
    assert [lid.open for lid in opened.lids] == [False, True]

    filled = await played.after(Handle(thing="c2", act="put_in", who="courier"))
    assert (courier(filled).spot, courier(filled).carries) == (Spot.BOX, False)
    assert filled.contents == (False, True)


async def test_the_key_is_taken_and_its_door_gone_through_and_closed(log: PhysicalLog) -> None:
    played = Played(log, {"doorbell": DOORBELL}, KEY_SAFE)

    def does(*acts: tuple[str, str]) -> list[Handle]:
        return [Handle(thing=thing, act=act, who="courier") for thing, act in acts]

    takes = await played.after(Arrive(), *does(("safe", "open_with_code"), ("safe", "take_key")))
    assert (takes.flap.open, takes.key, courier(takes).spot) == (True, False, Spot.DOOR)
    inside = await played.after(*does(("hall", "open"), ("hall", "go_through")))
    assert (inside.leaf.open, courier(inside).spot) == (True, Spot.ROOM)
    assert (await played.after(PutParcel())).parcels == 1
    back = await played.after(*does(("hall", "go_through"), ("hall", "pull_shut")))
    assert (back.leaf.open, courier(back).spot) == (False, Spot.DOOR)


async def test_a_landing_shows_the_courier_only_once_the_street_door_lies_behind(log: PhysicalLog) -> None:
    played = Played(log, FRONT, {"street": {"kind": "street_door", "closes_s": 1}})
    assert courier(await played.after(Scan(code="8L20524752032"))).spot is Spot.AWAY

    played.residence.things["street"].release(5, "the test")
    through = courier(await played.after(Handle(thing="street", act="go_through", who="courier")))
    assert (through.spot, through.carries) == (Spot.LENS, True)


@pytest.mark.parametrize(
    ("devices", "things", "expected"),
    [
        (FRONT, {}, View()),
        ({"opener": OPENER, "doorbell": DOORBELL}, {}, View(way="garage", fridge=False)),
        ({"doorbell": DOORBELL}, {"s": {"kind": "street_door"}}, View(way="landing", fridge=False)),
        ({"doorbell": DOORBELL}, {"c": {"kind": "compartment"}}, View(box=True, fridge=False)),
        ({"doorbell": DOORBELL}, KEY_SAFE, View(safe=True, fridge=False)),
    ],
)
def test_a_camera_looks_at_what_the_house_is(
    devices: Mapping[str, object], things: Mapping[str, object], expected: View
) -> None:
    house = SimulatedHouse.model_validate({"devices": devices, "things": things})
    plan = house.devices["doorbell"]
    assert isinstance(plan, CameraPlan)

    assert view_of(house, plan) == expected
    assert view_of(house, plan.model_copy(update={"sees": Position.INSIDE})).inside


# ---- the streams of a running house


def redness_of(uri: str) -> float:
    """How red the middle of a stream's picture is, where the courier stands in an orange jacket."""
    options = {"rtsp_transport": "tcp", "analyzeduration": "300000", "fpsprobesize": "0"}
    with av.open(uri, options=options, timeout=(30, 10)) as container:
        frame = next(container.decode(video=0))
        return float(Planes.of(frame.to_ndarray(format="yuv420p").astype(np.uint8)).v[60:150, 50:170].mean())


async def redness(there: HouseClient, device: str) -> float:
    state: Any = await there.house.ask(ReadState())
    return await asyncio.to_thread(redness_of, state["devices"][device]["stream"])


async def until_redder(there: HouseClient, device: str, than: float) -> None:
    async with asyncio.timeout(30):
        while await redness(there, device) < than + MUCH_REDDER:
            pass


@pytest.mark.slow
async def test_the_streams_of_a_house_show_the_courier_outside_and_then_inside(tmp_path: Path) -> None:
    async with connected_house(tmp_path, FRONT) as there:
        empty = {name: await redness(there, name) for name in ("doorbell", "hall")}

        await there.house.ask(Arrive())
        await until_redder(there, "doorbell", empty["doorbell"])
        assert await redness(there, "hall") < empty["hall"] + MUCH_REDDER

        await there.tell("front-lock", await make_unlock(there))
        await there.until_logged("bolt", state="withdrawn")
        await there.house.ask(OpenDoor())
        await there.house.ask(WalkIn())
        await until_redder(there, "hall", empty["hall"])
        assert await redness(there, "doorbell") < empty["doorbell"] + MUCH_REDDER
