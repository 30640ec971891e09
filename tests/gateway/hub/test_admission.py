"""What RabbitMQ's nodes are answered, question by question, as they were seen on the wire (4.0.5)."""

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select, text, update

from gateway.broker import free_port
from gateway.hub.admission import Admission, Visitor, may_say, may_use
from gateway.hub.authority import Authority
from gateway.hub.file import Admission as At
from gateway.hub.store import Store
from gateway.hub.tables import certificates, homes
from gateway.hub.words import SHARDS, shard_of
from tests.scale.enrolling import enrol

HOME, OTHER = "home-" + "a" * 26, "home-" + "b" * 26
BOX, CUT = Visitor(HOME, "1f"), Visitor(HOME, None)
NOW = datetime(2026, 11, 25, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "visitor"),
    [
        (f"1f@{HOME}", BOX),
        (f"cut@{HOME}", CUT),
        (HOME, None),
        ("hub@hub-1", None),
        (f"@{HOME}", None),
        (f"1F@{HOME}", None),
        (f"1f@{HOME}\n", None),
        (f"1f@{HOME}@{OTHER}", None),
        (f"{'1' * 41}@{HOME}", None),
        ("guest", None),
        ("", None),
    ],
)
def test_a_name_is_a_certificate_s_serial_and_its_home_or_nobody_s(name: str, visitor: Visitor | None) -> None:
    assert Visitor.of(name) == visitor


def own_queue(home: str = HOME, qos: int = 1) -> str:
    return f"mqtt-subscription-{home}qos{qos}"


@pytest.mark.parametrize(
    ("kind", "name", "permission", "yes"),
    [
        ("queue", own_queue(), "configure", True),
        ("queue", own_queue(), "write", True),
        ("queue", own_queue(qos=0), "read", True),
        ("queue", own_queue(OTHER), "read", False),
        ("queue", own_queue() + "x", "configure", False),
        ("queue", "mqtt-subscription-hub-1qos1", "read", False),
        ("queue", "anything", "configure", False),
        ("exchange", "amq.topic", "write", True),
        ("exchange", "amq.topic", "read", True),
        ("exchange", "amq.topic", "configure", False),
        ("exchange", "amq.default", "write", False),
        ("exchange", "amq.fanout", "write", False),
        ("queue", own_queue(), "delete", False),
        ("", "", "", False),
    ],
)
def test_a_home_has_its_own_queue_and_the_one_exchange(kind: str, name: str, permission: str, yes: bool) -> None:
    asked = {"resource": kind, "name": name, "permission": permission}
    assert may_use(BOX, asked) is yes
    assert not may_use(CUT, asked), "whoever comes to end a connection hears and says nothing"


@pytest.mark.parametrize(
    ("permission", "key", "yes"),
    [
        ("read", f"dn.{HOME}.jobs", True),
        ("read", f"dn.{HOME}.ack", True),
        ("read", f"dn.{OTHER}.jobs", False),
        ("read", "dn.*.jobs", False),
        ("read", "#", False),
        ("read", f"up.1.{HOME}.evt", False),
        ("write", f"up.{shard_of(HOME)}.{HOME}.hello", True),
        ("write", f"up.{shard_of(HOME)}.{HOME}.evt", True),
        ("write", f"up.{shard_of(HOME)}.{HOME}.status", True),
        ("write", f"up.{shard_of(HOME)}.{HOME}.gone", True),
        ("write", f"up.{shard_of(HOME)}.{HOME}.more", False),
        ("write", f"up.{shard_of(HOME)}.{HOME}.said.hub-1", True),
        ("write", f"up.{shard_of(HOME)}.{HOME}.said.hub-1.more", False),
        ("write", f"up.{shard_of(HOME)}.{HOME}.said.", False),
        ("write", f"up.{(shard_of(HOME) + 1) % SHARDS}.{HOME}.evt", False),
        ("write", f"up.{shard_of(OTHER)}.{OTHER}.evt", False),
        ("write", f"dn.{HOME}.jobs", False),
        ("configure", f"dn.{HOME}.jobs", False),
    ],
)
def test_a_home_speaks_and_hears_under_its_own_name_only(permission: str, key: str, yes: bool) -> None:
    asked = {"resource": "topic", "name": "amq.topic", "permission": permission, "routing_key": key}
    assert may_say(BOX, asked) is yes
    assert not may_say(BOX, {**asked, "name": "amq.fanout"})
    assert not may_say(CUT, asked)


