"""Defines light and buzzer at the door in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.form import FormField
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.system.i18n import Text, _


class SignalDevice(DeviceSection[Literal["signal"]]):
    """The light and the buzzer at the door, with the answer button inside."""

    label: ClassVar[Text] = _("Door light and buzzer")
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("topics.event", _("The button's topic, if it is another device")),
    )

    vendor: Annotated[str, VendorOf("signal")]
    """Vendor: `signal` is a device with Perron's own topics, `zigbee2mqtt` is a Zigbee siren."""
    address: Address = ""
    """Address: only for `zigbee2mqtt`: the topic of the siren. `topics: {event: ...}` then names the topic of the
    button."""
