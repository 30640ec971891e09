"""`perron demo` as people and scripts call it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.failure import Failure
from gateway.cli.folder_path import MAX_FOLDER_PATH_BYTES, check_folder_path
from gateway.demo.cli import (
    MAX_RUN_NAME_LENGTH,
    DemoOptions,
    demo,
    new_folder,
    numbered_folder_name,
    play_scenarios,
    run_folder_name,
)
from gateway.demo.plan import make_plan
from gateway.demo.processes import is_running
from gateway.demo.result import ScenarioResult
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import SCENARIOS, find_scenarios
from tests.forkserver import run_python

PATIENCE = 90.0  # seconds
LETTING_GO = 20.0  # seconds: a video process that was forgotten films on for half an hour


def perron(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_python("-m", "gateway", "demo", *words, env={**os.environ, "COLUMNS": "100", **environment}, timeout=180)


def test_the_list_tells_every_scenario_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    demo("delivered", list_them=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [scenario.title for scenario in SCENARIOS]
    assert all(scenario.summary.to("en") in line for scenario, line in zip(SCENARIOS, lines, strict=True))


@pytest.mark.parametrize(("scenario", "once"), [(None, False), ("delivered", False), (None, True)])
def test_without_a_terminal_it_says_that_one_scene_plays_and_how_the_page_is_had(
    scenario: str | None, once: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = list[str]()

    async def play(scenarios: Sequence[Scenario], _options: DemoOptions) -> int:
        played.extend(scenario.title for scenario in scenarios)
        return 0

    monkeypatch.setattr("gateway.demo.cli.play_scenarios", play)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    demo(scenario, once=once)
    assert played == ["delivered"]
    said = capsys.readouterr().out
    assert ("demo --lan` serves the page" in said) == (scenario is None and not once), said


def test_an_unknown_scenario_is_a_mistake_not_a_traceback() -> None:
    with pytest.raises(Failure, match="no scenario 'dilivered'"):
        demo("dilivered")


@pytest.mark.parametrize(("typed", "near"), [("lock-lie", "lock-lies"), ("deliverd", "delivered"), ("garag", "garage")])
def test_a_scenario_that_is_nearly_right_is_named(typed: str, near: str) -> None:
    with pytest.raises(Failure, match=rf"no scenario '{typed}'\. Did you mean .*'{near}'"):
        find_scenarios(typed)
    with pytest.raises(Failure) as unlike:
        find_scenarios("xyzzy")
    assert "Did you mean" not in str(unlike.value)


async def test_a_folder_too_deep_for_a_socket_is_told_before_anything_starts(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    with pytest.raises(Failure, match="too long a path"):
        await play_scenarios(find_scenarios("delivered"), DemoOptions(fast=True, as_json=True, folder=deep))
    assert not deep.exists()


async def test_a_folder_too_deep_for_a_scenario_with_a_long_name_is_told_before_the_first_scenario(
    tmp_path: Path,
) -> None:
    deep = tmp_path / ("d" * (80 - len(str(tmp_path))))
    with pytest.raises(Failure, match=re.escape(f"{deep} is too long a path")) as refused:
        await play_scenarios(find_scenarios("flat"), DemoOptions(fast=True, as_json=True, folder=deep))
    assert "--folder" in refused.value.todo
    assert not deep.exists()


def test_each_scenario_has_a_short_folder_of_its_own() -> None:
    names = {scenario.title: run_folder_name(scenario.title) for scenario in SCENARIOS}
    assert len(set(names.values())) == len(SCENARIOS)
    assert all(len(name) <= MAX_RUN_NAME_LENGTH and ":" not in name for name in names.values())
    assert names["delivered"] == "delivered"
    assert names["flat:gateway-killed-after-the-second-commit"].startswith("flat-gatewa-")


def test_the_sockets_of_every_scenario_have_room_in_a_clone_with_an_ordinary_path() -> None:
    runs = Path("/home/somebody/Documents/projects/perron/var/demo/20260101T120000")
    for scenario in SCENARIOS:
        check_folder_path(runs / run_folder_name(scenario.title), "")


@pytest.mark.parametrize(("room", "name"), [(40, "3-flat-street-we"), (9, "3-flat-st"), (7, "3-flat"), (2, "3")])
def test_a_run_of_the_page_has_as_much_of_its_title_in_its_folder_as_fits(room: int, name: str) -> None:
    base = Path("/" + "d" * (MAX_FOLDER_PATH_BYTES - room - 2))
    assert numbered_folder_name(3, "flat:street-wedged", base) == name
    check_folder_path(base / name, "")


async def test_a_run_takes_no_folder_that_another_has(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    with pytest.raises(Failure, match="another run already"):
        await play_scenarios(find_scenarios("delivered"), DemoOptions(fast=True, as_json=True, folder=tmp_path))
    assert [new_folder(tmp_path / "20260101T120000").name for _ in range(3)] == [
        "20260101T120000", "20260101T120000-2", "20260101T120000-3"
    ]  # fmt: skip


async def test_a_folder_that_cannot_be_written_is_told_not_traced(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="cannot be written"):
        await play_scenarios(
            find_scenarios("delivered"), DemoOptions(fast=True, as_json=True, folder=tmp_path / "file" / "run")
        )


@pytest.mark.slow
def test_its_help_shows_examples_as_that_of_every_command() -> None:
    told = perron("--help")
    assert "Examples" in told.stdout
    assert "perron demo owner-stops --fast --json" in told.stdout
    assert "Exit codes" in told.stdout


def test_an_english_demo_names_nothing_in_french(tmp_path: Path) -> None:
    told = json.dumps(
        [section.model_dump() for section in make_plan(tmp_path, fast=True, language="en").home.entrances.values()]
    )
    assert "entr" not in told.replace("entrance", "")
    assert "frigo" not in told
    assert make_plan(tmp_path, fast=True, language="fr").section.name == "Porte d'entrée"


FRENCH = [
    "Chronopost est à la porte (Porte d'entrée) pour Cdiscount, ouverture dans 2 s",
    "Reverrouillé à 00:00, Porte d'entrée (Cdiscount)",
]
ENGLISH = [
    "Chronopost is at the door (Front door) for Cdiscount, opening in 2 s",
    "Locked again 00:00, Front door (Cdiscount)",
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "texts"), [((), FRENCH), (("--language", "en"), ENGLISH)], ids=["french", "english"])
def test_the_json_tells_the_owners_messages_in_the_language_asked_for(
    tmp_path: Path, words: tuple[str, ...], texts: list[str]
) -> None:
    done = perron("--fast", "--json", "--folder", str(tmp_path / "run"), *words, LC_ALL="fr_FR.UTF-8")
    assert done.returncode == 0, done.stderr
    result = ScenarioResult.model_validate_json(done.stdout)
    told = [re.sub(r"\d\d:\d\d", "00:00", message.text) for message in result.messages]
    assert told[-len(texts) :] == texts  # where cameras begin slowly the owner was told before that it is not ready


@pytest.mark.slow
async def test_an_outcome_that_was_not_expected_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scenario,) = find_scenarios("too-early")
    wrong = replace(scenario, expected=find_scenarios("delivered")[0].expected)
    assert await play_scenarios((wrong,), DemoOptions(fast=True, as_json=True, folder=tmp_path / "run")) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["ok"] is False
    assert "too-early: outcome: expected delivered, found refused" in told.err


def _children(folder: Path) -> set[int]:
    """All processes that were started for this run: its folder stands on their command lines."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command:
            found.add(int(process.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_whoever_ends_it_in_the_middle_leaves_no_process_behind(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "gateway", "demo", "--fast", "--once", "--folder", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
    ) as it:
        began = time.monotonic()
        while not any(folder.glob("box/visits/*/*.mp4*")):
            assert it.poll() is None
            assert time.monotonic() - began < PATIENCE, "no film ever began"
            time.sleep(0.05)
        started = _children(folder) - {it.pid}
        assert len(started) >= 4, "broker, house, gateway, video"
        os.killpg(it.pid, number)  # as a terminal does at Ctrl-C: whatever it had started there would hear it too
        assert it.wait(PATIENCE) == code
    ended = time.monotonic()
    while (left := {pid for pid in started if is_running(pid)}) and time.monotonic() - ended < LETTING_GO:
        time.sleep(0.05)
    assert not left
