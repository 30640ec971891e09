"""The simulated house as `perron simulate` runs it, and what it says."""

import asyncio
import contextlib
import json
import re
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.commands import UnlockDoor
from devices.simulators.control import Arrive, Force, Handle, HouseControl
from devices.simulators.house import THINGS, SimulatedHouse
from devices.vendors import VENDORS
from gateway.cli import announced_house
from gateway.cli.broker import open_session
from gateway.cli.failure import ExitCode, Failure
from gateway.cli.house_log import describe_line
from gateway.cli.simulation import control_socket, device_texts, plan_house, read_house_file
from gateway.config.devices import CameraDevice
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.topics import device_topic
from gateway.demo.plan import make_plan
from gateway.demo.scenarios.ways_in_homes import with_flat, with_key_safe, with_parcel_box
from gateway.domain.visit.closures import KINDS, BoltedDoor, GarageDoor
from gateway.mqtt.client import ShortSession
from tests.gateway.cli.terminal import TIMEOUT_S, RunningCommand, run_perron, start_command


def test_the_simulated_house_has_every_device_of_the_real_one_under_its_own_account(home: Home) -> None:
    house = SimulatedHouse.model_validate_json(json.dumps(plan_house(home)))
    assert set(house.devices) == set(home.devices)
    assert {id_: device.kind for id_, device in house.devices.items()} == {i: d.kind for i, d in home.devices.items()}
    assert home.broker.password_file is not None
    assert house.broker.passwords == home.broker.password_file.parent
    doorbell = home.devices["doorbell"]
    assert isinstance(doorbell, CameraDevice)
    assert f"{house.rtsp.host}:{house.rtsp.port}" in doorbell.url


def test_the_devices_of_a_closure_are_at_one_thing_of_the_simulated_house(tmp_path: Path) -> None:
    for equip, places in (
        (with_flat, {"street-strike": "street-thing", "street-contact": "street-thing", "front-door": None}),
        (with_parcel_box, {"box-1": "box-1-thing", "box-2": "box-2-thing"}),
        (
            with_key_safe,
            {"safe-flap": "safe-thing", "safe-contact": "safe-thing", "safe-hook": "safe-thing",
             "hall-contact": "hall-door-thing"},
        ),
    ):  # fmt: skip
        plan = equip(make_plan(tmp_path, fast=True))
        house = SimulatedHouse.model_validate_json(json.dumps(plan_house(plan.home)))
        assert {id_: getattr(house.devices[id_], "of", None) for id_ in places} == places
        assert set(house.things) == {place for place in places.values() if place is not None}


def test_the_devices_that_announce_themselves_are_listed_with_those_behind_the_bridge(home: Home) -> None:
    bridged = home.model_copy(update={"broker": home.broker.model_copy(update={"bridges": ("zigbee2mqtt",)})})
    listed = list(device_texts(SimulatedHouse.model_validate(announced_house.new_house(bridged))))
    assert {"doorbell (camera)", "front lock (lock behind zigbee2mqtt)", "fridge (fridge behind zigbee2mqtt)"} <= {
        *listed
    }
    assert [text for text in listed if "None" in text] == []


@pytest.fixture
def simulated(home_file: Path) -> Iterator[RunningCommand]:
    with start_command("simulate", "--broker", "--home", home_file) as told:
        yield told


@pytest.mark.slow
async def test_the_house_says_what_it_is_brings_a_broker_and_tells_what_happens_to_bolt_and_door(
    home: Home, simulated: RunningCommand
) -> None:
    simulated.until("All 7 devices are connected to the broker")
    assert "Nobody listened" in simulated.text
    assert "front-lock (lock)" in simulated.text
    async with HouseControl(control_socket(home)) as house:
        await house.ask(Arrive(who="thief"))
        await house.ask(Force(who="thief"))
    simulated.until("the door is open, FORCED (by the thief)")
    assert simulated.end(signal.SIGTERM) == 0
    with pytest.raises(OSError, match="Connect call failed"):  # its broker has gone with it
        await asyncio.open_connection(home.broker.host, home.broker.port)


