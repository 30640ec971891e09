"""Defines the hook of a key safe in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.section import SensingDevice
from gateway.config.fields import Address
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.i18n import Text, _


class KeyDevice(SensingDevice[Literal["key"]]):
    """The hook of a key safe: it says whether the key hangs there."""

    label: ClassVar[Text] = _("Key hook")

    vendor: Annotated[str, VendorOf("key")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address = ""
    """Address: what the vendor calls the sensor. `perron` and the firmware `config/esphome/presence.yaml` need none.
    Example: `zigbee2mqtt/Key hook`."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.KEY})
