"""Defines the opener of a garage door, a gate or a hatch in `home.yaml`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from devices.vendor_name import VendorOf
from devices.vendors.definition import COMMAND_HOLD_S
from gateway.config.devices.form import LATENCY, FormField, checkbox
from gateway.config.devices.section import DeviceSection
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.i18n import Text, _


class CoverDevice(DeviceSection[Literal["cover"]]):
    """The opener of a garage door, or of another thing that a motor moves. It replaces the lock."""

    label: ClassVar[Text] = _("Opener")
    offered_as: ClassVar[Text | None] = _("Opener (garage door, gate, hatch)")
    form: ClassVar[tuple[FormField, ...]] = (
        checkbox("reverses", _("Goes up again by itself when it meets something"), required=True),
        checkbox("beam", _("Tells of its light beam"), on=True),
        LATENCY,
        FormField("warning", _("Warns so many seconds before"), "number"),
        FormField("closing", _("Closes within so many seconds"), "number"),
    )

    vendor: Annotated[str, VendorOf("cover")]
    """Vendor: the firmware of the opener, or which program brings it to MQTT."""
    reverses: bool
    """Reverses: the leaf opens again by itself when it meets an obstacle. It must be `true`; other openers are
    refused."""
    beam: bool = True
    """Light beam: the opener answers whether its light beam is free. If there is no beam, or if the gateway cannot
    query it, the gateway never closes the leaf. It can query only openers of the vendor `esphome`."""
    warning: Seconds = 10.0
    """Warning: how long the signal warns before the leaf closes. If it is too short, nobody has the time to step
    aside."""
    closing: Seconds = 30.0
    """Closing time: the longest time from the command until the sensor reports `closed`. If it is too short, a closing
    counts as failed while the leaf still moves."""
    latency: Seconds = 3.0
    """Answer time: the longest time that the opener needs to answer."""
    command_hold: Seconds = COMMAND_HOLD_S
    """Command hold: the longest time for which anything may hold a command before the opener obeys it or drops it."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.OBSTRUCTION})

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares about the closure that it opens."""
        return {
            "latency": self.latency,
            "guarded": False,
            "command_hold": self.command_hold,
            "obstruction_sensor": self.beam,
            "warning": self.warning,
            "closing": self.closing,
        }

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one."""
        return {"travel_s": min(10.0, self.closing / 2)}

    @model_validator(mode="after")
    def _safe_to_move(self) -> Self:
        if not self.reverses:
            raise ValueError(
                "reverses must be true: a leaf that does not open again by itself at an obstacle must not move"
                " unattended"
            )
        if self.beam and not self.definition.answers_beam:
            raise ValueError(
                f"beam must be false: the gateway cannot query the light beam of an opener of the vendor {self.vendor},"
                " so it never closes the leaf; the courier or the household closes it"
            )
        return self
