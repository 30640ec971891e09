"""The demo's controls of a box: JSON lines over a Unix socket, each answered with `{}`.

The commands change what a real box gets from outside: its wall clock, the free space of its disk, a crash at a named
point, an owner's stop that arrives at such a point.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gateway.video.ipc import CameraProof

CrashPoint = Literal[
    "before-commit",
    "before-mark",
    "after-mark",
    "after-commit",
    "before-publish",
    "after-publish",
    "after-acknowledgement",
    "after-report",
    "before-receipt",
    "order-kept",
]


class RigCommand(BaseModel):
    """One request; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SetClock(RigCommand):
    """Shift the wall clock by `offset` seconds."""

    do: Literal["set_clock"] = "set_clock"
    offset: float


class SetFreeSpace(RigCommand):
    """Set the free space of the disk in bytes; None: the real one."""

    do: Literal["set_free"] = "set_free"
    bytes: int | None


class KillAtPoint(RigCommand):
    """Kill the process (SIGKILL) when it reaches this point; None: at once."""

    do: Literal["die_at"] = "die_at"
    point: CrashPoint | None


class StopAtPoint(RigCommand):
    """Deliver an owner's stop when the process reaches this point."""

    do: Literal["stop_at"] = "stop_at"
    point: CrashPoint


class SetPhoneLanguages(RigCommand):
    """Set the languages of the phones, in the order of their file."""

    do: Literal["speak"] = "speak"
    languages: tuple[str, ...]


class GetBoxStatus(RigCommand):
    """Ask for a `BoxStatus`; change nothing."""

    do: Literal["look"] = "look"


class BoxStatus(BaseModel):
    """The box's present proofs of live pictures, by camera, and whether it trusts its clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    proofs: dict[str, CameraProof]
    clock: bool


RigChange = SetClock | SetFreeSpace | KillAtPoint | StopAtPoint | SetPhoneLanguages

AnyRigCommand = Annotated[RigChange | GetBoxStatus, Field(discriminator="do")]
RIG_COMMAND_ADAPTER: TypeAdapter[RigChange | GetBoxStatus] = TypeAdapter(AnyRigCommand)


class RigClient:
    """Sends commands to the rigged gateway's socket.

    async with RigClient(socket) as rig:
        await rig.apply(KillAtPoint(point="after-commit"))
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        self._streams = await asyncio.open_unix_connection(self._socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(OSError):  # the process may have died of it
                await self._streams[1].wait_closed()

    async def apply(self, change: RigChange) -> None:
        """Apply a change; returns when it is applied, or when the process has died of it.

        Raises:
            ConnectionError: not connected, or the gateway rejected the change.
        """
        answer = await self._send(change)
        if answer and json.loads(answer) != {}:
            raise ConnectionError(f"the gateway did not understand: {answer!r}")

    async def status(self) -> BoxStatus:
        """Return the box's view of its cameras and its clock.

        Raises:
            ConnectionError: not connected, or the gateway has died.
        """
        answer = await self._send(GetBoxStatus())
        if not answer:
            raise ConnectionError("the gateway has gone")
        return BoxStatus.model_validate_json(answer)

    async def _send(self, command: RigChange | GetBoxStatus) -> bytes:
        if self._streams is None:
            raise ConnectionError("not connected to the gateway")
        reader, writer = self._streams
        writer.write(command.model_dump_json().encode() + b"\n")
        await writer.drain()
        return await reader.readline()
