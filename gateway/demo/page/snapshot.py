"""Computes what the page shows. Pure.

`apply_event(snapshot, event)` applies what the gateway publishes (`ObservedMessage`) and what physically happens in the
house (`LogLine`). What only the demo knows, runner and script write into the snapshot's fields.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from datetime import datetime
from typing import Any, Literal

from gateway.demo.names import with_readers_names
from gateway.demo.observers import Body, DemoEvent, ObservedMessage
from gateway.demo.page.drawing import SceneDrawn
from gateway.demo.result import LogLine, physical_openings
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.runtime.notifications.texts import worded
from gateway.system.i18n import Fact, Language, Text, in_language, with_hard_spaces

DECIMAL_PATTERN = re.compile(r"\d+\.\d+")
CHECK_NAMES = ("parcel", "hour", "brand", "courier", "filming")
CUSTODY_OF_COURIER = ("offered", "declined")  # the stages in which he still has the parcel
MAX_MESSAGES = 4  # on the phone at a time, the newest
MAX_MOVES = 60  # of bolt and leaf that are kept, to count openings by

# Which of the five a refusal crosses out; what is named nowhere here concerns none of them.
FAILED_CHECKS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_CODE: "parcel",
    Refusal.ALREADY_USED: "parcel",
    Refusal.CANCELLED: "parcel",
    Refusal.OTHER_ADDRESS: "parcel",
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
    Refusal.COLLECT_INSIDE: "parcel",
    Refusal.COURIER_NOT_PROVEN: "courier",
    Refusal.KEEPER_NOT_PROVEN: "courier",
    Refusal.KEEPER_NOT_ACCEPTED: "courier",
    Refusal.ROBOT_NOT_PROVEN: "courier",
    Refusal.CAMERA_UNAVAILABLE: "filming",
}


Part = Literal["film", "house", "phone", "light", "checks"]
"""A part of the page: one at a time is marked as the one to look at."""


class LineShown(Frozen):
    """The one line in plain words."""

    text: Text
    tone: str = ""  # good, bad or neither
    chapter: int = 0  # counted from 1; 0: none
    message: Mapping[str, Any] | None = None  # the box's; in the reader's language it is the line's fact `text`
    is_live: bool = False  # with it the page turns back to the live film
    is_narrated: bool = False  # a terminal has printed it already
    look: Part | None = None  # the part of the page to look at


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


class WayShown(Frozen):
    """One way in: by the house's log, except `secured`, which is what the box says."""

    open: bool = False
    free: bool = False  # its bolt is withdrawn, its strike lets go, its latch is released
    key: bool = True  # the key hangs on its hook
    full: bool = False  # something lies in it
    secured: bool = False  # proven closed and holding


class DemoSnapshot(Frozen):
    """All that the page shows. Bolt, door, people, parcels and light are the house's own log, the rest is the box's."""

    run: int = 0
    title: str | None = None  # of the scenario, or of the show
    stage: str = "rest"  # rest, setting, playing, over
    card: Literal["opening"] | None = None  # what covers the house
    began: str = ""  # the instant at which the run began (RFC 3339)
    scene: SceneDrawn | None = None  # the drawing of this run's home; None: it is being set up
    ways: Mapping[str, WayShown] = field(default_factory=dict)  # by the ids of the scene's closures
    fridge: Literal["closed", "open"] = "closed"
    chilled: bool = False  # a parcel lies in the fridge
    custody: str | None = None  # the stage of a parcel at a reception
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
    sound: str = "none"  # of the signal; it says what the light means
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
    film: DemoFilm | None = None  # the sealed film that is shown
    films: tuple[DemoFilm, ...] = ()  # of all visits of the run that are sealed: one sees them again
    verified: ProofVerified | None = None
    complaints: tuple[str, ...] = ()  # what was not as expected
    stopped: bool = False
    settled: bool = True  # what `checks` tell of is over
    scans: tuple[float, ...] = ()  # when what is not answered yet was scanned, by the house's clock
    moves: tuple[LogLine, ...] = ()


def snapshot_json(snapshot: DemoSnapshot, language: Language) -> dict[str, Any]:
    """Return the snapshot as JSON for a page in this language: the newest messages of its phone, and their number."""
    body = asdict(replace(snapshot, ways=dict(snapshot.ways)))
    del body["scans"], body["moves"], body["settled"]
    messages = [message for message in body["phone"] if message.pop("language") == language]
    body |= {"phone": messages[-MAX_MESSAGES:], "buzzes": len(messages)}
    if (line := snapshot.says) is not None:
        text = line_text(line, language)
        body["says"] = {
            "text": text, "tone": line.tone, "chapter": line.chapter, "live": line.is_live, "look": line.look,
        }  # fmt: skip
    if snapshot.scene is not None:
        for drawn, way in zip(body["scene"]["closures"], snapshot.scene.closures, strict=True):
            drawn["name"] = None if way.name is None else in_language(way.name, language)
    return body


