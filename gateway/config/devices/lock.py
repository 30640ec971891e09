"""Defines the lock of a door in `home.yaml`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from devices.vendor_name import VendorOf
from devices.vendors import VENDORS
from gateway.config.devices.form import LATENCY, FormField, checkbox
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.config_section import ConfigSection, GuardKeyText
from gateway.system.i18n import Text, _

AUTO_LOCK = _("Does it lock by itself some time after it was unlocked?")
AUTO_LOCK_HELP = _("Such a lock locks the door also when the box is dead. The maker's app or manual says it.")


class GuardSection(ConfigSection):
    """The guard that alone may move the lock."""

    key: GuardKeyText
    """Key of the guard: its public Ed25519 key, base64url. `perron guard-key --new` prints it."""


class LockDevice(DeviceSection[Literal["lock"]]):
    """The lock of a door."""

    label: ClassVar[Text] = _("Lock")
    form: ClassVar[tuple[FormField, ...]] = (
        LATENCY,
        FormField(
            "auto_lock", AUTO_LOCK, "choice", help=AUTO_LOCK_HELP, choices=("yes", "no"), is_asked_when_found=True
        ),
        checkbox("guarded", _("Refuses a late or repeated command by itself")),
        checkbox("unlatch", _("Fixed knob outside: the lock pulls the latch too")),
        checkbox("lift_handle", _("The handle has to be lifted before it locks")),
        FormField("guard.key", _("The guard's public key, only with vendor guard")),
    )

    vendor: Annotated[str, VendorOf("lock")]
    """Vendor: whose product it is, or which program brings it to MQTT. `guard` means that `perron guard` alone moves
    the lock."""
    address: Address
    """Address: what the vendor calls the lock. Example: `zigbee2mqtt/Front door`. With the vendor `guard` it is the id
    of this lock."""
    guarded: bool = False
    """Guarded: the lock itself checks the id and the expiry of a command, and refuses a late or repeated one. A lock
    that takes a bare `unlock` must say `false`."""
    auto_lock: bool | None = None
    """Auto-lock: whether the lock locks by itself some time after it was unlocked. Leave it out if you do not know."""
    unlatch: bool = False
    """Unlatch: the knob outside is fixed, so the lock must also pull the latch before anybody can open the door."""
    lift_handle: bool = False
    """Lift the handle: somebody must lift the handle before the bolts can move out."""
    latency: Seconds = 3.0
    """Answer time: the longest time that the lock needs to answer. If it is too short, visits end with a lock that
    counts as silent; if it is too long, a failure is noticed late."""
    command_hold: Seconds | None = None
    """Command hold: the longest time for which bridge, radio or motor may hold a command before the lock obeys it or
    drops it. Leave it out for the value of the vendor: 3600 seconds for `zigbee2mqtt` and `guard`, 900 seconds for the
    others. If it is too short, a late unlock is not recognised."""
    guard: GuardSection | None = None
    """Guard: required with the vendor `guard`, refused with every other."""

    quantities: ClassVar[frozenset[Quantity]] = frozenset({Quantity.BOLT})

    @property
    def closure_facts(self) -> Mapping[str, object]:
        """What it declares of its door."""
        return {
            "latency": self.latency,
            "guarded": self.refuses_late,
            "command_hold": self.command_hold_s,
            "unlatch": self.unlatch,
            "lift_handle": self.lift_handle,
        }

    @property
    def command_hold_s(self) -> float:
        """Seconds after which an unlock that no report answered can no longer act: as declared, else its vendor's."""
        return self.definition.command_hold_s if self.command_hold is None else self.command_hold

    @property
    def refuses_late(self) -> bool:
        """Whether it refuses a late, repeated or forged command; a guard does so in front of any lock."""
        return self.guarded or self.guard is not None

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one."""
        return {"guarded": self.guarded, "latency_s": min(0.3, self.latency / 2)}

    @model_validator(mode="after")
    def _possible_with_its_vendor(self) -> Self:
        if self.definition.is_behind_guard != (self.guard is not None):
            raise ValueError(
                "vendor: guard and `guard: {key: ...}` belong together: `perron guard-key --new` makes the key and"
                " tells the line; the lock's own vendor stands in guard.yaml"
            )
        if self.unlatch and not self.definition.pulls_latch:
            able = sorted(name for name, vendor in VENDORS.items() if vendor.DEFINITION.pulls_latch)
            raise ValueError(
                f"unlatch must be false: no lock of the vendor {self.vendor} is known to pull the latch by an order of"
                f" its own ({', '.join(able)} can). With a fixed knob outside it opens no door"
            )
        if self.guarded and not self.definition.refuses_late:
            raise ValueError(
                f"guarded must be false: a lock of the vendor {self.vendor} gets no id and no time with a command, so"
                " it obeys a late copy of a command too. It is a basic lock"
            )
        return self
