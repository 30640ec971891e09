"""The devices of a house, as `home.yaml` names them: one section a kind."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from devices.reports import Panel
from devices.vendors import homeassistant, somfy, zwave
from devices.vendors.guard import DOOR, LOCK, PART
from devices.vendors.scanner import CODE, KEYS
from devices.vendors.words import Channel, Nameplate
from gateway.config.fields import Address, Id, KeyPath, KeyWord, Region, Section, Topic
from gateway.config.stream_url import PASSWORD, USER, StreamUrl
from gateway.domain.timing import Seconds

UNLATCHING = frozenset({"nukihub", "guard"})
BASIC = frozenset({"nukihub", "zigbee2mqtt", "zwave"})  # what their locks are sent has no room for an id or a time

# How long what carries a command to a lock may hold it before the lock obeys or it is given up, at the longest.
# Z-Wave JS: three attempts, each with a callback of 65 s (30 s since 12.2), make 195 s; Nuki Hub repeats a Bluetooth
# command for seconds; ESPHome and Perron's guard queue nothing, and the broker drops a message at its expiry of 5 s.
# A quarter of an hour is more than any of them, and is what the notice at the door already says.
COMMAND_HOLD_S = 900.0
# zigbee-herdsman queues a command that a lock with the Poll Control cluster did not acknowledge until its next check-in
# (`Device.pendingRequestTimeout`); the Zigbee Cluster Library's default interval is 14,400 quarter seconds. Before the
# first check-in it would wait for a day: then say `command_hold`, or give the lock time to check in before it is used.
ZIGBEE_COMMAND_HOLD_S = 3600.0
# A guard's own file names the radio behind it, the house file does not: the longest counts.
LONG_HOLDING = frozenset({"zigbee2mqtt", "guard"})

_ENTITY = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+|[^/]+(/[^/]+)*/[a-z0-9_]+/[a-z0-9_]+")


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

    @property
    def asked(self) -> bool:
        """Whether it answers when it is asked, so far as the house file knows."""
        return True


class GuardSection(Section):
    """The guard that alone may move the lock: its public key, as `perron guard-key --new` tells it."""

    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class LockDevice(DeviceSection):
    """A lock. `auto_lock`: it locks by itself some time after it was unlocked; left out: nobody has said.

    `unlatch`: the knob outside is fixed, so the lock has to pull the latch too, and only then the door can be opened.
    `lift_handle`: somebody has to lift the handle before the bolts can be thrown.
    `command_hold`: the longest time in seconds for which its bridge, radio or motor may hold a command; left out, the
    vendor's.
    One of the vendor `guard` stands behind a guard of its own: `address` is the lock's id, and `guard` has its key.
    """

    kind: Literal["lock"]
    vendor: Literal["somfy", "alexa", "nukihub", "zigbee2mqtt", "zwave", "guard"]
    address: Address
    guarded: bool = False
    auto_lock: bool | None = None
    unlatch: bool = False
    lift_handle: bool = False
    latency: Seconds = 3.0
    command_hold: Seconds | None = None
    guard: GuardSection | None = None

    @property
    def longest_hold(self) -> float:
        """Seconds after which an unlock that no report answered can act no more: as declared, or its vendor's."""
        if self.command_hold is not None:
            return self.command_hold
        return ZIGBEE_COMMAND_HOLD_S if self.vendor in LONG_HOLDING else COMMAND_HOLD_S

    @property
    def refuses_late(self) -> bool:
        """Whether it refuses a late, a repeated or a forged command: a guard does, whatever lock stands behind it."""
        return self.guarded or self.guard is not None

    @property
    def plate(self) -> Nameplate:
        """A guard speaks for its lock and for a door sensor: this is the lock."""
        return replace(super().plate, keys={PART: LOCK}) if self.vendor == "guard" else super().plate

    @model_validator(mode="after")
    def _behind_its_guard(self) -> Self:
        if (self.vendor == "guard") != (self.guard is not None):
            raise ValueError(
                "vendor: guard and `guard: {key: ...}` belong together: `perron guard-key --new` makes the key and"
                " tells the line; the lock's own vendor stands in guard.yaml"
            )
        return self

    @model_validator(mode="after")
    def _known_node(self) -> Self:
        if self.vendor == "zwave" and zwave.node(self.plate) is None:
            raise ValueError(
                "a Z-Wave lock needs its node's number: let the address end in it (zwave/5), or write"
                " `keys: {node: '5'}`"
            )
        return self

    @model_validator(mode="after")
    def _unlatches_or_not(self) -> Self:
        if self.unlatch and self.vendor not in UNLATCHING:
            raise ValueError(
                f"unlatch must be false: no lock of the vendor {self.vendor} is known to pull the latch by an order of"
                f" its own ({', '.join(sorted(UNLATCHING))} can). With a fixed knob outside it opens no door"
            )
        return self

    @model_validator(mode="after")
    def _guarded_or_not(self) -> Self:
        if self.guarded and self.vendor in BASIC:
            raise ValueError(
                f"guarded must be false: a lock of the vendor {self.vendor} is told no id and no time, so it obeys a"
                " late copy of an order too. It is a basic lock"
            )
        return self