def changes_of(body: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a page's JSON (`snapshot_json`) is not as before."""
    return {name: value for name, value in body.items() if name not in before or before[name] != value}


def line_text(line: LineShown, language: Language) -> str:
    """Return the text of a line, as the page shows it."""
    facts = {name: with_hard_spaces(_number_or_words(fact, language)) for name, fact in line.text.facts}
    if line.message is not None:
        facts["text"] = message_text(line.message, language)
    return with_hard_spaces(line.text.template(language)).format(**facts)


def _number_or_words(fact: Fact, language: Language) -> str:
    """Return a fact in words; a decimal fraction has the comma of the language."""
    text = in_language(fact, language)
    return text.replace(".", ",") if language == "fr" and DECIMAL_PATTERN.fullmatch(text) else text


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
            ways = {name: replace(way, secured=False) for name, way in now.ways.items()}
            alone = replace(
                now, ways=ways, proven=False, connected=False, believed=None, clock=False
            )  # nothing of it is known
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
        case "event", "custody":
            return replace(now, custody=str(body["stage"]), carries=now.carries and body["stage"] in CUSTODY_OF_COURIER)
        case "event", "spend" | "release":
            return replace(now, spent=body["kind"] == "spend")
        case _:
            return now


def _apply_state(now: DemoSnapshot, body: Body) -> DemoSnapshot:
    cameras: Mapping[str, Any] = body["cameras"]
    is_filming = bool(cameras) and all(camera["recording"] for camera in cameras.values())
    ways = {
        name: replace(way, secured=bool(body["closures"][name]["secured"])) if name in body["closures"] else way
        for name, way in now.ways.items()
    }
    state = replace(now, proven=bool(body["locked"]), phase=body["phase"], connected=bool(body["connected"]), ways=ways)
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
            moved = _with_way(now, line, free=line["state"] == "withdrawn")
            return _apply_movement(replace(moved, bolt=str(line["state"])), line)
        case "door":
            moved = _with_way(now, line, open=line["state"] == "open")
            return _apply_movement(replace(moved, door=str(line["state"]), forced=bool(line.get("forced"))), line)
        case "way":
            return _with_way(now, line, open=line["state"] != "closed")
        case "strike":
            return _with_way(now, line, free=bool(line["released"]))
        case "latch":
            return _with_way(now, line, free=not line["caught"])
        case "content":
            filled = _with_way(now, line, full=bool(line["occupied"]))
            return replace(filled, carries=now.carries and not line["occupied"])
        case "key":
            back = {str(line["by"]): "outside"} if line["present"] else {}  # who hangs it back has come out
            return replace(_with_way(now, line, key=bool(line["present"])), people={**(now.people or {}), **back})
        case "passed":
            through = "between" if now.scene is not None and now.scene.passage is not None else "inside"
            return replace(now, people={**(now.people or {}), str(line["who"]): through})
        case "fridge" if "door" in line:
            is_open = line["door"] == "open"
            return replace(
                now, fridge="open" if is_open else "closed", chilled=now.chilled or (is_open and now.parcels > 0)
            )
        case "fault":
            others = tuple(name for name in now.faults if name != line["device"])
            return replace(now, faults=others if line["on"] is False else (*others, str(line["device"])))
        case "signal":
            return replace(now, light=str(line["light"]), sound=str(line["sound"]))
        case "person":
            who, where = str(line["who"]), str(line["where"])
            arrives = who == "courier" and where == "outside" and (now.people or {}).get(who) in (None, "away")
            return replace(now, people={**(now.people or {}), who: where}, carries=arrives or now.carries)
        case "parcel":
            is_inside = (now.people or {}).get(
                str(line["who"])
            ) == "inside"  # through a door that the house does not count
            return replace(now, parcels=now.parcels + (line["where"] == "inside" or is_inside), carries=False)
        case "scan":
            return replace(now, scans=(*now.scans, _seconds(line)))
        case "shown" if now.scans and line["word"] in ("wait", "no"):
            took = round((_seconds(line) - now.scans[0]) * 1000)
            return replace(now, decided_ms=took, scans=now.scans[1:])
        case _:
            return now


def _with_way(now: DemoSnapshot, line: LogLine, **changes: bool) -> DemoSnapshot:
    """Change the way in to which a line of the house's log belongs, if the scene has it."""
    thing = line.get("thing")
    drawn = () if now.scene is None else now.scene.closures
    moved = {way.id: replace(now.ways.get(way.id, WayShown()), **changes) for way in drawn if way.thing == thing}
    return replace(now, ways={**now.ways, **moved})


def ways_at_start(scene: SceneDrawn, things: Mapping[str, object]) -> Mapping[str, WayShown]:
    """Return each way in as the house has it at the start; `things`: its things (`SimulatedHouse.things`)."""
    plans = {way.id: things.get(way.thing or "") for way in scene.closures}
    return {
        id_: WayShown(key=bool(getattr(plan, "key", True)), full=bool(getattr(plan, "occupied", False)))
        for id_, plan in plans.items()
    }


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
