"""Defines the alarm panel in `home.yaml`."""

from typing import Annotated, ClassVar, Literal, get_args

from devices.reports import AlarmPanelState
from devices.vendor_name import VendorOf
from gateway.config.devices.form import FormField
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.system.i18n import Text, _

ArmedMode = Literal["armed_home", "armed_away", "armed_night", "armed_vacation", "armed_custom_bypass"]


class AlarmDevice(DeviceSection[Literal["alarm"]]):
    """The alarm panel of the house. Nothing opens while it is armed or while its mode is unknown."""

    label: ClassVar[Text] = _("Alarm panel")
    form: ClassVar[tuple[FormField, ...]] = (
        FormField(
            "bypassed_in",
            _("Modes in which opening this door sets off nothing"),
            "choices",
            choices=get_args(ArmedMode),
        ),
    )

    vendor: Annotated[str, VendorOf("alarm")]
    """Vendor: whose product it is, or which program brings it to MQTT."""
    address: Address
    """Address: the entity, either `<base topic>/<domain>/<object>` (statestream) or `<domain>.<object>` (an
    automation). Example: `homeassistant/alarm_control_panel/house`."""
    bypassed_in: tuple[ArmedMode, ...] = ()
    """Bypassed in: armed modes in which opening the door of the entrance does not set off the alarm. Deliveries are let
    in in these modes too. Example: `[armed_home]`."""

    @property
    def bypassed_states(self) -> frozenset[AlarmPanelState]:
        """The modes, as the panel reports them."""
        return frozenset(AlarmPanelState(mode) for mode in self.bypassed_in)
