"""A DoorBird door station, by its LAN API: `open-door.cgi`, `info.cgi`, and the stream of `monitor.cgi`.

Source: DoorBird's "LAN-2-LAN API", revision 0.36. Its 200 with RETURNCODE "1" says that the order was taken, and
nothing about a door; 204 that the account may not open now.
"""

import re
from collections.abc import AsyncGenerator

from devices.reports import DoorbellPressed, MotionReport, OperationError
from gateway.integrations.intercom.file import DoorBirdSection
from gateway.integrations.intercom.line import IntercomFailed, IntercomLine, raise_for_status

OPEN_DOOR, INFO, MONITOR = "/bha-api/open-door.cgi", "/bha-api/info.cgi", "/bha-api/monitor.cgi"
SILENCE_S = 60.0  # a stream repeats its states every 20 s or so
MAX_LINE_BYTES = 1024
_STATE = re.compile(rb"\s*(doorbell|motionsensor):([HL])\s*")


class MonitorStream:
    """Reads the lines of a monitor stream: the first state of a sensor is how it was, each change after that is news.

    A repeated state is the stream's keep-alive. Lines in between (boundaries, headers) mean nothing.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._states: dict[bytes, bool] = {}

    def feed(self, piece: bytes) -> list[DoorbellPressed | MotionReport]:
        """Return what happened according to these bytes."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""  # no line of a stream is so long
        found: list[DoorbellPressed | MotionReport] = []
        for line in lines:
            match = _STATE.fullmatch(line)
            if match is None:
                continue
            sensor, on = match[1], match[2] == b"H"
            before = self._states.get(sensor)
            self._states[sensor] = on
            if before is None or before == on:
                continue
            if sensor == b"motionsensor":
                found.append(MotionReport(detected=on))
            elif on:
                found.append(DoorbellPressed())
        return found


class DoorBird:
    """One door station."""

    def __init__(self, section: DoorBirdSection, line: IntercomLine) -> None:
        self._section, self._line = section, line

    async def release(self, within_s: float) -> None:
        """Have the relay close once; IntercomFailed: the order was not taken, or nobody knows."""
        status, body = await self._line.ask(OPEN_DOOR, {"r": self._section.relay}, within_s=within_s)
        raise_for_status(status, OPEN_DOOR)
        if _return_code(body) != "1":
            raise IntercomFailed(OperationError.UNSPECIFIED, f"{OPEN_DOOR} does not say that it was taken")

    async def check(self) -> None:
        """Ask whether it is there and has the relay; IntercomFailed: not so."""
        status, body = await self._line.ask(INFO, {})
        raise_for_status(status, INFO)
        if _return_code(body) != "1":
            raise IntercomFailed(OperationError.UNSPECIFIED, f"{INFO} says nothing")
        relays = _relays(body)
        if relays is not None and self._section.relay not in relays:
            known = ", ".join(relays)[:100]
            raise IntercomFailed(OperationError.RESTRICTED, f"it has no relay {self._section.relay}, but {known}")

    async def events(self) -> AsyncGenerator[DoorbellPressed | MotionReport, None]:
        """Yield what happens until the stream ends, which raises IntercomFailed."""
        sensors = "doorbell,motionsensor" if self._section.motion else "doorbell"
        stream = MonitorStream()
        async with self._line.stream(MONITOR, {"ring": sensors}, silence_s=SILENCE_S) as pieces:
            async for piece in pieces:
                for event in stream.feed(piece):
                    yield event


def _return_code(body: object) -> object:
    inner = body.get("BHA") if isinstance(body, dict) else None
    return inner.get("RETURNCODE") if isinstance(inner, dict) else None


def _relays(body: object) -> list[str] | None:
    """Return the names of the relays; None: this firmware does not list them."""
    inner = body.get("BHA") if isinstance(body, dict) else None
    versions = inner.get("VERSION") if isinstance(inner, dict) else None
    first = versions[0] if isinstance(versions, list) and versions else None
    relays = first.get("RELAYS") if isinstance(first, dict) else None
    return [name for name in relays if isinstance(name, str)] if isinstance(relays, list) else None
