"""What happens, in one plain line: for scenarios, which have no words of their own for what the page shows."""

from gateway.demo.page.snapshot import Happening, Says
from gateway.demo.result import Line
from gateway.demo.watch import Seen


def plain(what: Happening) -> Says | None:
    """Return the line for this, or None where it is not worth one. A fact that begins with @ is a key itself."""
    match what:
        case Seen():
            return _said(what)
        case dict():
            return _happened(what)
        case _:
            return None


def _line(key: str, **facts: str) -> Says:
    return Says(key=key, facts=facts)


def _said(seen: Seen) -> Says | None:
    body = seen.body
    match seen.kind, body.get("kind"):
        case "event", "phase" if body["phase"] != "ready":
            return _line(f"phase.{body['phase']}")
        case "event", "answer" if body["refusal"] is not None:
            return _line("line.refused", why=f"@refusal.{body['refusal']}")
        case "event", "answer" if body["word"] == "wait":  # the box's word of the scan, so that it stands before a no
            return _line("line.scan")
        case "event", "held_back":
            return _line("line.held_back")
        case "event", "outcome":
            return _line("line.outcome", outcome=f"@outcome.{body['outcome']}")
        case "message", _:
            return Says(key="line.told", facts={}, message=body)
        case "bridge", _ if body["state"] == "offline":
            return _line("line.died")
        case _:
            return None


def _happened(line: Line) -> Says | None:
    match line["what"]:
        case "person":
            return _line(f"line.person.{line['where']}", who=f"@who.{line['who']}")
        case "door":
            return _line("line.door.forced" if line.get("forced") else f"line.door.{line['state']}")
        case "bolt":
            return _line(
                "line.bolt.air" if line["in_air"] and line["state"] == "thrown" else f"line.bolt.{line['state']}"
            )
        case "fault" if line["on"] is not False:
            return _line("line.fault", device=f"@device.{line['device']}")
        case "link":
            return _line("line.link.up" if line["up"] else "line.link.down", device=f"@device.{line['device']}")
        case "answer":
            return _line("line.answers")
        case "parcel" if line["where"] == "inside":
            return _line("line.parcel")
        case "refused":
            return _line("line.lock_refuses")
        case _:
            return None
