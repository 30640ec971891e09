"""The doctor looks at the hub: each thing that can be wrong there is told, where, and what to do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.config.home import Home, HubSection
from gateway.hub import admin
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.broker import folder_of, set_up
from gateway.hub.config import HubFile
from gateway.hub.database.store import HubStore
from gateway.installation.diagnostics.finding import FindingVerdict
from gateway.installation.diagnostics.hub import examine_hub
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import LinkStatus, write_status
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.mqtt_settings import BrokerTls
from tests.gateway.installation.diagnostics.english import FindingText, by_subject
from tests.hubs import RunningHub
from tests.hubs import run_hub as running_hub
from tests.joins import JoiningBox, create_claim, hub_account, with_boxes
from tests.mosquitto import running
from tests.shell.house import make_home as a_home

pytestmark = pytest.mark.slow

BROKER, SITE, CERTIFICATE, CLOCK, LINE = (
    "hub: its broker",
    "hub",
    "hub: the box's certificate",
    "hub: clock",
    "hub: line",
)


async def found(home: Home) -> dict[str, FindingText]:
    return by_subject([one async for one in examine_hub(home, in_gateway=True)])


async def member(folder: Path, file: HubFile, hub: RunningHub) -> Home:
    """A house that has joined."""
    house = a_home(folder)
    box = JoiningBox.new(house.storage.folder / "hub")
    claim = await create_claim(hub, file)
    joined = await box.join(claim)
    pem = box.folder / "identity.pem"
    section = HubSection(
        url=claim.url, home=joined.home, host=joined.broker.host, port=joined.broker.port, shard=joined.shard,
        tls=BrokerTls(ca=box.folder / "authority.pem", certificate=pem, key=pem),
    )  # fmt: skip
    return house.model_copy(update={"hub": section})


@contextlib.asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[HubFile, RunningHub]]:
    """A hub with its broker."""
    file = with_boxes(folder)
    assert file.boxes is not None
    account = hub_account(file)
    file.folder.mkdir(mode=0o700, parents=True)
    store = await HubStore.open(file.database)
    await set_up(file.model_copy(update={"broker": account}), file.boxes, store, now=datetime.now(UTC))
    await store.close()
    async with running(folder_of(file) / "mosquitto.conf", account.port, {}), running_hub(file) as hub:
        yield file, hub


async def test_a_house_without_a_hub_hears_nothing_of_one(tmp_path: Path) -> None:
    assert await found(a_home(tmp_path)) == {}


async def test_of_a_hub_that_is_well_the_doctor_says_so_and_tells_the_support_code(tmp_path: Path) -> None:
    async with place(tmp_path / "its") as (file, hub):
        house = await member(tmp_path / "ours", file, hub)
        assert house.hub is not None
        folder = house.storage.folder / "hub"
        now = datetime.now(UTC)
        assert (await found(house))[LINE].verdict is FindingVerdict.DOUBTFUL
        write_status(folder, LinkStatus(home=house.hub.home, up=True, since=now, waiting=3))
        told = await found(house)
        assert {one.verdict for one in told.values()} == {FindingVerdict.GOOD}, told
        assert set(told) == {BROKER, SITE, CERTIFICATE, CLOCK, LINE}
        assert "3 events" in told[LINE].said
        assert str(enrolment.support_code(folder)) in told[LINE].said
        assert f"{now + timedelta(days=90):%b %Y}" in told[CERTIFICATE].said

        await admin.revoke_home(hub.hub.store, house.hub.home, now=hub.hub.now())
        told = await found(house)
        assert (told[SITE].verdict, "no longer" in told[SITE].said) == (FindingVerdict.BAD, True)
        assert f"perron hub-claim --again {house.hub.home}" in told[SITE].todo


async def test_each_thing_that_is_wrong_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(tmp_path / "its") as (file, hub):
        house = await member(tmp_path / "ours", file, hub)
        section = house.hub
        assert section is not None
        assert section.tls is not None

        async def with_(**changes: object) -> dict[str, FindingText]:
            return await found(house.model_copy(update={"hub": section.model_copy(update=changes)}))

        other = HubAuthority.load(tmp_path / "other", now=datetime.now(UTC))
        ca = tmp_path / "other.pem"
        ca.write_text(other.pem)
        for changes, row, says, todo in (
            ({"host": "nobody.invalid"}, BROKER, "nobody knows this name", "DNS"),
            ({"port": free_port()}, BROKER, "nobody listens", "Ask whoever runs the hub"),
            (
                {"tls": section.tls.model_copy(update={"ca": ca})},
                BROKER,
                "another authority",
                "intercepts the connection",
            ),
            (
                {"tls": section.tls.model_copy(update={"ca": tmp_path / "no.pem"})},
                BROKER,
                "no.pem",
                "Put that file back",
            ),
            ({"url": f"http://127.0.0.1:{free_port()}"}, SITE, "does not answer", "internet"),
        ):
            told = await with_(**changes)
            assert (told[row].verdict, says in told[row].said, todo in told[row].todo) == (
                FindingVerdict.BAD,
                True,
                True,
            ), told

        for hours, verdict in ((0.5, FindingVerdict.BAD), (0.0, FindingVerdict.GOOD)):
            ahead = timedelta(hours=hours)
            monkeypatch.setattr(
                "gateway.installation.diagnostics.hub.machine_time", lambda by=ahead: datetime.now(UTC) + by
            )
            assert (await found(house))[CLOCK].verdict is verdict
        for days, verdict in ((66, FindingVerdict.DOUBTFUL), (91, FindingVerdict.BAD)):
            ahead = timedelta(days=days)
            monkeypatch.setattr(
                "gateway.installation.diagnostics.hub.machine_time", lambda by=ahead: datetime.now(UTC) + by
            )
            assert (await found(house))[CERTIFICATE].verdict is verdict
        monkeypatch.undo()
        folder = house.storage.folder / "hub"
        (folder / "identity.pem").write_text("none")
        assert "cannot be read" in (await found(house))[CERTIFICATE].said
        (folder / "identity.pem").unlink()
        told = await found(house)
        assert (told[CERTIFICATE].verdict, "is not there" in told[CERTIFICATE].said) == (FindingVerdict.BAD, True)


async def test_a_broker_that_stands_still_is_late_and_holds_nothing_up(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ca = tmp_path / "ca.pem"
    ca.write_text(HubAuthority.load(tmp_path / "hub", now=datetime.now(UTC)).pem)
    section = HubSection(
        url=f"http://127.0.0.1:{port}", home="home-1", host="localhost", port=port, tls=BrokerTls(ca=ca)
    )
    async with asyncio.timeout(6):
        told = await found(a_home(tmp_path).model_copy(update={"hub": section}))
    over.set()
    server.close()
    assert "does not answer" in told[BROKER].said
    assert "does not answer" in told[SITE].said
