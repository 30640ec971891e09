"""Which accounts a house needs."""

from pathlib import Path

from gateway.accesslist import accounts, bridges
from gateway.homefile import load
from tests.gateway.cli.terminal import TEXT


def test_a_camera_without_mqtt_has_no_account_and_those_behind_one_frigate_share_its_own(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    doorbell, hall = "alexa\n    address: doorbell-1", "alexa\n    address: hall-camera-1"
    file.write_text(TEXT.replace(doorbell, "rtsp").replace(hall, "frigate"), encoding="utf-8")

    home = load(file)

    assert bridges(home) == {"frigate": "frigate"}
    assert {"doorbell", "hall-camera"}.isdisjoint(accounts(home))
    assert "frigate" in accounts(home)
