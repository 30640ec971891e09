"""What was seen is waited for in order, and what never came is told with what came instead."""

import json
from pathlib import Path

import pytest

from gateway.demo.observers import GatewayObserver, HouseLog, WaitTimeout
from gateway.system.mqtt_settings import BrokerSection


def watch(tmp_path: Path) -> GatewayObserver:
    return GatewayObserver(BrokerSection(), ["front"], tmp_path / "phone.jsonl", lambda _seen: None)


def say(watched: GatewayObserver, topic: str, /, **body: object) -> None:
    watched._receive(topic, json.dumps(body).encode())  # noqa: SLF001 - what the broker would bring


async def test_the_next_event_of_a_kind_is_found_once(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    say(watched, "event", kind="phase", phase="ready")
    watched.mark_seen()
    say(watched, "event", kind="phase", phase="ringing")
    say(watched, "event", kind="answer", word="no", refusal="busy")
    say(watched, "event", kind="phase", phase="ready")
    await watched.wait_for_event("phase", phase="ringing", within=1)
    await watched.wait_for_event("phase", phase="ready", within=1)
    await watched.wait_for_event("answer", word="no", within=1)
    with pytest.raises(
        WaitTimeout, match=r"event phase ready. Seen instead: .*phase ringing; answer no busy; phase ready"
    ):
        await watched.wait_for_event("phase", phase="ready", within=0.05)


async def test_a_message_told_twice_is_one_message(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    for _ in range(2):
        say(watched, "message", id=7, about="locked_again", urgent=False)
    say(watched, "message", id=8, about="not_locked", urgent=True)
    assert [body["id"] for body in watched.messages(urgent=False)] == [7]
    assert [body["about"] for body in watched.messages(urgent=True)] == ["not_locked"]


async def test_what_a_box_showed_before_it_died_is_no_longer_known(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    say(watched, "bridge", state="online")
    say(watched, "state", phase="ready", locked=True)
    assert watched.state["locked"] is True
    say(watched, "bridge", state="offline")
    assert (watched.is_online, watched.state) == (False, {})


async def test_the_phone_keeps_every_checkpoint(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    say(watched, "checkpoint", seq=1)
    say(watched, "checkpoint", seq=2)
    kept = (tmp_path / "phone.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in kept] == [1, 2]


async def test_half_a_line_of_the_house_log_waits_for_its_other_half(tmp_path: Path) -> None:
    file = tmp_path / "house.jsonl"
    log = HouseLog(file, lambda _line: None)
    log.read_new_lines()
    file.write_text('{"what": "bolt", "state": "withdrawn"}\n{"what": "do')
    log.read_new_lines()
    assert len(log.lines) == 1
    with file.open("a") as more:
        more.write('or", "state": "open"}\n')
    log.read_new_lines()
    assert await log.wait_for_line("door", state="open", within=0.05)
    with pytest.raises(WaitTimeout, match=r"in the house: door state closed. Seen instead: bolt withdrawn; door open"):
        await log.wait_for_line("door", state="closed", within=0.05)
