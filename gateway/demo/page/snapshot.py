"""Computes what the page shows. Pure.

`apply_event(snapshot, event)` applies what the gateway publishes (`ObservedMessage`) and what physically happens in the
house (`LogLine`). What only the demo knows, runner and script write into the snapshot's fields.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from gateway.demo.names import with_readers_names
from gateway.demo.observers import Body, DemoEvent, ObservedMessage
from gateway.demo.page.words import with_hard_spaces
from gateway.demo.result import LogLine, physical_openings
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.runtime.notifications.texts import worded
from gateway.system.i18n import Language, Text, in_language

CHECK_NAMES = ("parcel", "hour", "brand", "courier", "filming")
MAX_MESSAGES = 4  # on the phone at a time, the newest
MAX_MOVES = 60  # of bolt and leaf that are kept, to count openings by

# Which of the five a refusal crosses out; what is named nowhere here concerns none of them.
FAILED_CHECKS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_CODE: "parcel",
    Refusal.ALREADY_USED: "parcel",
    Refusal.CANCELLED: "parcel",
    Refusal.DECLINED_BY_HOUSEHOLD: "parcel",
    Refusal.WRONG_ENTRANCE: "parcel",
    Refusal.OUTSIDE_WINDOW: "hour",
    Refusal.EXPIRED: "hour",
    Refusal.CLOCK_UNTRUSTED: "hour",
    Refusal.BRAND_NOT_PERMITTED: "brand",
    Refusal.CARRIER_NOT_PERMITTED: "brand",
    Refusal.AWAITING_PERMISSION: "brand",
    Refusal.KEY_DISTRUSTED: "brand",
    Refusal.HUB_SIGNED_NOT_PERMITTED: "brand",
    Refusal.ANNOUNCE_AGAIN: "parcel",
    Refusal.LABEL_FORBIDS: "parcel",
    Refusal.COURIER_NOT_PROVEN: "courier",
    Refusal.KEEPER_NOT_PROVEN: "courier",
    Refusal.KEEPER_NOT_ACCEPTED: "courier",
    Refusal.CAMERA_UNAVAILABLE: "filming",
}


class LineShown(Frozen):
    """The one line in plain words."""

    text: Text
    tone: str = ""  # good, bad or neither
    chapter: int = 0  # counted from 1; 0: none
    message: Mapping[str, Any] | None = None  # the box's; in the reader's language it is the line's fact `text`
    is_live: bool = False  # with it the page turns back to the live film
    is_narrated: bool = False  # a terminal has printed it already


class PhoneMessageShown(Frozen):
    """A message reached a phone `waited` seconds after its cause; `picture` is its address on the page."""

    language: Language
    text: str
    urgent: bool
    picture: str | None
    waited: float


class DemoTimelineEntry(Frozen):
    """One line of a sealed visit's timeline, in each language; `clock` is `at` in the house's time zone."""

    at: str
    clock: str
    text: Mapping[Language, str]
    tone: str


class DemoFilm(Frozen):
    """A sealed film: its address on the page, its begin and end (RFC 3339), and the visit's timeline."""

    url: str
    start: str
    end: str
    moments: tuple[DemoTimelineEntry, ...]


class ProofVerified(Frozen):
    """A proof was verified: it holds, or the second of the film at which it does not, of so many."""

    holds: bool
    second: float | None = None
    length: float = 0.0
    where: str = ""


class DemoSnapshot(Frozen):
    """All that the page shows. Bolt, door, people, parcels and light are the house's own log, the rest is the box's."""

    run: int = 0
    title: str | None = None  # of the scenario, or of the show
    stage: str = "rest"  # rest, setting, playing, over
    says: LineShown | None = None
    online: bool = False
    died: bool = False
    connected: bool = False
    proven: bool = False  # the box says that the door is proven locked
    phase: str = "ready"
    bolt: str = "thrown"
    door: str = "closed"
    forced: bool = False
    light: str = "off"
    faults: tuple[str, ...] = ()  # the devices in which the house has switched a fault on
    people: Mapping[str, str] | None = None
    parcels: int = 0
    carries: bool = True
    cable: bool = True  # the internet is plugged in
    asked: bool = False  # a brand without a permission asks to be let in
    granted: bool = False  # the owner has said yes to it
    phone: tuple[PhoneMessageShown, ...] = ()  # all that reached the phones in this run
    checks: Mapping[str, bool | None] | None = None  # by `CHECK_NAMES`; None: not looked at
    decided_ms: int | None = None  # from the scan to the answer at the scanner, by the house's own clock
    spent: bool = False
    believed: Mapping[str, bool | None] | None = None  # cameras of which the box has a fresh proof; None: it is away
    clock: bool = False  # the box knows the time
    openings: int = 0
    film: DemoFilm | None = None
    verified: ProofVerified | None = None
    complaints: tuple[str, ...] = ()  # what was not as expected
    stopped: bool = False
    settled: bool = True  # what `checks` tell of is over
    scans: tuple[float, ...] = ()  # when what is not answered yet was scanned, by the house's clock
    moves: tuple[LogLine, ...] = ()


def snapshot_json(snapshot: DemoSnapshot, language: Language) -> dict[str, Any]:
    """Return the snapshot as JSON for a page in this language: the newest messages of its phone, and their number."""
    body = asdict(snapshot)
    del body["scans"], body["moves"], body["settled"]
    messages = [message for message in body["phone"] if message.pop("language") == language]
    body |= {"phone": messages[-MAX_MESSAGES:], "buzzes": len(messages)}
    if (line := snapshot.says) is not None:
        text = line_text(line, language)
        body["says"] = {"text": text, "tone": line.tone, "chapter": line.chapter, "live": line.is_live}
    return body


