"""What `perron run` says to a person at a terminal."""

import ast
import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest
import structlog

from gateway.cli.failure import ExitCode
from gateway.cli.log_format import ShortLineRenderer, escape_unprintable
from gateway.cli.log_texts import LOG_TEXTS, log_sentence
from gateway.protocol.hash_chain import canonical_json
from tests.gateway.cli.terminal import ROOT, run_perron, start_command

AT = {"timestamp": "2026-11-24T20:35:06Z", "level": "info"}


def row(
    event: dict[str, Any], *commands: dict[str, Any], phase: str = "ready", before: str = "ready"
) -> dict[str, Any]:
    return {
        "event": "decision",
        "entry": 4,
        **AT,
        "row": canonical_json(
            {
                "kind": "step",
                "at": AT["timestamp"],
                "entrance": "front",
                "event": event,
                "commands": list(commands),
                "phase": phase,
                "phase_before": before,
            }
        ),
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
        ({"event": "told_owner", "text": "Alarm 21:35: the lock is jammed", "urgent": True, **AT},
         "ALARM, the owner is told: Alarm 21:35: the lock is jammed"),
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
        ({"event": "broker_lost", "host": "127.0.0.1", "port": 1883, "why": "[Errno 111] Connection refused", **AT,
          "level": "warning"}, "warning: no connection to the broker at 127.0.0.1:1883: Connection refused"),
        ({"event": "pages_not_served", "port": 8642, "why": "nginx (process 12) listens there", "todo": "end it", **AT,
          "level": "error"},
         "ERROR: the pages cannot be opened on port 8642: nginx (process 12) listens there. End it"),
        ({"event": "readiness", "ready": [], "lacking": {"front": ["broker_account"]}, **AT},
         "NOT ready: front (the broker refuses the gateway's account). `perron doctor` looks for the cause."),
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
def test_a_log_that_no_person_reads_is_one_json_object_a_line(
    home_file: Path, terminal: bool, options: list[str]
) -> None:
    with start_command("run", "--home", home_file, *options, terminal=terminal) as gateway:
        gateway.until('"event": "decision"')
        gateway.until('"event": "readiness"')
        gateway.end(signal.SIGTERM)
        lines = [json.loads(line) for line in gateway.text.splitlines() if line.strip()]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
    decision = next(line for line in lines if line["event"] == "decision")
    assert decision["row"]["kind"] == "step", "the decision whole, as an object"


def logged_events() -> Iterator[tuple[str, str, frozenset[str]]]:
    """File, event and fields of each line that the gateway, the guard and the intercom's process can log."""
    for file in sorted((ROOT / "gateway").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "structlog.get_logger(" not in text or (ROOT / "gateway" / "hub") in file.parents:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and re.fullmatch(
                r"(_?log|structlog\.get_logger\(__name__\))(\.(info|warning|error))?", ast.unparse(node.func)
            ):
                kind = node.args[0] if node.args else None
                if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
                    yield file.name, kind.value, frozenset(keyword.arg or "" for keyword in node.keywords)


RENDERED_OTHERWISE = frozenset(
    {"decision", "readiness", "pages", "unclaimed", "asked_on_a_page", "told_owner", "ordered_from_afar", "request"}
)


def test_each_event_of_the_log_has_a_sentence_of_fields_that_it_has() -> None:
    found = list(logged_events())
    assert len(found) > 100
    for file, kind, fields in found:
        if kind not in RENDERED_OTHERWISE:
            assert kind in LOG_TEXTS, f"{file}: {kind} has no sentence"
            assert set(re.findall(r"{(\w+)}", LOG_TEXTS[kind])) <= fields, f"{file}: {kind} lacks a field"
    assert LOG_TEXTS.keys() <= {kind for _, kind, _ in found} | RENDERED_OTHERWISE, "no sentence is left over"


def test_no_sentence_shows_a_person_how_python_writes_a_value() -> None:
    for _, kind, fields in logged_events():
        if kind in LOG_TEXTS:
            values = {
                field: ["front", "back"] if field in {"devices", "commands"} else field.replace("_", " ")
                for field in fields
            }
            sentence = log_sentence({"event": kind, **AT, **values})
            assert re.search(r"[={}\[\]]|\w+ \w+='|None|True|_", sentence) is None, sentence


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
def test_a_broker_that_refuses_the_password_is_not_said_to_be_silent(home_file: Path) -> None:
    password = next((home_file.parent / "accounts").glob("gateway.password"))
    password.write_text("another\n")
    with start_command("run", "--home", home_file, terminal=True) as gateway:
        gateway.until("no connection to the broker at 127.0.0.1:")
        gateway.until("it refuses account or password (broker.username, broker.password_file)")
        gateway.until("NOT ready: front (the broker refuses the gateway's account)")
        assert "answer" not in gateway.text


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
def test_a_taken_port_is_told_once_with_who_has_it_and_stops_the_first_start(home_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = re.sub(r"(pages:.*\n(?:  .*\n)*?  port: )\d+", rf"\g<1>{port}", home_file.read_text(encoding="utf-8"))
        home_file.write_text(text, encoding="utf-8")
        told = run_perron("run", "--home", home_file)
    name = psutil.Process().name()
    assert told.returncode == ExitCode.NO_ANSWER
    assert (
        f"At 127.0.0.1:{port}, where this house's pages belong, {name} (process {os.getpid()}) listens" in told.stderr
    )
    assert "End it, or name another port" in told.stderr
