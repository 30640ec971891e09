"""Putting a house together at the terminal: what is there, adding it, measuring it."""

import asyncio
import contextlib
import io
import re
import shlex
import socket
from pathlib import Path

import pytest
import typer
from rich.console import Console
from zeroconf import IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from devices.vendors import VENDORS
from devices.vendors.definition import DEVICE_KINDS
from gateway.cli import adding, installing
from gateway.cli.failure import Failure
from gateway.config.editor import ENTRANCE
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.installation import mdns, records
from gateway.installation.discovery import DiscoveredDevice
from gateway.mqtt.mosquitto.provisioning import private_broker
from tests.gateway.callers import publish_reason_code
from tests.gateway.cli.terminal import ROOT, TIMEOUT_S, account_session, run_perron
from tests.gateway.installation.diagnostics.test_house import answering

TAKEN = {0, 0x10}  # the broker's reason codes for what it took, for a subscriber or for none so far
PAYLOADS = Path(__file__).parents[2] / "devices" / "payloads" / "bridges" / "zigbee2mqtt_devices.json"


def only_added(before: str, after: str) -> list[str]:
    """The lines that are new; all others stand as they did."""
    old, new = before.splitlines(), after.splitlines()
    added = []
    for line in new:
        if old and line == old[0]:
            old.pop(0)
        else:
            added.append(line)
    assert old == [], old[:3]
    return added


# ---- add


def test_a_device_is_added_and_every_comment_stays_where_it_was(home_file: Path) -> None:
    before = home_file.read_text(encoding="utf-8")
    adding.add_section(home_file, "porch", "camera", {"vendor": "rtsp", "url": "rtsp://192.168.1.30/stream"})
    after = home_file.read_text(encoding="utf-8")
    added = [line.strip() for line in only_added(before, after) if line.strip()]
    assert added == ["porch:", "kind: camera", "vendor: rtsp", "url: rtsp://192.168.1.30/stream"]
    assert load_home_file(home_file).devices["porch"].kind == "camera"


def test_what_would_be_no_house_is_not_written_and_says_why(home_file: Path) -> None:
    before = home_file.read_bytes()
    with pytest.raises(Failure, match=r"would no longer be a valid house file:\n.*no such vendor: 'zigbee2mqt'"):
        adding.add_section(home_file, "back", "lock", {"vendor": "zigbee2mqt", "address": "x"})
    with pytest.raises(Failure, match="there is `front-lock` under devices already"):
        adding.add_section(home_file, "front-lock", "lock", {"vendor": "somfy", "address": "x"})
    same = {"vendor": "somfy", "address": "io://1234-5678-3293/5770898"}
    with pytest.raises(Failure, match="the sensor of the lock"):
        adding.add_section(home_file, "front-door", "door", same, replace=True)
    assert home_file.read_bytes() == before
    assert [file.name for file in home_file.parent.iterdir()] == [home_file.name]


