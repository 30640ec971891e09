"""Defines a sensor in a compartment in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.section import SensingDevice
from gateway.config.fields import Address
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.i18n import Text, _


class ContentDevice(SensingDevice[Literal["content"]]):
    """A sensor that says whether something lies in a compartment: a light barrier, a scale, a contact."""

    label: ClassVar[Text] = _("Sensor in a compartment")

    vendor: Annotated[str, VendorOf("content")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address = ""
    """Address: what the vendor calls the sensor. `perron` and the firmware `config/esphome/presence.yaml` need none.
    Example: `zigbee2mqtt/Box eye`."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.CONTENT})
