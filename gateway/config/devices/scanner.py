"""Defines a barcode scanner in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.form import FormField
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.system.i18n import Text, _


class ScannerDevice(DeviceSection[Literal["scanner"]]):
    """A barcode scanner at the door. `keys` of the vendor `scanner` say where code, event and symbology stand."""

    label: ClassVar[Text] = _("Scanner")
    form: ClassVar[tuple[FormField, ...]] = (FormField("keys.code", _("Where the code stands in its JSON")),)

    vendor: Annotated[str, VendorOf("scanner")]
    """Vendor: `scanner` is any scanner that publishes to MQTT, `proglove` is a ProGlove scanner behind its gateway."""
    address: Address = ""
    """Address: only for `proglove`: `<main topic>/gateway/<serial of the gateway>/<serial of the scanner>`."""
