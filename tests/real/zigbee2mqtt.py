"""A real Zigbee2MQTT of its own: a folder, a process, a played radio (radio.js). Ended by its own process id."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

FOLDER = Path(os.environ.get("Z2M", "build/zigbee2mqtt")).absolute()  # `make test-zigbee2mqtt` says where
RADIO = Path(__file__).with_name("radio.js")
IEEE = "0x000d6f00055a1b01"
NAME = "front lock"
START_TIMEOUT_S = 60.0  # seconds

# What its database holds of devices that were interviewed once.
_ENDPOINT = {"profId": 260, "epId": 1, "clusters": {}, "binds": [], "configuredReportings": [], "meta": {}}
_COORDINATOR = {
    "id": 1, "type": "Coordinator", "ieeeAddr": "0x00124b0024c2e4f1", "nwkAddr": 0, "manufId": 0, "epList": [1],
    "endpoints": {"1": {**_ENDPOINT, "devId": 5, "inClusterList": [], "outClusterList": []}},
    "interviewCompleted": True, "interviewState": "SUCCESSFUL", "meta": {},
}  # fmt: skip
_LOCK = {
    "id": 2, "type": "EndDevice", "ieeeAddr": IEEE, "nwkAddr": 4660, "manufId": 4404, "manufName": "Danalock",
    "powerSource": "Battery", "modelId": "V3-BTZB", "epList": [1],
    "endpoints": {"1": {**_ENDPOINT, "devId": 10, "inClusterList": [0, 1, 3, 257], "outClusterList": [25]}},
    "interviewCompleted": True, "interviewState": "SUCCESSFUL", "meta": {},
}  # fmt: skip


class Zigbee2Mqtt:
    """One instance with one lock on the air."""

    def __init__(self, folder: Path, *, port: int, password: str) -> None:
        self._folder, self._port, self._password = folder, port, password
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "database.db").write_text("".join(json.dumps(one) + "\n" for one in (_COORDINATOR, _LOCK)))

    async def begin(self, **options: object) -> None:
        """Start it; `options` are those of the lock in its configuration."""
        configuration = {
            "version": 4,
            "mqtt": {"server": f"mqtt://127.0.0.1:{self._port}", "user": "zigbee2mqtt", "password": self._password},
            "serial": {"adapter": "zstack", "port": "/dev/null"},
            "frontend": {"enabled": False},
            "homeassistant": {"enabled": False},
            "advanced": {"network_key": list(range(1, 17)), "log_output": ["console"], "channel": 11},
            "devices": {IEEE: {"friendly_name": NAME, **options}},
        }
        (self._folder / "configuration.yaml").write_text(json.dumps(configuration))  # JSON is YAML
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "node", "--require", str(RADIO), str(FOLDER / "node_modules" / "zigbee2mqtt" / "index.js"),
                stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log,
                cwd=self._folder,  # in a git repository it would build itself anew
                env={**os.environ, "ZIGBEE2MQTT_DATA": str(self._folder), "Z2M_FOLDER": str(FOLDER),
                     "Z2M_ONBOARD_NO_SERVER": "1"},
            )  # fmt: skip

    async def air(self, what: Mapping[str, object]) -> None:
        """Let something happen on the air."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()

    async def end(self, number: int = signal.SIGTERM) -> None:
        """End it, in good order or (SIGKILL) not."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            await self._process.wait()


@contextlib.asynccontextmanager
async def zigbee2mqtt(folder: Path, *, port: int, password: str) -> AsyncIterator[Zigbee2Mqtt]:
    """One that has not begun yet; ended when left."""
    one = Zigbee2Mqtt(folder, port=port, password=password)
    try:
        yield one
    finally:
        await one.end(signal.SIGKILL)
