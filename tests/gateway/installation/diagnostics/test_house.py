"""The doctor: everything that a delivery will need is tried, and told in words with a remedy."""

import asyncio
import contextlib
import os
import random
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from devices.commands import QueryState
from devices.reports import (
    AlarmPanelReport,
    AlarmPanelState,
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    ContentReport,
    DoorReport,
    DoorState,
    FridgeReport,
    GarageDoorReport,
    GarageDoorState,
    KeyReport,
    LockReport,
    LockState,
    ParkedReport,
    PositionReport,
    PresenceReport,
    PresenceState,
    Report,
)
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home, MessagesSection
from gateway.config.topics import BRIDGE_STATE
from gateway.installation.capability import WalkTestStatus
from gateway.installation.diagnostics.devices import device_subject, report_text
from gateway.installation.diagnostics.finding import HANGS_TODO, Finding, FindingVerdict, sentence_text
from gateway.installation.diagnostics.house import (
    authority_finding,
    broker_file_findings,
    examine_house,
    unattended_findings,
    with_entrance_verdicts,
)
from gateway.installation.records import store_walk
from gateway.installation.trials import TrialAnswer
from gateway.installation.walk import WalkTest, answer_trial, walk_steps
from gateway.mqtt.mosquitto.provisioning import private_broker, write_house
from gateway.system.clock_settings import ClockSection
from gateway.system.i18n import _
from gateway.system.mqtt_settings import BrokerTls
from gateway.system.pki.pages import format_fingerprint, pages_certificate
from tests.gateway.cli.terminal import TIMEOUT_S, account_session, next_message
from tests.gateway.installation.diagnostics.english import FindingText, by_subject, findings_of, read_finding
from tests.house.door import BOLTED

TURN_S = 0.05  # seconds in which an examination has begun to read; the loop is to go on meanwhile


async def found(home: Home) -> dict[str, FindingText]:
    async with asyncio.timeout(4 * TIMEOUT_S):
        return await findings_of(home)


@pytest.mark.slow
async def test_without_a_broker_the_doctor_says_red_and_what_to_do(home: Home, tmp_path: Path) -> None:
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "installer.password").write_text("x\n")
    findings = await found(home)
    assert findings["broker"].verdict is FindingVerdict.BAD
    assert "nobody listens there" in findings["broker"].said
    assert "accounts" in findings["broker"].todo
    assert findings["devices"].verdict is FindingVerdict.DOUBTFUL
    told = " ".join(finding.said + finding.todo for finding in findings.values())
    assert "Errno" not in told  # the system's numbers help nobody
    assert "doctor" not in told  # and who is here needs not be sent here
    assert findings["doorbell stream"].verdict is FindingVerdict.BAD


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_broker_that_refuses_the_account_is_told_apart_from_one_that_is_not_there(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "accounts" / "installer.password").write_text("wrong\n")
    broker = (await found(home.model_copy(update={"devices": {}, "entrances": {}})))["broker"]
    assert (broker.verdict, "it refuses this account" in broker.said) == (FindingVerdict.BAD, True)
    assert f"broker-config {tmp_path / 'accounts'}" in broker.todo


async def answering(home: Home) -> None:
    """Stand in for the lock: online, and answers each question."""
    async with account_session(home, "front-lock", "perron/front-lock/get") as lock:
        somfy, device_ref = VENDORS["somfy"], home.devices["front-lock"].device_ref
        lock.publish("perron/front-lock/availability", b"online", retain=True)
        while True:
            question = await lock.receive()
            assert somfy.decode_command(TopicSuffix.GET, question.payload) == QueryState()
            for letter in somfy.encode_report(LockReport(bolt=LockState.LOCKED), device_ref):
                lock.publish("perron/front-lock/result", letter.payload, correlation=question.correlation)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_the_doctor_tells_who_answers_and_who_is_silent(home: Home) -> None:
    quick = {**home.devices, "front-scanner": home.devices["front-scanner"]}
    for silent in ("front-door", "doorbell", "hall-camera", "kitchen-fridge"):
        del quick[silent]
    home = home.model_copy(update={"devices": quick, "entrances": {}, "clock": ClockSection(source="host")})
    lock = asyncio.create_task(answering(home))
    try:
        async with account_session(home, "gateway", "perron/front-lock/availability") as box:
            await next_message(box)
            box.publish(BRIDGE_STATE, b'{"state":"online"}', retain=True)
            findings = await found(home)
            assert findings["gateway"].verdict is FindingVerdict.GOOD
    finally:
        lock.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await lock
    assert findings["front-lock"].verdict is FindingVerdict.GOOD
    assert re.fullmatch(r"answers within 0\.\d\d s: the bolt is locked", findings["front-lock"].said)
    # Cannot be asked, and has not said that it is online
    assert findings["front-scanner"].verdict is FindingVerdict.DOUBTFUL
    assert findings["broker"].verdict is FindingVerdict.GOOD
    assert findings["clock"].verdict is FindingVerdict.GOOD
    silent_lock = await found(home)
    assert silent_lock["front-lock"].verdict is FindingVerdict.BAD


