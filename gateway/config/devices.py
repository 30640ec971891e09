"""Defines the devices in `home.yaml`: one section for each kind.

What differs by vendor comes from the `DEFINITION` of the vendor's module.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from devices.reports import AlarmPanelState
from devices.vendor_name import VendorOf
from devices.vendors import VENDORS
from devices.vendors.definition import COMMAND_HOLD_S, Definition
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.config.fields import Address, Fingerprint, KeyPath, KeyWord, Region
from gateway.config.stream_url import PASSWORD_PLACEHOLDER, USER_PLACEHOLDER, StreamUrl
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.config_section import ConfigSection, Id, Name, PublicKeyText, Topic

K = TypeVar("K", bound=str)

DEFAULT_SENSOR_HEARTBEAT_S = 600.0


class DeviceSection(ConfigSection, Generic[K]):
    """What every device may have."""

    kind: K
    """Kind: what the device is; it decides which keys may stand here."""
    name: Name | None = None
    """Name: what the household reads on pages and in messages. Left out, it follows from what the device is at its
    entrance. Example: `Hall camera`."""
    address: Address = ""
    """Address: what the vendor calls the device; for a product with topics of its own, its topic. Leave it out where
    the vendor needs none. Example: `zigbee2mqtt/Front door`."""
    topics: dict[TopicSuffix, Topic] = Field(default={})
    """Topics: single topics that differ from the product's own, by channel. Example: `{event: barcode/front}`."""
    keys: dict[KeyWord, KeyPath] = Field(default={})
    """Keys: settings of the vendor for this device, and where a value stands in its payload if not in the usual place.
    Example: `{code: data.barcode}`."""
    vendor: str
    """Vendor: whose product it is, or which program brings it to MQTT."""

    @property
    def definition(self) -> Definition:
        """The facts of its vendor's devices."""
        return VENDORS[self.vendor].DEFINITION

    quantities: ClassVar[frozenset[Quantity]] = frozenset()
    """What it can measure of a closure."""

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares of the closure that it opens, by the names of the closure's fields."""
        return {}

    @property
    def sensor_heartbeat_s(self) -> float:
        """The longest silence, in seconds, of a sensor that answers no query."""
        return DEFAULT_SENSOR_HEARTBEAT_S

    @property
    def device_ref(self) -> DeviceRef:
        """What its vendor module needs to read and write its payloads."""
        return DeviceRef(address=self.address, keys=self.keys, kind=self.kind)

    @property
    def product_topics(self) -> Mapping[TopicSuffix, str]:
        """The MQTT topics that the product defines; empty if the product uses Perron's topics."""
        return self.definition.topics(self.device_ref)

    @property
    def can_be_queried(self) -> bool:
        """Whether it answers queries, as far as `home.yaml` says."""
        return self.definition.answers_queries(self.device_ref)

    @model_validator(mode="after")
    def _accepted_by_its_vendor(self) -> Self:
        if problem := self.definition.problem(self.device_ref):
            raise ValueError(problem)
        return self


class GuardSection(ConfigSection):
    """The guard that alone may move the lock."""

    key: PublicKeyText
    """Key of the guard: its public Ed25519 key, base64url. `perron guard-key --new` prints it."""


