"""Changes a run's plan into a home with unusual equipment."""

from dataclasses import replace

from devices.simulators.doorway import Position
from devices.simulators.house import (
    CameraPlan,
    DoorPlan,
    LockPlan,
    MatterPlan,
    OpenerPlan,
    ScannerPlan,
    SimulatedBroker,
)
from gateway.config.devices import CoverDevice, DoorDevice, GuardSection, LockDevice, ScannerDevice
from gateway.config.home import Home, PagesSection
from gateway.config.reception import ReceiverSection, ReceptionSection
from gateway.demo.names import GARAGE_NAME, RECEPTION_NAME
from gateway.demo.plan import DemoPlan, GuardSetup, with_open_limit
from gateway.integrations.lock_guard.file import GuardFile, RadioDoor, RadioLock, RadioSection
from gateway.integrations.matter.file import MatterFile, MatterServerSection
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.keys import command_key, create_key
from gateway.system.mqtt_settings import BrokerSection

LONG_OPEN_LIMIT_S = 60.0  # longer than a person stays inside, or a garage door open, in a scenario
COMMAND_HOLD_S = 3.0  # for so long a lock keeps a command at the most
DESK, DESK_SCANNER = "desk", "desk-scanner"  # the reception, and the scanner there
HOME_ASSISTANT_COVER = "cover.garage"  # the entity, which an automation of the docs moves
WARNING_S, TRAVEL_S = 1.0, 3.0  # seconds, of the garage door


def with_long_open_limit(plan: DemoPlan, seconds: float = LONG_OPEN_LIMIT_S) -> DemoPlan:
    """Let each door stand open for so long."""
    entrances = {name: with_open_limit(section, seconds) for name, section in plan.home.entrances.items()}
    return plan.with_home(entrances=entrances)


def with_approval(plan: DemoPlan) -> DemoPlan:
    """The owner wants to be asked each time."""
    brands = {
        name: brand.model_copy(update={"permission": brand.permission.model_copy(update={"ask_each_time": True})})
        for name, brand in plan.home.brands.items()
    }
    return plan.with_home(brands=brands)


def with_short_command_life(plan: DemoPlan) -> DemoPlan:
    """The lock keeps no command for longer than `COMMAND_HOLD_S`."""
    lock = plan.home.devices[plan.lock].model_copy(update={"command_hold": COMMAND_HOLD_S})
    return plan.with_home(devices={**plan.home.devices, plan.lock: lock})


def with_resident_home(plan: DemoPlan) -> DemoPlan:
    """The resident is at home."""
    return plan.with_house(people={"resident": Position.INSIDE})


def with_dark_hall(plan: DemoPlan) -> DemoPlan:
    """The camera inside sees a dark, empty, noisy hall and burns no clock into its pictures."""
    dark = {
        name: device.model_copy(update={"scene": "noisy_night", "burnt_in_clock": False})
        for name, device in plan.house.devices.items()
        if isinstance(device, CameraPlan) and device.sees is Position.INSIDE
    }
    return plan.with_house(devices={**plan.house.devices, **dark})


def with_garage_door(plan: DemoPlan) -> DemoPlan:
    """Give the run's entrance an opener, and a sensor of the door's own whose "closed" stands for door and bolt."""
    return _with_opener(plan, vendor="esphome")


def with_home_assistant_cover(plan: DemoPlan) -> DemoPlan:
    """A garage door whose opener only Home Assistant can move, by its `cover`; its sensor is wired."""
    return _with_opener(plan, vendor="homeassistant", address=HOME_ASSISTANT_COVER, beam=False)


def _with_opener(plan: DemoPlan, *, vendor: str, address: str = "", beam: bool = True) -> DemoPlan:
    opener = CoverDevice(
        kind="cover", vendor=vendor, address=address, reverses=True, beam=beam, warning=WARNING_S,
        closing=3 * TRAVEL_S, latency=1.0,
    )  # fmt: skip
    section = plan.section
    devices = {plan.lock: opener, plan.door: DoorDevice(kind="door", vendor="esphome")}
    simulated = {
        plan.lock: OpenerPlan(kind="cover", vendor=vendor, address=address, travel_s=TRAVEL_S),
        plan.door: DoorPlan(kind="door", vendor="esphome"),
    }
    timing = section.timing.model_copy(update={"open_again": LONG_OPEN_LIMIT_S})
    update = {"living_space": False, "timing": timing, "name": GARAGE_NAME.to(plan.home.language)}
    garage = with_open_limit(section.model_copy(update=update), LONG_OPEN_LIMIT_S)
    plan = plan.with_house(devices={**plan.house.devices, **simulated})
    return plan.with_home(devices={**plan.home.devices, **devices}, entrances={plan.entrance: garage})


