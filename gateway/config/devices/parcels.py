"""Defines the tracking of the household's parcels in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from devices.vendor_name import VendorOf
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.system.i18n import Text, _


class ParcelsDevice(DeviceSection[Literal["parcels"]]):
    """Where the household's parcels are, as a parcel integration of its Home Assistant knows. It serves all entrances.

    A parcel that the owner announced opens only while this says that it is out for delivery today.
    """

    label: ClassVar[Text] = _("Parcel tracking")

    vendor: Annotated[str, VendorOf("parcels")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address
    """Address: the entity with the attribute `parcels`, either `<base topic>/sensor/<object>` (statestream) or
    `sensor.<object>` (an automation). Example: `homeassistant/sensor/parcel_aggregator_incoming_parcels`."""
    max_age_h: float = Field(default=12.0, gt=0, le=24, json_schema_extra={"x-unit": "hours"})
    """Maximum age: after this time without news the parcels are unknown. A statestream is silent while nothing changes,
    so a short time refuses parcels that come late in the day; a long time believes a tracking that has stopped."""
