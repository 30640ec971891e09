"""Defines and reads `guard.yaml`: a guard's configuration of its lock, its two brokers and its gateway."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.vendors import VENDORS
from devices.vendors.words import BRIDGE_CHANNELS, DEVICE_CHANNELS, DeviceRef, TopicSuffix
from gateway.config.fields import Address, DeviceId, KeyPath, KeyWord
from gateway.domain.timing import Seconds
from gateway.integrations.lock_guard.messages import Timing
from gateway.protocol.ed25519 import PublicKey
from gateway.system.config_reading import Problem, read_process_file
from gateway.system.config_section import BoxKeyText, ConfigSection, Id, Topic
from gateway.system.mqtt_settings import BrokerSection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAMPLE_COMMANDS: tuple[Command, ...] = (
    UnlockDoor(id="u", intent="u", issued_at=_EPOCH, expires_at=_EPOCH),
    LockDoor(id="l", intent="l", issued_at=_EPOCH, expires_at=_EPOCH),
    QueryState(),
)


def _known_vendor(name: str) -> str:
    known = sorted(vendor_name for vendor_name, vendor in VENDORS.items() if not vendor.DEFINITION.is_behind_guard)
    if name not in known:
        raise ValueError(f"the vendor {name!r} is unknown; known are {', '.join(known)}")
    return name


def _valid_public_key(x: str) -> str:
    PublicKey.from_jwk(x)
    return x


ValidPublicKey = Annotated[BoxKeyText, AfterValidator(_valid_public_key)]


class RadioDevice(ConfigSection):
    """A device behind the radio. Its topics are its product's; without such topics it speaks on `perron/<id>/...`."""

    kind: ClassVar[str]
    vendor: Annotated[str, AfterValidator(_known_vendor)]
    """Vendor: whose product it is, as in `home.yaml`. Example: `zigbee2mqtt`."""
    id: Id
    """Id: name of the device in the topics `perron/<id>/...`, for a product without topics of its own."""
    address: Address = ""
    """Address: what the vendor calls the device, as in `home.yaml`. Example: `zigbee2mqtt/Front door`."""
    topics: dict[TopicSuffix, Topic] = Field(default={})
    """Topics: single topics that differ from the product's own, by channel. Example: `{state: attic/door}`."""
    keys: dict[KeyWord, KeyPath] = Field(default={})
    """Keys: settings of the vendor for this device, as in `home.yaml`. Example: `{node: '5'}`."""

    @property
    def device_ref(self) -> DeviceRef:
        """Return the device reference for its vendor module."""
        return DeviceRef(address=self.address, keys=self.keys, kind=self.kind)

    @property
    def _product_topics(self) -> Mapping[TopicSuffix, str]:
        return {**VENDORS[self.vendor].DEFINITION.topics(self.device_ref), **self.topics}

    @property
    def device(self) -> str:
        """Return the address without the part after `#`."""
        return self.address.partition("#")[0]

    def topic(self, channel: TopicSuffix) -> str:
        """Return the topic of a suffix on the radio's broker."""
        return self._product_topics.get(channel, f"perron/{self.id}/{channel}")

    @property
    def report_topics(self) -> Mapping[TopicSuffix, str]:
        """Return every topic on which the device publishes."""
        product = VENDORS[self.vendor].DEFINITION.topics(self.device_ref)
        ours = {} if product else {channel: f"perron/{self.id}/{channel}" for channel in DEVICE_CHANNELS}
        topics, channels = {**ours, **self._product_topics}, {*DEVICE_CHANNELS, *BRIDGE_CHANNELS}
        return {channel: topic for channel, topic in topics.items() if channel in channels}

    def supports(self, command: Command) -> bool:
        """Return whether this vendor's devices support the command."""
        try:
            VENDORS[self.vendor].encode_command(command, self.device_ref)
        except ValueError:
            return False
        return True


class RadioLock(RadioDevice):
    """The lock."""

    kind = "lock"
    id: Id = "lock"
    """Id: name of the lock in the topics `perron/<id>/...`, for a product without topics of its own."""


