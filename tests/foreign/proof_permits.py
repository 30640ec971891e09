"""Reads from the log of a visit which yes each opening used, by docs/reference/proof-format.md alone."""

import re
from datetime import datetime, timedelta
from typing import Any

Object = dict[str, Any]
DIGEST = re.compile(r"[0-9a-f]{64}")
SKEW = timedelta(seconds=2)
Fault = tuple[str, str, str]  # closure, why, and what excuses it


def read(rows: list[Any]) -> tuple[list[Object], list[Fault]]:
    """The openings with the yes of each, as the manifest must list them, and the ones without a valid yes."""
    permits: list[Object] = []
    faults: list[Fault] = []
    yeses: dict[str, Object] = {}
    over: set[str] = set()
    supervised = False
    for row in rows:
        if not isinstance(row, dict) or row.get("kind") != "step":
            continue
        supervised = supervised or (row.get("route") or {}).get("yes_each") is True
        if not supervised:
            continue
        event = row["event"]
        if event.get("event") == "OpeningDecided" and not event["yes"]:
            over |= set(yeses)
        elif event.get("event") == "OpeningDecided" and DIGEST.fullmatch(event.get("picture_sha256", "")):
            yeses.setdefault(event["message_sha256"], event)
        for command in row["commands"]:
            if command["command"] == "Reserve":
                used = [one["message_sha256"] for one in permits]
                faults += wrong(command, yeses, over, used, row["at"])
                permits += listed(command, yeses, row["at"])
    return permits, faults


def listed(command: Object, yeses: dict[str, Object], at: str) -> list[Object]:
    if "permit" not in command:
        return []
    yes = yeses.get(command["permit"], {})
    return [{
        "closure": command["closure"], "used": short(at), "message_sha256": command["permit"], "by": yes.get("by"),
        "signed": short(yes.get("issued")), "expires": short(yes.get("expires")),
        "picture_sha256": yes.get("picture_sha256"),
    }]  # fmt: skip


def wrong(command: Object, yeses: dict[str, Object], over: set[str], used: list[str], at: str) -> list[Fault]:
    name, digest = command["closure"], command.get("permit")
    if digest is None:
        return [(name, "no yes", "")]
    found: list[Fault] = [(name, "used twice", "")] if digest in used else []
    if digest not in yeses:
        return [*found, (name, "unknown yes", "missing")]
    yes, when = yeses[digest], datetime.fromisoformat(at)
    if (yes["visit"], yes["closure"]) != (command["visit"], name):
        found.append((name, "another opening's yes", ""))
    if digest in over:
        found.append((name, "a no came after", ""))
    if not datetime.fromisoformat(yes["issued"]) - SKEW <= when < datetime.fromisoformat(yes["expires"]):
        found.append((name, "not valid then", "time"))
    return found


def short(text: str | None) -> str | None:
    """An instant as a manifest writes it."""
    return text and text.replace(".000000Z", "Z")
