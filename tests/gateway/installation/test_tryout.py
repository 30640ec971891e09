"""A device is tried before it is added: whose picture it is, and with whom the box does not speak."""

import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices import reports as r
from gateway.config.home import Home
from gateway.domain.now import Now
from gateway.installation import tryout as tried
from gateway.installation.device_probe import DeviceAnswer
from gateway.installation.discovery import DiscoveredDevice
from gateway.installation.proposal_checks import Proposal, ProposalRequest, Remark
from gateway.installation.proposal_workflow import ProposalState, ProposalView
from gateway.installation.tryout import DeviceTryout, FoundDevice
from gateway.mqtt.client import connect_once
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.video.ipc import CameraSource, OpenFailure
from gateway.video.probe import ProbeResult

URL = "rtsp://127.0.0.1:8554/new"
JPEG = b"\xff\xd8picture"
FRONT = {
    "name": "Front", "lock": "lock", "door": "door", "way_out_by_hand": True, "scanners": ["scanner"],
    "signal": "signal", "cameras": {"outside": "bell", "inside": ["hall"]}, "places": {"hall": {"name": "Hall"}},
}  # fmt: skip
DEVICES: dict[str, Any] = {
    "lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"},
    "door": {"kind": "door", "vendor": "esphome"},
    "signal": {"kind": "signal", "vendor": "signal"},
    "scanner": {"kind": "scanner", "vendor": "scanner"},
    "bell": {"kind": "camera", "vendor": "rtsp", "url": "rtsp://127.0.0.1:8555/bell"},
    "hall": {"kind": "camera", "vendor": "rtsp", "url": "rtsp://localhost:8556/hall"},
}


def home_with(folder: Path, more: dict[str, Any] | None = None) -> Home:
    return Home.model_validate(
        {"box": "b", "name": "House", "broker": {}, "storage": {"folder": folder},
         "devices": {**DEVICES, **(more or {})}, "entrances": {"front": FRONT}}
    )  # fmt: skip


