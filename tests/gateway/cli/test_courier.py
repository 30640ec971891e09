"""A courier's part by hand: what is held up, and what the door says to it."""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from devices.reports import ScanReport
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.cli import courier
from gateway.cli.courier import present_code, present_codes, resolve_scanner
from gateway.cli.failure import ExitCode, Failure
from gateway.cli.simulation import control_socket, physical_log, write_plan
from gateway.config.home import CamerasSection, FallbackSection, Home
from gateway.config.topics import BRIDGE_STATE
from gateway.domain.visit.closures import GarageDoor
from gateway.domain.visit.state import Evidence, Holder
from tests.gateway.cli.terminal import ROOT, account_session, next_message

SCANS, EVENTS = "perron/front-scanner/event", "perron/entrance/front/event"
MESSAGES = "perron/entrance/front/message"
VISIT = "1046b3bf3023d710"


@pytest.mark.parametrize("code", ["", "x" * 10_000, "8L\udcff\udcfe"])
async def test_what_no_barcode_says_is_refused_with_a_sentence(home: Home, code: str) -> None:
    with pytest.raises(Failure, match="A code "):
        await present_codes(home, (code,), "front-scanner", deliver=False)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_code_is_published_in_the_scanners_name_where_no_simulated_house_runs(home: Home) -> None:
    async with account_session(home, "gateway", "perron/front-scanner/event") as box:
        assert await present_code(home, "8L20524752032", "front-scanner") == "published as front-scanner"
        heard = await next_message(box)
    assert VENDORS["scanner"].decode_report(TopicSuffix.EVENT, heard.payload) == (ScanReport(code="8L20524752032"),)
    assert not heard.retain


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_code_is_held_before_the_simulated_scanner_where_the_house_runs(home: Home) -> None:
    socket, log = str(control_socket(home)), str(physical_log(home))
    command = [sys.executable, "-m", "devices.simulators", "--house", str(write_plan(home)), "--control", socket,
               "--log", log]  # fmt: skip
    async with account_session(
        home, "gateway", "perron/front-scanner/event", "perron/front-scanner/availability"
    ) as box:
        house = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            while (await next_message(box)).topic != "perron/front-scanner/availability":
                pass
            assert "simulated house" in await present_code(home, "8L20524752032", "front-scanner")
            heard = await next_message(box)
            while heard.topic != "perron/front-scanner/event":
                heard = await next_message(box)
        finally:
            house.terminate()
            await house.wait()
    assert VENDORS["scanner"].decode_report(TopicSuffix.EVENT, heard.payload) == (ScanReport(code="8L20524752032"),)


def test_a_scanner_that_is_none_is_answered_with_those_that_are(home: Home) -> None:
    assert resolve_scanner(home, None) == "front-scanner"
    with pytest.raises(Failure, match=r"no scanner 'typo'\. The house has: front-scanner"):
        resolve_scanner(home, "typo")


@pytest.mark.parametrize("code", ["", "8" * 513])
async def test_a_code_that_no_barcode_has_is_refused_before_anything_is_sent(home: Home, code: str) -> None:
    with pytest.raises(Failure, match="1 to 512 characters"):
        await present_codes(home, ("8L20524752032", code), "front-scanner", deliver=False)


def answer(word: str, refusal: str | None = None) -> Mapping[str, object]:
    return {"kind": "answer", "scan": VISIT, "scanner": "front-scanner", "word": word, "refusal": refusal}


def to_owner(about: str, *, brand: str = "cdiscount") -> Mapping[str, object]:
    """The message with which the visit begins."""
    return {"visit": VISIT, "about": about, "delivery": f"{brand}.order-1", "text": "At the door"}


