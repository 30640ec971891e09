"""A real mosquitto with the files that `perron hub-config` writes, shown by what the other side received."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli.joining import write_membership
from gateway.config.loader import load_home_file
from gateway.hub import admin
from gateway.hub.boxes import presence
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.broker import BrokerFileKeeper, folder_of, set_up
from gateway.hub.config import HubBroker, HubFile
from gateway.hub.database.store import HubStore
from gateway.hub.deliveries import jobs
from gateway.integrations.hub_client.enrolment import HubIdentity
from gateway.mqtt.client import ShortSession, connect_once
from gateway.protocol.box_hub import Ack, Hello, Job, JobKind, down_topic, up_topic
from gateway.system.mosquitto import MAX_PACKET_BYTES
from gateway.system.mqtt_settings import BrokerSection, BrokerTls
from gateway.system.pki.authority import private_pem
from tests.hubs import RunningHub
from tests.hubs import run_hub as running_hub
from tests.joins import DAY, JoiningBox, create_claim, hub_account, with_boxes
from tests.mosquitto import Mosquitto, running
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

LONG = 20.0
CONNECT = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01x"  # MQTT 5, clean start, client id x


@dataclass
class Place:
    """A hub's broker, with its hub."""

    file: HubFile
    broker: HubBroker
    store: HubStore
    authority: HubAuthority
    folder: Path
    mosquitto: Mosquitto

    @property
    def keeper(self) -> BrokerFileKeeper:
        assert self.file.boxes is not None
        return BrokerFileKeeper(self.file, self.file.boxes, self.store, self.authority, monotonic=time.monotonic)

    async def box(self, name: str) -> JoiningBox:
        """One that has joined."""
        box = JoiningBox.new(self.folder / name)
        code = await admin.create_claim(
            self.store, url=self.file.url, fingerprint=self.authority.fingerprint, now=now()
        )
        await box.join(code)
        return box

    def certified(self, home: str, *, by: HubAuthority | None = None, at: datetime | None = None) -> Path:
        """A key and a certificate that no box ever asked for."""
        key = ec.generate_private_key(ec.SECP256R1())
        one = (by or self.authority).certify(home, key.public_key(), now=at or now())
        file = self.folder / "made.pem"
        file.write_bytes(private_pem(key) + one.public_bytes(Encoding.PEM))
        return file

    def context(self, pem: Path | None) -> ssl.SSLContext:
        """Believe the hub's authority, and show this."""
        context = ssl.create_default_context(cafile=self.file.folder / "broker" / "authority.pem")
        if pem is not None:
            context.load_cert_chain(pem)
        return context

    def client(self, pem: Path | None, **more: Any) -> aiomqtt.Client:  # noqa: ANN401 - each test knows what it passes
        """A client at the boxes' listener that keeps none of our rules."""
        assert self.file.boxes is not None
        named = {"identifier": "x", **more}
        return aiomqtt.Client(
            "localhost", self.file.boxes.port, tls_context=self.context(pem), timeout=LONG,
            protocol=aiomqtt.ProtocolVersion.V5, **named,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def hub(self, *topics: str) -> AsyncIterator[ShortSession]:
        """The hub's own ear and mouth."""
        async with connect_once(self.broker, topics or ("up/#",), monotonic=time.monotonic) as hub:
            yield hub


def now() -> datetime:
    return datetime.now(UTC)


def pem(box: JoiningBox) -> Path:
    return box.folder / "identity.pem"


PlaceT = TypeVar("PlaceT", bound=Place)


@contextlib.asynccontextmanager
async def placed(folder: Path, kind: type[PlaceT]) -> AsyncIterator[PlaceT]:
    """A hub's broker that runs, with its hub, which has no line of its own to it."""
    file = with_boxes(folder)
    account = hub_account(file)
    assert file.boxes is not None
    file.folder.mkdir(mode=0o700)
    store = await HubStore.open(file.database)
    try:
        configured = file.model_copy(update={"broker": account})
        authority = await set_up(configured, file.boxes, store, now=now())
        conf = folder_of(file) / "mosquitto.conf"
        async with running(conf, account.port, {}) as mosquitto, running_hub(file):
            yield kind(configured, account, store, authority, folder, mosquitto)
    finally:
        await store.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with placed(tmp_path, Place) as place:
        yield place


@contextlib.asynccontextmanager
async def whole(folder: Path) -> AsyncIterator[tuple[HubFile, RunningHub]]:
    """A hub with its broker, by its own line to it."""
    file = with_boxes(folder)
    file = file.model_copy(update={"broker": hub_account(file)})
    assert file.boxes is not None
    file.folder.mkdir(mode=0o700)
    store = await HubStore.open(file.database)
    await set_up(file, file.boxes, store, now=now())
    await store.close()
    assert file.broker is not None
    async with running(folder_of(file) / "mosquitto.conf", file.broker.port, {}), running_hub(file) as hub:
        yield file, hub


async def test_a_box_that_joined_says_hello_and_hears_its_hub_by_what_stands_in_its_house_file(tmp_path: Path) -> None:
    house = tmp_path / "home.yaml"
    house.write_text("box: b\nname: A house\nstorage: {folder: var}\ndevices: {}\nentrances: {}\n")
    box = JoiningBox.new(tmp_path / "var" / "hub")
    async with whole(tmp_path) as (file, hub):
        claim = await create_claim(hub, file)
        write_membership(house, tmp_path / "var", claim.url, await box.join(claim))
        joined = load_home_file(house).hub
        assert joined is not None
        assert joined.home == box.identity.home
        async with connect_once(
            joined.broker, [down_topic(joined.home, "jobs"), down_topic(joined.home, "ack")], monotonic=time.monotonic
        ) as line:
            hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris")
            assert joined.shard is not None
            line.publish(up_topic(joined.shard, joined.home, "hello"), hello.model_dump_json().encode())
            async with asyncio.timeout(LONG):
                answer = await line.receive()
            assert answer.topic == down_topic(joined.home, "ack")
            assert Ack.model_validate_json(answer.payload).seq == 0


async def test_a_box_whose_line_stays_and_hears_nothing_is_cut_off_so_that_it_comes_anew_for_its_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "RECHECK_DELAY_S", 0.5)
    async with whole(tmp_path) as (file, hub):
        box = JoiningBox.new(tmp_path / "one")
        home, hello = (await box.join(await create_claim(hub, file))).home, up_topic(0, box.identity.home, "hello")
        tls = BrokerTls(ca=box.folder / "authority.pem", certificate=pem(box), key=pem(box))
        at = BrokerSection(host="localhost", port=file.boxes.port if file.boxes else 0, username=home, tls=tls)
        began = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris").model_dump_json().encode()
        async with hub.hub.store.writing() as tx:
            job = await jobs.enqueue(tx, home, JobKind.DELIVERY, b"a.b.c", now=now())

        async def says_hello_and_hears_nothing() -> None:
            async with connect_once(at, [], monotonic=time.monotonic) as line:
                line.publish(hello, began)
                await asyncio.wait_for(line.receive(), LONG)

        with pytest.raises(ConnectionError):
            await says_hello_and_hears_nothing()
        async with connect_once(at, [down_topic(home, "jobs")], monotonic=time.monotonic) as line:
            line.publish(hello, began)
            async with asyncio.timeout(LONG):
                assert Job.model_validate_json((await line.receive()).payload).job == job
            with pytest.raises(TimeoutError):  # and it stays
                await asyncio.wait_for(line.receive(), 3)