class Trying:
    """A tryout of a house, with cameras that send a picture and devices that say nothing."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.mono = folder, 100.0
        self.opened: list[CameraSource] = []
        self.logins: list[str] = []
        self.answer = DeviceAnswer()
        self.without_account = ProbeResult(unopened=OpenFailure.LOGIN_REFUSED)
        monkeypatch.setattr(tried, "probe_stream", self.probe)
        self.tryout = DeviceTryout(home_with(folder), check=self.check, ask=self.ask, clock=self.now)

    def watch_inside(self, url: str) -> None:
        """Have the inside camera at another address."""
        home = home_with(self.folder, {"hall": {"kind": "camera", "vendor": "rtsp", "url": url}})
        self.tryout = DeviceTryout(home, check=self.check, ask=self.ask, clock=self.now)

    def now(self) -> Now:
        return Now(utc=datetime(2026, 6, 1, tzinfo=UTC), trusted=True, mono=self.mono)

    async def check(self, request: ProposalRequest) -> ProposalView:
        proposal = Proposal(id="0" * 16, kind=request.kind, name=request.name, fields={}, by="", at=self.now().utc)
        view = ProposalView.of(proposal, {}, ProposalState.PROPOSED)
        if request.name == "taken":
            return ProposalView(
                proposal=proposal, state=view.state, text="", add_command="", objections=(Remark("taken"),)
            )
        house = home_with(self.folder, {request.name: {"kind": request.kind, **request.fields}})
        return ProposalView(proposal=proposal, state=view.state, text="", add_command="", house=house)

    async def ask(self, house: Home, device: str) -> DeviceAnswer:
        assert device in house.devices
        return self.answer

    async def probe(self, source: CameraSource, *, picture: bool = False) -> ProbeResult:
        self.opened.append(source)
        if not picture:
            return self.without_account
        if source.login is not None:
            assert source.login.stat().st_mode & 0o077 == 0
            self.logins.append(source.login.read_text())
        return ProbeResult.model_construct(width=640, height=360, pictures_a_second=15.0, key_every=1.0, picture=JPEG)


@pytest.fixture
def trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trying:
    return Trying(tmp_path, monkeypatch)


def camera(url: str = URL, name: str = "new", login: tuple[str, str] | None = None) -> ProposalRequest:
    return ProposalRequest(kind="camera", name=name, fields={"vendor": "rtsp", "url": url}, login=login)


async def test_the_picture_of_a_camera_is_for_who_tried_it_alone_and_for_a_while(trying: Trying) -> None:
    trial = await trying.tryout.try_device(camera(login=("admin", "secret")), "anna", is_found=False)
    assert trial.good
    assert trial.picture is not None
    shown = trying.tryout.picture(trial.picture, "anna")
    assert shown is not None
    assert (shown.camera, shown.jpeg) == ("new", JPEG)
    assert trying.tryout.picture(trial.picture, "ida") is None
    trying.mono += tried.PICTURE_LIFETIME_S + 1
    assert trying.tryout.picture(trial.picture, "anna") is None
    assert trying.logins == ["admin:secret\n"]
    assert list((trying.folder / "proposals").iterdir()) == [], "its account stays nowhere"


@pytest.mark.parametrize("url", ["rtsp://8.8.8.8/stream", "rtsp://224.0.0.251/stream", "rtsp://nowhere.invalid/stream"])
async def test_the_box_speaks_with_no_machine_outside_the_home_s_own_network(trying: Trying, url: str) -> None:
    trial = await trying.tryout.try_device(camera(url), "anna", is_found=False)
    assert (trial.good, trial.picture, trying.opened) == (False, None, [])


async def test_a_broker_that_is_away_is_told_in_words_and_not_by_an_error_number(trying: Trying) -> None:
    async def ask(house: Home, _device: str) -> DeviceAnswer:
        broker = house.broker.model_copy(update={"port": free_port()})
        async with connect_once(broker, (), monotonic=time.monotonic):
            raise AssertionError("nobody listens there")

    trying.tryout = DeviceTryout(home_with(trying.folder), check=trying.check, ask=ask, clock=trying.now)
    lock = ProposalRequest(kind="lock", name="new", fields={"vendor": "somfy", "address": "io://2"})
    trial = await trying.tryout.try_device(lock, "anna", is_found=False)
    assert trial.text.to("en") == "The broker cannot be used: nobody listens there"


async def test_a_camera_of_the_inside_is_not_watched_by_another_path(trying: Trying) -> None:
    trial = await trying.tryout.try_device(camera("rtsp://127.0.0.1:8556/second"), "anna", is_found=False)
    assert (trial.picture, trying.opened) == (None, [])
    assert (await trying.tryout.try_device(camera("rtsp://127.0.0.1:8555/second"), "anna", is_found=False)).picture


def own_address() -> str:
    """Return an address of this machine, in its network where it has one."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.connect(("192.0.2.1", 9))  # sends nothing
        return str(route.getsockname()[0])
    return "127.0.0.3"


@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.2", "[::1]", own_address()])
async def test_an_inside_camera_behind_the_box_is_not_watched_by_another_spelling_of_its_address(
    trying: Trying, host: str
) -> None:
    for needs_account in (False, True):
        trial = await trying.tryout.try_device(
            camera(f"rtsp://{host}:8556/hall", login=ACCOUNT), "ida", is_found=False, needs_account=needs_account
        )
        assert (trial.picture, trying.opened) == (None, [])


@pytest.mark.parametrize("url", ["rtsp://[::ffff:192.168.1.40]:554/hall", "rtsp://192.168.1.40:8554/hall"])
async def test_an_inside_camera_is_not_watched_by_another_spelling_or_port(trying: Trying, url: str) -> None:
    trying.watch_inside("rtsp://192.168.1.40:554/hall")
    trial = await trying.tryout.try_device(camera(url, login=ACCOUNT), "anna", is_found=False)
    assert (trial.picture, trying.opened) == (None, [])
    assert "shown during a visit only" in trial.text.to("en")
    other = await trying.tryout.try_device(camera("rtsp://192.168.1.41:554/s"), "anna", is_found=False)
    assert other.picture is not None


async def test_an_installer_tries_only_what_has_announced_itself(trying: Trying) -> None:
    assert trying.tryout.may_try(camera(), is_owner=True)
    assert not trying.tryout.may_try(camera(), is_owner=False)
    device = DiscoveredDevice(key="k", source="network", text_key="camera", name="new")
    trying.tryout.keep_found([FoundDevice(device=device, request=camera("rtsp://127.0.0.1:8554/other"))])
    assert trying.tryout.may_try(camera(), is_owner=False)
    assert not trying.tryout.may_try(camera("rtsp://127.0.0.1:22/new"), is_owner=False)


