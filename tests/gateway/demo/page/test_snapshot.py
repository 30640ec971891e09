"""What the page shows is a pure function of what happened: each happening and what it changes."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pytest

from gateway.config.closure_names import KIND_NAMES
from gateway.demo.names import PARCEL_BOX_NAME
from gateway.demo.observers import DemoEvent, ObservedMessage
from gateway.demo.page.event_lines import line_of_event
from gateway.demo.page.snapshot import (
    CHECK_NAMES,
    FAILED_CHECKS,
    DemoSnapshot,
    LineShown,
    PhoneMessageShown,
    ProofVerified,
    apply_event,
    for_next_delivery,
    line_text,
    message_text,
    snapshot_json,
)
from gateway.demo.result import LogLine
from gateway.demo.wording import DoorNames
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.commands import ScanAnswer
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

ONLINE, OFFLINE = (ObservedMessage("bridge", {"state": word}) for word in ("online", "offline"))
AT = "2026-11-24T20:00:00.000Z"
CAMERAS = ("doorbell", "hall-camera")


def event(kind: str, **facts: object) -> ObservedMessage:
    return ObservedMessage("event", {"kind": kind, "at": AT, **facts})


def answer(word: str, refusal: str | None = None) -> ObservedMessage:
    return event("answer", word=word, refusal=refusal)


def state(phase: str = "ready", *, locked: bool = True, recording: Sequence[str] = ()) -> ObservedMessage:
    cameras = {name: {"live": True, "recording": name in recording} for name in CAMERAS}
    return ObservedMessage("state", {"phase": phase, "locked": locked, "connected": True, "cameras": cameras})


def line(what: str, mono: float = 1.0, **facts: object) -> LogLine:
    return {"at": AT, "mono": mono, "what": what, **facts}


def bolt(where: str) -> LogLine:
    return line("bolt", state=where, cause="1a2b", intent="1a2b", in_air=False)


def door(how: str) -> LogLine:
    return line("door", state=how, by="courier")


def told(*happenings: DemoEvent, before: DemoSnapshot | None = None) -> DemoSnapshot:
    return reduce(apply_event, happenings, before or DemoSnapshot())


SCANNED = (
    line("scan", 10.0),
    line("shown", 10.004, word="wait"),
    line("scan", 11.0),
    line("shown", 11.0131, word="wait"),
)
OPENING = (bolt("withdrawn"), door("open"), door("closed"), bolt("thrown"))

TABLE: list[tuple[str, Sequence[DemoEvent], dict[str, object]]] = [
    ("the box comes", (ONLINE,), {"online": True, "died": False}),
    ("offline before it ever came is no death", (OFFLINE,), {"online": False, "died": False}),
    ("the box is back", (ONLINE, OFFLINE, ONLINE),
     {"online": True, "died": False}),
    ("locked is the box's own word", (state(locked=True),), {"proven": True}),
    ("and not the bolt's", (bolt("thrown"), state(locked=False)), {"proven": False, "bolt": "thrown"}),
    ("a door that is forced", (line("door", state="open", by="thief", forced=True),), {"door": "open", "forced": True}),
    ("the light", (line("signal", light="green", sound="go"),), {"light": "green"}),
    ("somebody inside", (line("person", who="courier", where="inside"),), {"people": {"courier": "inside"}}),
    ("a parcel put down", (line("parcel", who="courier", where="inside"),), {"parcels": 1, "carries": False}),
    ("a parcel left outside", (line("parcel", who="courier", where="outside"),), {"parcels": 0}),
    ("the next courier carries one again",
     (line("person", who="courier", where="outside"), line("parcel", who="courier", where="inside"),
      line("person", who="courier", where="away"), line("person", who="courier", where="outside")), {"carries": True}),
    ("one opening", OPENING, {"openings": 1, "bolt": "thrown"}),
    ("two", (*OPENING, *OPENING), {"openings": 2}),
    ("unlocked and nobody came", (bolt("withdrawn"), bolt("thrown")), {"openings": 0}),
    ("the promise is spent", (event("spend"),), {"spent": True}),
    ("and given back", (event("spend"), event("release")), {"spent": False}),
    ("decided in so many milliseconds, by the house's clock", SCANNED, {"decided_ms": 13}),
    ("a fault", (line("fault", device="doorbell", fault="frozen", on=True),), {"faults": ("doorbell",)}),
    ("that has ended", (line("fault", device="doorbell", fault="frozen", on=True),
                        line("fault", device="doorbell", fault="frozen", on=False)), {"faults": ()}),
]  # fmt: skip


@pytest.mark.parametrize(("happenings", "facts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_happened_is_shown(happenings: Sequence[DemoEvent], facts: dict[str, object]) -> None:
    now = told(*happenings)
    assert {name: getattr(now, name) for name in facts} == facts


def test_when_the_box_dies_nothing_of_the_door_is_known_any_more() -> None:
    believed = DemoSnapshot(believed={"doorbell": True}, clock=True)
    now = told(ONLINE, state(), OFFLINE, before=believed)
    assert (now.online, now.died, now.proven, now.connected) == (False, True, False, False)
    assert (now.believed, now.clock) == (None, False)


def test_the_openings_of_the_next_delivery_are_counted_anew() -> None:
    assert told(*OPENING, before=for_next_delivery(told(*OPENING))).openings == 1


def test_the_five_are_ticked_one_by_one_by_what_the_box_says() -> None:
    now = DemoSnapshot()
    ticks = []
    for one in (answer("wait"), event("phase", phase=Phase.RINGING), state("ringing", recording=CAMERAS[:1]),
                state("ringing", recording=CAMERAS)):  # fmt: skip
        now = apply_event(now, one)
        ticks.append([check for check in CHECK_NAMES if (now.checks or {})[check]])
    assert ticks == [
        ["parcel"],
        ["parcel", "hour", "brand", "courier"],
        ["parcel", "hour", "brand", "courier"],
        list(CHECK_NAMES),
    ]


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_crosses_out_what_it_is_about_and_ticks_nothing(refusal: Refusal) -> None:
    now = told(answer(ScanAnswer.NO, refusal))
    crossed = FAILED_CHECKS.get(refusal)
    assert (now.checks or {}) == {check: False if check == crossed else None for check in CHECK_NAMES}


@pytest.mark.parametrize("over", [(answer("no", "already_used"),), (event("phase", phase="ready"),)])
def test_an_answer_after_what_is_over_begins_a_clean_row(over: Sequence[DemoEvent]) -> None:
    now = told(answer("wait"), event("phase", phase="ringing"), *over, answer("wait"))
    assert now.checks == {**dict.fromkeys(CHECK_NAMES), "parcel": True}


def test_the_houses_own_word_of_a_scan_may_come_after_the_boxs_answer() -> None:
    now = told(answer("no", "already_used"), line("scan", 5.0), line("shown", 5.01, word="no"))
    assert (now.checks or {})["parcel"] is False
    assert now.decided_ms == 10


def buzzed(text: str, language: str = "en") -> PhoneMessageShown:
    return PhoneMessageShown(language=language, text=text, urgent=False, picture=None, waited=0.0)


def test_the_phone_keeps_the_newest_messages_and_counts_all() -> None:
    body = snapshot_json(DemoSnapshot(phone=tuple(buzzed(str(number)) for number in range(9))), "en")
    assert ([one["text"] for one in body["phone"]], body["buzzes"]) == (["5", "6", "7", "8"], 9)


def test_a_page_shows_the_phone_and_the_line_of_its_own_language() -> None:
    message = {"about": "locked_again", "urgent": False, "text": "Locked again 14:07", "facts": {"time": "14:07"}}
    phones = (buzzed("Locked again 14:07"), buzzed("Reverrouillé à 14:07", "fr"), buzzed("Pile bientôt vide", "fr"))
    now = DemoSnapshot(phone=phones, says=LineShown(text=_("The owner is told: “{text}”"), message=message))
    french, english = snapshot_json(now, "fr"), snapshot_json(now, "en")
    assert [one["text"] for one in french["phone"]] == ["Reverrouillé à 14:07", "Pile bientôt vide"]
    assert [one["text"] for one in english["phone"]] == ["Locked again 14:07"]
    placed = {"about": "locked_again", "urgent": False, "facts": {"time": "14:07", "entrance": "Front door"}}
    assert message_text(placed, "fr") == "Reverrouillé à 14:07, Porte d'entrée"
    assert (french["buzzes"], english["buzzes"]) == (2, 1)
    assert (
        french["says"]["text"]
        == "Le propriétaire apprend\N{NO-BREAK SPACE}: «\N{NO-BREAK SPACE}Reverrouillé à 14:07\N{NO-BREAK SPACE}»"
    )
    assert english["says"] == {
        "text": "The owner is told: “Locked again 14:07”",
        "tone": "",
        "chapter": 0,
        "live": False,
        "look": None,
    }


def test_all_of_it_is_json_and_says_nothing_twice() -> None:
    verified = ProofVerified(holds=False, second=7.0, length=14.0, where="x")
    now = told(*OPENING, before=DemoSnapshot(title="show", asked=True, verified=verified))
    body: dict[str, Any] = snapshot_json(now, "en")
    assert (body["asked"], body["granted"]) == (True, False)
    assert body["verified"]["second"] == 7.0
    assert "moves" not in body


def test_nothing_changes_what_was_shown_before() -> None:
    before = told(answer("wait"))
    apply_event(before, event("phase", phase="ringing"))
    assert before.checks == {**dict.fromkeys(CHECK_NAMES), "parcel": True}


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (event("phase", phase="inside"), "Door open"),
        (event("phase", phase="ready"), None),
        (answer("no", "expired"), "No: delivery expired."),
        (answer("wait"), "A code is held before the scanner."),
        (line("scan", code="x"), None),
        (
            ObservedMessage("message", {"about": "locked_again", "urgent": False, "facts": {"time": "14:07"}}),
            "The owner is told: “Locked again 14:07”",
        ),
        (OFFLINE, "The box does not answer any more."),
        (line("person", who="thief", where="outside"), "The thief is at the door."),
        (line("door", state="open", by="thief", forced=True), "The door is forced."),
        (line("bolt", state="thrown", in_air=True), "The bolt is thrown while the door is open."),
        (line("fault", device="front-lock", fault="jams", on=True), "A fault: the lock."),
        (line("fault", device="front-lock", fault="jams", on=False), None),
        (line("link", device="doorbell", up=False), "Cut off: the doorbell's camera."),
        (line("boot", device="front-lock", boot="1"), None),
    ],
)
def test_a_scene_has_a_plain_line_for_what_matters(what: DemoEvent, text: str | None) -> None:
    said = line_of_event(what)
    assert (None if said is None else line_text(said, "en")) == text


FLAT = DoorNames(
    by_id={"street": KIND_NAMES["strike"], MAIN_CLOSURE: KIND_NAMES["bolted_door"]},
    by_thing={"street": KIND_NAMES["strike"], None: KIND_NAMES["bolted_door"]},
)
WITH_BOX = DoorNames(by_id={}, by_thing={}, entrances={"box": PARCEL_BOX_NAME})
GARAGE = DoorNames(by_id={MAIN_CLOSURE: KIND_NAMES["garage_door"]}, by_thing={None: KIND_NAMES["garage_door"]})


@pytest.mark.parametrize(
    ("what", "doors", "text"),
    [
        (event("phase", phase="unlocked", closure="street"), FLAT, "Unlocked for the courier: Street door"),
        (event("phase", phase="advancing", closure=MAIN_CLOSURE), FLAT, "On the way to: Door"),
        (event("phase", phase="inside", closure=MAIN_CLOSURE), FLAT, "Open: Door"),
        (event("phase", phase="relocking"), FLAT, "Locking again"),
        (event("phase", phase="unlocking"), GARAGE, "Being opened: Garage door"),
        (line("strike", thing="street", released=True), FLAT, "Street door: its strike lets go"),
        (line("way", thing="street", state="open", by="courier"), FLAT, "Street door opens"),
        (line("way", thing="street", state="closed", by="itself"), FLAT, "Street door closes"),
        (line("latch", thing="street", caught=True), FLAT, "Street door: its latch catches"),
        (door("open"), FLAT, "Door opens"),
        (bolt("thrown"), GARAGE, "Garage door: locked"),
        (line("bolt", state="thrown", in_air=True), FLAT, "The bolt is thrown while the door is open."),
        (line("door", state="open", by="thief", forced=True), FLAT, "The door is forced."),
        (line("way", thing="cellar", state="open", by="x"), FLAT, None),
        (line("fault", device="street", fault="wedged", on=True), FLAT, "A fault: Street door."),
        (event("elsewhere", moved_to="box"), WITH_BOX, "The scanner shows another place: Parcel box."),
        (
            line("signal", light="amber", sound="close_the_door"),
            FLAT,
            "The signal reminds: close up.",
        ),
        (line("signal", light="amber", sound="none"), FLAT, None),
    ],
)
def test_a_scene_of_several_doors_says_which_door(what: DemoEvent, doors: DoorNames, text: str | None) -> None:
    said = line_of_event(what, doors)
    assert (None if said is None else line_text(said, "en")) == text
    assert said is None or line_text(said, "fr") != text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"state": "not_delivered", "reason": "declined_damaged"}, "The retailer reads: not delivered, damaged."),
        ({"state": "not_delivered", "reason": "declined"}, "The retailer reads: not delivered, no reason given."),
        ({"state": "not_delivered", "reason": "unknown"}, "The retailer reads: not delivered."),
        (
            {"state": "not_delivered", "reason": "declined_unknown"},
            "The retailer reads: not delivered, the name is not known there.",
        ),
        ({"state": "delivered", "reason": None}, "The retailer reads: delivered."),
        ({"state": "delivered", "house": "locked_again"}, "The retailer reads: delivered, locked again, proven."),
        ({"state": "visiting"}, None),
        ({"answers": "1", "accepted": True}, None),
    ],
)
def test_a_scene_says_what_the_retailer_reads_in_the_end(body: dict[str, object], text: str | None) -> None:
    said = line_of_event(ObservedMessage("result", body))
    assert (None if said is None else line_text(said, "en")) == text


@pytest.mark.parametrize("kind", ["phase", "outcome", "answer"])
def test_each_phase_outcome_and_refusal_has_a_line_in_french_too(kind: str) -> None:
    events = {
        "phase": [event("phase", phase=phase) for phase in Phase],
        "outcome": [event("outcome", outcome=outcome) for outcome in Outcome],
        "answer": [answer("no", refusal) for refusal in Refusal],
    }
    for what in events[kind]:
        said = line_of_event(what)
        assert said is not None
        assert line_text(said, "fr") != line_text(said, "en")


def test_a_line_of_the_script_names_its_chapter() -> None:
    says = LineShown(text=_("The bolt turns."), chapter=3)
    assert snapshot_json(DemoSnapshot(says=says), "en")["says"]["chapter"] == 3