class CoverDevice(DeviceSection):
    """The opener of a garage door, in the lock's place. `reverses`: by itself, on whatever it meets while it closes.

    `beam`: it tells of its light beam; without one the box never sends the door down. `warning`: seconds for which the
    signal warns before; `closing`: the longest that it takes from the command until the sensor says closed.
    """

    kind: Literal["cover"]
    vendor: Literal["esphome"]
    reverses: bool
    beam: bool = True
    warning: Seconds = 10.0
    closing: Seconds = 30.0
    latency: Seconds = 3.0
    command_hold: Seconds = COMMAND_HOLD_S

    @model_validator(mode="after")
    def _gentle(self) -> Self:
        if not self.reverses:
            raise ValueError(
                "reverses must be true: a garage door that does not go up again by itself when it meets somebody"
                " must not be moved while nobody looks"
            )
        return self


class DoorDevice(DeviceSection):
    """A door sensor that does not depend on the lock. `answers`: it can be asked.

    One that cannot is a basic door: it must say something at least every `heartbeat` seconds, else it is lost.
    The vendor `esphome` is the firmware of `config/esphome/door.yaml`; it needs no address. One behind the radio of a
    guarded lock has the vendor `guard`, and that lock's id as `address`.
    """

    kind: Literal["door"]
    vendor: Literal["somfy", "esphome", "zigbee2mqtt", "homeassistant", "guard"]
    address: Address = ""
    answers: bool = True
    heartbeat: Seconds = 600.0

    @property
    def asked(self) -> bool:
        """A basic door is not, nor is one that takes no command at all, whatever `answers` says.

        Somfy's contacts on 433 MHz (rtds://) only send.
        """
        return self.answers and not self.address.startswith(somfy.ONLY_SENDS)

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if not self.address and self.vendor != "esphome":
            raise ValueError(f"a door sensor of the vendor {self.vendor} needs its address")
        if self.vendor == "homeassistant":
            _of_home_assistant(self, homeassistant.CONTACTS)
            if self.answers:
                raise ValueError(
                    "what Home Assistant last heard of a contact is no answer of the contact: write answers: false"
                )
        return self

    @property
    def plate(self) -> Nameplate:
        """Behind a guard this is the door, not the lock."""
        return replace(super().plate, keys={PART: DOOR}) if self.vendor == "guard" else super().plate


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
    """A fridge that says its temperature, or a thermometer in it (vendor `homeassistant`, in degrees of `unit`).

    `heartbeat`: after so many seconds without a word its temperature is unknown; left out: it is asked, and believed.
    """

    kind: Literal["fridge"]
    vendor: Literal["smartthings", "zigbee2mqtt", "homeassistant"]
    address: Address
    compartment: Id = "cooler"
    unit: Literal["C", "F"] = "C"
    heartbeat: Seconds | None = None

    @property
    def plate(self) -> Nameplate:
        """With the unit, where the payload tells none."""
        return Nameplate(address=self.address, keys=self.keys, kind=self.kind, unit=self.unit)

    @property
    def asked(self) -> bool:
        """A statestream only talks."""
        return self.vendor != "homeassistant" or homeassistant.asked(self.plate)

    @property
    def silence(self) -> float | None:
        """After how many seconds without a word it is unknown: an hour behind a bridge, if nobody says else."""
        quiet = self.heartbeat is None and self.vendor in ("homeassistant", "zigbee2mqtt")
        return 3600.0 if quiet else self.heartbeat

    @model_validator(mode="after")
    def _entity(self) -> Self:
        if self.vendor == "homeassistant":
            _of_home_assistant(self, homeassistant.THERMOMETERS)
        elif self.unit != "C":
            raise ValueError(f"a {self.vendor} fridge says its unit itself: leave unit out")
        return self


class PresenceDevice(DeviceSection):
    """Somebody, or everybody, of the household as Home Assistant sees them: while anybody is home nothing opens."""

    kind: Literal["presence"]
    vendor: Literal["homeassistant"]
    address: Address

    @property
    def asked(self) -> bool:
        """A statestream only talks."""
        return homeassistant.asked(self.plate)

    @model_validator(mode="after")
    def _entity(self) -> Self:
        _of_home_assistant(self, homeassistant.PRESENCES)
        return self


Armed = Literal["armed_home", "armed_away", "armed_night", "armed_vacation", "armed_custom_bypass"]


class AlarmDevice(DeviceSection):
    """The alarm panel of the house. `bypassed_in`: the modes in which opening the entrance's door sets off nothing.

    In every other armed mode, and while nobody knows the mode, nothing opens: a courier must not set off a siren.
    """

    kind: Literal["alarm"]
    vendor: Literal["homeassistant"]
    address: Address
    bypassed_in: tuple[Armed, ...] = ()

    @property
    def asked(self) -> bool:
        """A statestream only talks."""
        return homeassistant.asked(self.plate)

    @property
    def bypassed(self) -> frozenset[Panel]:
        """The modes, as the panel's words."""
        return frozenset(Panel(mode) for mode in self.bypassed_in)

    @model_validator(mode="after")
    def _entity(self) -> Self:
        _of_home_assistant(self, homeassistant.PANELS)
        return self


def _of_home_assistant(device: DeviceSection, domains: frozenset[str]) -> None:
    if homeassistant.domain(device.plate) not in domains or not _ENTITY.fullmatch(device.address):
        known = ", ".join(sorted(domains))
        raise ValueError(
            f"write which entity of Home Assistant it is: <base topic>/<domain>/<object> by statestream, or"
            f" <domain>.<object> by an automation; domains that fit here: {known}"
        )


Device = Annotated[
    LockDevice
    | CoverDevice
    | DoorDevice
    | CameraDevice
    | ScannerDevice
    | SignalDevice
    | FridgeDevice
    | PresenceDevice
    | AlarmDevice,
    Field(discriminator="kind"),
]
