"""The gateway's own account at the broker: tried only where nobody holds it, and never told."""

import asyncio
from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.config.topics import BRIDGE_STATE
from gateway.installation.diagnostics.broker import examine_broker, gateway_finding
from gateway.installation.diagnostics.finding import FindingVerdict
from gateway.installation.diagnostics.house import EXAMINATION_TIMEOUT_S
from gateway.mqtt.mosquitto.provisioning import private_broker, write_house
from gateway.system.clock_settings import ClockSection
from tests.gateway.cli.terminal import account_session, next_message
from tests.gateway.installation.diagnostics.english import by_subject, findings_of, read_finding
from tests.quiet import SilentServer, silent_server

pytestmark = pytest.mark.slow


def bare(home: Home) -> Home:
    return home.model_copy(update={"devices": {}, "entrances": {}, "clock": ClockSection(source="host")})


async def test_a_broker_that_refuses_the_gateway_s_account_alone_is_red_and_says_so(home: Home, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts"
    async with private_broker(accounts, home):
        (accounts / "gateway.password").write_text("written by hand, or of another broker\n")
        findings = await findings_of(bare(home))
    assert findings["broker"].verdict is FindingVerdict.GOOD
    assert findings["gateway"].verdict is FindingVerdict.BAD
    assert "as 'gateway': it refuses this account" in findings["gateway"].said
    assert f"`perron broker-config {accounts}`" in findings["gateway"].todo
    assert "written by hand" not in str(findings)


@pytest.mark.usefixtures("broker")
async def test_a_gateway_s_password_that_is_not_there_is_red_and_names_the_file(home: Home, tmp_path: Path) -> None:
    (tmp_path / "accounts" / "gateway.password").unlink()
    found = (await findings_of(bare(home)))["gateway"]
    assert found.verdict is FindingVerdict.BAD
    assert "gateway.password: the password of the account 'gateway' cannot be read (No such file" in found.said


@pytest.mark.usefixtures("broker")
async def test_a_gateway_that_does_not_run_is_doubtful_and_its_account_is_good(home: Home) -> None:
    found = (await findings_of(bare(home)))["gateway"]
    assert (found.verdict, found.said) == (FindingVerdict.DOUBTFUL, "it has never been here")
    assert "perron run" in found.todo


@pytest.mark.usefixtures("broker")
async def test_a_gateway_that_runs_is_never_pushed_out_by_its_own_examination(home: Home) -> None:
    async with account_session(home, "gateway", "perron/front-lock/availability") as running:
        running.publish(BRIDGE_STATE, b'{"state":"online"}', retain=True)
        for _ in range(3):
            assert (await findings_of(bare(home)))["gateway"].verdict is FindingVerdict.GOOD
        async with account_session(home, "front-lock") as lock:
            lock.publish("perron/front-lock/availability", b"online")
            assert (await next_message(running)).payload == b"online"  # of the same connection


async def test_a_broker_that_takes_connections_and_never_answers_is_red_in_time(home: Home, tmp_path: Path) -> None:
    write_house(tmp_path / "accounts", home, host="127.0.0.1", port=home.broker.port)
    listens: SilentServer
    async with silent_server(home.broker.port) as listens:
        began = asyncio.get_running_loop().time()
        findings = await findings_of(home)
        assert asyncio.get_running_loop().time() - began < EXAMINATION_TIMEOUT_S + 1.0
        assert listens.visitors > 0
    assert findings["broker"].verdict is FindingVerdict.BAD
    assert findings["devices"].verdict is FindingVerdict.DOUBTFUL
    assert findings["entrance front"].verdict is FindingVerdict.BAD


@pytest.mark.usefixtures("broker")
async def test_whoever_speaks_as_the_installer_already_is_let_finish(home: Home) -> None:
    line = asyncio.Lock()
    async with line:
        told = by_subject([one async for one in examine_broker(bare(home), installer_lock=line, in_gateway=True)])
    assert (told["broker"].verdict, told["devices"].verdict) == (FindingVerdict.DOUBTFUL, FindingVerdict.DOUBTFUL)
    assert "by the account installer already" in told["broker"].said
    told = by_subject([one async for one in examine_broker(bare(home), installer_lock=line, in_gateway=True)])
    assert told["broker"].verdict is FindingVerdict.GOOD
    assert not line.locked()


@pytest.mark.usefixtures("broker")
async def test_a_gateway_that_looks_itself_is_not_told_to_start(home: Home) -> None:
    found = read_finding(await gateway_finding(home.broker, b'{"state":"offline"}', in_gateway=True))
    assert found.verdict is FindingVerdict.DOUBTFUL
    assert "tries again by itself" in found.todo
