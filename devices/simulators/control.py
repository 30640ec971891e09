"""Defines the requests that control the simulated house: JSON lines over a Unix socket, answered in order.

    request  {"do": "scan", "scanner": "front-scanner", "code": "8L20524752032"}
    answer   {"ok": true, ...}  or  {"ok": false, "why": "one clear line"}

Where the house has only one device of a kind, its name may be left out.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MAX_LINE_BYTES = 64 * 1024  # bytes

Who = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class Action(BaseModel):
    """One request; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Arrive(Action):
    """Somebody comes to the door. Whoever does something outside has arrived."""

    do: Literal["arrive"] = "arrive"
    who: Who = "courier"


class Leave(Action):
    """Somebody outside goes away."""

    do: Literal["leave"] = "leave"
    who: Who = "courier"


class OpenDoor(Action):
    """Push the door open. From outside only an unlocked door opens; from inside the thumb-turn unlocks it first."""

    do: Literal["open"] = "open"
    who: Who = "courier"


class CloseDoor(Action):
    """Close the door; a bolt that was thrown in the air keeps it from closing."""

    do: Literal["close"] = "close"
    who: Who = "courier"


class Force(Action):
    """Break the door open, whatever the bolt does."""

    do: Literal["force"] = "force"
    who: Who = "thief"


class WalkIn(Action):
    """Go in through the open door."""

    do: Literal["walk_in"] = "walk_in"
    who: Who = "courier"


class WalkOut(Action):
    """Go out through the open door."""

    do: Literal["walk_out"] = "walk_out"
    who: Who = "courier"


class TurnKey(Action):
    """Unlock with the mechanical key from outside; only the resident has one."""

    do: Literal["turn_key"] = "turn_key"
    who: Who = "resident"


class ThumbTurn(Action):
    """Unlock by hand from inside."""

    do: Literal["thumb_turn"] = "thumb_turn"
    who: Who = "resident"


class LockByHand(Action):
    """Throw the bolt by hand: from inside anybody, from outside with the key. It also goes with the door open."""

    do: Literal["lock_by_hand"] = "lock_by_hand"
    who: Who = "resident"


class AppUnlock(Action):
    """Unlock with the maker's own app, past the gateway."""

    do: Literal["app_unlock"] = "app_unlock"


class PressAnswer(Action):
    """Press the answer button inside."""

    do: Literal["answer"] = "answer"
    who: Who = "resident"


class PressBell(Action):
    """Press the bell outside."""

    do: Literal["press_bell"] = "press_bell"
    who: Who = "courier"
    camera: str | None = None


class PutParcel(Action):
    """Put a parcel down where one stands: inside, or before the door."""

    do: Literal["put_parcel"] = "put_parcel"
    who: Who = "courier"


class OpenFridge(Action):
    """Open a fridge (from inside the house)."""

    do: Literal["open_fridge"] = "open_fridge"
    who: Who = "courier"
    fridge: str | None = None


class CloseFridge(Action):
    """Close a fridge (from inside the house)."""

    do: Literal["close_fridge"] = "close_fridge"
    who: Who = "courier"
    fridge: str | None = None


class SetTemperature(Action):
    """The fridge's compartment now is at so many degrees Celsius; null: its thermometer is broken."""

    do: Literal["set_temperature"] = "set_temperature"
    celsius: float | None
    fridge: str | None = None
    compartment: str = "cooler"


class Scan(Action):
    """Hold a code before a scanner. `event`: the scanner's own id of this reading; without one the code goes bare."""

    do: Literal["scan"] = "scan"
    code: str = Field(min_length=1, max_length=512)
    scanner: str | None = None
    who: Who = "courier"
    retain: bool = False
    event: str | None = None


class TypeCode(Action):
    """Type a code at a keypad outside."""

    do: Literal["type_code"] = "type_code"
    code: str = Field(min_length=1, max_length=16)
    keypad: str | None = None
    who: Who = "courier"


class ShowLabel(Action):
    """Hold a label into a camera's picture."""

    do: Literal["show_label"] = "show_label"
    camera: str
    code: str
    symbology: Literal["code128", "qr", "datamatrix"] = "code128"


class HideLabel(Action):
    """Take the label away."""

    do: Literal["hide_label"] = "hide_label"
    camera: str


class Handle(Action):
    """Do something to a thing (`house.yaml`'s `things`). Asked for a wrong act, it names those that are possible."""

    do: Literal["handle"] = "handle"
    thing: str
    act: str
    who: Who = "courier"


class SetFault(Action):
    """Switch a fault of a device or thing on (true, or its value) or off (false).

    Asked for a wrong one, it names those it has.
    """

    do: Literal["fault"] = "fault"
    device: str
    fault: str
    on: bool | float | str = True


class SetLink(Action):
    """Cut a device's link, or let it come back. A camera without its link sends no pictures either."""

    do: Literal["link"] = "link"
    device: str
    up: bool


class RebootDevice(Action):
    """Restart a device: a new boot id, its sequence begins at 1, what it was doing is forgotten."""

    do: Literal["reboot"] = "reboot"
    device: str


class ReadState(Action):
    """Answered with what is physically true."""

    do: Literal["state"] = "state"


Request = (
    Arrive
    | Leave
    | OpenDoor
    | CloseDoor
    | Force
    | WalkIn
    | WalkOut
    | TurnKey
    | ThumbTurn
    | LockByHand
    | AppUnlock
    | PressAnswer
    | PressBell
    | PutParcel
    | OpenFridge
    | CloseFridge
    | SetTemperature
    | Scan
    | TypeCode
    | ShowLabel
    | HideLabel
    | Handle
    | SetFault
    | SetLink
    | RebootDevice
    | ReadState
)
REQUEST: TypeAdapter[Request] = TypeAdapter(
    Annotated[Request, Field(discriminator="do")], config=ConfigDict(defer_build=True)
)


class Impossible(Exception):  # noqa: N818 (in this house things are impossible, not erroneous)
    """The request is impossible in the present state of the house; the message is one clear line."""


class HouseControl:
    """Controls a running house through its socket.

    async with HouseControl(socket) as house:
        await house.ask(Scan(code="8L20524752032"))
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._streams = await asyncio.open_unix_connection(self._socket, limit=MAX_LINE_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            await writer.wait_closed()

    async def until_connected(self) -> None:
        """Return once every device is connected to the broker; wait for ever if one never is."""
        while True:
            devices = (await self.ask(ReadState()))["devices"]
            if isinstance(devices, dict) and all(device["connected"] for device in devices.values()):
                return
            await asyncio.sleep(0.05)

    async def ask(self, request: Request) -> Mapping[str, object]:
        """Send the request and return the house's answer without `ok`.

        Raises:
            Impossible: the house refuses; the message is its reason.
            ConnectionError: the house is gone.
        """
        if self._streams is None:
            raise ConnectionError("not connected to the house")
        reader, writer = self._streams
        async with self._turn:
            writer.write(request.model_dump_json().encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        if not line:
            raise ConnectionError("the house has ended")
        answer: dict[str, object] = json.loads(line)
        if answer.pop("ok") is not True:
            raise Impossible(str(answer["why"]))
        return answer
