"""Homes' accounts at a real RabbitMQ node: who comes without a hub, and who reaches where they are kept.

Run by `make test-scale`.
"""

import asyncio
import re
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import encode_basic_auth

from gateway.hub import admin
from gateway.hub.cluster.accounts import REMOVAL_DELAY_S, BrokerAccounts, account_definition, account_name
from gateway.hub.cluster.management_api import ACCOUNT_NAME, ManagementApi, read_password
from gateway.hub.cluster.rabbitmq import ClusterAccountKeeper
from gateway.hub.database.store import HubStore
from gateway.mqtt.client import connect_once
from gateway.protocol.box_hub import Hello, down_topic
from tests.hubs import run_hub
from tests.scale.mqtt5 import Login, Mqtt5Session, open_session, subscribe
from tests.scale.rabbit import START_TIMEOUT_S
from tests.scale.with_another_authority import restart_node
from tests.scale.with_one_node import JoinedBox, NodePlace, next_message, packages, place, publish, wait_until_connected

__all__ = ["packages", "place"]  # fixtures


def management_api(place: NodePlace) -> ManagementApi:
    """As a hub asks them."""
    assert place.file.rabbit is not None
    return ManagementApi(list(place.file.rabbit.nodes.values()), place.file.rabbit.management, place.file.cluster)


async def join_homes(place: NodePlace, *names: str) -> list[JoinedBox]:
    """Boxes that have joined while a hub ran; it runs no more."""
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        return [await place.joined(hub, name) for name in names]


async def revoke_home(one: JoinedBox, store: HubStore) -> None:
    """Revoke it as the command does, while it is connected."""
    assert one.place.file.rabbit is not None
    async with one.line() as line:
        await admin.revoke_home(store, one.home, now=datetime.now(UTC))
        await ClusterAccountKeeper(
            one.place.file, one.place.file.rabbit, store, monotonic=time.monotonic
        ).accounts.delete_accounts_of(one.home)
        await asyncio.wait_for(line.receive(), 5)


async def test_while_no_hub_runs_homes_come_and_one_that_is_revoked_at_the_terminal_is_cut_off(
    place: NodePlace,
) -> None:
    one, other = await join_homes(place, "one", "other")
    store = await HubStore.open(place.file.database)
    async with other.line() as steady:
        with pytest.raises(ConnectionError):
            await revoke_home(one, store)
        assert await publish(steady, other.topic("evt"), b"x") is not None
    await store.close()
    assert not await one.may_come()
    assert await other.may_come()
    assert not any(right.user.endswith(one.home) for right in await management_api(place).permissions())


async def test_a_node_that_was_killed_knows_its_homes_and_one_made_anew_is_told_of_them(place: NodePlace) -> None:
    (one,) = await join_homes(place, "one")
    await restart_node(place)
    assert await one.may_come()
    await management_api(place).delete(
        [name for name in await management_api(place).users() if name.endswith(one.home)]
    )
    assert not await one.may_come()
    async with run_hub(place.file) as hub:
        await wait_until_connected(hub)
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await one.may_come():  # noqa: ASYNC110 - as a box tries again
                await asyncio.sleep(0.1)
        async with one.line() as line:
            hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris")
            await publish(line, one.topic("hello"), hello.model_dump_json().encode())
            await next_message(line, down_topic(one.home, "ack"))


async def test_no_home_reaches_where_accounts_are_kept_nor_comes_by_the_account_that_keeps_them(
    place: NodePlace,
) -> None:
    (one,) = await join_homes(place, "one")
    assert place.file.rabbit is not None
    word = read_password(place.file.cluster)
    tls = ssl.create_default_context(cafile=place.file.cluster / "r1" / "internode" / "authority.pem")
    tls.load_cert_chain(one.box.folder / "identity.pem")
    tls.check_hostname = False
    url = f"https://127.0.0.1:{place.file.rabbit.management}/api/users"
    async with aiohttp.ClientSession(headers={"Authorization": encode_basic_auth(ACCOUNT_NAME, word)}) as http:
        with pytest.raises(aiohttp.ClientError):
            async with http.get(url, ssl=tls):
                pass
    said = place.folder / "word"
    said.write_text(f"{word}\n")
    for name in (ACCOUNT_NAME, "guest"):
        named = one.at().model_copy(update={"username": name, "password_file": said})
        with pytest.raises(ConnectionError):
            async with connect_once(named, [], monotonic=time.monotonic):
                pass
    assert await one.may_come()


