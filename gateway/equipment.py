"""The devices of a house, as `home.yaml` names them: one section a kind."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from devices.vendors.scanner import CODE, KEYS
from devices.vendors.words import Channel, Nameplate
from gateway.grammar import Address, Id, KeyPath, KeyWord, Region, Seconds, Section, Topic, Url


class DeviceSection(Section):
    """What every device may say. `address` is the maker's own; of products with MQTT of their own, their topic.

    `topics` replaces single topics, `keys` says where in a payload our words stand, where that is not the usual place.
    """

    address: Address = ""
    topics: dict[Channel, Topic] = Field(default={})
    keys: dict[KeyWord, KeyPath] = Field(default={})

    @property
    def plate(self) -> Nameplate:
        """What its vendor must know of it to read and write its payloads."""
        return Nameplate(address=self.address, keys=self.keys)


class LockDevice(DeviceSection):
    """A lock. `auto_lock`: it locks by itself some time after it was unlocked; left out: nobody has said."""

    kind: Literal["lock"]
    vendor: Literal["somfy", "alexa", "nukihub"]
    address: Address
    guarded: bool = False
    auto_lock: bool | None = None
    latency: Seconds = 3.0


class DoorDevice(DeviceSection):
    """A door sensor that does not depend on the lock. `answers`: it can be asked.

    One that cannot is a basic door: it must say something at least every `heartbeat` seconds, else it is lost.
    The vendor `esphome` is the firmware of `config/esphome/door.yaml`; it needs no address.
    """

    kind: Literal["door"]
    vendor: Literal["somfy", "esphome"]
    address: Address = ""
    answers: bool = True
    heartbeat: Seconds = 600.0

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if not self.address and self.vendor != "esphome":
            raise ValueError(f"a door sensor of the vendor {self.vendor} needs its address")
        return self


class CameraDevice(DeviceSection):
    """A camera with an H.264 stream over RTSP."""

    kind: Literal["camera"]
    vendor: Literal["alexa"]
    address: Address
    url: Url
    clock_region: Region | None = None


class ScannerDevice(DeviceSection):
    """A barcode scanner at the door. `keys` of the vendor `scanner`: where in its JSON code, event and symbology stand.

    The address of the vendor `proglove` is `<main topic>/gateway/<gateway's serial>/<scanner's serial>`.
    """

    kind: Literal["scanner"]
    vendor: Literal["scanner", "proglove"]
    address: Address = ""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        segments = self.address.split("/")
        if self.vendor == "proglove" and (len(segments) < 3 or "" in segments):
            raise ValueError(
                "a ProGlove scanner's address is <main topic>/gateway/<gateway's serial>/<scanner's serial>"
            )
        if self.keys and self.vendor != "scanner":
            raise ValueError(f"keys are for the vendor scanner; what a {self.vendor} scanner sends is known")
        if unknown := sorted(self.keys.keys() - KEYS):
            raise ValueError(f"`{unknown[0]}` is no word of a scan: keys say where code, event and symbology stand")
        if self.keys and CODE not in self.keys:
            raise ValueError("keys must say where the code stands, like `code: data.barcode`")
        return self


class SignalDevice(DeviceSection):
    """The light and buzzer at the door, with the answer button inside."""

    kind: Literal["signal"]
    vendor: Literal["signal"]
    address: Address = ""


class FridgeDevice(DeviceSection):
    """A fridge that says its temperature."""

    kind: Literal["fridge"]
    vendor: Literal["smartthings"]
    address: Address
    compartment: Id = "cooler"


Device = Annotated[
    LockDevice | DoorDevice | CameraDevice | ScannerDevice | SignalDevice | FridgeDevice,
    Field(discriminator="kind"),
]
