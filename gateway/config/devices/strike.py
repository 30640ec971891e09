"""Defines what lets go for a moment in `home.yaml`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from devices.vendor_name import VendorOf
from devices.vendors.words import DeviceRef
from gateway.config.devices.form import LATENCY, FormField
from gateway.config.devices.section import DeviceSection, check_address
from gateway.domain.timing import Seconds
from gateway.system.i18n import Text, _


class StrikeDevice(DeviceSection[Literal["strike"]]):
    """What lets go for a moment when it is ordered to: the strike of a street door, the flap of a key safe.

    It has no state. The contact of its door or flap says whether anybody opened it.
    """

    label: ClassVar[Text] = _("Door release")
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("release", _("Lets go for so many seconds"), "number"), LATENCY,
    )  # fmt: skip

    vendor: Annotated[str, VendorOf("strike")]
    """Vendor: whose product it is, or which program brings it to MQTT. `perron` is `perron intercom`, the program
    beside an intercom, or a device that speaks Perron's own words."""
    release: Annotated[float, Field(ge=1, le=30, json_schema_extra={"x-unit": "seconds"})] = 5.0
    """Release: for how long it lets go; for most strikes it is 3 to 7 seconds. A Zigbee relay is ordered to fall back
    after this time, every other device must be set to it. If it is too short, nobody has the time to push the door; if
    it is too long, the gateway waits longer than needed before it asks for a second try."""
    latency: Seconds = 3.0
    """Answer time: the longest time from the order until it lets go."""
    command_hold: Seconds | None = None
    """Command hold: the longest time for which anything may hold a command before it lets go or drops it. Leave it out
    for the value of the vendor: 3600 seconds for `zigbee2mqtt`, 900 seconds for the others."""

    @property
    def command_hold_s(self) -> float:
        """Seconds after which an order that had no effect can no longer act: as declared, else its vendor's."""
        return self.definition.command_hold_s if self.command_hold is None else self.command_hold

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares about the closure that it opens."""
        return {
            "latency": self.latency,
            "guarded": False,
            "command_hold": self.command_hold_s,
            "release": self.release,
        }

    @property
    def device_ref(self) -> DeviceRef:
        """The same, with the seconds for which it lets go."""
        return DeviceRef(address=self.address, keys=self.keys, kind=self.kind, release_s=self.release)

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one."""
        return {"release_s": self.release, "latency_s": min(0.2, self.latency / 2)}

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        check_address(self)
        return self
