"""TLS to the house's broker, with a real mosquitto: who believes whom, and how the certificate is renewed."""

import asyncio
import contextlib
import os
import pwd
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import pytest
from cryptography import x509

from devices.simulators.house import SimulatedBroker as DevicesBroker
from gateway.config.home import Home
from gateway.mqtt.client import MqttClient
from gateway.mqtt.mosquitto.folder_check import folder_faults
from gateway.mqtt.mosquitto.provisioning import WeakBrokerSetup, free_port, private_broker, write_house
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.tls import ACCOUNT_REFUSED, error_text, tls_context
from gateway.system.config_section import ConfigError
from gateway.system.mosquitto import BrokerListener, broker_user, reload
from gateway.system.mqtt_settings import BrokerSection, BrokerTls
from gateway.system.pki.authority import certificate_names
from gateway.system.pki.broker import BROKER_POLICY, broker_certificate, renew_broker_certificate
from tests.gateway.callers import account_session, collect_until, open_session, publish_reason_code
from tests.mosquitto import Mosquitto, running
from tests.waiting import wait_until

LONG = 30.0


def house(folder: Path, host: str = "127.0.0.1") -> Home:
    return Home.model_validate(
        {
            "box": "test-box",
            "name": "A house",
            "broker": {
                "host": host,
                "port": free_port(),
                "password_file": folder / "gateway.password",
                "tls": {"ca": folder / "authority.pem"},
            },
            "devices": {"front-lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"}},
            "entrances": {},
        }
    )


@contextlib.asynccontextmanager
async def broker_of(home: Home, folder: Path, *, age: timedelta = timedelta(0)) -> AsyncIterator[Mosquitto]:
    """The house's broker, with a certificate that was made so long ago."""
    write_house(folder, home, host=home.broker.host, port=home.broker.port, user=broker_user(),
          now=lambda: datetime.now(UTC) - age)  # fmt: skip
    async with running(folder / "mosquitto.conf", home.broker.port, {}) as broker:
        yield broker


async def refused(broker: BrokerSection) -> str:
    with pytest.raises(ConnectionError) as error:
        async with open_session(broker):
            pass
    return str(error.value)