WAYS_IN = """\
  street-strike: {kind: strike, vendor: perron, release: 1}
  opener: {kind: strike, vendor: nukihub, address: nuki}
  box-1: {kind: compartment, vendor: locker, address: locker/hall/compartment/1}
  box-2: {kind: compartment, vendor: locker, address: locker/hall/compartment/2}
  box-eye: {kind: content, vendor: zigbee2mqtt, address: zigbee2mqtt/eye, answers: false}
  hook: {kind: key, vendor: perron}
"""


@pytest.fixture
def with_ways_in(home_file: Path) -> tuple[Path, Home]:
    home_file.write_text(home_file.read_text().replace("devices:\n", f"devices:\n{WAYS_IN}", 1))
    run_perron("broker-config", home_file.parent / "accounts", "--home", home_file)
    return home_file, load_home_file(home_file)


async def order_to_open(home: Home, session: ShortSession, id_: str) -> None:
    device, at = home.devices[id_], datetime.now(UTC)
    order = UnlockDoor(id=id_, intent=id_, issued_at=at, expires_at=at + timedelta(seconds=30))
    letter = VENDORS[device.vendor].encode_command(order, device.device_ref)
    session.publish(device_topic(home, id_, letter.suffix), letter.payload)
    await asyncio.sleep(0)  # the loop writes it: what waits below blocks it


@pytest.mark.slow
async def test_devices_of_other_ways_in_come_as_themselves_each_under_the_account_that_the_broker_knows(
    with_ways_in: tuple[Path, Home],
) -> None:
    home_file, home = with_ways_in
    with start_command("simulate", "--broker", "--home", home_file) as told:
        told.until("All 13 devices are connected to the broker")
        async with HouseControl(control_socket(home)) as house, open_session(home.broker, []) as session:
            for id_, thing in (("street-strike", "street-strike-thing"), ("opener", "opener-thing")):
                await order_to_open(home, session, id_)
                told.until(f"the strike of {thing} lets go")
                await house.ask(Handle(thing=thing, act="go_through"))
                told.until(f"the courier goes through {thing}")
            for number in (1, 2):
                await order_to_open(home, session, f"box-{number}")
                told.until(f"the latch of box-{number}-thing springs open")
        assert told.end(signal.SIGTERM) == 0


@pytest.mark.slow
async def test_a_simulation_that_is_killed_leaves_neither_house_nor_broker(
    home: Home, simulated: RunningCommand
) -> None:
    simulated.until("All 7 devices are connected")
    assert simulated.end(signal.SIGKILL) == -signal.SIGKILL
    await nobody_listens(lambda: asyncio.open_connection(home.broker.host, home.broker.port))
    await nobody_listens(lambda: asyncio.open_unix_connection(control_socket(home)))


def by_tls(home_file: Path) -> Home:
    text = home_file.read_text(encoding="utf-8")
    tls = "  tls: {ca: accounts/authority.pem}\n  username: gateway\n"
    home_file.write_text(text.replace("  username: gateway\n", tls), encoding="utf-8")
    return load_home_file(home_file)


@pytest.mark.slow
async def test_a_house_whose_broker_speaks_tls_is_simulated_and_spoken_to_by_tls(home_file: Path) -> None:
    home = by_tls(home_file)
    with start_command("simulate", "--broker", "--home", home_file) as told:
        told.until("All 7 devices are connected to the broker")
        stopped = await asyncio.to_thread(run_perron, "stop", home=home_file)
        assert "talking to the broker" not in stopped.stderr
        assert "Nobody listens" in stopped.stderr, "the broker took it; no gateway runs"
        plain = home.broker.model_copy(update={"tls": None})
        with pytest.raises(Failure, match="TLS"):
            async with open_session(plain, []):
                pass


