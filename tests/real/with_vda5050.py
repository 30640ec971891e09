"""A robot on vda-5050-lib (npm), a client that nobody here wrote, is let in and out over a real broker.

Run by `make test-vda5050`, which installs the library; not part of `make test`. The library knows version 2 of VDA
5050: it writes `version` 2.0.0 into its headers, has no type for `zoneRequests`, no topic `responses`, and names a lost
connection `CONNECTIONBROKEN`.
"""

import asyncio
import contextlib
import json
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from devices.reports import DoorState
from gateway.domain.visit.state import Phase
from tests.gateway.runtime.hostile_robot import (
    ADDRESSES,
    OPERATOR_KEY,
    Claims,
    Doorway,
    browser,
    claims_of,
    doorway,
    state_of,
)
from tests.gateway.runtime.test_robot_door import falls_shut, moves, says_yes
from tests.waiting import wait_until

LIBRARY = Path(os.environ.get("VDA5050", "build/vda5050")).absolute()
SCRIPT = Path(__file__).with_name("vda5050_robot.mjs")
HEADER = {"headerId", "timestamp", "version", "manufacturer", "serialNumber"}


class LibraryRobot:
    """The process of the robot."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.heard: list[Claims] = []

    async def listen(self) -> None:
        """Keep what it received."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.heard.append(json.loads(line))

    def bodies(self, topic: str) -> list[Claims]:
        """Return what it received on one topic."""
        return [one["body"] for one in self.heard if one["topic"] == topic]

    @property
    def grants(self) -> list[str]:
        """Return the different answers to its requests, in order."""
        said = [one["grantType"] for body in self.bodies("responses") for one in body["responses"]]
        return [grant for number, grant in enumerate(said) if grant not in said[max(0, number - 1) : number]]

    def orders(self, order: Claims) -> None:
        """Let it say something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def reports(self, *requests: tuple[str, str], loads: tuple[str, ...] | None = None) -> None:
        """Let it publish a state; the library writes the header."""
        more: dict[str, Any] = {} if loads is None else {"loads": loads}
        state = state_of(ADDRESSES["r1"], *requests, **more)
        self.orders({"state": {name: value for name, value in state.items() if name not in HEADER}})


@contextlib.asynccontextmanager
async def library_robot(there: Doorway) -> AsyncIterator[LibraryRobot]:
    account = there.made.home.broker.account(ADDRESSES["r1"].replace("/", "-").lower())
    manufacturer, serial = ADDRESSES["r1"].split("/")[-2:]
    key = OPERATOR_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    settings = {
        "broker": f"mqtt://{account.host}:{account.port}", "username": account.username,
        "password": account.password(), "manufacturer": manufacturer, "serialNumber": serial, "kid": "trundle-1",
        "key": b64encode(key).decode(),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "VDA5050": str(LIBRARY), "ROBOT": json.dumps(settings)},
    )  # fmt: skip
    robot = LibraryRobot(process)
    listening = asyncio.create_task(robot.listen())
    try:
        await wait_until(lambda: bool(robot.heard), 30)
        yield robot
    finally:
        process.kill()
        await process.wait()
        await listening


async def test_a_robot_on_a_client_that_nobody_here_wrote_comes_in_and_out(tmp_path: Path) -> None:
    async with doorway(tmp_path) as there, library_robot(there) as robot, browser(there) as ines:
        robot.reports(("q1", "REQUESTED"))
        await wait_until(lambda: bool(robot.bodies("perronChallenge")))
        (challenge,) = robot.bodies("perronChallenge")
        robot.orders({"claims": claims_of(ADDRESSES["r1"], challenge, there.made.time.wall())})
        await wait_until(lambda: there.visit is not None)
        await there.rings_out()
        assert there.visit is not None
        await says_yes(there, ines, there.visit)
        await wait_until(lambda: robot.grants[-1:] == ["GRANTED"])
        robot.reports(("q1", "GRANTED"), loads=())
        moves(there, DoorState.OPEN)
        await wait_until(lambda: there.phase is Phase.INSIDE)
        await falls_shut(there)
        assert there.locks == 0, "it is inside"
        robot.reports(loads=())
        await wait_until(lambda: there.made.front.state.visit is None or there.made.front.state.visit.courier_left)
        await falls_shut(there)
        assert there.locks >= 1
        assert robot.grants == ["QUEUED", "GRANTED"]