async def heard(hub: ShortSession, last: bytes) -> list[tuple[str, bytes]]:
    """All that the hub hears up to this payload."""
    came: list[tuple[str, bytes]] = []
    async with asyncio.timeout(LONG):
        while not came or came[-1][1] != last:
            one = await hub.receive()
            came.append((one.topic, one.payload))
    return came


async def refused(place: Place, file: Path | None) -> bool:
    """Whether whoever shows this is not let in."""
    assert place.file.boxes is not None
    try:
        reader, writer = await asyncio.open_connection("localhost", place.file.boxes.port, ssl=place.context(file))
    except OSError:  # ssl.SSLError is one
        return True
    try:
        writer.write(CONNECT)
        async with asyncio.timeout(LONG):
            return await reader.read(4) == b""
    except OSError:
        return True
    finally:
        writer.transport.abort()


async def test_nobody_comes_without_a_certificate_of_the_hub_s_that_counts(place: Place) -> None:
    box = await place.box("one")
    home, other = box.identity.home, HubAuthority.load(place.folder / "other", now=now())
    async with place.hub() as hub, place.client(pem(box)) as client:
        assert await refused(place, None), "no certificate"
        assert await refused(place, place.certified(home, by=other)), "another authority's"
        assert await refused(place, place.certified(home, at=now() - 91 * DAY)), "expired"
        assert await refused(place, place.certified(home, at=now() + 2 * DAY)), "not good yet"
        server = place.folder / "server.pem"
        tls = place.file.folder / "broker" / "tls"
        server.write_bytes((tls / "broker.key").read_bytes() + (tls / "broker.pem").read_bytes())
        assert await refused(place, server), "the broker's own, which is for servers"
        await client.publish(f"up/1/{home}/hello", b"marker", qos=1)
        assert await heard(hub, b"marker") == [(f"up/1/{home}/hello", b"marker")], "nobody else was heard"


