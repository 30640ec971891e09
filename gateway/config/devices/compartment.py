"""Defines one compartment of a parcel box in `home.yaml`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from devices.vendors.definition import COMMAND_HOLD_S
from gateway.config.devices.form import ANSWERS, HEARTBEAT, LATENCY, FormField
from gateway.config.devices.section import SensingDevice
from gateway.config.fields import Address
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.i18n import Text, _


class CompartmentDevice(SensingDevice[Literal["compartment"]]):
    """One compartment of a parcel box: its latch springs open on an order, its lid is pushed shut by hand.

    It reports latch and lid, and whether something lies in it if it has a sensor for that.
    """

    label: ClassVar[Text] = _("Compartment of a parcel box")
    form: ClassVar[tuple[FormField, ...]] = (ANSWERS, LATENCY, HEARTBEAT)

    vendor: Annotated[str, VendorOf("compartment")]
    """Vendor: `locker` is a board of compartments, `perron` a device that speaks Perron's own words, `esphome` the
    firmware `config/esphome/compartment.yaml`."""
    address: Address = ""
    """Address: only for `locker`: the topic of this compartment. Example: `locker/hall/compartment/1`."""
    latency: Seconds = 3.0
    """Answer time: the longest time that it needs to answer, or to spring open."""
    command_hold: Seconds = COMMAND_HOLD_S
    """Command hold: the longest time for which anything may hold a command before the board obeys it or drops it."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.BOLT, Quantity.CONTACT, Quantity.CONTENT})

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares of the compartment."""
        return {"latency": self.latency, "guarded": False, "command_hold": self.command_hold}

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one."""
        return {"answers": self.answers, "latency_s": min(0.2, self.latency / 2)}
