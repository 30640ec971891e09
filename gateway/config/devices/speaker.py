"""Defines a loudspeaker at the door in `home.yaml`."""

from typing import Annotated, ClassVar, Literal

from devices.vendor_name import VendorOf
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Address
from gateway.system.i18n import Text, _


class SpeakerDevice(DeviceSection[Literal["speaker"]]):
    """A loudspeaker at the door. It says in words what the signal's sounds mean, and needs no microphone."""

    label: ClassVar[Text] = _("Speaker at the door")

    vendor: Annotated[str, VendorOf("speaker")]
    """Vendor: `homeassistant` is a media player on which an automation of the owner's speaks, `esphome` is a board with
    one recording for each sentence (`config/esphome/speaker.yaml`)."""
    address: Address = ""
    """Address: only for `homeassistant`: the media player. Example: `media_player.front_door`."""
