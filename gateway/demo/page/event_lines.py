"""Describes what happens in a scenario in one plain line."""

from collections.abc import Mapping

from gateway.demo.observers import DemoEvent, ObservedMessage
from gateway.demo.page.snapshot import LineShown
from gateway.demo.result import LogLine
from gateway.domain.delivery.result import Refusal
from gateway.runtime.notifications.texts import REFUSAL_TEXTS
from gateway.system.i18n import Fact, Text, _
from gateway.web.texts.catalogue import TEXTS as PAGES

PERSON_TEXTS: Mapping[str, Text] = {
    "courier": _("The courier"),
    "resident": _("The resident"),
    "thief": _("The thief"),
}
PLACE_TEXTS: Mapping[str, Text] = {
    "outside": _("{who} is at the door."),
    "inside": _("{who} is inside."),
    "away": _("{who} goes away."),
}
DEVICE_TEXTS: Mapping[str, Text] = {
    "front-lock": _("the lock"),
    "front-door": _("the door's sensor"),
    "doorbell": _("the doorbell's camera"),
    "hall-camera": _("the hall's camera"),
    "front-scanner": _("the scanner"),
    "front-signal": _("the signal"),
    "kitchen-fridge": _("the fridge"),
}


def line_of_event(event: DemoEvent) -> LineShown | None:
    """Return the line for an event; None if the page shows none."""
    return _line_of_message(event) if isinstance(event, ObservedMessage) else _line_of_house(event)


def _line_of_message(message: ObservedMessage) -> LineShown | None:
    body = message.body
    match message.kind, body.get("kind"):
        case "event", "phase" if body["phase"] != "ready":
            return LineShown(text=PAGES[f"phase.{body['phase']}"])
        case "event", "answer" if body["refusal"] is not None:
            return LineShown(text=_("No: {why}.", why=REFUSAL_TEXTS[Refusal(body["refusal"])]), tone="bad")
        case "event", "answer" if body["word"] == "wait":  # the box's word of the scan, so that it stands before a no
            return LineShown(text=_("A code is held before the scanner."), is_narrated=True)
        case "event", "elsewhere":
            return LineShown(text=_("The scanner shows another place: {place}.", place=body["moved_to"]))
        case "event", "held_back":
            return LineShown(text=_("The unlock is held back."))
        case "event", "outcome":
            return LineShown(text=_("Parcels: {outcome}", outcome=PAGES[f"outcome.{body['outcome']}"]))
        case "message", _:
            return LineShown(text=_("The owner is told: “{text}”"), message=body)
        case "bridge", _ if body["state"] == "offline":
            return LineShown(text=_("The box does not answer any more."), tone="bad")
        case _:
            return None


def _line_of_house(line: LogLine) -> LineShown | None:
    match line["what"], line.get("state"):
        case "person", _:
            who = str(line["who"])
            text = PLACE_TEXTS[str(line["where"])].with_facts(who=PERSON_TEXTS.get(who, who))
            return LineShown(text=text, is_narrated=True)
        case "door", _ if line.get("forced"):
            return LineShown(text=_("The door is forced."))
        case "door", state:
            return LineShown(text=_("The door opens.") if state == "open" else _("The door closes."))
        case "bolt", "withdrawn":
            return LineShown(text=_("The bolt withdraws."))
        case "bolt", _ if line["in_air"]:
            return LineShown(text=_("The bolt is thrown while the door is open."))
        case "bolt", _:
            return LineShown(text=_("The bolt is thrown."))
        case "fault", _ if line["on"] is not False:
            return LineShown(text=_("A fault: {device}.", device=_device(line)), is_narrated=True)
        case "link", _:
            text = _("Back: {device}.") if line["up"] else _("Cut off: {device}.")
            return LineShown(text=text.with_facts(device=_device(line)), is_narrated=True)
        case "answer", _:
            return LineShown(text=_("Somebody inside answers."), is_narrated=True)
        case "parcel", _ if line["where"] == "inside":
            return LineShown(text=_("The parcel is put down."), is_narrated=True)
        case "refused", _:
            return LineShown(text=_("The lock refuses the order."))
        case _:
            return None


def _device(line: LogLine) -> Fact:
    name = str(line["device"])
    return DEVICE_TEXTS.get(name, name)
