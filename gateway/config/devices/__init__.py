"""Defines the devices in `home.yaml`, one module for each kind; what differs by vendor its `DEFINITION` says.

`AnyDevice` is the registry: everything that needs a kind of device asks the class that stands there.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field

from gateway.config.devices.alarm import AlarmDevice as AlarmDevice
from gateway.config.devices.alarm import ArmedMode as ArmedMode
from gateway.config.devices.camera import CameraDevice as CameraDevice
from gateway.config.devices.car import CarDevice as CarDevice
from gateway.config.devices.compartment import CompartmentDevice as CompartmentDevice
from gateway.config.devices.content import ContentDevice as ContentDevice
from gateway.config.devices.cover import CoverDevice as CoverDevice
from gateway.config.devices.door import DoorDevice as DoorDevice
from gateway.config.devices.fridge import FridgeDevice as FridgeDevice
from gateway.config.devices.key import KeyDevice as KeyDevice
from gateway.config.devices.keypad import KeypadDevice as KeypadDevice
from gateway.config.devices.lock import GuardSection as GuardSection
from gateway.config.devices.lock import LockDevice as LockDevice
from gateway.config.devices.parcels import ParcelsDevice as ParcelsDevice
from gateway.config.devices.presence import PresenceDevice as PresenceDevice
from gateway.config.devices.robot import RobotDevice as RobotDevice
from gateway.config.devices.scanner import ScannerDevice as ScannerDevice
from gateway.config.devices.section import DeviceSection as DeviceSection
from gateway.config.devices.signal import SignalDevice as SignalDevice
from gateway.config.devices.speaker import SpeakerDevice as SpeakerDevice
from gateway.config.devices.strike import StrikeDevice as StrikeDevice

AnyDevice = Annotated[
    LockDevice
    | CoverDevice
    | DoorDevice
    | StrikeDevice
    | CompartmentDevice
    | ContentDevice
    | KeyDevice
    | KeypadDevice
    | CarDevice
    | CameraDevice
    | ScannerDevice
    | SignalDevice
    | SpeakerDevice
    | FridgeDevice
    | PresenceDevice
    | AlarmDevice
    | ParcelsDevice
    | RobotDevice,
    Field(discriminator="kind"),
]

DEVICE_SECTIONS: Mapping[str, type[DeviceSection[Any]]] = {
    section.word(): section for section in get_args(get_args(AnyDevice)[0])
}
"""Every kind of device by its word, in the order of the union."""
