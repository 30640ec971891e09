"""Describes what happens in a scenario in one plain line."""

from gateway.demo.observers import DemoEvent, ObservedMessage
from gateway.demo.page.snapshot import LineShown, message_text
from gateway.demo.page.words import page_texts
from gateway.demo.result import LogLine
from gateway.system.i18n import Language


def line_of_event(event: DemoEvent) -> LineShown | None:
    """Return the line for an event; None if the page shows none. A fact that begins with @ is itself a key."""
    return _line_of_message(event) if isinstance(event, ObservedMessage) else _line_of_house(event)


def line_text(line: LineShown, language: Language) -> str:
    """Return the text of a line, as the page shows it."""
    texts = page_texts(language)
    facts = {
        name: texts.get(fact[1:], fact.partition(".")[2]) if fact.startswith("@") else fact
        for name, fact in line.facts.items()
    }
    if line.message is not None:
        facts["text"] = message_text(line.message, language)
    return texts[line.key].format(**facts)


def _make_line(key: str, **facts: str) -> LineShown:
    return LineShown(key=key, facts=facts)


def _line_of_message(message: ObservedMessage) -> LineShown | None:
    body = message.body
    match message.kind, body.get("kind"):
        case "event", "phase" if body["phase"] != "ready":
            return _make_line(f"phase.{body['phase']}")
        case "event", "answer" if body["refusal"] is not None:
            return _make_line("line.refused", why=f"@refusal.{body['refusal']}")
        case "event", "answer" if body["word"] == "wait":  # the box's word of the scan, so that it stands before a no
            return _make_line("line.scan")
        case "event", "held_back":
            return _make_line("line.held_back")
        case "event", "outcome":
            return _make_line("line.outcome", outcome=f"@outcome.{body['outcome']}")
        case "message", _:
            return LineShown(key="line.told", facts={}, message=body)
        case "bridge", _ if body["state"] == "offline":
            return _make_line("line.died")
        case _:
            return None


def _line_of_house(line: LogLine) -> LineShown | None:
    match line["what"]:
        case "person":
            return _make_line(f"line.person.{line['where']}", who=f"@who.{line['who']}")
        case "door":
            return _make_line("line.door.forced" if line.get("forced") else f"line.door.{line['state']}")
        case "bolt":
            return _make_line(
                "line.bolt.air" if line["in_air"] and line["state"] == "thrown" else f"line.bolt.{line['state']}"
            )
        case "fault" if line["on"] is not False:
            return _make_line("line.fault", device=f"@device.{line['device']}")
        case "link":
            return _make_line("line.link.up" if line["up"] else "line.link.down", device=f"@device.{line['device']}")
        case "answer":
            return _make_line("line.answers")
        case "parcel" if line["where"] == "inside":
            return _make_line("line.parcel")
        case "refused":
            return _make_line("line.lock_refuses")
        case _:
            return None