def shown(broker: BrokerSection) -> int:
    """The serial number of the certificate that the broker shows now."""
    ours = tls_context(broker)
    assert ours is not None
    with (
        socket.create_connection((broker.host, broker.port), timeout=LONG) as plain,
        ours.wrap_socket(plain, server_hostname=broker.host) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


@pytest.mark.slow
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_gateway_and_devices_speak_by_tls_with_the_broker_that_their_authority_vouches_for(
    tmp_path: Path, name: str
) -> None:
    home = house(tmp_path, name)
    async with (
        private_broker(tmp_path, home),
        account_session(home, "gateway", "perron/#") as gateway,
        aiomqtt.Client(
            name,
            home.broker.port,
            username="front-lock",
            password=home.broker.account("front-lock").password(),
            tls_context=DevicesBroker(host=name, port=home.broker.port, ca=tmp_path / "authority.pem").context(),
        ) as lock,
    ):
        for number in range(50):
            await lock.publish("perron/front-lock/event", b"%d" % number, qos=1)
        assert [i.payload for i in await collect_until(gateway, b"49")] == [b"%d" % number for number in range(50)]
        await lock.publish("perron/front-lock/state", b"x" * 60_000, qos=1)  # more than one TLS record
        assert len((await collect_until(gateway, b"x" * 60_000))[-1].payload) == 60_000


@pytest.mark.slow
async def test_a_broker_of_another_authority_of_another_name_or_with_an_old_certificate_is_not_believed(
    tmp_path: Path,
) -> None:
    home = house(tmp_path / "ours")
    other = house(tmp_path / "other")
    write_house(tmp_path / "other", other, host="127.0.0.1", port=other.broker.port)
    async with broker_of(home, tmp_path / "ours"):
        foreign = home.broker.model_copy(update={"tls": BrokerTls(ca=tmp_path / "other" / "authority.pem")})
        assert await refused(foreign) == "its certificate comes from another authority than broker.tls.ca"
        assert await code_of_visit(home.broker) == 0
        device = DevicesBroker(port=home.broker.port, ca=tmp_path / "other" / "authority.pem").context()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", home.broker.port, ssl=device)

    elsewhere = house(tmp_path / "elsewhere", "127.0.0.2")
    write_house(tmp_path / "elsewhere", elsewhere, host="127.0.0.2", port=elsewhere.broker.port, user=broker_user())
    broker_certificate(tmp_path / "elsewhere", box="test-box", names=("perron.home.arpa",), now=datetime.now(UTC))
    async with running(tmp_path / "elsewhere" / "mosquitto.conf", elsewhere.broker.port, {}, host="127.0.0.2"):
        assert await refused(elsewhere.broker) == "its certificate is another name's"

    old = house(tmp_path / "old")
    async with broker_of(old, tmp_path / "old", age=timedelta(days=BROKER_POLICY.days + 1)):
        assert await refused(old.broker) == "its certificate has expired"
        renew_broker_certificate(tmp_path / "old", box="test-box", now=datetime.now(UTC))
        assert reload(tmp_path / "old")
        await until_true(lambda: shown(old.broker) > 0)
        assert await code_of_visit(old.broker) == 0


async def code_of_visit(broker: BrokerSection) -> int | None:
    async with open_session(broker, "perron/#") as visitor:
        return await publish_reason_code(visitor, "perron/bridge/echo")


async def until_true(holds: Callable[[], bool]) -> None:
    """Wait until mosquitto has heard its signal."""

    def holds_by_now() -> bool:
        with contextlib.suppress(ssl.SSLError):
            return holds()
        return False

    await wait_until(holds_by_now, every=0.05)


@pytest.mark.slow
async def test_a_renewal_reaches_the_next_client_and_disturbs_nobody_who_is_connected(tmp_path: Path) -> None:
    home = house(tmp_path)
    lost: list[str] = []
    came: list[InboundMessage] = []
    up = asyncio.Event()

    async def number() -> int:
        return 1

    gateway = MqttClient(broker=home.broker, subscriptions=(), session_number=number, on_message=came.append,
                   on_up=lambda _session: up.set(), on_down=lost.append, on_missed=lost.append,
                   monotonic=time.monotonic)  # fmt: skip
    async with broker_of(home, tmp_path, age=timedelta(days=20)) as broker:
        line = asyncio.create_task(gateway.run())
        async with asyncio.timeout(LONG):
            await up.wait()
        before, authority = shown(home.broker), (tmp_path / "authority.pem").read_bytes()
        certificate = renew_broker_certificate(tmp_path, box="test-box", now=datetime.now(UTC))
        assert certificate is not None
        assert certificate.is_new
        assert certificate.until > datetime.now(UTC) + timedelta(days=29)
        assert reload(tmp_path) == (broker.pid,)
        await until_true(lambda: shown(home.broker) != before)
        assert (tmp_path / "authority.pem").read_bytes() == authority, "clients need nothing new"
        async with account_session(home, "observer", "perron/#") as observer:
            gateway.publish("perron/bridge/echo", b"still here")
            assert (await collect_until(observer, b"still here"))[-1].payload == b"still here"
        assert lost == []
        line.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await line


@pytest.mark.slow
async def test_a_client_that_is_told_to_speak_tls_never_falls_back_to_plain_words(tmp_path: Path) -> None:
    home = house(tmp_path)
    write_house(tmp_path, home, host="127.0.0.1", port=home.broker.port)
    heard = bytearray()

    async def eavesdrop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(4096))
        writer.write(b"\x20\x03\x00\x00\x00")  # a plain CONNACK, as if all were well
        writer.close()

    async with await asyncio.start_server(eavesdrop, "127.0.0.1", home.broker.port):
        assert await refused(home.broker) == "it does not speak TLS"
    assert heard[0] == 0x16, "a TLS handshake and nothing else"
    assert (home.broker.password() or "?").encode() not in heard


@pytest.mark.slow
async def test_a_listener_that_speaks_tls_takes_no_plain_client_and_no_outdated_tls(tmp_path: Path) -> None:
    home = house(tmp_path)
    async with broker_of(home, tmp_path):
        with pytest.raises(ConnectionError):
            async with open_session(home.broker.model_copy(update={"tls": None})):
                pass
        ours = tls_context(home.broker)
        assert ours is not None
        ours.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await asyncio.open_connection("127.0.0.1", home.broker.port, ssl=ours)  # small devices have no 1.3
        writer.close()
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            ours.minimum_version = ours.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", home.broker.port, ssl=ours)


