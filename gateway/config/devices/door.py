"""Defines a door sensor in `home.yaml`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from devices.vendor_name import VendorOf
from gateway.config.devices.form import ANSWERS, HEARTBEAT, FormField
from gateway.config.devices.section import DeviceSection, simulated_sensor
from gateway.config.fields import Address
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.i18n import Text, _


class DoorDevice(DeviceSection[Literal["door"]]):
    """A door sensor. It must not depend on the lock."""

    label: ClassVar[Text] = _("Door sensor")
    form: ClassVar[tuple[FormField, ...]] = (ANSWERS, HEARTBEAT)

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

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one."""
        return simulated_sensor(answers=self.answers)

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if not self.address and self.definition.address:
            raise ValueError(f"a door sensor of the vendor {self.vendor} needs its address")
        if self.answers and self.definition.why_no_live_answer:
            raise ValueError(self.definition.why_no_live_answer)
        return self
