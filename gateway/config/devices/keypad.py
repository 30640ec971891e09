"""Defines the keypad of a lock in `home.yaml`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from devices.vendor_name import VendorOf
from gateway.config.devices.section import DeviceSection, check_address
from gateway.config.fields import Address
from gateway.system.i18n import Text, _


class KeypadDevice(DeviceSection[Literal["keypad"]]):
    """The keypad of a lock, as far as it stores codes of people: a guest gets a code for the time of a pass.

    The lock itself is a device of its own, also where both are one product.
    """

    label: ClassVar[Text] = _("Keypad")

    vendor: Annotated[str, VendorOf("keypad")]
    """Vendor: whose product it is, or which program brings it to MQTT. A keypad reports back what it stores."""
    address: Address = ""
    """Address: what the vendor calls the lock. `perron` needs none. Example: `zigbee2mqtt/Front door`."""
    slots: tuple[int, int] = (20, 29)
    """Slots: the first and the last place of the keypad's memory that guests' codes may take, at most 50 of them. Keep
    them free of other codes: a slot that is taken is left out. A Nuki lock numbers its codes itself: leave it out."""

    @property
    def first_slot(self) -> int | None:
        """The first slot for guests' codes; None: the keypad numbers its codes itself."""
        facts = self.definition.keypad
        return None if facts is None or facts.chooses_slot else self.slots[0]

    @model_validator(mode="after")
    def _possible_slots(self) -> Self:
        first, last = self.slots
        if not 0 <= first <= last <= 65_534 or last - first >= 50:
            raise ValueError("slots are [first, last] from 0 to 65534, at most 50 of them")
        if self.definition.address:
            check_address(self)
        return self