async def nobody_listens(connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        with contextlib.suppress(OSError):
            while True:
                _, writer = await connect()
                writer.close()
                await asyncio.sleep(0.05)


@pytest.mark.slow
def test_without_a_broker_the_house_says_once_that_it_waits_for_one_and_how_to_bring_it(home_file: Path) -> None:
    (home_file.parent / "accounts").mkdir()
    for device in ("front-lock", "front-door", "doorbell", "hall-camera", "front-scanner", "front-signal",
                   "kitchen-fridge"):  # fmt: skip
        (home_file.parent / "accounts" / f"{device}.password").write_text("secret\n")
    with start_command("simulate", "--home", home_file) as told:
        told.until("Not connected to the broker")
        with contextlib.suppress(subprocess.TimeoutExpired):
            told.process.wait_at_most(2)
        assert told.text.count("(Connection refused)") == 1, told.text
        assert "--broker" in told.text


@pytest.mark.slow
@pytest.mark.usefixtures("simulated")
def test_a_second_house_is_told_who_has_the_socket_or_the_ports_of_the_first(
    home_file: Path, simulated: RunningCommand
) -> None:
    simulated.until("All 7 devices are connected")
    for more, told in (
        ((), r"A simulated house runs already at .*house\.sock: \S+ \(process \d+\)\."),
        (("--announce",), r"A simulated house runs already at .*house\.sock"),
        (
            ("--control", home_file.parent / "other.sock"),
            r"At the pictures' port, .*, \S+ \(process \d+\) listens already",
        ),
    ):
        second = run_perron("simulate", *more, "--home", home_file)
        assert second.returncode == ExitCode.NO_ANSWER
        assert re.search(told, second.stderr), second.stderr
    assert (home_file.parent / "var" / "house.sock").is_socket()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("devices: [", "is not valid YAML"),
        ("devices: {front-lock: {kind: look}}", "devices.front-lock"),
        (None, "does not exist"),
    ],
)
def test_a_house_file_that_is_none_is_told_with_its_place(tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "house.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Failure) as caught:
        read_house_file(file)
    assert told in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"what": "bolt", "state": "withdrawn", "cause": "1046b3", "in_air": False},
         "the bolt is withdrawn on command"),
        ({"what": "bolt", "state": "thrown", "cause": "hand", "in_air": True},
         "the bolt is thrown by hand, with the door OPEN: it is out in the air"),
        ({"what": "door", "state": "closed", "by": "courier"}, "the door is closed (by the courier)"),
        ({"what": "scan", "device": "front-scanner", "code": "8L20524752032"},
         "front-scanner reads a code that ends in 2032"),
        ({"what": "way", "thing": "safe", "state": "open", "by": "76d1233f874d08b0-safe"},
         "safe is open (on command)"),
        ({"what": "way", "thing": "street", "state": "closed", "by": "itself"}, "street is closed (by itself)"),
        ({"what": "way", "thing": "hall", "state": "open", "by": "courier"}, "hall is open (by the courier)"),
        ({"what": "car", "thing": "zoe", "locked": False, "cause": "76d1233f874d08b0"}, "zoe is unlocked (on command)"),
        ({"what": "car", "thing": "zoe", "locked": True, "cause": "resident"}, "zoe is locked (by the resident)"),
        ({"what": "car", "thing": "zoe", "driving": True, "where": "away", "by": "resident"},
         "zoe is driven off (by the resident)"),
        ({"what": "car", "thing": "zoe", "driving": False, "where": "there", "by": "resident"},
         "zoe comes back and parks (by the resident)"),
        ({"what": "parcel", "who": "courier", "where": "inside"}, "the courier puts a parcel down inside"),
        ({"what": "parcel", "who": "courier", "where": "outside"}, "the courier puts a parcel down"),
        ({"what": "boot", "device": "front-lock", "boot": "b1"}, None),
    ],
)  # fmt: skip
def test_what_physically_happens_is_put_into_words(line: dict[str, object], told: str | None) -> None:
    assert describe_line(line) == told


def test_every_kind_of_closure_is_the_front_door_of_the_simulated_house_or_has_a_thing_there() -> None:
    front_doors = {BoltedDoor, GarageDoor}
    kinds = {kind.model_fields["kind"].default for kind in KINDS if kind not in front_doors}
    assert kinds == THINGS.keys()