def line_text(line: LineShown, language: Language) -> str:
    """Return the text of a line, as the page shows it."""
    facts = {name: with_hard_spaces(in_language(fact, language)) for name, fact in line.text.facts}
    if line.message is not None:
        facts["text"] = message_text(line.message, language)
    return with_hard_spaces(line.text.template(language)).format(**facts)


def message_text(message: Mapping[str, Any], language: Language) -> str:
    """Return the text of a message of the box (`entrance_topic(..., "message")`) in this language."""
    about = message["about"]
    kind = AlarmCode if message["urgent"] else Notification
    return with_readers_names(worded(kind(about), message["facts"], language), language)


def for_next_delivery(now: DemoSnapshot) -> DemoSnapshot:
    """Return the snapshot as another delivery begins: openings are counted from zero, and nothing is checked yet."""
    return replace(now, openings=0, moves=(), spent=False, checks=None, decided_ms=None, settled=True)


def apply_event(now: DemoSnapshot, event: DemoEvent) -> DemoSnapshot:
    """Return the snapshot after an event."""
    return _apply_message(now, event) if isinstance(event, ObservedMessage) else _apply_house_line(now, event)


def _apply_message(now: DemoSnapshot, message: ObservedMessage) -> DemoSnapshot:
    body = message.body
    match message.kind, body.get("kind"):
        case "state", _:
            return _apply_state(now, body)
        case "bridge", _ if body["state"] == "online":
            return replace(now, online=True, died=False)
        case "bridge", _:
            alone = replace(now, proven=False, connected=False, believed=None, clock=False)  # nothing of it is known
            return replace(alone, online=False, died=now.died or now.online)
        case "event", "answer" if body["refusal"] is not None:
            crossed = FAILED_CHECKS.get(Refusal(body["refusal"]))
            refused = replace(_reset_checks(now), settled=True)
            return refused if crossed is None else _with_checks(refused, **{crossed: False})
        case "event", "answer" if body["word"] == "wait":
            return _with_checks(_reset_checks(now), parcel=True)
        case "event", "phase" if body["phase"] == "ready":
            return replace(now, settled=True)
        case "event", "phase" if body["phase"] == Phase.RINGING:  # all that can be decided at once was decided: yes
            return _with_checks(now, parcel=True, hour=True, brand=True, courier=True)
        case "event", "spend" | "release":
            return replace(now, spent=body["kind"] == "spend")
        case _:
            return now


def _apply_state(now: DemoSnapshot, body: Body) -> DemoSnapshot:
    cameras: Mapping[str, Any] = body["cameras"]
    is_filming = bool(cameras) and all(camera["recording"] for camera in cameras.values())
    state = replace(now, proven=bool(body["locked"]), phase=body["phase"], connected=bool(body["connected"]))
    if now.checks is not None and body["phase"] == Phase.RINGING and is_filming:
        return _with_checks(state, filming=True)
    return state


def _reset_checks(now: DemoSnapshot) -> DemoSnapshot:
    """Begin a clean row where the last one is over. The box's word of a scan may come before the house's own."""
    if not now.settled:
        return now
    return replace(now, checks=dict.fromkeys(CHECK_NAMES), decided_ms=None, settled=False)


def _with_checks(now: DemoSnapshot, **checks: bool) -> DemoSnapshot:
    return replace(now, checks={**(now.checks or dict.fromkeys(CHECK_NAMES)), **checks})


def _apply_house_line(now: DemoSnapshot, line: LogLine) -> DemoSnapshot:
    match line["what"]:
        case "bolt":
            return _apply_movement(replace(now, bolt=str(line["state"])), line)
        case "door":
            return _apply_movement(replace(now, door=str(line["state"]), forced=bool(line.get("forced"))), line)
        case "fault":
            others = tuple(name for name in now.faults if name != line["device"])
            return replace(now, faults=others if line["on"] is False else (*others, str(line["device"])))
        case "signal":
            return replace(now, light=str(line["light"]))
        case "person":
            who, where = str(line["who"]), str(line["where"])
            arrives = who == "courier" and where == "outside" and (now.people or {}).get(who) in (None, "away")
            return replace(now, people={**(now.people or {}), who: where}, carries=arrives or now.carries)
        case "parcel":
            return replace(now, parcels=now.parcels + (line["where"] == "inside"), carries=False)
        case "scan":
            return replace(now, scans=(*now.scans, _seconds(line)))
        case "shown" if now.scans and line["word"] in ("wait", "no"):
            took = round((_seconds(line) - now.scans[0]) * 1000)
            return replace(now, decided_ms=took, scans=now.scans[1:])
        case _:
            return now


def _apply_movement(now: DemoSnapshot, line: LogLine) -> DemoSnapshot:
    moves = (*now.moves, line)[-MAX_MOVES:]
    return replace(now, moves=moves, openings=len(physical_openings(moves)))


def _seconds(line: LogLine) -> float:
    mono = line["mono"]
    assert isinstance(mono, float | int)  # noqa: S101 - the log's own format
    return float(mono)


def film_time(at: datetime) -> str:
    """Return an instant in the form of the page's film."""
    return at.isoformat(timespec="milliseconds")
