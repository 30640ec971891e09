"""Runs a whole simulated house, with its people and mishaps."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar, assert_never

from devices.simulators import control as ask
from devices.simulators.at_the_door import SimulatedScanner, SimulatedSignal, SimulatedSpeaker
from devices.simulators.camera import SimulatedCamera
from devices.simulators.contact import Contact
from devices.simulators.control import Impossible, Request
from devices.simulators.control_socket import listen, serve
from devices.simulators.device import DeviceSite, SimulatedDevice
from devices.simulators.doorway import Doorway
from devices.simulators.fridge import SimulatedFridge
from devices.simulators.house import (
    BoardPlan,
    CameraPlan,
    DoorPlan,
    FridgePlan,
    KeypadPlan,
    LockPlan,
    ModemPlan,
    OpenerPlan,
    ScannerPlan,
    SensorPlan,
    SignalPlan,
    SimulatedHouse,
    SpeakerPlan,
    StrikePlan,
)
from devices.simulators.keypad import Keypad
from devices.simulators.lock import MotorLock
from devices.simulators.matter import MatterServer
from devices.simulators.opener import Opener
from devices.simulators.physical_log import PhysicalLog
from devices.simulators.rtsp import RtspServer
from devices.simulators.staging import Staging, view_of
from devices.simulators.thing import Thing
from devices.simulators.watcher import CloudCamera
from devices.simulators.way_devices import Board, CarModem, InsideSensor, StrikeRelay
from devices.simulators.zigbee import ZigbeeBridge

_Device = TypeVar("_Device", bound=SimulatedDevice)


class Residence:
    """All devices of `house` around one door. `streams` is where the cameras' pictures are served."""

    def __init__(
        self,
        house: SimulatedHouse,
        cameras: Mapping[str, SimulatedCamera],
        streams: str,
        log: PhysicalLog,
        *,
        seed: int | None,
    ) -> None:
        self._log = log
        self.doorway = Doorway(log)
        self.devices: dict[str, SimulatedDevice] = {}
        self.things = make_things(house, log)
        site = DeviceSite(broker=house.broker, log=log, doorway=self.doorway, seed=seed, things=self.things)
        for name, plan in house.devices.items():
            match plan:
                case StrikePlan():
                    self.devices[name] = StrikeRelay(name, plan, site)
                case BoardPlan():
                    self.devices[name] = Board(name, plan, site)
                case SensorPlan():
                    self.devices[name] = InsideSensor(name, plan, site)
                case KeypadPlan():
                    self.devices[name] = Keypad(name, plan, site)
                case ModemPlan():
                    self.devices[name] = CarModem(name, plan, site)
                case LockPlan():
                    self.devices[name] = MotorLock(name, plan, site)
                case OpenerPlan():
                    self.devices[name] = Opener(name, plan, site)
                case DoorPlan():
                    self.devices[name] = Contact(name, plan, site)
                case CameraPlan():
                    self.devices[name] = CloudCamera(name, plan, site, cameras[name], f"{streams}/{name}")
                case ScannerPlan():
                    self.devices[name] = SimulatedScanner(name, plan, site)
                case SignalPlan():
                    self.devices[name] = SimulatedSignal(name, plan, site)
                case SpeakerPlan():
                    self.devices[name] = SimulatedSpeaker(name, plan, site)
                case FridgePlan():
                    self.devices[name] = SimulatedFridge(name, plan, site)
                case _:
                    assert_never(plan)
        self.carriers: dict[str, ZigbeeBridge | MatterServer] = {}
        if house.zigbee is not None:
            self.carriers["zigbee"] = ZigbeeBridge(house.zigbee, site)
        if house.matter is not None:
            self.carriers["matter"] = MatterServer(house.matter, site)
        for who, where in house.people.items():
            self.doorway.place(who, where)
        shows = [camera.show for camera in cameras.values()]
        self._staging = Staging(house, self.doorway, self.things, self.devices.values(), shows)

    async def act(self, request: Request) -> Mapping[str, object]:
        """Perform the request; return its result.

        Raises:
            Impossible: the house does not allow it in its present state.
        """
        if isinstance(request, ask.ReadState):
            return self._state()
        await self._perform(request)
        self._staging.saw(request)
        return {}

    async def _perform(self, request: Request) -> None:
        match request:
            case ask.ReadState():
                return
            case ask.Handle():
                if request.thing not in self.things:
                    raise Impossible(
                        f"the house has no thing {request.thing!r}; it has {', '.join(self.things) or 'none'}"
                    )
                self.things[request.thing].handle(request.act, request.who)
            case ask.SetFault() | ask.SetLink() | ask.RebootDevice():
                await self._disturb(request)
            case ask.Scan() | ask.ShowLabel() | ask.HideLabel() | ask.PressBell() | ask.PressAnswer() | ask.AppUnlock():
                await self._handle(request)
            case ask.OpenFridge() | ask.CloseFridge() | ask.SetTemperature() | ask.PutParcel():
                self._act_in_household(request)
            case ask.TypeCode():
                self._keypad(request.keypad).type_code(request.code, request.who)
            case _:
                self._move(request)

    def _keypad(self, name: str | None) -> Keypad | MatterServer:
        """Return what has the keypad outside: a keypad, or the Matter lock itself.

        Raises:
            Impossible: the house has no keypad, or has several and `name` names none of them.
        """
        matter = self.carriers.get("matter")
        is_meant = name == (None if matter is None else matter.name) or not self._devices_of(Keypad)
        return matter if isinstance(matter, MatterServer) and is_meant else self._only_device(Keypad, name)

    def _move(
        self,
        request: ask.Arrive
        | ask.Leave
        | ask.OpenDoor
        | ask.CloseDoor
        | ask.Force
        | ask.WalkIn
        | ask.WalkOut
        | ask.TurnKey
        | ask.ThumbTurn
        | ask.LockByHand,
    ) -> None:
        door, who = self.doorway, request.who
        match request:
            case ask.Arrive():
                door.arrive(who)
            case ask.Leave():
                door.leave(who)
            case ask.OpenDoor():
                door.open_door(who)
            case ask.CloseDoor():
                door.close_door(who)
            case ask.Force():
                door.force_door(who)
            case ask.WalkIn():
                door.walk_in(who)
            case ask.WalkOut():
                door.walk_out(who)
            case ask.TurnKey():
                door.turn_key(who)
            case ask.ThumbTurn():
                door.thumb_turn(who)
            case ask.LockByHand():
                door.lock_by_hand(who)
            case _:
                assert_never(request)

    async def _handle(
        self, request: ask.Scan | ask.ShowLabel | ask.HideLabel | ask.PressBell | ask.PressAnswer | ask.AppUnlock
    ) -> None:
        match request:
            case ask.Scan():
                scanner = self._only_device(SimulatedScanner, request.scanner)
                self.doorway.arrive(request.who)
                scanner.scan(request.code, request.event, retain=request.retain)
            case ask.ShowLabel():
                camera = self._only_device(CloudCamera, request.camera).pictures
                await asyncio.to_thread(camera.show_label, request.code, request.symbology)  # drawing takes its time
            case ask.HideLabel():
                self._only_device(CloudCamera, request.camera).pictures.hide_label()
            case ask.PressBell():
                bells = [device for device in self._devices_of(CloudCamera) if device.has_bell]
                bell = (
                    bells[0]
                    if request.camera is None and len(bells) == 1
                    else self._only_device(CloudCamera, request.camera)
                )
                self.doorway.arrive(request.who)
                bell.press(request.who)
            case ask.PressAnswer():
                self.doorway.need_inside(request.who)
                self._only_device(SimulatedSignal, None).press_answer(request.who)
            case ask.AppUnlock():
                self._only_device(MotorLock, None).unlock_by_app()
            case _:
                assert_never(request)

    def _act_in_household(self, request: ask.OpenFridge | ask.CloseFridge | ask.SetTemperature | ask.PutParcel) -> None:
        match request:
            case ask.OpenFridge() | ask.CloseFridge():
                self.doorway.need_inside(request.who)
                self._only_device(SimulatedFridge, request.fridge).move_door(opened=isinstance(request, ask.OpenFridge))
            case ask.SetTemperature():
                self._only_device(SimulatedFridge, request.fridge).set_temperature(request.compartment, request.celsius)
            case ask.PutParcel():
                where = self.doorway.arrive(request.who)
                self._log.write("parcel", who=request.who, where=where.value)
            case _:
                assert_never(request)

    async def _disturb(self, request: ask.SetFault | ask.SetLink | ask.RebootDevice) -> None:
        carrier = next((one for one in self.carriers.values() if one.name == request.device), None)
        if carrier is not None and isinstance(request, ask.SetFault):
            carrier.set_fault(request.fault, request.on)
            return
        if isinstance(request, ask.SetFault) and request.device in self.things:
            self.things[request.device].set_fault(request.fault, request.on)
            return
        if request.device not in self.devices:
            raise Impossible(f"there is no such device: there are {', '.join(self.devices)}")
        device = self.devices[request.device]
        match request:
            case ask.SetFault():
                device.set_fault(request.fault, request.on)
            case ask.SetLink():
                self._log.write("link", device=device.name, up=request.up)
                device.link.set_up(request.up)
                if isinstance(device, CloudCamera):
                    switch = device.pictures.start if request.up else device.pictures.stop
                    await asyncio.to_thread(switch)
            case ask.RebootDevice():
                await device.reboot()
            case _:
                assert_never(request)

    def _state(self) -> Mapping[str, object]:
        devices = {
            name: {
                "connected": device.link.connected,
                "boot": device.link.boot,
                "faults": dict(device.faults),
                **device.physical(),
            }
            for name, device in self.devices.items()
        }
        return {
            "bolt": "thrown" if self.doorway.thrown else "withdrawn",
            "door": "open" if self.doorway.open else "closed",
            "in_air": self.doorway.in_air,
            "people": {who: where.value for who, where in self.doorway.people.items()},
            "devices": devices,
            **({} if not self.things else {"things": {name: one.physical() for name, one in self.things.items()}}),
            **{name: carrier.physical() for name, carrier in self.carriers.items()},
        }

    def _devices_of(self, kind: type[_Device]) -> list[_Device]:
        return [device for device in self.devices.values() if isinstance(device, kind)]

    def _only_device(self, kind: type[_Device], name: str | None) -> _Device:
        """Return the device of this kind with this name; without a name the only one."""
        devices = self._devices_of(kind)
        if name is None and len(devices) == 1:
            return devices[0]
        for device in devices:
            if device.name == name:
                return device
        names = ", ".join(device.name for device in devices) or "none"
        raise Impossible(f"name one {kind.NOUN}: there are {names}")