@pytest.mark.slow
async def test_other_machines_come_by_tls_beside_the_plain_listener_of_this_one(tmp_path: Path) -> None:
    home = house(tmp_path)
    plain = home.model_copy(update={"broker": home.broker.model_copy(update={"tls": None})})
    beyond = BrokerListener(host="127.0.0.2", port=free_port(), tls=True)
    write_house(tmp_path, plain, host="127.0.0.1", port=plain.broker.port, user=broker_user(), lan_listener=beyond)
    async with running(tmp_path / "mosquitto.conf", plain.broker.port, {}):
        device = home.broker.account("front-lock").model_copy(update={"host": beyond.host, "port": beyond.port})
        async with account_session(plain, "gateway", "perron/#") as gateway, open_session(device) as lock:
            await publish_reason_code(lock, "perron/front-lock/event", b"by TLS")
            assert (await collect_until(gateway, b"by TLS"))[-1].topic == "perron/front-lock/event"
            assert await publish_reason_code(lock, "perron/bridge/state") == 0x87, "the access list holds there too"
        intruder = device.model_copy(update={"password_file": None})
        assert await refused(intruder) == ACCOUNT_REFUSED


def test_a_listener_beyond_this_machine_without_tls_is_not_written(tmp_path: Path) -> None:
    home = house(tmp_path)
    plain = home.model_copy(update={"broker": home.broker.model_copy(update={"tls": None})})
    with pytest.raises(WeakBrokerSetup, match="beyond this machine without TLS") as weak:
        write_house(tmp_path / "new", plain, host="0.0.0.0", port=1883)  # noqa: S104 - it must be refused
    assert "tls:" in weak.value.todo
    with pytest.raises(WeakBrokerSetup, match="name none of them") as weak:
        write_house(tmp_path / "new", home, host="0.0.0.0", port=1883)  # noqa: S104 - the same
    assert "--name" in weak.value.todo
    assert not (tmp_path / "new").exists()


def test_the_authoritys_key_lies_apart_from_what_the_broker_reads_and_is_nobody_elses(tmp_path: Path) -> None:
    home = house(tmp_path)
    write_house(tmp_path, home, host="127.0.0.1", port=1883)
    assert str(tmp_path / "authority") not in (tmp_path / "mosquitto.conf").read_text()
    key = tmp_path / "authority" / "authority.key"
    assert key.stat().st_mode & 0o077 == 0
    assert key.parent.stat().st_mode & 0o077 == 0
    assert (tmp_path / "tls" / "broker.key").stat().st_mode & 0o077 == 0


def test_the_authority_stays_when_names_come_and_go_so_devices_need_nothing_new(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = broker_certificate(tmp_path, box="b", names=("perron.home.arpa",), now=now)
    second = broker_certificate(tmp_path, box="b", names=("192.168.1.20",), now=now)
    third = broker_certificate(tmp_path, box="b", names=("192.168.1.20",), now=now)
    assert first.fingerprint == second.fingerprint
    assert (second.is_new, third.is_new) == (True, False)
    assert "192.168.1.20" in certificate_names(third.leaf)


def test_an_authority_that_cannot_be_read_is_told_with_its_file_and_the_remedy(tmp_path: Path) -> None:
    missing = BrokerSection(tls=BrokerTls(ca=tmp_path / "authority.pem"))
    with pytest.raises(ConfigError, match=r"authority\.pem: .*cannot be read.*broker-config"):
        tls_context(missing)
    (tmp_path / "authority.pem").write_text("no certificate\n")
    with pytest.raises(ConfigError, match="it is not a certificate"):
        tls_context(missing)


def test_what_mosquitto_reads_belongs_to_its_user_and_the_rest_does_not(tmp_path: Path) -> None:
    """As root for Debian's `nobody`; as somebody else nothing can be given away, and all stays one's own."""
    home = house(tmp_path / "broker")
    write_house(tmp_path / "broker", home, host="127.0.0.1", port=1883, user="nobody")
    theirs = {"mosquitto.conf", "access", "passwords", "tls", "tls/broker.pem", "tls/broker.key"}
    ours = {"gateway.password", "front-lock.password", "authority", "authority/authority.key", "embedded.toml"}
    nobody = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    assert {(tmp_path / "broker" / name).stat().st_uid for name in theirs} == {nobody}
    assert {(tmp_path / "broker" / name).stat().st_uid for name in ours} == {os.geteuid()}
    for name in (theirs | ours) - {"tls", "authority"}:
        assert (tmp_path / "broker" / name).stat().st_mode & 0o077 == 0, name
    assert folder_faults(tmp_path / "broker", home) == (), "the configuration itself says whose they are"


def test_a_password_that_the_broker_does_not_take_is_named_with_where_it_stands() -> None:
    assert "broker.password_file" in error_text("[code:135] Not authorized")
    assert error_text("[Errno 111] Connection refused") == "[Errno 111] Connection refused"