class LockDevice(DeviceSection[Literal["lock"]]):
    """The lock of a door."""

    vendor: Annotated[str, VendorOf("lock")]
    """Vendor: whose product it is, or which program brings it to MQTT. `guard` means that `perron guard` alone moves
    the lock."""
    address: Address
    """Address: what the vendor calls the lock. Example: `zigbee2mqtt/Front door`. With the vendor `guard` it is the id
    of this lock."""
    guarded: bool = False
    """Guarded: the lock itself checks the id and the expiry of a command, and refuses a late or repeated one. A lock
    that takes a bare `unlock` must say `false`."""
    auto_lock: bool | None = None
    """Auto-lock: whether the lock locks by itself some time after it was unlocked. Leave it out if you do not know."""
    unlatch: bool = False
    """Unlatch: the knob outside is fixed, so the lock must also pull the latch before anybody can open the door."""
    lift_handle: bool = False
    """Lift the handle: somebody must lift the handle before the bolts can move out."""
    latency: Seconds = 3.0
    """Answer time: the longest time that the lock needs to answer. If it is too short, visits end with a lock that
    counts as silent; if it is too long, a failure is noticed late."""
    command_hold: Seconds | None = None
    """Command hold: the longest time for which bridge, radio or motor may hold a command before the lock obeys it or
    drops it. Leave it out for the value of the vendor: 3600 seconds for `zigbee2mqtt` and `guard`, 900 seconds for the
    others. If it is too short, a late unlock is not recognised."""
    guard: GuardSection | None = None
    """Guard: required with the vendor `guard`, refused with every other."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.BOLT})

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares of its door."""
        return {
            "latency": self.latency,
            "guarded": self.refuses_late,
            "command_hold": self.command_hold_s,
            "unlatch": self.unlatch,
            "lift_handle": self.lift_handle,
        }

    @property
    def command_hold_s(self) -> float:
        """Seconds after which an unlock that no report answered can no longer act: as declared, else its vendor's."""
        return self.definition.command_hold_s if self.command_hold is None else self.command_hold

    @property
    def refuses_late(self) -> bool:
        """Whether it refuses a late, repeated or forged command; a guard does so in front of any lock."""
        return self.guarded or self.guard is not None

    @model_validator(mode="after")
    def _possible_with_its_vendor(self) -> Self:
        if self.definition.is_behind_guard != (self.guard is not None):
            raise ValueError(
                "vendor: guard and `guard: {key: ...}` belong together: `perron guard-key --new` makes the key and"
                " tells the line; the lock's own vendor stands in guard.yaml"
            )
        if self.unlatch and not self.definition.pulls_latch:
            able = sorted(name for name, vendor in VENDORS.items() if vendor.DEFINITION.pulls_latch)
            raise ValueError(
                f"unlatch must be false: no lock of the vendor {self.vendor} is known to pull the latch by an order of"
                f" its own ({', '.join(able)} can). With a fixed knob outside it opens no door"
            )
        if self.guarded and not self.definition.refuses_late:
            raise ValueError(
                f"guarded must be false: a lock of the vendor {self.vendor} gets no id and no time with a command, so"
                " it obeys a late copy of a command too. It is a basic lock"
            )
        return self


class CoverDevice(DeviceSection[Literal["cover"]]):
    """The opener of a garage door, or of another thing that a motor moves. It replaces the lock."""

    vendor: Annotated[str, VendorOf("cover")]
    """Vendor: the firmware of the opener, or which program brings it to MQTT."""
    reverses: bool
    """Reverses: the leaf opens again by itself when it meets an obstacle. It must be `true`; other openers are
    refused."""
    beam: bool = True
    """Light beam: the opener answers whether its light beam is free. If there is no beam, or if the gateway cannot
    query it, the gateway never closes the leaf. It can query only openers of the vendor `esphome`."""
    warning: Seconds = 10.0
    """Warning: how long the signal warns before the leaf closes. If it is too short, nobody has the time to step
    aside."""
    closing: Seconds = 30.0
    """Closing time: the longest time from the command until the sensor reports `closed`. If it is too short, a closing
    counts as failed while the leaf still moves."""
    latency: Seconds = 3.0
    """Answer time: the longest time that the opener needs to answer."""
    command_hold: Seconds = COMMAND_HOLD_S
    """Command hold: the longest time for which anything may hold a command before the opener obeys it or drops it."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.OBSTRUCTION})

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares about the closure that it opens."""
        return {
            "latency": self.latency,
            "guarded": False,
            "command_hold": self.command_hold,
            "obstruction_sensor": self.beam,
            "warning": self.warning,
            "closing": self.closing,
        }

    @model_validator(mode="after")
    def _safe_to_move(self) -> Self:
        if not self.reverses:
            raise ValueError(
                "reverses must be true: a leaf that does not open again by itself at an obstacle must not move"
                " unattended"
            )
        if self.beam and not self.definition.answers_beam:
            raise ValueError(
                f"beam must be false: the gateway cannot query the light beam of an opener of the vendor {self.vendor},"
                " so it never closes the leaf; the courier or the household closes it"
            )
        return self


