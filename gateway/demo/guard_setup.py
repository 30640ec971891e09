"""Puts a run's lock and door behind a guard with a broker and a process of its own."""

from dataclasses import replace

from devices.simulators.house import DoorPlan, LockPlan, SimulatedBroker
from gateway.config.devices import DoorDevice, GuardSection, LockDevice
from gateway.config.home import Home
from gateway.demo.plan import DemoPlan, GuardSetup
from gateway.integrations.lock_guard.file import GuardFile, RadioDoor, RadioLock, RadioSection
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.guard_keys import command_key, create_key
from gateway.protocol.jws import public_x
from gateway.system.mqtt_settings import BrokerSection

GUARD_FOLDER = "guard"


def with_guard(plan: DemoPlan) -> DemoPlan:
    """Put the run's lock and door sensor behind a guard, as docs/installer/guard.md describes."""
    folder = plan.home.storage.folder.parent
    lock, door = plan.section.lock, plan.section.door
    locks, contact = plan.home.devices[lock], plan.home.devices[door]
    if not isinstance(locks, LockDevice) or not isinstance(contact, DoorDevice):
        raise TypeError("an entrance has a lock and a door sensor")
    port, passwords = free_port(), folder / "radio"
    key = create_key(folder / GUARD_FOLDER / "guard.key.pem")
    file = GuardFile(
        lock=lock,
        gateway=public_x(command_key(plan.home.storage.folder / "key")),
        key=folder / GUARD_FOLDER / "guard.key.pem",
        folder=folder / GUARD_FOLDER,
        silent=60,
        latency=locks.latency,
        house=plan.home.broker.account(lock),
        radio=RadioSection(
            # The guard publishes the commands there
            broker=BrokerSection(port=port, password_file=passwords / "gateway.password"),
            lock=RadioLock(vendor=locks.vendor, id=lock, address=locks.address),
            door=RadioDoor(vendor=contact.vendor, id=door, address=contact.address),
        ),
    )
    behind = Home(box=plan.home.box, name="The radio", broker=file.radio.broker,
                  devices={lock: locks, door: contact}, entrances={})  # fmt: skip
    in_front: dict[str, LockDevice | DoorDevice] = {
        lock: LockDevice(kind="lock", vendor="guard", address=lock, latency=locks.latency,
                         guard=GuardSection(key=public_x(key))),
        door: DoorDevice(kind="door", vendor="guard", address=lock),
    }  # fmt: skip
    home = plan.home.model_copy(update={"devices": {**plan.home.devices, **in_front}})
    radio = SimulatedBroker(port=port, passwords=passwords)
    devices = {name: _with_radio_broker(one, radio) for name, one in plan.house.devices.items()}
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
