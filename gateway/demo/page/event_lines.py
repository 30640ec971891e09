"""Describes what happens in a scenario in one plain line."""

from collections.abc import Mapping

from devices.commands import Sound
from gateway.demo.observers import Body, DemoEvent, ObservedMessage
from gateway.demo.page.snapshot import LineShown, Part
from gateway.demo.result import LogLine
from gateway.demo.wording import DEVICE_TEXTS, HOUSE_TEXTS, MOVE_TEXTS, THE_DOOR, DoorNames
from gateway.domain.custody import declined_reason
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit.state import Phase
from gateway.runtime.notifications.texts import DECLINE_TEXTS, REFUSAL_TEXTS
from gateway.system.i18n import Fact, Text, _, pgettext
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
PHASE_TEXTS: Mapping[str, Text] = {Phase.UNLOCKING: _("The order to open is sent.")}
"""A phase of the only door in other words than on the owner's pages: the physical log says when the bolt withdraws."""

RETAILER_TEXTS: Mapping[str, Text] = {
    State.DELIVERED: _("delivered"),
    State.PARTLY_DELIVERED: _("partly delivered"),
    State.NOT_DELIVERED: _("not delivered"),
    State.COLLECTED: _("collected"),
    State.PARTLY_COLLECTED: _("partly collected"),
    State.NOT_COLLECTED: _("not collected"),
    State.REFUSED: pgettext("a delivery", "refused"),
    State.CANCELLED: pgettext("a delivery", "cancelled"),
    State.EXPIRED: pgettext("a delivery", "expired"),
}
"""The states that end a delivery, as its retailer reads them."""

PART_BY_MESSAGE: Mapping[str, Part] = {
    "phase": "house", "answer": "checks", "elsewhere": "light", "held_back": "house", "outcome": "house",
    "message": "phone", "bridge": "house",
}  # fmt: skip
"""The part of the page where a message of the gateway is seen; what a retailer reads is seen nowhere."""

PART_BY_HOUSE_LINE: Mapping[str, Part] = {"signal": "light", "scan": "checks"}
"""The part of the page where a line of the house's log is seen, if it is not the house itself."""

CAMERAS = frozenset({"doorbell", "hall-camera"})

DETAIL_TEXTS: Mapping[str, Text] = {
    **{declined_reason(word): text for word, text in DECLINE_TEXTS.items()},
    **{str(word): text for word, text in HOUSE_TEXTS.items()},
}
"""Why a receiver did not take the parcel, as its retailer reads the reason, or how the visit left the house."""


def line_of_event(event: DemoEvent, doors: DoorNames = THE_DOOR) -> LineShown | None:
    """Return the line for an event at these doors; None if the page shows none."""
    if isinstance(event, ObservedMessage):
        line = _line_of_message(event, doors)
        part = PART_BY_MESSAGE.get(str(event.body.get("kind") if event.kind == "event" else event.kind))
    else:
        line, part = _line_of_house(event, doors), PART_BY_HOUSE_LINE.get(str(event["what"]), "house")
        if event.get("device") in CAMERAS:
            part = "film"
    return None if line is None else replace(line, look=part)


def _line_of_message(message: ObservedMessage, doors: DoorNames) -> LineShown | None:
    body = message.body
    match message.kind, body.get("kind"):
        case "event", "phase" if body["phase"] != "ready":
            return LineShown(text=_phase_text(body, doors))
        case "event", "answer" if body["refusal"] is not None:
            return LineShown(text=_("No: {why}.", why=REFUSAL_TEXTS[Refusal(body["refusal"])]), tone="bad")
        case "event", "answer" if body["word"] == "wait":  # the box's word of the scan, so that it stands before a no
            return LineShown(text=_("A code is held before the scanner."), is_narrated=True)
        case "event", "elsewhere":
            return LineShown(text=_("The scanner shows another place: {place}.", place=_entrance(body, doors)))
        case "event", "held_back":
            return LineShown(text=_("The unlock is held back."))
        case "event", "outcome":
            return LineShown(text=_("Parcels: {outcome}", outcome=PAGES[f"outcome.{body['outcome']}"]))
        case "message", _:
            return LineShown(text=_("The owner is told: “{text}”"), message=body)
        case "result", _ if body.get("state") in RETAILER_TEXTS:
            return LineShown(text=_retailer_text(body))
        case "bridge", _ if body["state"] == "offline":
            return LineShown(text=_("The box does not answer any more."), tone="bad")
        case _:
            return None


def _phase_text(body: Body, doors: DoorNames) -> Text:
    """Return what a phase means, with the closure where it is if the scene has other closures than one door."""
    phase = body["phase"]
    plain, each = PHASE_TEXTS.get(phase, PAGES[f"phase.{phase}"]), PAGES.get(f"phase.{phase}.each")
    name = doors.by_id.get(body.get("closure", ""), doors.only)
    return plain if each is None or name is None else each.with_facts(closure=name)


def _retailer_text(body: Body) -> Text:
    state = RETAILER_TEXTS[State(body["state"])]
    detail = DETAIL_TEXTS.get(str(body.get("reason")), DETAIL_TEXTS.get(str(body.get("house"))))
    if detail is None:
        return _("The retailer reads: {state}.", state=state)
    return _("The retailer reads: {state}, {detail}.", state=state, detail=detail)


def _move_text(line: LogLine, doors: DoorNames) -> Text | None:
    """Return how a closure with a name moved; None: it has none, or the line is about something else."""
    moved_to = line.get("state", line.get("released", line.get("caught")))
    name, text = doors.by_thing.get(_thing(line)), MOVE_TEXTS.get((line["what"], moved_to))
    return None if name is None or text is None or line.get("forced") else text.with_facts(closure=name)


def _thing(line: LogLine) -> str | None:
    return None if line.get("thing") is None else str(line["thing"])


def _line_of_house(line: LogLine, doors: DoorNames) -> LineShown | None:
    if not line.get("in_air") and (moved := _move_text(line, doors)) is not None:
        return LineShown(text=moved)
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
            return LineShown(text=_("A fault: {device}.", device=_device(line, doors)), is_narrated=True)
        case "link", _:
            text = _("Back: {device}.") if line["up"] else _("Cut off: {device}.")
            return LineShown(text=text.with_facts(device=_device(line, doors)), is_narrated=True)
        case "answer", _:
            return LineShown(text=_("Somebody inside answers."), is_narrated=True)
        case "signal", _ if line["sound"] == Sound.CLOSE_THE_DOOR:
            return LineShown(text=_("The signal reminds: close up."))
        case "parcel", _ if line["where"] == "inside":
            return LineShown(text=_("The parcel is put down."), is_narrated=True)
        case "refused", _:
            return LineShown(text=_("The lock refuses the order."))
        case _:
            return None


def _device(line: LogLine, doors: DoorNames) -> Fact:
    name = str(line["device"])
    return DEVICE_TEXTS.get(name, doors.by_thing.get(name, name))


def _entrance(body: Body, doors: DoorNames) -> Fact:
    moved_to = str(body["moved_to"])
    return doors.entrances.get(moved_to, moved_to)
