"""Scenarios of a basic lock behind a guard, which has its own broker and process."""

from dataclasses import replace

from devices.simulators.house import DoorPlan, LockPlan, SimulatedBroker
from gateway.config.devices import DoorDevice, GuardSection, LockDevice
from gateway.config.home import Home
from gateway.demo.plan import DemoPlan, GuardSetup
from gateway.demo.scenario import ScenarioList, ScenarioRun
from gateway.demo.scenarios.failures import EXPECT_BROKER_PAUSED, pause_broker
from gateway.integrations.lock_guard.file import GuardFile, RadioDoor, RadioLock, RadioSection
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.jws import public_x
from gateway.protocol.keys import command_key, create_key
from gateway.system.i18n import _
from gateway.system.mqtt_settings import BrokerSection

SCENARIOS = ScenarioList()
GUARD_FOLDER = "guard"


def with_guard(plan: DemoPlan) -> DemoPlan:
    """Put the run's lock and door sensor behind a guard, as docs/installer/guard.md describes."""
    folder = plan.home.storage.folder.parent
    lock, door = plan.section.lock, plan.section.door
    lock_device, contact = plan.home.devices[lock], plan.home.devices[door]
    if not isinstance(lock_device, LockDevice) or not isinstance(contact, DoorDevice):
        raise TypeError("an entrance has a lock and a door sensor")
    port, passwords = free_port(), folder / "radio"
    key = create_key(folder / GUARD_FOLDER / "guard.key.pem")
    file = GuardFile(
        lock=lock,
        gateway=public_x(command_key(plan.home.storage.folder / "key")),
        key=folder / GUARD_FOLDER / "guard.key.pem",
        folder=folder / GUARD_FOLDER,
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
    in_front: dict[str, LockDevice | DoorDevice] = {
        lock: LockDevice(kind="lock", vendor="guard", address=lock, latency=lock_device.latency,
                         guard=GuardSection(key=public_x(key))),
        door: DoorDevice(kind="door", vendor="guard", address=lock),
    }  # fmt: skip
    home = plan.home.model_copy(update={"devices": {**plan.home.devices, **in_front}})
    radio = SimulatedBroker(port=port, passwords=passwords)
    devices = {name: _with_radio_broker(device, radio) for name, device in plan.house.devices.items()}
    house = plan.house.model_copy(update={"devices": devices})
    return replace(plan, home=home, house=house, guard_setup=GuardSetup(behind, file))


def _with_radio_broker(device: object, radio: SimulatedBroker) -> object:
    """Connect a device to the radio's broker; its lock is basic, so that only the guard refuses commands."""
    match device:
        case LockPlan():
            return device.model_copy(update={"broker": radio, "guarded": False})
        case DoorPlan():
            return device.model_copy(update={"broker": radio})
        case _:
            return device


@SCENARIOS.add(
    "guarded",
    _("a basic lock behind a guard and a broker of its own: the whole visit by signed orders"),
    change_plan=with_guard,
)
async def _delivered(play: ScenarioRun) -> None:
    """The basic lock obeys the guard alone; the guard obeys what the box has signed."""
    await play.deliver()


@SCENARIOS.add(
    "guarded:broker-paused",
    _("the house's broker stands still as the order leaves: the guard refuses the late copy, nothing opens"),
    EXPECT_BROKER_PAUSED,
    change_plan=with_guard,
)
async def _broker_paused(play: ScenarioRun) -> None:
    """The signed order lies in the house's broker until it is out of date: the basic lock never receives it."""
    await pause_broker(play)
    await play.wait_for_visit_end()
