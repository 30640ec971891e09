"""Defines a fridge or its thermometer in `home.yaml`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from devices.vendor_name import VendorOf
from devices.vendors.words import DeviceRef
from gateway.config.devices.form import HEARTBEAT, FormField
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.domain.timing import Seconds
from gateway.system.config_section import Id
from gateway.system.i18n import Text, _


class FridgeDevice(DeviceSection[Literal["fridge"]]):
    """A fridge that reports its temperature, or a thermometer in a fridge."""

    label: ClassVar[Text] = _("Fridge")
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("compartment", _("Compartment")),
        FormField("unit", _("Unit"), "choice", choices=("C", "F")),
        HEARTBEAT,
    )

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

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one."""
        return {"temperatures": {self.compartment: 4.0}, "setpoints": {self.compartment: 3.0}}

    @model_validator(mode="after")
    def _unit_known_once(self) -> Self:
        if self.unit != "C" and self.definition.sends_unit:
            raise ValueError(f"a {self.vendor} fridge says its unit itself: leave unit out")
        return self