@contextlib.asynccontextmanager
async def answering(home: Home, *answers: tuple[Mapping[str, object], ...]) -> AsyncIterator[None]:
    """Stand in for the gateway: to each scan it says the next of these."""
    async with account_session(home, "gateway", SCANS) as box:
        box.publish(BRIDGE_STATE, b'{"state":"online"}', retain=True)

        async def answering() -> None:
            for events in answers:
                await next_message(box)
                for event in events:
                    box.publish(MESSAGES if "about" in event else EVENTS, json.dumps(event).encode())

        task = asyncio.create_task(answering())
        yield
        await task


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(
    ("answers", "went", "told"),
    [
        ([(answer("no", "unknown_code"),)], False, ["no (unknown code)", "perron retailer announce --help"]),
        ([(answer("no", "not_ready"),)], False, ["no (the entrance was not ready)", "perron doctor"]),
        ([(answer("go"),)], True, ["says go", "Go in now"]),
        ([({"kind": "answer", "scan": "x", "scanner": "garage-scanner", "word": "no", "refusal": None},
           answer("go"))], True, ["says go"]),
        ([(answer("wait"), {"kind": "ring"}, {"kind": "phase", "phase": "ringing"}, to_owner("at_the_door"),
           answer("go"))], True, ["says wait", "opens in 20 s", "says go"]),
        ([(answer("wait"), {"kind": "ring"}, {"kind": "phase", "phase": "ringing"},
           to_owner("asks_for_yes", brand="own"), {"kind": "phase", "phase": "approving"},
           answer("no", "not_approved"))],
         False, ["only if the owner says yes within 55 s", "has 35 s more to say yes", "no (you did not say yes)"]),
        ([(answer("wait"), {"kind": "ring"}, {"kind": "phase", "phase": "ringing"}, to_owner("asks_for_yes"),
           {"kind": "phase", "phase": "approving"}, answer("go"))], True,
         ["only if the owner says yes within 80 s", "has 60 s more to say yes", "says go"]),
        ([({**answer("wait"), "visit": "one-under-way"},)], True,
         ["says wait", "It counts for the visit that is under way."]),
        ([(answer("wait"), {"kind": "ring"}, answer("no", "camera_unavailable"))], False, ["no (no live pictures)"]),
        ([(answer("wait"), {"kind": "ring"}, {"kind": "house", "house": "not_opened"})], False, ["somebody answered"]),
    ],
)  # fmt: skip
async def test_a_scan_tells_what_the_door_says(
    home: Home,
    answers: list[tuple[Mapping[str, object], ...]],
    went: bool,
    told: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with answering(home, *answers):
        assert await present_codes(home, ("8L20524752032",), "front-scanner", deliver=False) is went
    text = capsys.readouterr().out
    assert [word for word in told if word not in text] == [], text


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_scan_prints_the_other_place_at_which_the_house_takes_a_parcel(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    entrances = {"front": home.entrances["front"], "garage": home.entrances["front"]}
    moving = home.model_copy(update={"entrances": entrances, "fallback": FallbackSection(order=("front", "garage"))})
    moved = {"kind": "elsewhere", "scanner": "front-scanner", "delivery": "lune.d-1", "moved_to": "garage"}
    async with answering(home, (answer("no", "camera_unavailable"), moved)):
        assert not await present_codes(moving, ("8L20524752032",), "front-scanner", deliver=False)
    assert f"bring the parcel to {home.entrances['front'].name} (garage)" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(
    ("of_a_car", "told"),
    [
        ({}, "It opens as soon as all cameras record."),
        ({"cameras": CamerasSection(), "evidence": Evidence.SCAN}, "It opens at once."),
    ],
)
async def test_without_a_signal_no_bell_is_printed(
    home: Home, capsys: pytest.CaptureFixture[str], of_a_car: Mapping[str, object], told: str
) -> None:
    front = home.entrances["front"].model_copy(update={"signal": None, **of_a_car})
    silent = home.model_copy(update={"entrances": {**home.entrances, "front": front}})
    ringing = {"kind": "phase", "phase": "ringing"}
    async with answering(home, (answer("wait"), ringing, to_owner("at_the_door"), answer("go"))):
        assert await present_codes(silent, ("8L20524752032",), "front-scanner", deliver=False)
    text = capsys.readouterr().out
    assert f"This entrance has no signal. {told}" in text
    assert "bell" not in text
    assert ("Scan the parcel once more after closing" in text) is bool(of_a_car)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_half_of_what_is_asked_for_is_told_to_be_half(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    async with answering(home, (answer("wait"),)):
        assert await present_codes(home, ("8L20524752032",), "front-scanner", deliver=False)
    assert "the parcel's code or the courier's" in capsys.readouterr().out.splitlines()[-1]
    front = home.entrances["front"].model_copy(update={"holder": Holder.KEEPER, "keepers": ("claire",)})
    kept = home.model_copy(update={"entrances": {**home.entrances, "front": front}})
    async with answering(home, (answer("wait"),)):
        assert await present_codes(kept, ("8L20524752032",), "front-scanner", deliver=False)
    assert "the parcel's code or a keeper's" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_two_codes_are_held_up_one_after_the_other_until_a_no(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    async with answering(home, (answer("wait"),), (answer("no", "unknown_code"),)):
        codes = ("8L20524752032", "perron:unknown", "never-held")
        assert not await present_codes(home, codes, "front-scanner", deliver=False)
    assert [line[:6] for line in capsys.readouterr().out.splitlines() if line.startswith("…")] == ["…2032:", "…nown:"]


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_without_a_gateway_nobody_answers_and_that_is_said_at_once(home: Home) -> None:
    async with account_session(home, "observer", SCANS):
        with pytest.raises(Failure, match="no gateway is connected") as caught:
            await present_codes(home, ("8L20524752032",), "front-scanner", deliver=False)
    assert (caught.value.code, "perron run" in caught.value.todo) == (ExitCode.NO_ANSWER, True)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_gateway_that_says_nothing_is_told_with_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "ANSWER_TIMEOUT_S", 1.0)
    async with answering(home, ()):
        with pytest.raises(Failure, match="does not answer within 1 s") as caught:
            await present_codes(home, ("8L20524752032",), "front-scanner", deliver=False)
    assert "counts as one scan" in caught.value.todo


async def test_nobody_carries_a_parcel_in_where_no_house_is_simulated(home: Home) -> None:
    with pytest.raises(Failure, match="No simulated house runs"):
        await present_codes(home, ("8L20524752032",), "front-scanner", deliver=True)


async def test_the_simulated_courier_carries_nothing_in_by_a_garage(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    garage = GarageDoor.model_validate({"id": "garage", "devices": {"order": "garage-opener", "door": "front-door"}})
    front = home.entrances["front"].model_copy(update={"closures": (garage,)})
    house = home.model_copy(update={"entrances": {"front": front}})
    there = tmp_path / "house.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(there))
        monkeypatch.setattr(courier, "control_socket", lambda _home: there)
        with pytest.raises(Failure, match="through a door with a lock only, and front is none") as caught:
            await present_codes(house, ("8L20524752032",), "front-scanner", deliver=True)
    assert "try-it.md" in caught.value.todo
