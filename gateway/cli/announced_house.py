"""The simulated house of `perron simulate --announce`: devices that nobody has added yet announce themselves.

As real ones do: the lock in the list of its Zigbee2MQTT, cameras and devices with Perron's own words by mDNS. A device
connects to the broker once it has an account there.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from devices.simulators.house import CameraPlan, SimulatedHouse
from gateway.config.home import Home
from gateway.installation.discovery import PERRON_SERVICE
from gateway.installation.mdns import Announcement
from gateway.mqtt.mosquitto.provisioning import free_port

BRIDGE = "zigbee2mqtt"  # the base topic of the simulated bridge, where the house's broker expects one
CAMERA_SERVICE = "_rtsp._tcp.local."
_LOOPBACK = "127.0.0.1"
MQTT_PORT = 1883  # what a device announces as its own port says nothing: it connects to the broker


def new_house(home: Home) -> dict[str, object]:
    """Return the plan of a front door: a lock, a wired contact, two cameras, door light and scanner.

    The lock is behind Zigbee2MQTT if `broker.bridges` names it, else it connects by itself.
    """
    passwords = home.broker.password_file
    accounts = {} if passwords is None else {"passwords": str(passwords.parent)}
    behind_bridge = BRIDGE in home.broker.bridges
    lock: dict[str, object] = {"kind": "lock", "vendor": "somfy", "address": "lock-1", "guarded": False}
    return {
        "timezone": home.timezone,
        "broker": {"host": home.broker.host, "port": home.broker.port, **accounts},
        "rtsp": {"host": _LOOPBACK, "port": free_port()},
        "devices": {
            **({} if behind_bridge else {"front-lock": lock}),
            "front-door": {"kind": "door", "vendor": "esphome"},
            "doorbell": {"kind": "camera", "vendor": "alexa", "address": "bell-1", "sees": "outside", "bell": True},
            "hall-camera": {"kind": "camera", "vendor": "alexa", "address": "hall-1", "sees": "inside"},
            "front-signal": {"kind": "signal", "vendor": "signal"},
            "front-scanner": {"kind": "scanner", "vendor": "scanner"},
        },
        **({"zigbee": {"base": BRIDGE, "lock": "front lock", "contact": None}} if behind_bridge else {}),
    }


def write_plan(home: Home) -> Path:
    """Write the plan where `python -m devices.simulators --house` can read it."""
    file = home.storage.folder / "new-house.json"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(json.dumps(new_house(home), indent=2) + "\n", encoding="utf-8")
    return file


def announcements(plan: SimulatedHouse) -> Iterator[Announcement]:
    """Yield what the plan's devices announce by mDNS: what a camera's and an ESPHome node's own software would."""
    for id_, device in plan.devices.items():
        if isinstance(device, CameraPlan):
            yield Announcement(CAMERA_SERVICE, id_, plan.rtsp.port, {"path": f"/{id_}"})
            continue
        said = {"kind": device.kind, "vendor": device.vendor, "address": device.address}
        if device.kind == "lock":
            said["latency"] = "8"
        yield Announcement(PERRON_SERVICE, id_, MQTT_PORT, {key: value for key, value in said.items() if value})