def with_concierge(plan: DemoPlan) -> DemoPlan:
    """A concierge takes parcels for the household; each brand may deliver there too. The box serves its pages."""
    concierge = ReceptionSection(
        name=RECEPTION_NAME.to(plan.home.language),
        receivers={"marc": ReceiverSection(name="Marc Petit")},
        scanners=(DESK_SCANNER,),
    )
    brands = {}
    for name, brand in plan.home.brands.items():
        terms = brand.permission
        reach = {"entrances": (*terms.entrances, DESK), "places": (*terms.places, DESK)}
        brands[name] = brand.model_copy(update={"permission": terms.model_copy(update=reach)})
    scanner = ScannerPlan(kind="scanner", vendor="scanner")
    plan = plan.with_house(devices={**plan.house.devices, DESK_SCANNER: scanner})
    return plan.with_home(
        devices={**plan.home.devices, DESK_SCANNER: ScannerDevice(kind="scanner", vendor="scanner")},
        receptions={DESK: concierge},
        brands=brands,
        pages=PagesSection(port=free_port()),
    )


def with_guard(plan: DemoPlan) -> DemoPlan:
    """Put the run's lock and door sensor behind a guard, as docs/installer/guard.md describes."""
    folder = plan.home.storage.folder.parent
    lock, door = plan.lock, plan.door
    lock_device, contact = plan.home.devices[lock], plan.home.devices[door]
    if not isinstance(lock_device, LockDevice) or not isinstance(contact, DoorDevice):
        raise TypeError("an entrance has a lock and a door sensor")
    port, passwords, key_file = free_port(), folder / "radio", folder / "guard" / "guard.key.pem"
    key = create_key(key_file)
    file = GuardFile(
        lock=lock,
        gateway=command_key(plan.home.storage.folder / "key").public.text,
        key=key_file,
        folder=key_file.parent,
        silent=60,
        latency=lock_device.latency,
        house=plan.home.broker.account(lock),
        radio=RadioSection(
            # The guard publishes the commands there
            broker=BrokerSection(port=port, password_file=passwords / "gateway.password"),
            lock=RadioLock(vendor=lock_device.vendor, id=lock, address=lock_device.address),
            door=RadioDoor(vendor=contact.vendor, id=door, address=contact.address),
        ),
    )
    behind = Home(box=plan.home.box, name="The radio", broker=file.radio.broker,
                  devices={lock: lock_device, door: contact}, entrances={})  # fmt: skip
    in_front = {
        lock: LockDevice(kind="lock", vendor="guard", address=lock, latency=lock_device.latency,
                         guard=GuardSection(key=key.public.text)),
        door: DoorDevice(kind="door", vendor="guard", address=lock),
    }  # fmt: skip
    radio = SimulatedBroker(port=port, passwords=passwords)
    simulated = {name: _with_radio_broker(device, radio) for name, device in plan.house.devices.items()}
    plan = plan.with_home(devices={**plan.home.devices, **in_front}).with_house(devices=simulated)
    return replace(plan, guard_setup=GuardSetup(behind, file))


def with_matter_lock(plan: DemoPlan) -> DemoPlan:
    """A Matter lock and a Matter contact behind a Matter server, as docs/installer/matter.md describes."""
    server = MatterPlan(port=free_port())
    lock, door = plan.lock, plan.door
    lock_device = plan.home.devices[lock]
    if not isinstance(lock_device, LockDevice):
        raise TypeError("an entrance has a lock")
    devices = {
        lock: LockDevice(kind="lock", vendor="matter", address=f"{server.name}/{server.node}-1",
                         latency=lock_device.latency),
        door: DoorDevice(kind="door", vendor="matter", address=f"{server.name}/{server.contact}-1"),
    }  # fmt: skip
    simulated = {name: device for name, device in plan.house.devices.items() if name not in devices}
    plan = plan.with_home(devices={**plan.home.devices, **devices}).with_house(devices=simulated, matter=server)
    file = MatterFile(
        base=server.name,
        broker=plan.home.broker.account(server.name),
        server=MatterServerSection(url=f"ws://127.0.0.1:{server.port}/ws"),
    )
    return replace(plan, matter=file)


def _with_radio_broker(device: object, radio: SimulatedBroker) -> object:
    """Connect a device to the radio's broker; its lock is basic, so that only the guard refuses commands."""
    match device:
        case LockPlan():
            return device.model_copy(update={"broker": radio, "guarded": False})
        case DoorPlan():
            return device.model_copy(update={"broker": radio})
        case _:
            return device
