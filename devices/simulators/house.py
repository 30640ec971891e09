"""Defines and reads `house.yaml`: the simulated house."""

import ssl
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from ruamel.yaml import YAML

from devices.simulators.car import CarPlan
from devices.simulators.doorway import Position
from devices.simulators.key_safe import KeyedDoorPlan, KeySafePlan
from devices.simulators.sight import Daylight, SceneKind
from devices.simulators.thing import CompartmentPlan, Delay, Id, StreetDoorPlan, ThingSection
from devices.vendor_name import VendorOf
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef, TopicSuffix

Compartment = Annotated[str, StringConstraints(pattern=r"^(cooler|freezer|flex)$")]


class HouseSection(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SimulatedBroker(HouseSection):
    """The MQTT 5 broker of the house. `passwords`: the folder of the files `<device id>.password`.

    `ca`: its certificate authority (PEM); with it the devices use TLS, only to brokers that it has certified.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    passwords: Path | None = None
    ca: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context of the devices, or None without TLS.

        Raises:
            OSError: the authority cannot be read.
        """
        return None if self.ca is None else ssl.create_default_context(cafile=str(self.ca))


class Rtsp(HouseSection):
    """The address of the cameras' streams; port 0 takes a free one (the control's `state` returns it)."""

    host: str = "127.0.0.1"
    port: int = Field(default=8554, ge=0, le=65535)


class DeviceAccount(HouseSection):
    """The settings of every device. Its account at the broker is its id, its password is in the broker's folder.

    `password`: another password, for tests. Without any, the device connects anonymously. `account`: the account of the
    bridge, for a product that publishes through one on its own topics. `lag_s`: the longest random delay of a
    publication, in seconds. `broker`: another broker than the house's, for devices behind a guard.
    """

    kind: str = ""
    vendor: str = ""
    address: str = ""
    keys: Mapping[str, str] = {}
    password: str | None = None
    account: Id | None = None
    lag_s: Delay = 0.0
    broker: SimulatedBroker | None = None

    @property
    def device_ref(self) -> DeviceRef:
        """Return the device reference for its vendor module."""
        return DeviceRef(address=self.address, keys=self.keys, kind=self.kind)

    def topics(self, device: str) -> Mapping[TopicSuffix, str]:
        """Return the topic of each suffix: its product's, else `perron/<device>/<suffix>`."""
        product = VENDORS[self.vendor].DEFINITION.topics(self.device_ref)
        return {suffix: product.get(suffix, f"perron/{device}/{suffix}") for suffix in TopicSuffix}

    def secret(self, device: str, broker: SimulatedBroker) -> str | None:
        """Return the password of the account `device`, if there is one."""
        if self.password is not None or broker.passwords is None:
            return self.password
        return (broker.passwords / f"{self.account or device}.password").read_text(encoding="utf-8").rstrip("\n")


class LockPlan(DeviceAccount):
    """A lock. *Guarded*: it refuses repeated, foreign and late commands by itself; *basic*: it obeys.

    `latency_s` from receipt to the bolt's movement; `clock_offset_s`: how far its wall clock is off; `relock_s`: it
    throws its bolt by itself so long after a withdrawal, wherever the leaf is (never, by default).
    """

    kind: Literal["lock"]
    vendor: Annotated[str, VendorOf("lock", simulated=True)]
    guarded: bool = True
    latency_s: Delay = 0.3
    clock_offset_s: float = Field(default=0.0, ge=-86400, le=86400)
    relock_s: Delay | None = None


class OpenerPlan(DeviceAccount):
    """An opener. `latency_s` until it starts, `travel_s` until the leaf is up or down.

    `of`: the thing whose leaf it moves; without one it is the garage door in place of the front door.
    """

    kind: Literal["cover"]
    of: Id | None = None
    vendor: Annotated[str, VendorOf("cover", simulated=True)]
    latency_s: Delay = 0.2
    travel_s: Delay = 10.0


class DoorPlan(DeviceAccount):
    """A door contact. `answers`: it answers queries; `heartbeat_s`: the interval of its repeated reports.

    `of`: the thing at whose leaf it is; without one it is at the front door.
    """

    kind: Literal["door"]
    vendor: Annotated[str, VendorOf("door", simulated=True)]
    answers: bool = True
    heartbeat_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    of: Id | None = None


class StrikePlan(DeviceAccount):
    """What lets go for `release_s` seconds: the strike of a street door, the flap of a key safe. `of`: which thing."""

    kind: Literal["strike"]
    vendor: Annotated[str, VendorOf("strike", simulated=True)]
    of: Id
    release_s: Delay = 5.0
    latency_s: Delay = 0.2

    @property
    def device_ref(self) -> DeviceRef:
        """Return the device reference for its vendor module."""
        return DeviceRef(address=self.address, keys=self.keys, kind=self.kind, release_s=self.release_s)


class BoardPlan(DeviceAccount):
    """The board of the compartment `of`. `sees`: it has a sensor inside; `beside`: the compartment next to it."""

    kind: Literal["compartment"]
    vendor: Annotated[str, VendorOf("compartment", simulated=True)]
    of: Id
    beside: Id | None = None
    sees: bool = True
    answers: bool = True
    latency_s: Delay = 0.2


class SensorPlan(DeviceAccount):
    """A sensor inside the thing `of`. `answers`: it answers queries; `heartbeat_s`: as a door contact's."""

    of: Id
    answers: bool = True
    heartbeat_s: Annotated[float, Field(gt=0, le=3600)] | None = None


class ContentPlan(SensorPlan):
    """A sensor in a compartment."""

    kind: Literal["content"]
    vendor: Annotated[str, VendorOf("content", simulated=True)]


class HookPlan(SensorPlan):
    """A sensor below the hook of a key safe."""

    kind: Literal["key"]
    vendor: Annotated[str, VendorOf("key", simulated=True)]


class KeypadPlan(DeviceAccount):
    """The keypad at the front door, which stores codes."""

    kind: Literal["keypad"]
    vendor: Annotated[str, VendorOf("keypad", simulated=True)]


class ModemPlan(DeviceAccount):
    """The modem of the car `of`. `boot_order`: its order opens the boot alone; without it, it unlocks the car.

    Its GPS is `accuracy_m` metres exact.
    """

    kind: Literal["car"]
    vendor: Annotated[str, VendorOf("car", simulated=True)]
    of: Id
    boot_order: bool = False
    latency_s: Delay = 0.3
    accuracy_m: float = Field(default=15.0, gt=0, le=1000)


class CameraPlan(DeviceAccount):
    """A camera, served at rtsp://host:port/<its id>. `sees`: where it looks; with `bell` it is a doorbell."""

    kind: Literal["camera"]
    vendor: Annotated[str, VendorOf("camera", simulated=True)]
    sees: Literal[Position.OUTSIDE, Position.INSIDE]
    bell: bool = False
    width: int = Field(default=640, ge=64, le=1920)
    height: int = Field(default=360, ge=64, le=1080)
    fps: int = Field(default=15, ge=1, le=30)
    burnt_in_clock: bool = True
    scene: SceneKind = "moving"


class ScannerPlan(DeviceAccount):
    """A barcode scanner with a small display."""

    kind: Literal["scanner"]
    vendor: Annotated[str, VendorOf("scanner", simulated=True)]


class SignalPlan(DeviceAccount):
    """Light and buzzer at the door, with the answer button inside. `latency_s` until it confirms."""

    kind: Literal["signal"]
    vendor: Annotated[str, VendorOf("signal", simulated=True)]
    latency_s: Delay = 0.05


class SpeakerPlan(DeviceAccount):
    """A loudspeaker at the door."""

    kind: Literal["speaker"]
    vendor: Annotated[str, VendorOf("speaker", simulated=True)]


class FridgePlan(DeviceAccount):
    """A fridge. Temperatures in degrees Celsius, by compartment (cooler, freezer, flex)."""

    kind: Literal["fridge"]
    vendor: Annotated[str, VendorOf("fridge", simulated=True)]
    temperatures: dict[Compartment, float] = {"cooler": 4.0, "freezer": -18.0}
    setpoints: dict[Compartment, float] = {"cooler": 3.0, "freezer": -18.0}


DevicePlan = Annotated[
    LockPlan
    | OpenerPlan
    | DoorPlan
    | StrikePlan
    | BoardPlan
    | ContentPlan
    | HookPlan
    | KeypadPlan
    | ModemPlan
    | CameraPlan
    | ScannerPlan
    | SignalPlan
    | SpeakerPlan
    | FridgePlan,
    Field(discriminator="kind"),
]


DEVICE_PLANS: tuple[type[DeviceAccount], ...] = get_args(get_args(DevicePlan)[0])


def word_of(section: type[DeviceAccount | ThingSection]) -> str:
    """Return the `kind` of a section of this file."""
    return str(get_args(section.model_fields["kind"].annotation)[0])


AnyThing = StreetDoorPlan | CompartmentPlan | KeySafePlan | KeyedDoorPlan | CarPlan
ThingPlan = Annotated[AnyThing, Field(discriminator="kind")]
THING_SECTIONS: tuple[type[ThingSection], ...] = get_args(AnyThing)
"""Every kind of thing, in the order of the union. A new one is one module, its import, and its place there."""

THINGS: Mapping[str, type[ThingSection]] = {plan.closure: plan for plan in THING_SECTIONS}
"""The thing that simulates each kind of closure; the front door of the house simulates every other closure."""


def thing_of(device_kind: str) -> str | None:
    """Return the kind of thing at which a simulated device of this kind has to be; None: it can be without one."""
    plan = next(one for one in DEVICE_PLANS if word_of(one) == device_kind)
    of = plan.model_fields.get("of")
    if of is None or not of.is_required():
        return None
    return next((word_of(one) for one in THING_SECTIONS if device_kind in one.takes and not one.needs), None)


class ZigbeePlan(DeviceAccount):
    """Zigbee2MQTT and the friendly names of its devices. Its account at the broker is its base topic.

    `contact` None: it has none, and another device is at the door's leaf.
    `latency_s` from a command to its effect; `report_s`: interval of the contact's and thermometer's reports.
    """

    base: Id = "zigbee2mqtt"
    lock: str = "front lock"
    contact: str | None = "front contact"
    thermometer: str = "fridge"
    latency_s: Delay = 0.2
    report_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    battery: int = Field(default=84, ge=0, le=100)
    celsius: float = 4.0


class MatterPlan(HouseSection):
    """A Matter server on `port`, and the numbers of its nodes: the lock, and the contact (None: it has none).

    `latency_s` from a command to its effect.
    """

    name: Id = "matter"
    port: int = Field(default=5580, ge=1, le=65535)
    node: int = Field(default=5, ge=1, le=65535)
    contact: int | None = Field(default=6, ge=1, le=65535)
    latency_s: Delay = 0.2


class SimulatedHouse(HouseSection):
    """The whole file: one door, the devices around it, and the positions of its people at the start.

    `timezone`: of the text of the clock that cameras burn into their pictures, and of the hours at which it is day,
    dusk or night in them, unless `daylight` says which.
    """

    daylight: Daylight | None = None
    broker: SimulatedBroker = SimulatedBroker()
    rtsp: Rtsp = Rtsp()
    devices: dict[Id, DevicePlan]
    things: dict[Id, ThingPlan] = {}
    zigbee: ZigbeePlan | None = None  # then it has the lock, and its contact if any, and no device above does
    matter: MatterPlan | None = None  # the same
    people: dict[Literal["courier", "resident", "thief"], Position] = {}
    timezone: str = "UTC"

    @property
    def zone(self) -> tzinfo:
        """Return the house's time zone."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"this machine knows no time zone {name!r}") from error
        return name

    @model_validator(mode="after")
    def _one_door(self) -> Self:
        front = [device.kind for device in self.devices.values() if getattr(device, "of", None) is None]
        carried = [one for one in (self.zigbee, self.matter) if one is not None]
        radio = (len(carried), sum(one.contact is not None for one in carried))
        for kinds, by_radio in zip((("lock", "cover"), ("door",)), radio, strict=True):
            if sum(kind in kinds for kind in front) + by_radio > 1:
                raise ValueError(f"a house has one front door, so one {kinds[0]} at most")
        return self

    @model_validator(mode="after")
    def _at_things(self) -> Self:
        for id_, device in self.devices.items():
            for name in (getattr(device, "of", None), getattr(device, "beside", None)):
                thing = None if name is None else self.things.get(name)
                if name is not None and (thing is None or device.kind not in thing.takes):
                    fitting = ", ".join(n for n, one in self.things.items() if device.kind in one.takes)
                    raise ValueError(f"{id_} is at {name}, but a {device.kind} can be at: {fitting or 'no thing here'}")
        for id_, plan in self.things.items():
            for key, kind in plan.needs.items():
                named = self.things.get(getattr(plan, key))
                if named is None or named.kind != kind:
                    raise ValueError(f"{id_} needs a {kind.replace('_', ' ')}, but {getattr(plan, key)} is not one")
            if id_ in self.devices:
                raise ValueError(f"{id_} is a device already: give the thing another name")
        return self


def read_house(path: Path) -> SimulatedHouse:
    """Read a house file. Its relative paths start at its own folder.

    Raises:
        OSError: it cannot be read.
        ruamel.yaml.YAMLError: it is not YAML.
        pydantic.ValidationError: it is not a house; the error names the key.
    """
    house = SimulatedHouse.model_validate(YAML(typ="safe").load(path))
    files = {"passwords": house.broker.passwords, "ca": house.broker.ca}
    anchored = {key: path.parent / file for key, file in files.items() if file is not None}
    return house.model_copy(update={"broker": house.broker.model_copy(update=anchored)})
