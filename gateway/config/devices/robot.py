"""Defines a robot in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.form import FormField
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.system.config_section import Id
from gateway.system.i18n import Text, _


class RobotDevice(DeviceSection[Literal["robot"]]):
    """A robot that brings parcels under human supervision. It proves who it is by its operator's key."""

    label: ClassVar[Text] = _("Robot")
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("operator", _("Id of its operator in the house file"), is_required=True),
    )

    vendor: Annotated[str, VendorOf("robot")]
    """Vendor: the protocol by which it speaks."""
    address: Address
    """Address: the beginning of its topics: `<interface>/v3/<manufacturer>/<serial number>`. Example:
    `vda5050/v3/KIT/0001`."""
    operator: Id
    """Operator: id of who operates it."""
