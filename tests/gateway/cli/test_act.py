"""`perron hands`: what a hand does at the simulated door, said at the terminal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from devices.simulators import control as ask
from gateway.cli.act import list_actions, parse_action
from gateway.cli.failure import ExitCode, Failure
from gateway.cli.simulation import physical_log
from gateway.config.home import Home
from tests.gateway.cli.terminal import RunningCommand, run_perron, start_command


@pytest.mark.parametrize(
    ("action", "who", "meant"),
    [
        ("turn key", None, ask.TurnKey()),
        ("turn_key", "resident", ask.TurnKey()),
        ("Turn-Key", None, ask.TurnKey()),
        ("open", None, ask.OpenDoor(who="courier")),
        ("open", "resident", ask.OpenDoor(who="resident")),
        ("open who=thief", "resident", ask.OpenDoor(who="thief")),
        ("app unlock", "resident", ask.AppUnlock()),
        ("scan code=8052475203123", None, ask.Scan(code="8052475203123")),
        ("scan code=perron:a=b", None, ask.Scan(code="perron:a=b")),
        ("set temperature celsius=9.5", None, ask.SetTemperature(celsius=9.5)),
        ("set temperature celsius=null", None, ask.SetTemperature(celsius=None)),
        ("link device=front-lock up=false", None, ask.SetLink(device="front-lock", up=False)),
        ("fault device=l fault=jam", None, ask.SetFault(device="l", fault="jam")),
        ("fault device=l fault=jam on=false", None, ask.SetFault(device="l", fault="jam", on=False)),
        ("fault device=l fault=late on=2.5", None, ask.SetFault(device="l", fault="late", on=2.5)),
        ("fault device=l fault=battery on=low", None, ask.SetFault(device="l", fault="battery", on="low")),
    ],
)
def test_what_is_typed_means_what_it_says(action: str, who: str | None, meant: ask.Request) -> None:
    assert parse_action(action, who) == meant


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("dance", "'dance' is no action"),
        ("", "is no action"),
        ("open wide=yes", "wide"),
        ("open who=Nobody!", "who"),
        ("set temperature", "celsius"),
        ("set temperature celsius=warm", "celsius"),
        ("link device=a up=perhaps", "up"),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_there_is(action: str, why: str) -> None:
    with pytest.raises(Failure) as failure:
        parse_action(action, None)
    assert why in str(failure.value)
    assert failure.value.todo


@pytest.mark.slow
def test_forgotten_quotes_are_told_with_the_line_that_works(home_file: Path) -> None:
    told = run_perron("hands", "open", "fault", "device=front-lock", "fault=jam", home=home_file)
    assert told.returncode == ExitCode.INVALID
    assert "needs quotes" in told.stderr
    assert f"hands open 'fault device=front-lock fault=jam' --home {home_file}`" in told.stderr


def test_what_an_action_lacks_is_told_with_how_it_is_typed() -> None:
    with pytest.raises(Failure) as failure:
        parse_action("fault device=front-lock", None)
    assert str(failure.value) == "'fault device=front-lock': fault is missing."
    assert '"fault device= fault= [on=]"' in failure.value.todo


def test_every_action_of_the_house_is_listed_with_what_it_takes() -> None:
    lines = list(list_actions())
    assert len(lines) == len(get_args(ask.Request))
    assert "turn key [who=]: Unlock with the mechanical key from outside; only the resident has one." in lines
    assert any(line.startswith("fault device= fault= [on=]: ") for line in lines)
    assert all(line.partition(": ")[2] for line in lines)


@pytest.mark.slow
def test_where_no_house_runs_it_says_so(home_file: Path) -> None:
    done = run_perron("hands", "open", home=home_file)
    assert done.returncode == ExitCode.NO_ANSWER
    assert "perron simulate" in done.stderr.replace("\n", " ") or "simulate" in done.stderr


@pytest.fixture
def simulated(home_file: Path) -> Iterator[RunningCommand]:
    with start_command("simulate", "--broker", "--home", home_file) as told:
        told.until("All 7 devices are connected to the broker")
        yield told


@pytest.mark.slow
@pytest.mark.usefixtures("simulated")
def test_the_first_trial_s_hands_move_the_simulated_door(home: Home, home_file: Path) -> None:
    done = run_perron("hands", "--who", "resident", "turn key", "open", "close", home=home_file)
    assert (done.returncode, done.stdout.split("\n")[:3]) == (0, ["turn key: done", "open: done", "close: done"]), done
    lines = [json.loads(line) for line in physical_log(home).read_text().splitlines()]
    moved = [(line["what"], line["state"]) for line in lines if line["what"] in ("bolt", "door")]
    assert moved == [("bolt", "withdrawn"), ("door", "open"), ("door", "closed")]
    refused = run_perron("hands", "walk in", home=home_file)
    assert refused.returncode == ExitCode.NEGATIVE
    assert "says no" in refused.stderr
