"""Defines a car with a modem in `home.yaml`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from devices.vendor_name import VendorOf
from devices.vendors.definition import COMMAND_HOLD_S
from gateway.config.devices.form import LATENCY, FormField, checkbox
from gateway.config.devices.section import DeviceSection, check_address
from gateway.config.fields import Address
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.i18n import Text, _


class CarDevice(DeviceSection[Literal["car"]]):
    """A car with a modem: it says whether its boot is open, whether it is locked and parked, and where it is."""

    label: ClassVar[Text] = _("Car")
    form: ClassVar[tuple[FormField, ...]] = (
        checkbox("boot_order", _("Its module opens the boot and no other door")), LATENCY,
    )  # fmt: skip

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
        check_address(self)
        return self
