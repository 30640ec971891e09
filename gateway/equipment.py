"""The devices of a house, as `home.yaml` names them: one section a kind."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from devices.vendors.scanner import CODE, KEYS
from devices.vendors.words import Channel, Nameplate
from gateway.grammar import Address, Id, KeyPath, KeyWord, Region, Seconds, Section, Topic
from gateway.streamurl import PASSWORD, USER, StreamUrl

BASIC = frozenset({"nukihub", "zigbee2mqtt"})  # what their locks are sent has no room for an id or a time


class DeviceSection(Section):
    """What every device may say. `address` is the maker's own; of products with MQTT of their own, their topic.

    `topics` replaces single topics, `keys` says where in a payload our words stand, where that is not the usual place.
    """

    kind: str
    address: Address = ""
    topics: dict[Channel, Topic] = Field(default={})
    keys: dict[KeyWord, KeyPath] = Field(default={})

    @property
    def plate(self) -> Nameplate:
        """What its vendor must know of it to read and write its payloads."""
        return Nameplate(address=self.address, keys=self.keys, kind=self.kind)

    @property
    def speaks(self) -> bool:
        """Whether it has MQTT at all."""
        return True


class LockDevice(DeviceSection):
    """A lock. `auto_lock`: it locks by itself some time after it was unlocked; left out: nobody has said."""

    kind: Literal["lock"]
    vendor: Literal["somfy", "alexa", "nukihub", "zigbee2mqtt"]
    address: Address
    guarded: bool = False
    auto_lock: bool | None = None
    latency: Seconds = 3.0

    @model_validator(mode="after")
    def _guarded_or_not(self) -> Self:
        if self.guarded and self.vendor in BASIC:
            raise ValueError(
                f"guarded must be false: a lock of the vendor {self.vendor} is told no id and no time, so it obeys a"
                " late copy of an order too. It is a basic lock"
            )
        return self


class DoorDevice(DeviceSection):
    """A door sensor that does not depend on the lock. `answers`: it can be asked.

    One that cannot is a basic door: it must say something at least every `heartbeat` seconds, else it is lost.
    The vendor `esphome` is the firmware of `config/esphome/door.yaml`; it needs no address.
    """

    kind: Literal["door"]
    vendor: Literal["somfy", "esphome", "zigbee2mqtt"]
    address: Address = ""
    answers: bool = True
    heartbeat: Seconds = 600.0

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if not self.address and self.vendor != "esphome":
            raise ValueError(f"a door sensor of the vendor {self.vendor} needs its address")
        return self


# SHA-256 over a certificate, as `openssl x509 -fingerprint -sha256` prints it.
_FINGERPRINT = r"^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$"
Fingerprint = Annotated[str, StringConstraints(pattern=_FINGERPRINT)]


class CameraDevice(DeviceSection):
    """A camera with an H.264 stream over RTSP; of vendor `rtsp` it has no MQTT, of `frigate` it is Frigate's restream.

    `credentials_file` holds the one line user:password, which stands nowhere else. With `rtsps` the camera shows a
    certificate: one that `ca` (PEM) vouches for, or that of this `fingerprint`, or else one that this machine trusts.
    """

    kind: Literal["camera"]
    vendor: Literal["alexa", "rtsp", "frigate"]
    url: StreamUrl
    credentials_file: Path | None = None
    ca: Path | None = None
    fingerprint: Fingerprint | None = None
    clock_region: Region | None = None

    @property
    def speaks(self) -> bool:
        """Whether it has MQTT at all."""
        return self.vendor != "rtsp"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.vendor == "alexa" and "address" not in self.model_fields_set:
            raise ValueError("this camera's address is missing: of vendor alexa it is the endpoint's id")
        if not self.speaks and (self.address or self.topics or self.keys):
            raise ValueError("a camera of vendor rtsp has no MQTT: leave out address, topics and keys")
        if self.url.startswith("rtsp://") and (self.ca or self.fingerprint):
            raise ValueError(
                "ca and fingerprint are for a url that begins with rtsps://: this one shows no certificate"
            )
        if self.ca and self.fingerprint:
            raise ValueError("give ca or fingerprint, not both: either one says which camera is the right one")
        if self.credentials_file is None and (USER in self.url or PASSWORD in self.url):
            raise ValueError("the url has a place for user and password: name the file with them as credentials_file")
        return self


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
    """The light and buzzer at the door, with the answer button inside.

    Of the vendor `zigbee2mqtt` the address is a siren's topic, and `topics: {event: ...}` names the button's.
    """

    kind: Literal["signal"]
    vendor: Literal["signal", "zigbee2mqtt"]
    address: Address = ""


class FridgeDevice(DeviceSection):
    """A fridge that says its temperature."""

    kind: Literal["fridge"]
    vendor: Literal["smartthings", "zigbee2mqtt"]
    address: Address
    compartment: Id = "cooler"


Device = Annotated[
    LockDevice | DoorDevice | CameraDevice | ScannerDevice | SignalDevice | FridgeDevice,
    Field(discriminator="kind"),
]
