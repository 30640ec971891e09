"""The nodes' HTTP API, spoken to by TLS; what real nodes answer stands in tests/scale/with_one_node.py."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.homes_broker import NodesUnreachable
from gateway.hub.cluster import management_api
from gateway.hub.cluster.management_api import ManagementApi
from gateway.mqtt.mosquitto.provisioning import free_port

NOW = datetime.now(UTC)


@functools.cache
def nodes_port() -> int:
    """All nodes listen on one port. No constant: the workers are forks of one process that has read this file."""
    return free_port()


@dataclass
class Node:
    """A node at an address of its own, which says what it is told to say."""

    host: str
    says: web.Response | None = None  # None: nothing to say, and done
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    who: set[str] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.raw_path, await request.read()))
        self.who.add(request.headers.get("Authorization", ""))
        if self.says is None:
            return web.Response(status=204)
        return web.Response(status=self.says.status, body=self.says.body)

    @contextlib.asynccontextmanager
    async def runs(self, folder: Path) -> AsyncIterator["Node"]:
        own = folder / self.host
        management_api.renew_node_certificate(folder, own, self.host, now=NOW)
        tls = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=own / management_api.NODE_FOLDER / "authority.pem"
        )
        tls.load_cert_chain(
            own / management_api.NODE_FOLDER / "node.pem", own / management_api.NODE_FOLDER / "node.key"
        )
        tls.verify_mode = ssl.CERT_REQUIRED
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self.host, nodes_port(), ssl_context=tls).start()
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
def hub(tmp_path: Path) -> ManagementApi:
    management_api.renew_node_certificate(tmp_path, tmp_path / "r1", "127.0.0.1", now=NOW)
    (tmp_path / "rabbit").mkdir()
    management_api.create_password(tmp_path / "rabbit")
    management_api.renew_certificate(tmp_path, tmp_path / "rabbit", now=NOW)
    return ManagementApi(["127.0.0.2", "127.0.0.3"], nodes_port(), tmp_path / "rabbit")


async def test_a_node_that_is_away_costs_nothing_but_a_try_and_the_one_that_answered_is_asked_first(
    hub: ManagementApi, tmp_path: Path
) -> None:
    async with Node("127.0.0.3", web.Response(text='[{"name": "a"}, {"name": "b@c"}]')).runs(tmp_path) as third:
        assert list(await hub.users()) == ["a", "b@c"]
        async with Node("127.0.0.2").runs(tmp_path) as second:
            assert list(await hub.users()) == ["a", "b@c"]
            assert not second.asked
        assert [one[:2] for one in third.asked] == [("GET", "/api/users?columns=name")] * 2
        login = f"accounts:{management_api.read_password(tmp_path / 'rabbit')}"
        assert third.who == {f"Basic {base64.b64encode(login.encode()).decode()}"}


async def test_of_two_who_ask_at_once_each_asks_every_node(hub: ManagementApi, tmp_path: Path) -> None:
    async with Node("127.0.0.3", web.Response(text="[]")).runs(tmp_path) as third:
        await asyncio.gather(hub.users(), hub.users(), hub.permissions(), hub.topic_permissions())
        assert len(third.asked) == 4


async def test_when_none_answers_it_is_said_what_each_said(hub: ManagementApi, tmp_path: Path) -> None:
    async with Node("127.0.0.3", web.Response(status=503, text="paused")).runs(tmp_path):
        with pytest.raises(NodesUnreachable, match=r"127\.0\.0\.2: .*127\.0\.0\.3: DELETE .*: 503 paused"):
            await hub.disconnect("1f@home-a")


@pytest.mark.parametrize("said", ["", "{}", "[[]]", "[{}]", '[{"user": 3}]', "NaN", '["'])
async def test_an_answer_that_is_none_is_said_to_be_none(hub: ManagementApi, tmp_path: Path, said: str) -> None:
    async with Node("127.0.0.2", web.Response(text=said)).runs(tmp_path):
        with pytest.raises(NodesUnreachable, match="topic-permissions: not understood"):
            await hub.topic_permissions()


async def test_a_name_goes_into_a_path_as_one_part_of_it(hub: ManagementApi, tmp_path: Path) -> None:
    async with Node("127.0.0.2").runs(tmp_path) as node:
        await hub.disconnect("1f@home-a")
        assert node.asked == [("DELETE", "/api/connections/username/1f%40home-a", b"")]


async def test_a_node_that_the_nodes_own_authority_has_not_certified_is_told_no_password(
    hub: ManagementApi, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with Node("127.0.0.2").runs(other) as stranger:
        with pytest.raises(NodesUnreachable, match=r"127\.0\.0\.2: .*certificate"):
            await hub.delete(["1f@home-a"])
        assert not stranger.asked


async def test_whoever_shows_a_certificate_of_the_hub_s_authority_is_not_heard(
    hub: ManagementApi, tmp_path: Path
) -> None:
    assert management_api.read_password(tmp_path / "rabbit")
    own = tmp_path / "rabbit" / management_api.ACCOUNT_NAME / management_api.NODE_FOLDER
    HubAuthority.load(tmp_path, now=NOW).certify_server(("accounts",), now=NOW, at=Path("tls"))
    for name, made in (("node.pem", "broker.pem"), ("node.key", "broker.key")):
        (own / name).write_bytes((tmp_path / "tls" / made).read_bytes())
    async with Node("127.0.0.2").runs(tmp_path) as node:
        with pytest.raises(NodesUnreachable):
            await hub.users()
        assert not node.asked


def test_the_nodes_know_the_password_s_hash_alone_and_it_is_written_the_same_each_time(tmp_path: Path) -> None:
    word = management_api.create_password(tmp_path)
    assert management_api.create_password(tmp_path) == word
    assert management_api.read_password(tmp_path) == word
    assert (tmp_path / "accounts.password").stat().st_mode & 0o077 == 0
    made = management_api.account_definition(word)
    assert made == management_api.account_definition(word)
    raw = base64.b64decode(made["password_hash"])
    assert raw[4:] == hashlib.sha256(raw[:4] + word.encode()).digest()
    assert word not in str(made)
