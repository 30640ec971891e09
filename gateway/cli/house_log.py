"""Prints what happens in the simulated house: bolt, door, people, links to the broker."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from devices.simulators.control import HouseControl, ReadState
from devices.simulators.doorway import APP, FROM_AFAR, HAND, ITSELF
from devices.simulators.house import SimulatedHouse
from gateway.cli.failure import error_text

POLL_INTERVAL_S = 0.1  # between two reads of the log
STABLE_CHECKS = 5  # checks without a change before a change of links is printed

_CAUSE_TEXTS = {HAND: "by hand", APP: "by its maker's app", ITSELF: "by itself", FROM_AFAR: "from afar"}
_PLACE_TEXTS = {"outside": "stands outside", "inside": "is inside", "away": "is gone"}
_TEXTS = {
    "passed": "the {who} goes through {thing}",
    "signal": "{device}: light {light}, sound {sound}",
    "sentence": "{device}: says {sound} in the language {language}",
    "shown": "{device} shows {word!r}",
    "bell": "the {who} presses the {what} button of {device}",
    "answer": "the {who} presses the {what} button of {device}",
    "fault": "{device}: fault {fault} {on}",
    "refused": "{device} refuses a command: {why}",
}
_COMMAND_ID = re.compile(r"[0-9a-f]{16}(-.+)?")  # the visit, and the closure if there are several

Output = Callable[[str], None]


async def follow_physical_log(log: Path, zone: ZoneInfo, output: Output) -> None:
    """Print each line that is written to the physical log from now on, until cancelled."""
    with log.open(encoding="utf-8") as file:
        file.seek(0, 2)
        rest = ""
        while True:
            *lines, rest = (rest + file.read()).split("\n")
            for line in map(json.loads, lines):
                text = describe_line(line)
                if text is not None:
                    output(f"{datetime.fromisoformat(line['at']).astimezone(zone):%H:%M:%S}  {text}")
            await asyncio.sleep(POLL_INTERVAL_S)


def describe_line(line: Mapping[str, Any]) -> str | None:
    """Return the text for a line of the physical log (`devices.simulators.physical_log`); None: it has no text."""
    match line["what"]:
        case "bolt":
            air = ", with the door OPEN: it is out in the air" if line["in_air"] else ""
            return f"the bolt is {line['state']} {_CAUSE_TEXTS.get(line['cause'], 'on command')}{air}"
        case "door":
            return f"the door is {line['state']}{', FORCED' if line.get('forced') else ''} (by the {line['by']})"
        case "person":
            return f"the {line['who']} {_PLACE_TEXTS[line['where']]}"
        case "fridge" if "door" in line:
            return f"{line['device']} is {line['door']}"
        case "fridge":
            return f"{line['device']}: {line['compartment']} at {line['temp_c']} °C"
        case "scan":
            return f"{line['device']} reads a code that ends in {line['code'][-4:]}"
        case "strike":
            return f"the strike of {line['thing']} {'lets go' if line['released'] else 'holds again'}"
        case "latch":
            return f"the latch of {line['thing']} {'has caught' if line['caught'] else 'springs open'}"
        case "content":
            return (
                f"the {line['by']} {'puts something into' if line['occupied'] else 'takes it out of'} {line['thing']}"
            )
        case "car" if "driving" in line:
            does = "is driven off" if line["driving"] else "comes back and parks"
            return f"{line['thing']} {does} (by the {line['by']})"
        case "car":
            return f"{line['thing']} is {'locked' if line['locked'] else 'unlocked'} ({_mover_text(line['cause'])})"
        case "key":
            does = "hangs the key back into" if line["present"] else "takes the key of"
            return f"the {line['by']} {does} {line['thing']}"
        case "way":
            return f"{line['thing']} is {line['state']} ({_mover_text(line['by'])})"
        case "parcel":  # outside: in front of the house, or behind another door than the front door
            return f"the {line['who']} puts a parcel down{' inside' if line['where'] == 'inside' else ''}"
        case "link":
            return f"{line['device']}: its link is {'let up' if line['up'] else 'cut'}"
        case kind:
            return _TEXTS[kind].format_map(line) if kind in _TEXTS else None


def _mover_text(by: str) -> str:
    """Return who or what moved a leaf: a command by its id, itself, or a person."""
    return "on command" if _COMMAND_ID.fullmatch(by) else _CAUSE_TEXTS.get(by, f"by the {by}")


class DeviceLinkMonitor:
    """Prints which devices are connected to the broker, after each change."""

    def __init__(self, house: SimulatedHouse, output: Output) -> None:
        self._broker_text = f"the broker at {house.broker.host}:{house.broker.port}"
        self._output = output
        self._reason = "no connection"
        self.last_line = ""

    async def read_house_errors(self, house: asyncio.subprocess.Process) -> None:
        """Read the house's stderr, where each unconnected device logs the reason five times a second."""
        while house.stderr is not None and (line := await house.stderr.readline()):
            self.last_line = line.decode(errors="replace").rstrip()
            _, lost, why = self.last_line.rpartition("link lost: ")
            if lost:
                self._reason = error_text(ConnectionError(why))
            else:
                self._output(self.last_line)

    async def poll_links(self, control: Path) -> None:
        """Check all links twice a second, until cancelled."""
        printed: set[str] | None = None
        away: set[str] = set()
        same_checks = 0
        while True:
            with suppress(OSError):
                async with HouseControl(control) as house:  # a new connection for each check: the house may have ended
                    devices: Any = (await house.ask(ReadState()))["devices"]
                now = {name for name, device in devices.items() if not device["connected"]}
                same_checks = same_checks + 1 if now == away else 0
                away = now
                if away != printed and (same_checks >= STABLE_CHECKS or not away):
                    self._output(self._links_text(away, len(devices)))
                    printed = away
            await asyncio.sleep(5 * POLL_INTERVAL_S)

    def _links_text(self, away: set[str], of: int) -> str:
        if not away:
            return f"All {of} devices are connected to {self._broker_text}."
        who = "none of them" if len(away) == of else ", ".join(sorted(away))
        todo = (
            "The broker refuses them: write its accounts with `perron broker-config` and start it with those"
            if "authori" in self._reason.lower()
            else "They go on trying. Start the broker, or let `perron simulate --broker` bring one"
        )
        return f"Not connected to {self._broker_text}: {who} ({self._reason}). {todo}."