@pytest.mark.slow
@pytest.mark.parametrize(("nodelay", "verdict"), [("true", FindingVerdict.GOOD), ("false", FindingVerdict.BAD)])
async def test_a_broker_without_nodelay_is_noticed_by_its_forty_milliseconds(
    home: Home, tmp_path: Path, nodelay: str, verdict: FindingVerdict
) -> None:
    async with private_broker(tmp_path / "accounts", home):
        pass  # writes the files
    conf = tmp_path / "accounts" / "mosquitto.conf"
    conf.write_text(conf.read_text().replace("set_tcp_nodelay true", f"set_tcp_nodelay {nodelay}"))
    process = await asyncio.create_subprocess_exec(
        "/usr/sbin/mosquitto", "-c", str(conf), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(home.broker.host, home.broker.port)
                    writer.close()
                    await writer.wait_closed()
                    break
                await asyncio.sleep(0.05)
        bare = home.model_copy(update={"devices": {}, "entrances": {}, "clock": ClockSection(source="host")})
        findings = await found(bare)
    finally:
        process.terminate()
        await process.wait()
    assert findings["round trip"].verdict is verdict
    assert ("set_tcp_nodelay" in findings["round trip"].todo) is (verdict is FindingVerdict.BAD)


async def test_a_disk_without_its_reserve_is_red(home: Home) -> None:
    storage = home.storage.model_copy(update={"reserve_mib": 10**9})
    findings = await found(home.model_copy(update={"storage": storage, "devices": {}, "entrances": {}}))
    assert findings["disk"].verdict is FindingVerdict.BAD
    assert "no door opens" in findings["disk"].todo


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (LockReport(bolt=LockState.NOT_FULLY_LOCKED, jammed=True), "the bolt is not fully locked, and it is jammed"),
        (DoorReport(door=DoorState.AJAR), "the door is ajar"),
        (FridgeReport(compartment="cooler", temp_c=4.0), "cooler 4 °C"),
        (FridgeReport(compartment="cooler"), "cooler unknown"),
        (AvailabilityReport(online=True), "it is online"),
        (FridgeReport(compartment="", temp_c=4.0), "4 °C"),
        (GarageDoorReport(cover=GarageDoorState.OPEN, clear=False), "it is open, something is in its way"),
        (GarageDoorReport(cover=GarageDoorState.CLOSING), "it is closing"),
        (ContentReport(occupied=True), "something lies in the compartment"),
        (ContentReport(occupied=None), "it cannot tell whether something lies in the compartment"),
        (KeyReport(present=False), "the key is not on its hook"),
        (PresenceReport(presence=PresenceState.AWAY), "presence away"),
        (AlarmPanelReport(panel=AlarmPanelState.ARMED_AWAY), "the alarm panel is armed away"),
        (ParkedReport(parked=True), "it is parked"),
        (ParkedReport(parked=False), "it is being driven"),
        (ParkedReport(parked=None), "nobody knows whether it is parked"),
        (
            PositionReport(latitude=48.85, longitude=2.35, accuracy_m=15, age_s=12.4),
            "its position is 12 s old and exact to 15 m",
        ),
        (
            PositionReport(latitude=48.85, longitude=2.35, accuracy_m=15),
            "it has no position of which it says how old and how exact it is",
        ),
        (BatteryReport(percent=40), "battery 40 %"),
        (BatteryReport(level=BatteryLevel.LOW), "battery low"),
    ],
)
def test_what_a_device_answers_the_doctor_is_put_into_words(report: Report, told: str) -> None:
    assert sentence_text(report_text(report), "en") == told


def test_the_doctor_shows_the_fingerprint_that_is_compared_before_the_authority_is_installed(
    home: Home, tmp_path: Path
) -> None:
    house = home.model_copy(update={"storage": home.storage.model_copy(update={"folder": tmp_path})})
    assert authority_finding(house).verdict is FindingVerdict.DOUBTFUL
    made = pages_certificate(tmp_path / "pages", box=home.box, names=("perron.local",), now=datetime.now(UTC))
    assert format_fingerprint(made.fingerprint) in read_finding(authority_finding(house)).said
    (tmp_path / "pages" / "authority.pem").write_text("nonsense")
    assert authority_finding(house).verdict is FindingVerdict.BAD