class DoorDevice(DeviceSection[Literal["door"]]):
    """A door sensor. It must not depend on the lock."""

    vendor: Annotated[str, VendorOf("door")]
    """Vendor: whose product it is, or which program brings it to MQTT. `esphome` is the firmware
    `config/esphome/door.yaml`; `guard` is a sensor behind the radio of a guarded lock."""
    address: Address = ""
    """Address: what the vendor calls the sensor. `esphome` needs none; with the vendor `guard` it is the id of the
    guarded lock. Example: `zigbee2mqtt/Front contact`."""
    answers: bool = True
    """Answers: the sensor answers when the gateway asks it. A contact on a battery usually only reports: say `false`.
    Such a sensor cannot serve an entrance to the living space."""
    heartbeat: Seconds = 600.0
    """Heartbeat: a sensor that does not answer must report at least this often; after a longer silence its state is
    unknown. If it is too short, the entrance is often not ready; if it is too long, a dead sensor is noticed late."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.CONTACT})

    @property
    def sensor_heartbeat_s(self) -> float:
        """The longest silence, in seconds, of a sensor that answers no query."""
        return self.heartbeat

    @property
    def can_be_queried(self) -> bool:
        """Whether it answers queries: `home.yaml` says so, and its address does not say otherwise."""
        return self.answers and super().can_be_queried

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if not self.address and self.definition.address:
            raise ValueError(f"a door sensor of the vendor {self.vendor} needs its address")
        if self.answers and self.definition.why_no_live_answer:
            raise ValueError(self.definition.why_no_live_answer)
        return self


def _check_address(device: DeviceSection[K]) -> None:
    """Refuse a device without the address that its vendor needs."""
    if not device.address and device.definition.address:
        raise ValueError(
            f"a {device.kind} of the vendor {device.vendor} needs its address: {device.definition.address}"
        )


class StrikeDevice(DeviceSection[Literal["strike"]]):
    """What lets go for a moment when it is ordered to: the strike of a street door, the flap of a key safe.

    It has no state. The contact of its door or flap says whether anybody opened it.
    """

    vendor: Annotated[str, VendorOf("strike")]
    """Vendor: whose product it is, or which program brings it to MQTT. `perron` is `perron intercom`, the program
    beside an intercom, or a device that speaks Perron's own words."""
    release: Annotated[float, Field(ge=1, le=30, json_schema_extra={"x-unit": "seconds"})] = 5.0
    """Release: for how long it lets go; for most strikes it is 3 to 7 seconds. A Zigbee relay is ordered to fall back
    after this time, every other device must be set to it. If it is too short, nobody has the time to push the door; if
    it is too long, the gateway waits longer than needed before it asks for a second try."""
    latency: Seconds = 3.0
    """Answer time: the longest time from the order until it lets go."""
    command_hold: Seconds | None = None
    """Command hold: the longest time for which anything may hold a command before it lets go or drops it. Leave it out
    for the value of the vendor: 3600 seconds for `zigbee2mqtt`, 900 seconds for the others."""

    @property
    def command_hold_s(self) -> float:
        """Seconds after which an order that had no effect can no longer act: as declared, else its vendor's."""
        return self.definition.command_hold_s if self.command_hold is None else self.command_hold

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares about the closure that it opens."""
        return {
            "latency": self.latency,
            "guarded": False,
            "command_hold": self.command_hold_s,
            "release": self.release,
        }

    @property
    def device_ref(self) -> DeviceRef:
        """The same, with the seconds for which it lets go."""
        return DeviceRef(address=self.address, keys=self.keys, kind=self.kind, release_s=self.release)

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        _check_address(self)
        return self


class SensingDevice(DeviceSection[K], Generic[K]):
    """What every sensor may have that cannot always be asked."""

    answers: bool = True
    """Answers: it answers when the gateway asks it. A sensor on a battery usually only reports: say `false`."""
    heartbeat: Seconds = 600.0
    """Heartbeat: a sensor that does not answer must report at least this often; after a longer silence its state is
    unknown. If it is too short, the entrance is often not ready; if it is too long, a dead sensor is noticed late."""

    @property
    def can_be_queried(self) -> bool:
        """Whether it answers queries: `home.yaml` says so, and its address does not say otherwise."""
        return self.answers and super().can_be_queried

    @property
    def sensor_heartbeat_s(self) -> float:
        """The longest silence, in seconds, of a sensor that answers no query."""
        return self.heartbeat

    @model_validator(mode="after")
    def _able_to_answer(self) -> Self:
        _check_address(self)
        if self.answers and not super().can_be_queried:
            raise ValueError(
                f"answers must be false: what stands at `{self.address}` only reports by itself, as far as the vendor"
                f" {self.vendor} says"
            )
        return self


class CompartmentDevice(SensingDevice[Literal["compartment"]]):
    """One compartment of a parcel box: its latch springs open on an order, its lid is pushed shut by hand.

    It reports latch and lid, and whether something lies in it if it has a sensor for that.
    """

    vendor: Annotated[str, VendorOf("compartment")]
    """Vendor: `locker` is a board of compartments, `perron` a device that speaks Perron's own words, `esphome` the
    firmware `config/esphome/compartment.yaml`."""
    address: Address = ""
    """Address: only for `locker`: the topic of this compartment. Example: `locker/hall/compartment/1`."""
    latency: Seconds = 3.0
    """Answer time: the longest time that it needs to answer, or to spring open."""
    command_hold: Seconds = COMMAND_HOLD_S
    """Command hold: the longest time for which anything may hold a command before the board obeys it or drops it."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.BOLT, Quantity.CONTACT, Quantity.CONTENT})

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares of the compartment."""
        return {"latency": self.latency, "guarded": False, "command_hold": self.command_hold}


class ContentDevice(SensingDevice[Literal["content"]]):
    """A sensor that says whether something lies in a compartment: a light barrier, a scale, a contact."""

    vendor: Annotated[str, VendorOf("content")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address = ""
    """Address: what the vendor calls the sensor. `perron` and the firmware `config/esphome/presence.yaml` need none.
    Example: `zigbee2mqtt/Box eye`."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.CONTENT})