class RadioDoor(RadioDevice):
    """The door sensor."""

    kind = "door"
    id: Id = "door"
    """Id: name of the door sensor in the topics `perron/<id>/...`, for a product without topics of its own."""


class RadioSection(ConfigSection):
    """The radio's own broker on this machine, and the devices behind it."""

    broker: BrokerSection = BrokerSection(username="guard", port=1884)
    """Broker of the radio: it must listen on 127.0.0.1 only. `perron broker-config --radio` writes its
    configuration."""
    lock: RadioLock
    """Lock: the lock that the guard moves."""
    door: RadioDoor | None = None
    """Door sensor: an independent sensor that says whether the door is closed. Without it the guard never locks by
    itself."""

    @model_validator(mode="after")
    def _alone(self) -> Self:
        if not self.broker.is_loopback:
            raise ValueError(
                f"the radio's broker stands on {self.broker.host}, but only this machine may reach it: it must listen"
                " on 127.0.0.1 alone, beside the guard. `perron broker-config --radio` writes such a one"
            )
        return self


class GuardFile(ConfigSection):
    """The configuration of `perron guard`, the process that alone may move one lock."""

    lock: DeviceId
    """Lock: id of the lock in the gateway's `home.yaml`. It is also the guard's account at the broker of the house."""
    gateway: ValidPublicKey
    """Command key of the gateway: its public Ed25519 key, base64url. `perron guard-key` on the gateway prints it."""
    key: Path = Path("guard.key.pem")
    """Key of the guard: PEM file with its private key. `perron guard-key --new` makes it."""
    folder: Path = Path("ledger")
    """Folder: where the guard keeps its ledger of counters and obeyed commands. It must survive a restart."""
    house: BrokerSection
    """Broker of the house: the broker that the gateway uses."""
    radio: RadioSection
    """Radio: the second broker, and the lock and door sensor behind it."""
    silent: Annotated[float, Field(ge=1, le=3600, json_schema_extra={"x-unit": "seconds"})] = 120.0
    """Silence of the gateway: after this time without a message from the gateway the guard locks what it unlocked. If
    it is too short, a restart of the gateway locks the door behind the courier; if it is too long, the door stays
    unlocked longer after a failure."""
    latency: Seconds = 3.0
    """Movement of the bolt: the longest time that the bolt needs from the command to its end position."""
    timing: Timing = Timing()
    """Waiting times: those of the guard itself."""


def load_guard_file(path: Path) -> GuardFile:
    """Read the file, whose relative paths begin at its own folder, or raise ConfigError with one line a problem."""
    file = read_process_file(path, GuardFile, name="guard", problems=_problems)
    return file.model_copy(update={"folder": file.folder.resolve()})


def _problems(file: GuardFile) -> Iterator[Problem]:
    lock, door = file.radio.lock, file.radio.door
    if not all(lock.supports(command) for command in _SAMPLE_COMMANDS):
        yield ("radio", "lock", "vendor"), f"a {lock.vendor} device is not a lock that accepts commands and queries."
    if door is not None and not door.supports(QueryState()):
        yield ("radio", "door", "vendor"), f"a {door.vendor} device cannot be asked whether the door is closed."
    if door is not None and (
        lock.topic(TopicSuffix.STATE) == door.topic(TopicSuffix.STATE)
        or (lock.device and (lock.vendor, lock.device) == (door.vendor, door.device))
    ):
        why = "the door sensor is the lock's own, and a lock that is wrong about its bolt may be wrong about that too:"
        yield ("radio", "door"), f"{why} name an independent one, or leave it out."
    if file.house.port == file.radio.broker.port and file.house.host == file.radio.broker.host:
        yield ("radio", "broker"), "house and radio name the same broker: the radio needs one of its own."
    if problem := file.house.plain_text_problem:
        yield ("house", "host"), problem
    if file.house.username != file.lock:
        yield ("house", "username"), f"on the house's broker the guard is its lock: `username: {file.lock}`."
