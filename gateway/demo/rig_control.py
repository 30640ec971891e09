"""The demo's controls of a box: JSON lines over a Unix socket, each answered with `{}`.

The commands change what a real box gets from outside: its wall clock, the free space of its disk, a crash at a named
point, an owner's stop that arrives at such a point, what the owner does on the page of guests.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gateway.video.ipc import CameraProof, IpcMessage

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
    "before-move",
    "after-move",
]


class SetClock(IpcMessage):
    """Shift the wall clock by `offset` seconds."""

    do: Literal["set_clock"] = "set_clock"
    offset: float


class SetFreeSpace(IpcMessage):
    """Set the free space of the disk in bytes; None: the real one."""

    do: Literal["set_free"] = "set_free"
    bytes: int | None


class KillAtPoint(IpcMessage):
    """Kill the process (SIGKILL) when it reaches this point; None: at once."""

    do: Literal["die_at"] = "die_at"
    point: CrashPoint | None


class StopAtPoint(IpcMessage):
    """Deliver an owner's stop when the process reaches this point."""

    do: Literal["stop_at"] = "stop_at"
    point: CrashPoint


class SetPhoneLanguages(IpcMessage):
    """Set the languages of the phones, in the order of their file."""

    do: Literal["speak"] = "speak"
    languages: tuple[str, ...]


class PlanStay(IpcMessage):
    """Plan a stay at every entrance, from now on for so many seconds."""

    do: Literal["plan_stay"] = "plan_stay"
    seconds: float


class RevokePass(IpcMessage):
    """Withdraw a guest's pass."""

    do: Literal["revoke_pass"] = "revoke_pass"
    held: str


class GrantPass(IpcMessage):
    """Grant a guest's pass for the entrance of the scene, from now on for so many seconds: a `GrantedPass`."""

    do: Literal["grant_pass"] = "grant_pass"
    guest: str
    seconds: float


class GrantedPass(IpcMessage):
    """A pass: its id, what its QR contains, and its code at each keypad."""

    id: str
    code: str
    pins: tuple[str, ...]


class GetBoxStatus(IpcMessage):
    """Ask for a `BoxStatus`; change nothing."""

    do: Literal["look"] = "look"


class BoxStatus(IpcMessage):
    """The box's present proofs of live pictures, by camera, and whether it trusts its clock."""

    proofs: dict[str, CameraProof]
    clock: bool


RigChange = SetClock | SetFreeSpace | KillAtPoint | StopAtPoint | SetPhoneLanguages | PlanStay | RevokePass
RigQuestion = GetBoxStatus | GrantPass

RIG_COMMAND_ADAPTER: TypeAdapter[RigChange | RigQuestion] = TypeAdapter(
    Annotated[RigChange | RigQuestion, Field(discriminator="do")]
)


async def change_box(socket: Path, change: RigChange) -> None:
    """Apply a change to the rigged gateway at this socket; returns when it is applied, or the process has died of it.

    Raises:
        OSError: nothing listens there.
        ConnectionError: the gateway rejected the change.
    """
    answer = await _send(socket, change)
    if answer and json.loads(answer) != {}:
        raise ConnectionError(f"the gateway did not understand: {answer!r}")


async def read_box_status(socket: Path) -> BoxStatus:
    """Return the box's view of its cameras and its clock; OSError: nothing listens there, or the gateway has died."""
    answer = await _send(socket, GetBoxStatus())
    if not answer:
        raise ConnectionError("the gateway has gone")
    return BoxStatus.model_validate_json(answer)


async def grant_pass(socket: Path, wish: GrantPass) -> GrantedPass:
    """Return the pass that the box granted; OSError: nothing listens there, or the gateway has died."""
    answer = await _send(socket, wish)
    if not answer:
        raise ConnectionError("the gateway has gone")
    return GrantedPass.model_validate_json(answer)


async def _send(socket: Path, command: RigChange | RigQuestion) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket)
    with contextlib.closing(writer):
        writer.write(command.model_dump_json().encode() + b"\n")
        await writer.drain()
        return await reader.readline()