async def test_a_storage_folder_that_is_no_folder_is_red_and_not_a_traceback(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = home.storage.model_copy(update={"folder": tmp_path / "file" / "box"})
    findings = await found(home.model_copy(update={"storage": storage, "devices": {}, "entrances": {}}))
    assert (findings["disk"].verdict, "Correct storage.folder" in findings["disk"].todo) == (FindingVerdict.BAD, True)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_the_doctor_is_done_in_five_seconds_though_every_device_is_silent(home: Home) -> None:
    many = {f"lock-{n}": home.devices["front-lock"] for n in range(20)}
    began = time.monotonic()
    findings = await found(home.model_copy(update={"devices": {**home.devices, **many}}))
    assert time.monotonic() - began < 5
    assert {findings[id_].verdict for id_ in many} == {FindingVerdict.BAD}
    entrance = findings["entrance front"]  # whose cameras are silent too
    assert entrance.verdict is FindingVerdict.BAD
    assert entrance.said.startswith("No picture from doorbell, hall-camera: no delivery comes in without.")
    assert "far from a window nobody else looks at it" in entrance.todo


@pytest.mark.parametrize(
    ("around", "verdict", "said"),
    [
        ({}, FindingVerdict.GOOD, "nothing forbids"),
        ({"front-door": FindingVerdict.DOUBTFUL}, FindingVerdict.GOOD, "nothing forbids"),  # may take longer
        (
            {"front-door": FindingVerdict.BAD},
            FindingVerdict.BAD,
            "Nothing heard of front-door: no delivery comes in without.",
        ),
        ({"broker": FindingVerdict.BAD}, FindingVerdict.BAD, "Nothing heard of front-lock, front-door:"),
        ({"broker": FindingVerdict.DOUBTFUL}, FindingVerdict.DOUBTFUL, "Nothing heard of front-lock, front-door:"),
        ({"clock": FindingVerdict.BAD}, FindingVerdict.BAD, "clock or disk forbid"),
    ],
)
def test_no_entrance_is_called_good_whose_devices_nobody_heard(
    home: Home, around: dict[str, FindingVerdict], verdict: FindingVerdict, said: str
) -> None:
    heard = {} if "broker" in around else {"front-lock": FindingVerdict.GOOD, "front-door": FindingVerdict.GOOD}
    findings = [
        *(Finding(_(key), how, HANGS_TODO) for key, how in around.items() if key not in heard),
        *(Finding(device_subject(key), around.get(key, how), HANGS_TODO) for key, how in heard.items()),
        Finding(_("entrance"), FindingVerdict.GOOD, _("nothing forbids"), entrance="front"),
    ]
    found = read_finding(tuple(with_entrance_verdicts(home, findings))[-1])
    assert (found.verdict, said in found.said) == (verdict, True), found.said


def test_a_house_without_devices_or_entrance_is_not_called_good(home: Home) -> None:
    for devices, said in (({}, "no device and no entrance"), (home.devices, "no entrance")):
        (found,) = map(read_finding, unattended_findings(home.model_copy(update={"devices": devices, "entrances": {}})))
        assert (found.verdict, said in found.said, "Set-up" in found.todo) == (FindingVerdict.DOUBTFUL, True, True)


async def test_an_entrance_whose_walk_test_forbids_it_is_red_and_says_why(home: Home, tmp_path: Path) -> None:
    house = home.model_copy(update={"storage": home.storage.model_copy(update={"folder": tmp_path})})
    (never,) = map(read_finding, unattended_findings(house))
    assert (never.verdict, "walk-test front" in never.todo) == (FindingVerdict.DOUBTFUL, True)
    walk = WalkTest(
        entrance="front",
        steps=walk_steps(home.entrances["front"], BOLTED),
        begun=datetime.now(UTC),
        by="Ida",
        before=WalkTestStatus.NEVER,
    )
    store_walk(tmp_path, answer_trial(walk, 0, TrialAnswer.FAILED, datetime.now(UTC)))
    (failed,) = map(read_finding, unattended_findings(house))
    assert (failed.verdict, "no unattended visit" in failed.said) == (FindingVerdict.BAD, True)


async def test_what_is_weak_in_the_brokers_files_is_red_with_its_remedy(home: Home, tmp_path: Path) -> None:
    write_house(tmp_path / "accounts", home, host="127.0.0.1", port=home.broker.port)
    assert [finding.verdict for finding in broker_file_findings(home)] == [FindingVerdict.GOOD]
    (tmp_path / "accounts" / "owner.password").chmod(0o644)
    [finding] = map(read_finding, broker_file_findings(home))
    assert finding.verdict is FindingVerdict.BAD
    assert "owner.password can be read" in finding.said
    assert "chmod 600" in finding.todo


@pytest.mark.slow
async def test_a_certificate_of_the_broker_that_nobody_renews_is_told_before_it_ends(
    home: Home, tmp_path: Path
) -> None:
    accounts = tmp_path / "accounts"
    trust = home.broker.model_copy(update={"tls": BrokerTls(ca=accounts / "authority.pem")})
    home = home.model_copy(update={"broker": trust, "devices": {}, "entrances": {}})
    for age, verdict in ((0, FindingVerdict.GOOD), (20, FindingVerdict.DOUBTFUL)):
        made = datetime.now(UTC) - timedelta(days=age)
        async with private_broker(accounts, home, now=partial(made.astimezone, UTC)):
            findings = await found(home)
        assert findings["broker"].verdict is FindingVerdict.GOOD
        assert findings["broker certificate"].verdict is verdict
        assert ("--renew" in findings["broker certificate"].todo) is (verdict is FindingVerdict.DOUBTFUL)


async def test_a_file_that_hangs_is_a_finding_and_holds_up_neither_the_house_nor_the_next_examination(
    home: Home, tmp_path: Path
) -> None:
    write_house(tmp_path / "accounts", home, host="127.0.0.1", port=home.broker.port)
    access = tmp_path / "accounts" / "access"
    access.unlink()
    os.mkfifo(access)  # whoever reads it waits for somebody who writes
    bare = home.model_copy(update={"devices": {}, "entrances": {}})
    loop = asyncio.get_running_loop()
    try:
        for _ in range(5):
            began = loop.time()
            examining = asyncio.create_task(examine_house(bare, timeout_s=0.2))
            await asyncio.sleep(TURN_S)
            assert loop.time() - began < 2.0, "the loop went on"
            findings = by_subject(await examining)
            assert loop.time() - began < 2.0
            assert findings["broker files"].verdict is FindingVerdict.BAD
            assert findings["broker files"].said == "nothing within 0.2 s"
            assert findings["disk"].verdict is FindingVerdict.GOOD
        assert looking() == 1
    finally:
        async with asyncio.timeout(TIMEOUT_S):
            while looking():
                with contextlib.suppress(OSError):  # nobody reads any more
                    os.close(os.open(access, os.O_WRONLY | os.O_NONBLOCK))
                await asyncio.sleep(0.02)


def looking() -> int:
    return sum(one.name == "examination" for one in threading.enumerate())


async def test_whatever_lies_in_the_box_s_files_an_examination_says_it_and_never_fails(
    home: Home, tmp_path: Path
) -> None:
    accounts, storage = tmp_path / "accounts", tmp_path / "var"
    write_house(accounts, home, host="127.0.0.1", port=home.broker.port)
    login = {"credentials_file": tmp_path / "door.login"}
    devices = {id_: one.model_copy(update=login) if one.kind == "camera" else one for id_, one in home.devices.items()}
    house = home.model_copy(
        update={
            "devices": devices,
            "messages": MessagesSection(file=tmp_path / "phones.txt"),
            "storage": home.storage.model_copy(update={"folder": storage}),
            "broker": home.broker.model_copy(update={"tls": BrokerTls(ca=accounts / "authority.pem")}),
        }
    )
    files = [accounts / name for name in ("mosquitto.conf", "access", "passwords", "gateway.password", "authority.pem",
                                          "installer.password")]  # fmt: skip
    files += [storage / "installation" / name for name in ("measured.json", "walk-front.json")]
    files += [storage / "pages" / "authority.pem", storage / "key" / "box.pem", tmp_path / "phones.txt"]
    files.append(login["credentials_file"])
    chance = random.Random(4)
    for turn in range(30):
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            kind = (turn + files.index(file)) % 4
            if file.is_dir():
                file.rmdir()
            file.unlink(missing_ok=True)
            if kind == 1:
                file.mkdir()
            elif kind > 1:
                file.write_bytes(chance.randbytes(chance.randrange(300)) * (1 + 20 * (kind == 3)))
        findings = await examine_house(house)
        assert findings
        for finding in findings:
            assert sentence_text(finding.statement, "fr")
            assert sentence_text(finding.statement, "en")
