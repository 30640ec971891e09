"""Defines who of the household is home in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.system.i18n import Text, _


class PresenceDevice(DeviceSection[Literal["presence"]]):
    """A person or a group of the household, as Home Assistant sees them. While anybody is home nothing opens."""

    label: ClassVar[Text] = _("Presence sensor")

    vendor: Annotated[str, VendorOf("presence")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address
    """Address: the entity, either `<base topic>/<domain>/<object>` (statestream) or `<domain>.<object>` (an
    automation). Example: `homeassistant/person/claire`."""