class KeyDevice(SensingDevice[Literal["key"]]):
    """The hook of a key safe: it says whether the key hangs there."""

    vendor: Annotated[str, VendorOf("key")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address = ""
    """Address: what the vendor calls the sensor. `perron` and the firmware `config/esphome/presence.yaml` need none.
    Example: `zigbee2mqtt/Key hook`."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.KEY})


class KeypadDevice(DeviceSection[Literal["keypad"]]):
    """The keypad of a lock, as far as it stores codes of people: a guest gets a code for the time of a pass.

    The lock itself is a device of its own, also where both are one product.
    """

    vendor: Annotated[str, VendorOf("keypad")]
    """Vendor: whose product it is, or which program brings it to MQTT. A keypad reports back what it stores."""
    address: Address = ""
    """Address: what the vendor calls the lock. `perron` needs none. Example: `zigbee2mqtt/Front door`."""
    slots: tuple[int, int] = (20, 29)
    """Slots: the first and the last place of the keypad's memory that guests' codes may take, at most 50 of them. Keep
    them free of other codes: a slot that is taken is left out. A Nuki lock numbers its codes itself: leave it out."""

    @property
    def first_slot(self) -> int | None:
        """The first slot for guests' codes; None: the keypad numbers its codes itself."""
        facts = self.definition.keypad
        return None if facts is None or facts.chooses_slot else self.slots[0]

    @model_validator(mode="after")
    def _possible_slots(self) -> Self:
        first, last = self.slots
        if not 0 <= first <= last <= 65_534 or last - first >= 50:
            raise ValueError("slots are [first, last] from 0 to 65534, at most 50 of them")
        if self.definition.address:
            _check_address(self)
        return self


class CarDevice(DeviceSection[Literal["car"]]):
    """A car with a modem: it says whether its boot is open, whether it is locked and parked, and where it is."""

    vendor: Annotated[str, VendorOf("car")]
    """Vendor: whose product it is, or which program brings it to MQTT. Only a car that answers a question at once can
    open; `carconnectivity` and `teslamate` ask their car nothing, and serve as `witnesses` of a closure."""
    address: Address = ""
    """Address: the topic of the car; `tesla` needs none. Example: `ovms/marie/zoe` for the user `marie` and the vehicle
    `zoe`."""
    boot_order: bool = False
    """Boot order: only for `ovms`: the script `perron-open` in the module opens the boot and no other door. Most cars
    have no such order, and the script unlocks the whole car."""
    latency: Seconds = 15.0
    """Answer time: the longest time that the car needs to answer, over its mobile network."""
    command_hold: Seconds = COMMAND_HOLD_S
    """Command hold: the longest time for which anything may hold an order before the car obeys it or drops it."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset(
        {Quantity.BOLT, Quantity.CONTACT, Quantity.MOTION, Quantity.PLACE}
    )

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares of its boot."""
        return {
            "latency": self.latency,
            "guarded": self.definition.refuses_late,
            "command_hold": self.command_hold,
            "has_boot_order": self.boot_order or self.definition.opens_boot_alone,
        }

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        _check_address(self)
        return self


class CameraDevice(DeviceSection[Literal["camera"]]):
    """A camera with an H.264 stream over RTSP."""

    vendor: Annotated[str, VendorOf("camera")]
    """Vendor: `rtsp` is any camera without MQTT, `frigate` is a camera that Frigate streams again."""
    url: StreamUrl
    """Stream: address of the stream, without user and password. Where a maker wants them in the path, write `{user}`
    and `{password}`. Example: `rtsp://192.168.1.20:554/stream1`."""
    credentials_file: Path | None = None
    """Credentials file: file with the single line `user:password`, readable by the gateway only (chmod 600)."""
    ca: Path | None = None
    """Certificate authority: PEM file with the authority that signed the camera's certificate. Only with `rtsps://`."""
    fingerprint: Fingerprint | None = None
    """Fingerprint: SHA-256 of the camera's certificate, which `perron doctor` prints. Only with `rtsps://`, and not
    together with `ca`. Without both, the certificate must be one that this machine trusts."""
    clock_region: Region | None = None
    """Clock region: where the camera writes its running clock into the picture, as `[x, y, width, height]` in parts of
    the picture from 0 to 1. The running clock proves that the picture is live. Example: `[0.0, 0.91, 1.0, 0.09]`."""

    @model_validator(mode="after")
    def _consistent_source(self) -> Self:
        if self.definition.address and "address" not in self.model_fields_set:
            raise ValueError(
                f"this camera's address is missing: of vendor {self.vendor} it is {self.definition.address}"
            )
        if not self.definition.has_mqtt and (self.address or self.topics or self.keys):
            raise ValueError(f"a camera of vendor {self.vendor} has no MQTT: leave out address, topics and keys")
        if self.url.startswith("rtsp://") and (self.ca or self.fingerprint):
            raise ValueError(
                "ca and fingerprint are for a url that begins with rtsps://: this one shows no certificate"
            )
        if self.ca and self.fingerprint:
            raise ValueError("give ca or fingerprint, not both: either one says which camera is the right one")
        if self.credentials_file is None and (USER_PLACEHOLDER in self.url or PASSWORD_PLACEHOLDER in self.url):
            raise ValueError("the url has a place for user and password: name the file with them as credentials_file")
        return self


class ScannerDevice(DeviceSection[Literal["scanner"]]):
    """A barcode scanner at the door. `keys` of the vendor `scanner` say where code, event and symbology stand."""

    vendor: Annotated[str, VendorOf("scanner")]
    """Vendor: `scanner` is any scanner that publishes to MQTT, `proglove` is a ProGlove scanner behind its gateway."""
    address: Address = ""
    """Address: only for `proglove`: `<main topic>/gateway/<serial of the gateway>/<serial of the scanner>`."""


class SignalDevice(DeviceSection[Literal["signal"]]):
    """The light and the buzzer at the door, with the answer button inside."""

    vendor: Annotated[str, VendorOf("signal")]
    """Vendor: `signal` is a device with Perron's own topics, `zigbee2mqtt` is a Zigbee siren."""
    address: Address = ""
    """Address: only for `zigbee2mqtt`: the topic of the siren. `topics: {event: ...}` then names the topic of the
    button."""


class SpeakerDevice(DeviceSection[Literal["speaker"]]):
    """A loudspeaker at the door. It says in words what the signal's sounds mean, and needs no microphone."""

    vendor: Annotated[str, VendorOf("speaker")]
    """Vendor: `homeassistant` is a media player on which an automation of the owner's speaks, `esphome` is a board with
    one recording for each sentence (`config/esphome/speaker.yaml`)."""
    address: Address = ""
    """Address: only for `homeassistant`: the media player. Example: `media_player.front_door`."""


class FridgeDevice(DeviceSection[Literal["fridge"]]):
    """A fridge that reports its temperature, or a thermometer in a fridge."""

    vendor: Annotated[str, VendorOf("fridge")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address
    """Address: what the vendor calls the fridge or the thermometer. Example:
    `homeassistant/sensor/fridge_temperature`."""
    compartment: Id = "cooler"
    """Compartment: the part of the fridge whose temperature counts, in the vendor's words."""
    unit: Literal["C", "F"] = "C"
    """Unit: degrees Celsius or Fahrenheit. Only for `homeassistant`; other vendors say it themselves."""
    heartbeat: Seconds | None = None
    """Heartbeat: after this time without a report the temperature is unknown. Left out, it is 3600 seconds for
    `homeassistant` and `zigbee2mqtt`; a `smartthings` fridge is asked instead. If it is too long, an old temperature is
    believed."""

    @property
    def device_ref(self) -> DeviceRef:
        """The same, with the unit for a payload that does not state it."""
        return DeviceRef(address=self.address, keys=self.keys, kind=self.kind, unit=self.unit)

    @property
    def silence_s(self) -> float | None:
        """After so many seconds without a report its temperature is unknown; None if it is queried instead."""
        return self.definition.silence_s if self.heartbeat is None else self.heartbeat

    @model_validator(mode="after")
    def _unit_known_once(self) -> Self:
        if self.unit != "C" and self.definition.sends_unit:
            raise ValueError(f"a {self.vendor} fridge says its unit itself: leave unit out")
        return self


class PresenceDevice(DeviceSection[Literal["presence"]]):
    """A person or a group of the household, as Home Assistant sees them. While anybody is home nothing opens."""

    vendor: Annotated[str, VendorOf("presence")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address
    """Address: the entity, either `<base topic>/<domain>/<object>` (statestream) or `<domain>.<object>` (an
    automation). Example: `homeassistant/person/claire`."""


ArmedMode = Literal["armed_home", "armed_away", "armed_night", "armed_vacation", "armed_custom_bypass"]


class AlarmDevice(DeviceSection[Literal["alarm"]]):
    """The alarm panel of the house. Nothing opens while it is armed or while its mode is unknown."""

    vendor: Annotated[str, VendorOf("alarm")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address
    """Address: the entity, either `<base topic>/<domain>/<object>` (statestream) or `<domain>.<object>` (an
    automation). Example: `homeassistant/alarm_control_panel/house`."""
    bypassed_in: tuple[ArmedMode, ...] = ()
    """Bypassed in: armed modes in which opening the door of the entrance does not set off the alarm. Deliveries are let
    in in these modes too. Example: `[armed_home]`."""

    @property
    def bypassed_states(self) -> frozenset[AlarmPanelState]:
        """The modes, as the panel reports them."""
        return frozenset(AlarmPanelState(mode) for mode in self.bypassed_in)


class ParcelsDevice(DeviceSection[Literal["parcels"]]):
    """Where the household's parcels are, as a parcel integration of its Home Assistant knows. It serves all entrances.

    A parcel that the owner announced opens only while this says that it is out for delivery today.
    """

    vendor: Annotated[str, VendorOf("parcels")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address
    """Address: the entity with the attribute `parcels`, either `<base topic>/sensor/<object>` (statestream) or
    `sensor.<object>` (an automation). Example: `homeassistant/sensor/parcel_aggregator_incoming_parcels`."""
    max_age_h: float = Field(default=12.0, gt=0, le=24, json_schema_extra={"x-unit": "hours"})
    """Maximum age: after this time without news the parcels are unknown. A statestream is silent while nothing changes,
    so a short time refuses parcels that come late in the day; a long time believes a tracking that has stopped."""


class RobotDevice(DeviceSection[Literal["robot"]]):
    """A robot that brings parcels under human supervision. It proves who it is by its operator's key."""

    vendor: Annotated[str, VendorOf("robot")]
    """Vendor: the protocol by which it speaks."""
    address: Address
    """Address: the beginning of its topics: `<interface>/v3/<manufacturer>/<serial number>`. Example:
    `vda5050/v3/KIT/0001`."""
    operator: Id
    """Operator: id of who operates it."""


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