def test_an_error_of_add_names_keys_and_no_line_of_a_file_that_was_not_written(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    with pytest.raises(Failure) as failure:
        adding.add_section(file, "front", ENTRANCE, {"lock": "front-lock"})
    assert "entrances.front: `name` is missing here." in str(failure.value)
    assert re.search(r"\d+:\d+:", str(failure.value)) is None
    assert "for example --set name=Back --set way_out_by_hand=true" in failure.value.todo
    with pytest.raises(Failure, match=r"\ndevices\.porch: `url` is missing here\.$") as failure:
        adding.add_section(file, "porch", "camera", {"vendor": "rtsp"})
    assert failure.value.todo.endswith("--set url=rtsp://192.168.1.30/stream")
    assert not file.exists()


@pytest.mark.slow
def test_the_help_of_add_lists_the_vendors_of_each_kind() -> None:
    told = run_perron("add", "--help").stdout
    for kind in DEVICE_KINDS:
        vendors = next(line for line in told.splitlines() if line.strip().startswith(f"{kind}:"))
        for name, vendor in VENDORS.items():
            assert (name in vendors.replace(",", " ").split()) is (kind in vendor.DEFINITION.kinds)


def test_a_house_grows_from_nothing_to_an_entrance(tmp_path: Path) -> None:
    file = tmp_path / "mine" / "home.yaml"
    z2m = "zigbee2mqtt/front"
    adding.add_section(file, "front-lock", "lock", {"vendor": "zigbee2mqtt", "address": f"{z2m}-lock", "latency": "8"})
    adding.add_section(file, "front-door", "door", {"vendor": "zigbee2mqtt", "address": f"{z2m}-door"})
    adding.add_section(file, "doorbell", "camera", {"vendor": "rtsp", "url": "rtsp://192.168.1.30/stream"})
    adding.add_section(file, "front-signal", "signal", {"vendor": "signal"})
    adding.add_section(file, "front-scanner", "scanner", {"vendor": "scanner"})
    said = adding.parse_fields(
        ["name=Front", "way_out_by_hand=true", "lock=front-lock", "door=front-door", "signal=front-signal",
         "living_space=false", "scanners=[front-scanner]", "cameras.outside=doorbell", "places.hall.name=Hall"]
    )  # fmt: skip
    adding.add_section(file, "front", ENTRANCE, said)
    home = load_home_file(file)
    assert home.entrances["front"].cameras.outside == "doorbell"
    assert home.storage.folder == file.parent / "var"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_a_camera_whose_account_s_file_is_not_there_is_added_and_said(home_file: Path) -> None:
    login = home_file.parent / "porch.login"
    login.write_text("perron:hunter2\n", encoding="utf-8")
    words = ("--kind", "camera", "--vendor", "rtsp", "--set", "url=rtsp://10.0.0.9/a", "--home", home_file)
    for name, says in (("nowhere", "is not there"), ("porch", "chmod 600")):
        added = run_perron("add", name, *words, "--set", f"credentials_file={home_file.parent / name}.login")
        assert added.returncode == 0
        assert says in added.stdout
        assert f"{name}.login" in added.stdout
        assert name in load_home_file(home_file).devices
        assert "hunter2" not in added.stdout + added.stderr
    login.chmod(0o600)
    added = run_perron("add", "porch", *words, "--set", f"credentials_file={login}", "--replace")
    assert (added.returncode, "login" in added.stdout) == (0, False)


def test_a_word_that_is_no_key_and_value_says_how_to_write_it() -> None:
    with pytest.raises(Failure, match="not key=value"):
        adding.parse_fields(["latency"])


@pytest.mark.slow
def test_the_steps_of_the_guide_are_twelve_at_most_and_its_commands_do_what_it_says(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "installer" / "set-up.md").read_text(encoding="utf-8")
    steps = re.findall(r"^\| (\d+) \|", guide, re.MULTILINE)
    assert steps == [str(n) for n in range(1, len(steps) + 1)]
    assert len(steps) <= 12
    file = tmp_path / "home.yaml"
    for id_, kind, fields in (
        ("front-lock", "lock", {"vendor": "nukihub", "address": "nuki"}),
        ("front-door", "door", {"vendor": "esphome", "address": "front-door"}),
        ("doorbell", "camera", {"vendor": "rtsp", "url": "rtsp://192.168.1.30/stream"}),
        ("hall-camera", "camera", {"vendor": "rtsp", "url": "rtsp://192.168.1.31/stream"}),
        ("front-signal", "signal", {"vendor": "signal"}),
        ("front-scanner", "scanner", {"vendor": "scanner"}),
    ):
        adding.add_section(file, id_, kind, fields)
    command = re.search(r"```sh\n(perron add front .*?)\n```", guide, re.DOTALL)
    assert command is not None
    done = run_perron(*shlex.split(command[1].replace("\\\n", ""))[1:], home=file)
    assert done.returncode == 0, done.stderr
    assert load_home_file(file).entrances["front"].cameras.inside == ("hall-camera",)
    known = run_perron("--help").stdout
    assert all(re.search(rf"\b{name}\b", known) for name in set(re.findall(r"`perron ([a-z-]+)", guide)))


# ---- discover


@pytest.mark.slow
async def test_what_is_on_the_broker_and_on_the_network_is_listed_as_it_calls(home_file: Path, tmp_path: Path) -> None:
    plain = load_home_file(home_file)
    home = plain.model_copy(update={"broker": plain.broker.model_copy(update={"bridges": ("zigbee2mqtt", "zwave")})})
    service = "_rtsp._tcp.local."
    info = ServiceInfo(
        service, f"Porch.{service}", addresses=[socket.inet_aton("127.0.0.1")], port=8999, server="porch.local."
    )
    calling = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    found: dict[str, DiscoveredDevice] = {}
    try:
        async with private_broker(tmp_path / "accounts", home):
            await calling.async_register_service(info)
            async with (
                account_session(home, "front-lock") as lock,
                account_session(home, "zigbee2mqtt") as bridge,
                account_session(home, "zwave") as waves,
            ):
                assert await publish_reason_code(lock, "perron/front-lock/availability", b"online") in TAKEN
                assert await publish_reason_code(bridge, "zigbee2mqtt/bridge/devices", PAYLOADS.read_bytes()) in TAKEN
                for address in ("zwave/5", "zwave/hall/back_door"):
                    topic, payload = f"{address}/98/0/currentMode", b'{"value":255}'
                    assert await publish_reason_code(waves, topic, payload) in TAKEN
                wrong, _ = await asyncio.gather(
                    installing.discover_at_broker(home, 3, lambda seen: found.update({seen.key: seen})),
                    mdns.scan_network(home, 3, lambda seen: found.update({seen.key: seen}), interfaces=["127.0.0.1"]),
                )
    finally:
        await calling.async_close()
    assert wrong is None
    assert {one.known_as for one in found.values() if one.name == "front-lock"} == {"front-lock"}
    assert any(one.add_command.startswith("perron add") and one.text_key == "lock" for one in found.values())
    assert {one.name for one in found.values() if one.address == "Z-Wave"} == {"5", "back_door"}
    assert [one.address for one in found.values() if one.name == "Porch"] == ["127.0.0.1:8999"]


def test_no_command_of_discover_names_an_id_that_is_taken(home: Home) -> None:
    def found(key: str, id_: str) -> DiscoveredDevice:
        fields = {"id": id_, "kind": "door", "vendor": "esphome"}
        return DiscoveredDevice(key=key, source="network", text_key="door", name=id_, add_fields=fields)

    lines = list(installing.add_lines(home, [found("a", "front-door"), found("b", "x"), found("c", "x")], Path("h")))
    assert [shlex.split(line)[2] for line in lines[1:]] == ["front-door-2", "x", "x-2"]


@pytest.mark.slow
async def test_a_stranger_s_host_name_on_the_network_is_no_part_of_what_people_paste(
    home_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a camera that has no IPv4 address the name that it gives itself is shown: to be looked at, not to be typed."""
    service = "_rtsp._tcp.local."
    hosts = ["$(touch${IFS}x).local.", "a;touch x;#.local.", "it's.local.", "x\x1b[2Jy.local.", "back-porch.local."]
    calling, screen = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only), io.StringIO()
    try:
        for number, host in enumerate(hosts):
            address = socket.inet_pton(socket.AF_INET6, "::1")
            name = f"cam {number} --set keys.a=b.{service}"
            await calling.async_register_service(
                ServiceInfo(service, name, addresses=[address], port=8999, server=host)
            )
        console = Console(file=screen, width=80, force_terminal=False)
        monkeypatch.setattr(installing, "Console", lambda **_: console)
        with pytest.raises(typer.Exit):
            await asyncio.to_thread(installing.discover, home_file, 4, ["127.0.0.1"])
    finally:
        await calling.async_close()
    text = screen.getvalue()
    assert len(re.findall(r"│ cam \d", text)) == len(hosts), text
    assert "\x1b" not in text
    commands = [
        match[1] for line in text.splitlines() if (match := re.search(r"(perron add .*:8999.*)", line)) is not None
    ]
    assert [shlex.split(line)[-3:] for line in commands] == [
        ["url=rtsp://back-porch.local:8999/PATH", "--home", str(home_file)]
    ]


@pytest.mark.slow
def test_without_a_broker_the_network_is_shown_all_the_same(home_file: Path) -> None:
    (home_file.parent / "accounts").mkdir()
    (home_file.parent / "accounts" / "installer.password").write_text("x\n")
    done = run_perron("discover", "--seconds", "1", "--interface", "127.0.0.1", home=home_file)
    assert done.returncode == 3
    assert "in the house file as" in done.stdout
    assert "nobody listens there" in done.stdout


# ---- test


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_device_is_asked_several_times_and_what_was_measured_is_kept(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = asyncio.create_task(answering(home))
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            account_session(home, "observer", "perron/front-lock/availability") as watcher,
        ):
            await watcher.receive()
            assert await installing.run_device_test(home, "front-lock", times=4)
    finally:
        lock.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await lock
    told = capsys.readouterr().out.splitlines()
    spread = r"front-lock: 4 of 4 answered: [\d.]+ s at least, [\d.]+ s median, [\d.]+ s at most"
    assert re.fullmatch(spread, told[0])
    assert "- Interrogée, elle a dit où est son pêne." in told
    measured = records.read_measurements(home.storage.folder)["front-lock"]
    assert (measured.asked, len(measured.seconds), measured.bolt) == (4, 4, True)


async def test_what_cannot_be_asked_says_so_and_what_is_not_there_names_what_is(home: Home) -> None:
    with pytest.raises(Failure, match=r"no device 'back-lock'\. Known: front-lock"):
        await installing.run_device_test(home, "back-lock", times=1)
    with pytest.raises(Failure, match="no device yet"):
        await installing.run_device_test(home.model_copy(update={"devices": {}}), "back-lock", times=1)
    with pytest.raises(Failure, match="the lock of no entrance"):
        await installing.lock_now(home, "front-scanner")


@pytest.mark.parametrize(("kind", "says"), [("keeper", "--kind keeper is unknown."), (None, "What is it?")])
def test_a_kind_that_add_cannot_write_is_refused_with_all_that_it_can(
    tmp_path: Path, kind: str | None, says: str
) -> None:
    file = tmp_path / "home.yaml"
    with pytest.raises(Failure) as caught:
        adding.add("claire", kind=kind, home=file)
    assert str(caught.value).startswith(says)
    for known in (*DEVICE_KINDS, "entrance or reception", "keepers"):
        assert known in caught.value.todo
    assert not file.exists()
