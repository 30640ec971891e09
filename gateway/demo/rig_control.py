"""The demo's controls of a box: JSON lines over a Unix socket, each answered with `{}`.

It is what the world does to a box: the reading of its wall clock, the free space of its disk, its sudden death at a
named point, the owner's stop that arrives exactly at such a point.
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
    """The wall clock reads so many seconds more than it should."""

    do: Literal["set_clock"] = "set_clock"
    offset: float


class SetFreeSpace(RigCommand):
    """The disk has so many bytes free; None: what is true."""

    do: Literal["set_free"] = "set_free"
    bytes: int | None


class KillAtPoint(RigCommand):
    """The process ends without a word (SIGKILL) when it reaches this point; None: at once."""

    do: Literal["die_at"] = "die_at"
    point: CrashPoint | None


class StopAtPoint(RigCommand):
    """The owner's stop arrives when the process reaches this point."""

    do: Literal["stop_at"] = "stop_at"
    point: CrashPoint


class SetPhoneLanguages(RigCommand):
    """The phones are told in these languages, in the order in which they stand in their file."""

    do: Literal["speak"] = "speak"
    languages: tuple[str, ...]


class GetBoxStatus(RigCommand):
    """Nothing is turned: answered with a `BoxStatus`."""

    do: Literal["look"] = "look"


class BoxStatus(BaseModel):
    """What the box itself thinks of its cameras' pictures and of its clock, at this moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    proofs: dict[str, CameraProof]
    clock: bool


RigChange = SetClock | SetFreeSpace | KillAtPoint | StopAtPoint | SetPhoneLanguages

AnyRigCommand = Annotated[RigChange | GetBoxStatus, Field(discriminator="do")]
RIG_COMMAND_ADAPTER: TypeAdapter[RigChange | GetBoxStatus] = TypeAdapter(AnyRigCommand)


class RigClient:
    """The other end of the socket.

    async with Handles(socket) as handles:
        await handles.turn(KillAtPoint(point="after-commit"))
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
        """Turn a handle; returns when it is turned, or when the process has died of it.

        Raises:
            ConnectionError: not connected, or the handle was not understood.
        """
        answer = await self._send(change)
        if answer and json.loads(answer) != {}:
            raise ConnectionError(f"the gateway did not understand: {answer!r}")

    async def status(self) -> BoxStatus:
        """Return what the box thinks of its cameras and its clock.

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