def make_things(house: SimulatedHouse, log: PhysicalLog) -> Mapping[str, Thing]:
    """Return the things of the house; one that needs another is made after it."""
    things: dict[str, Thing] = {}
    for name, plan in sorted(house.things.items(), key=lambda item: len(item[1].needs)):
        things[name] = plan.make(name, log, things)
    return things


async def run(house: SimulatedHouse, control: Path, log: Path, *, seed: int | None = None) -> None:
    """Run the house until cancelled. Once `control` exists it accepts requests.

    Raises:
        OSError: a password, the log, the RTSP port or the control socket cannot be opened.
    """
    async with AsyncExitStack() as stack:
        file = stack.enter_context(PhysicalLog(log))
        cameras: dict[str, SimulatedCamera] = {}
        for number, (name, plan) in enumerate(house.devices.items()):
            if isinstance(plan, CameraPlan):
                cameras[name] = _camera(name, plan, house, seed=(seed or 0) + number)
                stack.callback(cameras[name].stop)
                await asyncio.to_thread(cameras[name].start)
        server = RtspServer(cameras)
        port = await server.start(house.rtsp.host, house.rtsp.port) if cameras else 0
        stack.push_async_callback(server.stop)
        line = stack.enter_context(listen(control))
        residence = Residence(house, cameras, f"rtsp://{house.rtsp.host}:{port}", file, seed=seed)
        for camera in cameras.values():
            await asyncio.to_thread(camera.rehearse)
        async with asyncio.TaskGroup() as group:
            for name, device in residence.devices.items():
                group.create_task(device.run(), name=name)
            for carrier in residence.carriers.values():
                group.create_task(carrier.run(), name=carrier.name)
            group.create_task(serve(line, residence.act), name="control")


def _camera(name: str, plan: CameraPlan, house: SimulatedHouse, *, seed: int) -> SimulatedCamera:
    return SimulatedCamera(
        name,
        width=plan.width,
        height=plan.height,
        fps=plan.fps,
        burnt_in_clock=plan.burnt_in_clock,
        scene=plan.scene,
        seed=seed,
        view=view_of(house, plan),
        zone=house.zone,
    )