async def test_a_box_is_who_its_certificate_says_whatever_it_says_itself(place: Place) -> None:
    one, two = await place.box("one"), await place.box("two")
    home, other = one.identity.home, two.identity.home
    async with place.hub() as hub, place.client(pem(two), identifier=other) as victim:
        await victim.subscribe("dn/#", qos=1)
        async with place.client(pem(one), identifier=other, username="hub", password="x") as client:  # noqa: S106 - none of anybody
            await client.subscribe("#", qos=1)
            others = (
                *(f"up/1/{other}/{what}" for what in ("hello", "evt", "said/hub-1")),
                *(f"dn/{home}/{what}" for what in ("jobs", "ask")),
                *(f"up/1/{home}/{what}" for what in ("said", "said/hub-1/x")),
                f"dn/{other}/jobs",
            )
            for topic in (*others, f"up/1/{home}/else", f"up/1/{home}/hello/x", f"up/{home}/hello", "up/1/hub/hello"):
                await client.publish(topic, b"forged", qos=1)
            own = ("hello", "status", "evt", "said/hub-1", "gone")
            for what in own:
                await client.publish(f"up/1/{home}/{what}", b"marker" if what == "gone" else b"own", qos=1)
            assert {topic for topic, _ in await heard(hub, b"marker")} == {f"up/1/{home}/{what}" for what in own}
            for to in (other, home):
                await hub.publish(f"dn/{to}/jobs", to.encode()).acknowledged  # type: ignore[union-attr]  # it is sent
            assert await first(client) == (f"dn/{home}/jobs", home.encode()), "another's jobs it does not hear"
            assert await first(victim) == (f"dn/{other}/jobs", other.encode()), "and whose id it said is there still"


async def first(client: aiomqtt.Client) -> tuple[str, object]:
    async with asyncio.timeout(LONG):
        message = await anext(aiter(client.messages))
    return str(message.topic), message.payload


async def test_a_last_will_on_another_s_topic_is_never_heard(place: Place) -> None:
    one, two = await place.box("one"), await place.box("two")
    home, other = one.identity.home, two.identity.home
    async with place.hub() as hub:
        for topic in (f"up/1/{other}/gone", f"up/1/{home}/gone"):
            will = aiomqtt.Will(topic, b"will", qos=1)
            with contextlib.suppress(aiomqtt.MqttError):
                async with place.client(pem(one), will=will) as client:
                    client._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # noqa: SLF001 - it dies
                    await first(client)  # which raises as soon as the client has noticed
        assert await heard(hub, b"will") == [(f"up/1/{home}/gone", b"will")]


async def test_what_is_too_large_or_retained_ends_the_connection_unheard(place: Place) -> None:
    box = await place.box("one")
    topic = f"up/1/{box.identity.home}/hello"
    async with place.hub() as hub:
        for payload, retain in ((b"x" * (MAX_PACKET_BYTES + 1), False), (b"kept", True)):
            with pytest.raises(aiomqtt.MqttError):
                async with place.client(pem(box)) as client:
                    await client.publish(topic, payload, qos=1, retain=retain, timeout=2)
        with pytest.raises(aiomqtt.MqttError):
            async with place.client(pem(box), will=aiomqtt.Will(topic, b"kept", retain=True)):
                pass
        async with place.client(pem(box)) as client:
            await client.publish(topic, b"marker", qos=1)
        assert await heard(hub, b"marker") == [(topic, b"marker")]


