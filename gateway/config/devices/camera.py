"""Defines a camera in `home.yaml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from devices.vendor_name import VendorOf
from gateway.config.devices.form import FormField
from gateway.config.devices.section import DeviceSection
from gateway.config.fields import Fingerprint, Region
from gateway.config.stream_url import PASSWORD_PLACEHOLDER, USER_PLACEHOLDER, StreamUrl
from gateway.system.i18n import Text, _


class CameraDevice(DeviceSection[Literal["camera"]]):
    """A camera with an H.264 stream over RTSP."""

    label: ClassVar[Text] = _("Camera")
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("url", _("Address of the stream, rtsp:// or rtsps://, without account"), is_required=True),
        FormField("fingerprint", _("SHA-256 fingerprint of its certificate, with rtsps")),
    )

    vendor: Annotated[str, VendorOf("camera")]
    """Vendor: `rtsp` is any camera without MQTT, `frigate` is a camera that Frigate streams again."""
    url: StreamUrl
    """Stream: address of the stream, without user and password. Where a maker wants them in the path, write `{user}`
    and `{password}`. Example: `rtsp://192.168.1.20:554/stream1`."""
    credentials_file: Path | None = None
    """Credentials file: file with the single line `user:password`, readable by the gateway only (chmod 600)."""
    ca: Path | None = None
    """Certificate authority: PEM file with the authority that signed the camera's certificate. Only with `rtsps://`."""
    fingerprint: Fingerprint | None = None
    """Fingerprint: SHA-256 of the camera's certificate, which `perron doctor` prints. Only with `rtsps://`, and not
    together with `ca`. Without both, the certificate must be one that this machine trusts."""
    clock_region: Region | None = None
    """Clock region: where the camera writes its running clock into the picture, as `[x, y, width, height]` in parts of
    the picture from 0 to 1. The running clock proves that the picture is live. Example: `[0.0, 0.91, 1.0, 0.09]`."""

    @property
    def simulated(self) -> Mapping[str, object]:
        """The plan of a simulated one."""
        return {"burnt_in_clock": self.clock_region is not None}

    @model_validator(mode="after")
    def _consistent_source(self) -> Self:
        if self.definition.address and "address" not in self.model_fields_set:
            raise ValueError(
                f"this camera's address is missing: of vendor {self.vendor} it is {self.definition.address}"
            )
        if not self.definition.has_mqtt and (self.address or self.topics or self.keys):
            raise ValueError(f"a camera of vendor {self.vendor} has no MQTT: leave out address, topics and keys")
        if self.url.startswith("rtsp://") and (self.ca or self.fingerprint):
            raise ValueError(
                "ca and fingerprint are for a url that begins with rtsps://: this one shows no certificate"
            )
        if self.ca and self.fingerprint:
            raise ValueError("give ca or fingerprint, not both: either one says which camera is the right one")
        if self.credentials_file is None and (USER_PLACEHOLDER in self.url or PASSWORD_PLACEHOLDER in self.url):
            raise ValueError("the url has a place for user and password: name the file with them as credentials_file")
        return self