NAMED = "rtsp://192.168.1.30:554/stream"
ACCOUNT = ("admin", "secret")


async def test_an_installer_sees_a_camera_at_an_address_that_he_named_with_its_account(trying: Trying) -> None:
    trial = await trying.tryout.try_device(camera(NAMED, login=ACCOUNT), "ida", is_found=False, needs_account=True)
    assert trial.good
    assert trial.picture is not None
    assert [source.login is None for source in trying.opened] == [True, False]


async def test_an_installer_looks_through_no_camera_of_the_family_that_has_no_password(trying: Trying) -> None:
    trial = await trying.tryout.try_device(camera(NAMED), "ida", is_found=False, needs_account=True)
    assert (trial.picture, trying.opened) == (None, [])
    assert "Type the camera's account" in trial.text.to("en")
    trying.without_account = ProbeResult(width=640, height=360, pictures_a_second=15.0)
    trial = await trying.tryout.try_device(camera(NAMED, login=ACCOUNT), "ida", is_found=False, needs_account=True)
    assert (trial.good, trial.picture) == (False, None)
    assert "to everybody in the network" in trial.text.to("en")
    trying.without_account = ProbeResult(unopened=OpenFailure.NO_ANSWER)
    trial = await trying.tryout.try_device(camera(NAMED, login=ACCOUNT), "ida", is_found=False, needs_account=True)
    assert (trial.good, trial.picture) == (False, None)


@pytest.mark.parametrize("url", ["rtsp://127.0.0.1:22/s", "rtsp://localhost:8554/s", "rtsp://8.8.8.8/s"])
async def test_an_installer_has_the_box_speak_neither_with_itself_nor_beyond_the_network(
    trying: Trying, url: str
) -> None:
    trial = await trying.tryout.try_device(camera(url, login=ACCOUNT), "ida", is_found=False, needs_account=True)
    assert (trial.good, trial.picture, trying.opened) == (False, None, [])


async def test_a_name_that_leads_elsewhere_after_it_was_checked_leads_an_installer_nowhere(
    trying: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["192.168.1.30"] + ["127.0.0.1"] * 20)

    def looked_up(host: str, port: int, **_options: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        number = next(answers) if host == "cam.example" else "192.168.1.40"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    asked = camera("rtsp://cam.example/live?x=1", login=ACCOUNT)
    trial = await trying.tryout.try_device(asked, "ida", is_found=False, needs_account=True)
    assert trial.picture is not None
    assert {source.url for source in trying.opened} == {"rtsp://192.168.1.30/live?x=1"}


async def test_nobody_tries_without_end(trying: Trying) -> None:
    for _ in range(tried.MAX_TRIALS_PER_HOUR):
        assert (await trying.tryout.try_device(camera(), "ida", is_found=True)).good
    assert (await trying.tryout.try_device(camera(), "ida", is_found=True)).picture is None
    assert len(trying.opened) == tried.MAX_TRIALS_PER_HOUR
    assert (await trying.tryout.try_device(camera(), "anna", is_found=True)).good, (
        "each person has a count of their own"
    )
    assert len(trying.tryout._pictures) <= tried.MAX_PICTURES  # noqa: SLF001 - its bound


async def test_what_could_not_be_added_is_not_tried(trying: Trying) -> None:
    assert (await trying.tryout.try_device(camera(name="taken"), "anna", is_found=False)).good is False
    assert trying.opened == []


async def test_a_lock_tells_its_bolt_before_it_is_added_and_one_without_an_account_says_when_it_will(
    trying: Trying,
) -> None:
    lock = ProposalRequest(kind="lock", name="back-lock", fields={"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/l"})
    silent = await trying.tryout.try_device(lock, "anna", is_found=True)
    assert silent.good is None
    assert "once it has its account" in silent.text.to("en")
    trying.answer = DeviceAnswer(answer=(r.LockReport(bolt=r.LockState.LOCKED),), seconds=0.21)
    trial = await trying.tryout.try_device(lock, "anna", is_found=True)
    assert (trial.good, trial.text.to("en")) == (True, "It answers in 0.2 s: locked")
    scanner = ProposalRequest(kind="scanner", name="back-scanner", fields={"vendor": "scanner"})
    assert "answers no question" in (await trying.tryout.try_device(scanner, "anna", is_found=True)).text.to("en")
