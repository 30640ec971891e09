"""What every device may have in `home.yaml`. A kind of device is one module beside this one."""

from collections.abc import Mapping
from typing import ClassVar, Generic, Self, TypeVar, get_args

from pydantic import Field, model_validator

from devices.vendor_name import VendorOf
from devices.vendors import VENDORS
from devices.vendors.definition import Definition
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.config.devices.form import ANSWERS, HEARTBEAT, FormField
from gateway.config.fields import Address, KeyPath, KeyWord
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.config_section import ConfigSection, Name, Topic
from gateway.system.i18n import Text

K = TypeVar("K", bound=str)

DEFAULT_SENSOR_HEARTBEAT_S = 600.0
SIMULATED_HEARTBEAT_S = 30.0  # of a simulated sensor that answers no query


class DeviceSection(ConfigSection, Generic[K]):
    """What every device may have. A subclass is all that makes a kind: what it measures, its label, its form."""

    label: ClassVar[Text]
    """What people call one that has no name."""
    offered_as: ClassVar[Text | None] = None
    """What it is called where a person chooses among all kinds; None: as its label."""
    form: ClassVar[tuple[FormField, ...]] = ()
    """What the page asks of it, beside its vendor and its address."""

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

    @classmethod
    def word(cls) -> str:
        """Return its word in the house file, the `kind`."""
        return str(get_args(cls.model_fields["kind"].annotation)[0])

    @classmethod
    def vendors(cls) -> tuple[str, ...]:
        """Return the vendors that have this kind."""
        marks = cls.model_fields["vendor"].metadata
        return next((mark.names for mark in marks if isinstance(mark, VendorOf)), ())

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
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one (`devices/simulators/house.py`), beside what every plan has."""
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


def simulated_sensor(*, answers: bool) -> Mapping[str, object]:
    """Return the plan of a sensor that answers queries, or reports by itself every half a minute."""
    return {"answers": answers} | ({} if answers else {"heartbeat_s": SIMULATED_HEARTBEAT_S})


def check_address(device: DeviceSection[K]) -> None:
    """Refuse a device without the address that its vendor needs."""
    if not device.address and device.definition.address:
        raise ValueError(
            f"a {device.kind} of the vendor {device.vendor} needs its address: {device.definition.address}"
        )


class SensingDevice(DeviceSection[K], Generic[K]):
    """What every sensor may have that cannot always be asked."""

    form: ClassVar[tuple[FormField, ...]] = (ANSWERS, HEARTBEAT)

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

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one (`devices/simulators/house.py`), beside what every plan has."""
        return simulated_sensor(answers=self.answers)

    @model_validator(mode="after")
    def _able_to_answer(self) -> Self:
        check_address(self)
        if self.answers and not super().can_be_queried:
            raise ValueError(
                f"answers must be false: what stands at `{self.address}` only reports by itself, as far as the vendor"
                f" {self.vendor} says"
            )
        return self