async def test_a_node_listens_where_its_files_say_and_nowhere_else(place: NodePlace) -> None:
    told = await place.node.tells(
        "eval", "[{P, N} || {listener, _, P, _, _, N, _} <- rabbit_networking:active_listeners()]."
    )
    rabbit, boxes = place.file.rabbit, place.file.boxes
    assert rabbit is not None
    assert boxes is not None
    expected = {("mqtt/ssl", boxes.port), ("https", rabbit.management), ("http/prometheus", rabbit.metrics)}
    found = {(name, int(port)) for name, port in re.findall(r"\{'?([a-z/]+)'?,\s*(\d+)\}", told)}
    assert found - {("clustering", rabbit.distribution)} == expected, told


async def test_whoever_knows_the_password_but_shows_no_node_s_certificate_is_not_heard(place: NodePlace) -> None:
    await join_homes(place, "one")
    assert place.file.rabbit is not None
    tls = ssl.create_default_context(cafile=place.file.cluster / "r1" / "internode" / "authority.pem")
    login = {"Authorization": encode_basic_auth(ACCOUNT_NAME, read_password(place.file.cluster))}
    async with aiohttp.ClientSession(headers=login) as http:
        with pytest.raises(aiohttp.ClientError):
            async with http.get(f"https://127.0.0.1:{place.file.rabbit.management}/api/users", ssl=tls):
                pass


async def test_an_account_that_is_not_there_is_ended_without_an_error(place: NodePlace) -> None:
    await join_homes(place, "one")
    await management_api(place).delete([account_name("ab", f"home-{'a' * 26}")])
    await management_api(place).disconnect(account_name("ab", f"home-{'a' * 26}"))


@dataclass
class Attacker:
    """A home whose account is about to end, and what it has heard."""

    one: JoinedBox
    heard: list[str] = field(default_factory=list)

    async def comes(self, will: str) -> Mqtt5Session:
        """Connect with this last will, and a session that is to outlive it."""
        tls = ssl.create_default_context(cafile=self.one.box.folder / "authority.pem")
        tls.load_cert_chain(self.one.box.folder / "identity.pem")
        boxes = self.one.place.file.boxes
        assert boxes is not None
        login = Login(self.one.home, will, 60, qos=1, expiry=3600)
        own = [f"dn/{self.one.home}/+"]
        session = await open_session(
            "localhost", boxes.port, login, own, lambda topic, _: self.heard.append(topic), tls=tls
        )
        session.say(self.one.topic("hello"), b"{}")
        await asyncio.sleep(0.5)  # the node remembers now that it may speak
        return session


async def end_account(one: JoinedBox) -> None:
    """As a hub that runs: all of it, also what comes a minute later."""
    rabbit, mono = one.place.file.rabbit, 0.0
    assert rabbit is not None
    store = await HubStore.open(one.place.file.database)
    accounts = BrokerAccounts(management_api(one.place), store, monotonic=lambda: mono)
    await accounts.update(datetime.now(UTC))
    await admin.revoke_home(store, one.home, now=datetime.now(UTC))
    await accounts.update(datetime.now(UTC))
    await asyncio.sleep(3)
    mono = REMOVAL_DELAY_S
    await accounts.update(datetime.now(UTC))
    await store.close()


async def test_whoever_is_ended_says_nothing_on_another_s_topic_with_its_last_words(place: NodePlace) -> None:
    one, other = await join_homes(place, "one", "other")
    async with other.line() as line:
        await Attacker(one).comes(down_topic(other.home, "ack"))
        await end_account(one)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.receive(), 2)
    assert not any(name.endswith(one.home) for name in await management_api(place).users())


async def test_whoever_is_ended_subscribes_to_nothing_of_another_s_in_its_last_moment(place: NodePlace) -> None:
    (one,) = await join_homes(place, "one")
    session = await Attacker(one).comes(one.topic("gone"))
    asked = [subscribe([f"dn/{one.home}/x{number}"], 1) for number in range(300)] + [subscribe(["dn/#"], 1)]
    assert session._transport is not None  # noqa: SLF001 - no honest session subscribes twice
    session._transport.write(b"".join(asked))  # noqa: SLF001 - the same
    await end_account(one)
    known = await place.node.tells("list_bindings", "routing_key")
    assert "dn.#" not in known.split(), known


async def test_a_home_comes_in_only_once_its_account_is_whole(place: NodePlace) -> None:
    (one,) = await join_homes(place, "one")
    (name,) = [name for name in await management_api(place).users() if name.endswith(one.home)]
    await management_api(place).remove_permissions(name)
    await management_api(place).remove_permissions(name)
    await management_api(place).delete([name])
    made = account_definition(name)
    await management_api(place).define({part: [made[part]] for part in ("users", "topic_permissions")})
    assert not await one.may_come()
    await management_api(place).define({"permissions": [made["permissions"]]})
    assert await one.may_come()