@dataclass
class Asked:
    """A hub's answers, at a real port by TLS."""

    store: Store
    at: str
    http: aiohttp.ClientSession
    home: str
    serial: str

    async def says(self, question: str, asked: Mapping[str, str]) -> str:
        async with self.http.get(f"{self.at}/{question}", params=asked) as answer:
            return await answer.text()

    async def counts(self, serial: str | None = None, home: str | None = None, client: str | None = None) -> bool:
        home = home or self.home
        asked = {"username": f"{serial or self.serial}@{home}", "client_id": client or home, "vhost": "/"}
        said = await self.says("user", {**asked, "password": "none"})
        assert said in ("allow", "deny")
        return said == "allow"


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    authority = Authority.at(tmp_path, now=datetime.now(UTC))
    authority.broker(("127.0.0.1",), now=datetime.now(UTC), at=Path("tls"))
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite3'}")
    fleet = await enrol(store, 1, now=datetime.now(UTC), folder=tmp_path, authority=authority)
    one = fleet.homes[0]
    async with store.reading() as tx:
        serial = await tx.scalar(select(certificates.c.serial))
    at = At(hosts=("127.0.0.1",), port=free_port(), listen="127.0.0.1")
    database = f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite3'}"
    admission = Admission(at, tmp_path / "tls", database, now=lambda: datetime.now(UTC))
    await admission.open()
    context = ssl.create_default_context(cadata=authority.pem)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as http:
        yield Asked(store, f"https://127.0.0.1:{at.port}", http, one.home, str(serial))
    await admission.close()
    await store.close()


async def test_a_certificate_counts_until_it_ends_or_its_home_is_revoked(asked: Asked) -> None:
    assert await asked.counts()
    assert not await asked.counts(serial="1f")
    assert not await asked.counts(home=OTHER)
    assert not await asked.counts(client=OTHER), "the client id is another home's"
    mine = homes.c.id == asked.home
    async with asked.store.writing() as tx:
        await tx.execute(update(homes).where(mine).values(revoked=NOW))
    assert not await asked.counts()
    async with asked.store.writing() as tx:
        await tx.execute(update(homes).where(mine).values(revoked=None))
        await tx.execute(update(certificates).values(ended=NOW))
    assert not await asked.counts()
    async with asked.store.writing() as tx:
        await tx.execute(update(certificates).values(ended=None, expires=NOW - timedelta(days=1)))
    assert not await asked.counts()


async def test_what_is_asked_in_another_way_is_refused(asked: Asked) -> None:
    box = {"username": f"{asked.serial}@{asked.home}"}
    assert await asked.says("vhost", {**box, "vhost": "/", "client_id": asked.home}) == "allow"
    assert await asked.says("vhost", {**box, "vhost": "/other", "client_id": asked.home}) == "deny"
    assert await asked.says("vhost", {**box, "vhost": "/", "client_id": OTHER}) == "deny"
    queue = {"resource": "queue", "name": own_queue(asked.home), "permission": "read"}
    assert await asked.says("resource", {**box, **queue}) == "allow"
    assert await asked.says("resource", {"username": "guest", **queue}) == "deny"
    topic = {"resource": "topic", "name": "amq.topic", "permission": "read", "routing_key": f"dn.{asked.home}.jobs"}
    assert await asked.says("topic", {**box, **topic}) == "allow"
    assert await asked.says("topic", {**box, **topic, "routing_key": "dn.#"}) == "deny"
    assert await asked.says("user", {}) == "deny"


async def test_a_store_that_does_not_answer_lets_nobody_in(asked: Asked) -> None:
    assert await asked.counts()
    async with asked.store.writing() as tx:
        await tx.execute(text("DROP TABLE certificates"))
    assert not await asked.counts()


def test_a_box_s_certificate_names_itself_by_its_serial(tmp_path: Path) -> None:
    authority = Authority.at(tmp_path, now=NOW)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    leaf = authority.certify(HOME, key, now=NOW)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == [f"{leaf.serial_number:x}@{HOME}"]
    assert names.get_values_for_type(x509.DNSName) == [HOME]