async def test_the_hub_s_own_listener_takes_its_password_and_nobody_else(place: Place) -> None:
    for name, password in ((None, None), ("hub", "guessed"), ("home-a", "x")):
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("127.0.0.1", place.broker.port, username=name, password=password,
                                      protocol=aiomqtt.ProtocolVersion.V5):  # fmt: skip
                pass


async def test_a_revoked_box_is_cut_off_within_seconds_and_cannot_come_back(place: Place) -> None:
    one, two = await place.box("one"), await place.box("two")
    async with place.client(pem(two)) as other:
        await other.subscribe("dn/#", qos=1)
        async with place.hub() as hub:
            cut = asyncio.create_task(_until_cut(place, one))
            await heard(hub, b"here")
            await admin.revoke_home(place.store, one.identity.home, now=now())
            begun = time.monotonic()
            assert await place.keeper.check(now())
            async with asyncio.timeout(5):
                await cut
            assert time.monotonic() - begun < 5
            assert await refused(place, pem(one))
            home = two.identity.home
            await hub.publish(f"dn/{home}/jobs", b"still").acknowledged  # type: ignore[union-attr]  # it is sent
            assert await first(other) == (f"dn/{home}/jobs", b"still"), "another box notices nothing"


async def _until_cut(place: Place, box: JoiningBox) -> None:
    with contextlib.suppress(aiomqtt.MqttError):
        async with place.client(pem(box)) as client:
            await client.subscribe("dn/#", qos=1)
            await client.publish(f"up/1/{box.identity.home}/hello", b"here", qos=1)
            async for _ in client.messages:
                pass


async def test_a_revocation_that_was_killed_half_way_is_ended_by_the_hub(place: Place) -> None:
    box = await place.box("one")
    keeper = place.keeper
    await keeper.check(now())
    async with place.hub() as hub:
        cut = asyncio.create_task(_until_cut(place, box))
        await heard(hub, b"here")
        await admin.revoke_home(place.store, box.identity.home, now=now())
        looking = asyncio.create_task(place.keeper.check(now()))
        await asyncio.sleep(0)
        while not _lists(place, box.identity):  # noqa: ASYNC110 - it is a file that is waited for
            await asyncio.sleep(0.01)
        looking.cancel()  # written, and dead before anything else
        await keeper.check(now())
        async with asyncio.timeout(LONG):
            await cut
        assert await refused(place, pem(box))


def _lists(place: Place, one: HubIdentity) -> bool:
    listed = x509.load_pem_x509_crl((place.file.folder / "broker" / "revoked.pem").read_bytes())
    return listed.get_revoked_certificate_by_serial_number(one.certificate.serial_number) is not None


async def test_the_old_certificate_is_good_until_the_new_one_was_confirmed(place: Place) -> None:
    box = await place.box("one")
    old = place.folder / "old.pem"
    old.write_bytes(pem(box).read_bytes())
    assert not await refused(place, old)
    await box.renew(place.file, now() + 61 * DAY)
    await place.keeper.check(now())
    await wait_until(lambda: refused(place, old))
    assert not await refused(place, pem(box))


async def shows(place: Place, box: JoiningBox, certificate: bytes) -> bool:
    """Whether the broker proves itself by this certificate; while it reads the new one it refuses everybody."""
    assert place.file.boxes is not None
    try:
        _, writer = await asyncio.open_connection("localhost", place.file.boxes.port, ssl=place.context(pem(box)))
    except ssl.SSLError:
        return False
    try:
        shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown == certificate
    finally:
        writer.transport.abort()


async def test_the_broker_s_own_certificate_is_renewed_under_the_same_authority(place: Place) -> None:
    box = await place.box("one")
    chain = place.file.folder / "broker" / "tls" / "broker.pem"
    chain.unlink()
    place.authority.certify_server(("127.0.0.1", "localhost"), now=now() - timedelta(days=16))
    before = chain.read_bytes()
    assert await place.keeper.check(now())
    assert chain.read_bytes() != before
    renewed = x509.load_pem_x509_certificates(chain.read_bytes())[0].public_bytes(Encoding.DER)
    await wait_until(lambda: shows(place, box, renewed), within=LONG)
    assert not await refused(place, pem(box))
