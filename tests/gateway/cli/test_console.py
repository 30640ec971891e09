"""What `perron run` says to a person at a terminal."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog

from gateway.cli.console import ShortLineRenderer, escape_unprintable
from tests.gateway.cli.terminal import start_command

AT = {"timestamp": "2026-11-24T20:35:06Z", "level": "info"}


def row(
    event: dict[str, Any], *commands: dict[str, Any], phase: str = "ready", before: str = "ready"
) -> dict[str, Any]:
    return {
        "event": "decision",
        "entry": 4,
        **AT,
        "row": {
            "kind": "step",
            "at": AT["timestamp"],
            "entrance": "front",
            "event": event,
            "commands": list(commands),
            "phase": phase,
            "phase_before": before,
        },
    }


def lock(bolt: str) -> dict[str, Any]:
    return {"event": "LockHeard", "report": {"bolt": bolt}}


def scan(kind: str) -> dict[str, Any]:
    return {"event": "Scanned", "code": {"hmac": "a2", "last": "2032"}, "matches": [{"delivery": "d", "kind": kind}]}


def said(*events: dict[str, Any]) -> list[str]:
    transcript, lines = ShortLineRenderer(ZoneInfo("Europe/Paris")), []
    for event in events:
        try:
            lines.append(transcript(None, "info", event))
        except structlog.DropEvent:
            lines.append("")
    return lines


NO = {"command": "Answer", "scanner": "front-scanner", "word": "no", "refusal": "unknown_code"}
WAIT = {"command": "Answer", "scanner": "front-scanner", "word": "wait", "refusal": None}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (row(scan("parcel"), NO), "front: front-scanner …2032: no (unknown code)"),
        (row(scan("courier"), WAIT), "front: front-scanner the courier's code: wait"),
        (row({"event": "Due"}, {"command": "Unlock"}), "front: the unlock is sent"),
        (row({"event": "Due"}, {"command": "Lock", "n": 2}), "front: the gateway commands the lock to lock, try 2"),
        (row({"event": "Due"}, phase="handed_to_owner", before="relocking"), "front: relocking -> handed to owner"),
        (row({"event": "PausesChanged", "pauses": []}), "front: the household's pauses: none"),
        (row({"event": "Due"}, {"command": "Note", "what": "lockup_door_open"}), "front: the lock-up: door open"),
        (row({"event": "BrokerDown"}), "front: the broker is lost: nothing is known of lock and door"),
        (row({"event": "UnlockNotSent", "visit": "v", "why": "proof_too_old"}),
         "front: the unlock did not leave: proof too old"),
        ({"event": "told_owner", "text": "Alarm 21:35: lock jammed", "urgent": True, **AT},
         "ALARM, the owner is told: Alarm 21:35: lock jammed"),
        ({"event": "asked_on_a_page", "entrance": "front", "do": "end_pause", "by": "b67227a0", "done": True, **AT},
         "front: requested on a page: end pause"),
        ({"event": "asked_on_a_page", "entrance": "front", "do": "lock", "by": "b67227a0", "done": False, **AT},
         "front: requested on a page: lock: not done"),
        (row({"event": "WindowChanged", "expecting": False}), "front: no further delivery is near"),
        ({"event": "pages", "at": ["http://127.0.0.1:8642/"], "trust": None, **AT}, "the pages: http://127.0.0.1:8642/"),
        ({"event": "readiness", "ready": ["front"], "lacking": {}, **AT}, "Ready: front."),
        ({"event": "readiness", "ready": ["garage"], "lacking": {"front": ["clock"]}, **AT},
         "Ready: garage. NOT ready: front (the time is not certain). `perron doctor` looks for the cause."),
        ({"event": "readiness", "ready": [], "lacking": {"front": ["paused"]}, **AT},
         "NOT ready: front (deliveries are paused: `perron pause --list`). `perron doctor` looks for the cause."),
        ({"event": "broker_lost", "why": "[Errno 111] Connection refused", **AT, "level": "warning"},
         "warning: broker lost (why Connection refused)"),
    ],
)  # fmt: skip
def test_what_happens_is_one_short_line_with_the_houses_own_time(event: dict[str, Any], line: str) -> None:
    assert said(event) == [f"21:35:06  {line}"]


def test_what_tells_a_person_nothing_new_is_no_line() -> None:
    told = said(row(lock("locked")), row(lock("locked")), row({"event": "DeviceSpoke"}), row(lock("unlocked")))
    assert [line[10:] for line in told] == ["front: the bolt is locked", "", "", "front: the bolt is unlocked"]


def test_an_entrance_is_ready_for_no_delivery_that_it_has_delivered() -> None:
    ready = {"command": "Readiness", "delivery": "shop.1", "lacking": []}
    delivered = {"command": "ParcelResult", "delivery": "shop.1", "outcome": "delivered"}
    other = {**ready, "delivery": "shop.2"}
    told = said(*(row({"event": "Due"}, command) for command in (ready, delivered, ready, other)))
    assert [line[10:] for line in told] == [
        "front: ready for shop.1", "front: shop.1: delivered", "", "front: ready for shop.2",
    ]  # fmt: skip


def test_what_somebody_sent_turns_no_terminal() -> None:
    event = escape_unprintable(None, "warning", {"event": "unexpected_topic", "topic": "x\x1b[2Jé\r\n\u202e", "at": 3})
    assert event == {"event": "unexpected_topic", "topic": "x\\x1b[2Jé\\r\\n\\u202e", "at": 3}
    name = {"event": "told_owner", "text": "\u2068חלב\u2069"}
    assert escape_unprintable(None, "info", dict(name)) == name


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
def test_an_entrance_that_lacks_something_is_told_with_what_it_lacks(home_file: Path) -> None:
    home_file.write_text(home_file.read_text().replace("source: ntp", "source: host"))
    with start_command("run", "--home", home_file, terminal=True) as gateway:
        gateway.until("NOT ready: front (the lock is not proven locked; the door is not proven closed)")


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(("terminal", "options"), [(False, []), (True, ["--verbose"])])
def test_whoever_wants_all_gets_each_decision_whole(home_file: Path, terminal: bool, options: list[str]) -> None:
    with start_command("run", "--home", home_file, *options, terminal=terminal) as gateway:
        gateway.until("row=")
        gateway.until("readiness")
