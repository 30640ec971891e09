"""Logs what physically happened in the simulated house; every test compares with it."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

What = Literal["bolt", "door", "person", "parcel", "fridge", "signal", "scan", "bell", "answer", "shown", "fault",
               "link", "boot", "refused", "zigbee", "garage", "strike", "way", "latch", "content", "key",
               "passed", "code", "typed", "sentence", "car", "matter"]  # fmt: skip


class PhysicalLog:
    """A file of JSON lines, each written and flushed at once, appended to what is there.

    Every line has `at` (RFC 3339 UTC, milliseconds), `mono` (CLOCK_MONOTONIC seconds) and `what`; the rest depends:

        bolt     state withdrawn|thrown, cause: command id, "hand", "app", "itself" or
                 "from_afar"; intent or null; in_air
        door     state open|closed, by; forced where it was
        person   who, where outside|inside|away
        parcel   who, where
        fridge   device, and door open|closed, or compartment and temp_c
        signal   device, id, light, sound
        scan     device, code, event, retain
        bell, answer   device, who
        zigbee   device, set: the order that reached a radio's bridge
        matter   device, invoked: the command that reached a Matter lock
        garage   device, reversed, met: beam or somebody
        strike   thing, released, cause: command id, device or "itself"
        way      thing, state open|closed|ajar, by: the leaf of a street door or keyed door, a flap, a lid
        latch    thing, caught, cause
        content  thing, occupied, by
        key      thing, present, by
        passed   thing, who: somebody went through
        code     device, slot, state: stored, deleted or refused
        typed    device, who, slot: which code was typed, None: none that counts
        shown    device, word; sentence: device, sound, language
        car      thing, and locked with cause, or driving with where and by: where it stands is there or away
        fault    device, fault, on
        link     device, up (by order); boot: device, boot
        refused  device, command, why: expired, repeated, foreign_boot, retained, unreadable, jammed or unreachable
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, what: What, **facts: object) -> None:
        """Write one line. `facts` are JSON values."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "mono": round(time.monotonic(), 4), "what": what, **facts}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def read_log(path: Path) -> tuple[Mapping[str, object], ...]:
    """Return all lines of a house's log."""
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
