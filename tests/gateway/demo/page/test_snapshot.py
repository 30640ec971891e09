"""What the page shows is a pure function of what happened: each happening and what it changes."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.demo.page.plain import plain
from gateway.demo.page.snapshot import (
    CHECKS,
    CROSSED,
    Asked,
    Begins,
    Buzzed,
    CableMoved,
    Counts,
    Happening,
    Over,
    Raised,
    Saw,
    Says,
    Snapshot,
    Verified,
    after,
    shown,
)
from gateway.demo.page.words import words
from gateway.demo.result import Line
from gateway.demo.watch import Seen
from gateway.domain.visit.commands import ScanAnswer
from gateway.domain.visit.state import Phase, Refusal

ONLINE, OFFLINE = (Seen("bridge", {"state": word}) for word in ("online", "offline"))
AT = "2026-11-24T20:00:00.000Z"
CAMERAS = ("doorbell", "hall-camera")


def event(kind: str, **facts: object) -> Seen:
    return Seen("event", {"kind": kind, "at": AT, **facts})


def answer(word: str, refusal: str | None = None) -> Seen:
    return event("answer", word=word, refusal=refusal)


def state(phase: str = "ready", *, locked: bool = True, recording: Sequence[str] = ()) -> Seen:
    cameras = {name: {"live": True, "recording": name in recording} for name in CAMERAS}
    return Seen("state", {"phase": phase, "locked": locked, "connected": True, "cameras": cameras})


def line(what: str, mono: float = 1.0, **facts: object) -> Line:
    return {"at": AT, "mono": mono, "what": what, **facts}


def bolt(where: str) -> Line:
    return line("bolt", state=where, cause="1a2b", intent="1a2b", in_air=False)


def door(how: str) -> Line:
    return line("door", state=how, by="courier")


def told(*happenings: Happening) -> Snapshot:
    now = Snapshot()
    for one in happenings:
        now = after(now, one)
    return now


SCANNED = (
    line("scan", 10.0),
    line("shown", 10.004, word="wait"),
    line("scan", 11.0),
    line("shown", 11.0131, word="wait"),
)
OPENING = (bolt("withdrawn"), door("open"), door("closed"), bolt("thrown"))

TABLE: list[tuple[str, Sequence[Happening], dict[str, object]]] = [
    ("a play begins on a clean page", (Over(complaints=("no",)), CableMoved(plugged=False), Begins(title="show")),
     {"run": 1, "title": "show", "stage": "setting", "complaints": (), "cable": True}),
    ("the stage is up", (Begins(title="x"), Raised()), {"stage": "playing"}),
    ("a scene that was stopped", (Begins(title="x"), Over(stopped=True)), {"stage": "over", "stopped": True}),
    ("the cable is pulled", (CableMoved(plugged=False),), {"cable": False}),
    ("and put back", (CableMoved(plugged=False), CableMoved(plugged=True)), {"cable": True}),
    ("the box comes", (ONLINE,), {"online": True, "died": False}),
    ("offline before it ever came is no death", (OFFLINE,), {"online": False, "died": False}),
    ("the box dies: nothing of the door is known any more",
     (ONLINE, state(), Saw(believed={"doorbell": True}, clock=True), OFFLINE),
     {"online": False, "died": True, "proven": False, "connected": False, "believed": None, "clock": False}),
    ("the box is back", (ONLINE, OFFLINE, ONLINE),
     {"online": True, "died": False}),
    ("locked is the box's own word", (state(locked=True),), {"proven": True}),
    ("and not the bolt's", (bolt("thrown"), state(locked=False)), {"proven": False, "bolt": "thrown"}),
    ("a door that is forced", (line("door", state="open", by="thief", forced=True),), {"door": "open", "forced": True}),
    ("the light", (line("signal", light="green", sound="go"),), {"light": "green", "sound": "go"}),
    ("somebody inside", (line("person", who="courier", where="inside"),), {"people": {"courier": "inside"}}),
    ("a parcel put down", (line("parcel", who="courier", where="inside"),), {"parcels": 1, "carries": False}),
    ("a parcel left outside", (line("parcel", who="courier", where="outside"),), {"parcels": 0}),
    ("the next courier carries one again",
     (line("person", who="courier", where="outside"), line("parcel", who="courier", where="inside"),
      line("person", who="courier", where="away"), line("person", who="courier", where="outside")), {"carries": True}),
    ("one opening", OPENING, {"openings": 1, "bolt": "thrown"}),
    ("two", (*OPENING, *OPENING), {"openings": 2}),
    ("counted anew", (*OPENING, Counts(), *OPENING), {"openings": 1}),
    ("unlocked and nobody came", (bolt("withdrawn"), bolt("thrown")), {"openings": 0}),
    ("the promise is spent", (event("spend"),), {"spent": True}),
    ("and given back", (event("spend"), event("release")), {"spent": False}),
    ("decided in so many milliseconds, by the house's clock", SCANNED, {"decided_ms": 13}),
    ("a fault", (line("fault", device="doorbell", fault="frozen", on=True),), {"faults": ("doorbell",)}),
    ("that has ended", (line("fault", device="doorbell", fault="frozen", on=True),
                        line("fault", device="doorbell", fault="frozen", on=False)), {"faults": ()}),
    ("a camera that is not believed", (Saw(believed={"doorbell": False}, clock=True),),
     {"believed": {"doorbell": False}, "clock": True}),
]  # fmt: skip


@pytest.mark.parametrize(("happenings", "facts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_happened_is_shown(happenings: Sequence[Happening], facts: dict[str, object]) -> None:
    now = told(*happenings)
    assert {name: getattr(now, name) for name in facts} == facts


def test_the_five_are_ticked_one_by_one_by_what_the_box_says() -> None:
    now = Snapshot()
    ticks = []
    for one in (answer("wait"), event("phase", phase=Phase.RINGING), state("ringing", recording=CAMERAS[:1]),
                state("ringing", recording=CAMERAS)):  # fmt: skip
        now = after(now, one)
        ticks.append([check for check in CHECKS if (now.checks or {})[check]])
    assert ticks == [
        ["parcel"],
        ["parcel", "hour", "brand", "courier"],
        ["parcel", "hour", "brand", "courier"],
        list(CHECKS),
    ]


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_crosses_out_what_it_is_about_and_ticks_nothing(refusal: Refusal) -> None:
    now = told(answer(ScanAnswer.NO, refusal))
    assert now.refusal == refusal
    crossed = CROSSED.get(refusal)
    assert (now.checks or {}) == {check: False if check == crossed else None for check in CHECKS}


@pytest.mark.parametrize("over", [(answer("no", "already_used"),), (event("phase", phase="ready"),)])
def test_an_answer_after_what_is_over_begins_a_clean_row(over: Sequence[Happening]) -> None:
    now = told(answer("wait"), event("phase", phase="ringing"), *over, answer("wait"))
    assert (now.checks, now.refusal) == ({**dict.fromkeys(CHECKS), "parcel": True}, None)


def test_the_houses_own_word_of_a_scan_may_come_after_the_boxs_answer() -> None:
    now = told(answer("no", "already_used"), line("scan", 5.0), line("shown", 5.01, word="no"))
    assert (now.checks or {})["parcel"] is False
    assert now.decided_ms == 10


def buzzed(text: str, language: str = "en") -> Buzzed:
    return Buzzed(language=language, text=text, urgent=False, picture=None, waited=0.0)


def test_the_phone_keeps_the_newest_messages_and_counts_all() -> None:
    now = told(*(buzzed(str(number)) for number in range(9)))
    assert ([one.text for one in now.phone], now.buzzes) == (["5", "6", "7", "8"], {"en": 9})


def test_a_page_shows_the_phone_and_the_line_of_its_own_language() -> None:
    message = {"about": "locked_again", "urgent": False, "text": "Locked again 14:07", "facts": {"time": "14:07"}}
    phones = (buzzed("Locked again 14:07"), buzzed("Reverrouillé à 14:07", "fr"), buzzed("Pile bientôt vide", "fr"))
    now = told(*phones, Says(key="show.back", facts={}, message=message))
    french, english = shown(now, "fr"), shown(now, "en")
    assert [one["text"] for one in french["phone"]] == ["Reverrouillé à 14:07", "Pile bientôt vide"]
    assert [one["text"] for one in english["phone"]] == ["Locked again 14:07"]
    assert (french["buzzes"], english["buzzes"]) == (2, 1)
    assert french["says"] == {"key": "show.back", "facts": {"text": "Reverrouillé à 14:07"}, "chapter": 0}
    assert english["says"]["facts"] == {"text": "Locked again 14:07"}


def test_all_of_it_is_json_and_says_nothing_twice() -> None:
    asked = Asked(brand="Cdiscount", carrier="Chronopost", place="hall", hours="14-16 h")
    now = told(Begins(title="show"), asked, *OPENING, Verified(holds=False, second=7.0, length=14.0, where="x"))
    body: dict[str, Any] = shown(now, "en")
    assert body["asked"]["hours"] == "14-16 h"
    assert body["verified"]["second"] == 7.0
    assert "moves" not in body


def test_nothing_changes_what_was_shown_before() -> None:
    before = told(answer("wait"))
    after(before, event("phase", phase="ringing"))
    assert before.checks == {**dict.fromkeys(CHECKS), "parcel": True}


@pytest.mark.parametrize(
    ("what", "key"),
    [
        (event("phase", phase="inside"), "phase.inside"),
        (event("phase", phase="ready"), None),
        (answer("no", "expired"), "line.refused"),
        (answer("wait"), "line.scan"),
        (line("scan", code="x"), None),
        (Seen("message", {"about": "locked_again", "urgent": False, "facts": {}}), "line.told"),
        (OFFLINE, "line.died"),
        (line("person", who="thief", where="outside"), "line.person.outside"),
        (line("door", state="open", by="thief", forced=True), "line.door.forced"),
        (line("bolt", state="thrown", in_air=True), "line.bolt.air"),
        (line("fault", device="front-lock", fault="jams", on=True), "line.fault"),
        (line("fault", device="front-lock", fault="jams", on=False), None),
        (line("link", device="doorbell", up=False), "line.link.down"),
        (line("boot", device="front-lock", boot="1"), None),
        (Raised(), None),
    ],
)
def test_a_scene_has_a_plain_line_for_what_matters(what: Happening, key: str | None) -> None:
    said = plain(what)
    assert (None if said is None else said.key) == key
    if said is not None:
        known = words("en")
        assert said.key in known
        assert all(fact[1:] in known for fact in said.facts.values() if fact.startswith("@"))


def test_a_line_of_the_script_names_its_chapter() -> None:
    says = Says(key="show.pulled", facts={}, chapter=3)
    assert shown(told(says), "en")["says"] == {"key": "show.pulled", "facts": {}, "chapter": 3}
