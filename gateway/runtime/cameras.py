"""Derives the configuration of the video process from the house file."""

from gateway.config.home import Home
from gateway.video.ipc import CameraSource, ConfigureCameras


def video_configuration(home: Home) -> ConfigureCameras:
    """Return every camera of the house, how to reach it, and whether it sees the courier."""
    courier = {section.cameras.outside for section in home.entrances.values()}
    return ConfigureCameras(
        cameras=tuple(
            CameraSource(
                name=name,
                url=device.url,
                login=device.credentials_file,
                ca=device.ca,
                fingerprint=device.fingerprint,
                clock_region=device.clock_region,
                sees_courier=name in courier,
            )
            for name, device in home.devices.items()
            if device.kind == "camera"
        ),
        pre_roll=max((section.timing.pre_roll for section in home.entrances.values()), default=10.0),
        folder=str(home.storage.folder),
    )
