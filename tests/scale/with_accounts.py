"""Homes' accounts at a real RabbitMQ node: who comes without a hub, and who reaches where they are kept.

Run by `make test-scale`.
"""

import asyncio
import re
import ssl
import time
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import encode_basic_auth

from gateway.hub import operator
from gateway.hub.accounts import name_of
from gateway.hub.cluster import Doorkeeper
from gateway.hub.nodes import NAME, Nodes, password
from gateway.hub.store import Store
from gateway.hub.words import Hello, ack_topic
from gateway.mqtt import visit
from tests.hubs import running
from tests.scale.rabbit import READY
from tests.scale.with_another_authority import restarted
from tests.scale.with_one_node import Joined, Place, hears, packages, place, says, there

__all__ = ["packages", "place"]  # fixtures


def nodes(place: Place) -> Nodes:
    """As a hub asks them."""
    assert place.file.rabbit is not None
    return Nodes(list(place.file.rabbit.nodes.values()), place.file.rabbit.management, place.file.cluster)


async def joined(place: Place, *names: str) -> list[Joined]:
    """Boxes that have joined while a hub ran; it runs no more."""
    async with running(place.file) as hub:
        await there(hub)
        return [await place.joined(hub, name) for name in names]


async def is_ended(one: Joined, store: Store) -> None:
    """Revoke it as the command does, while it is connected."""
    assert one.place.file.rabbit is not None
    async with one.line() as line:
        await operator.revoke(store, one.home, now=datetime.now(UTC))
        await Doorkeeper(one.place.file, one.place.file.rabbit, store).end(one.home)
        await asyncio.wait_for(line.hear(), 5)


async def test_while_no_hub_runs_homes_come_and_one_that_is_revoked_at_the_terminal_is_cut_off(place: Place) -> None:
    one, other = await joined(place, "one", "other")
    store = await Store.open(place.file.database)
    async with other.line() as steady:
        with pytest.raises(ConnectionError):
            await is_ended(one, store)
        assert await says(steady, other.topic("evt"), b"x") is not None
    await store.close()
    assert not await one.may_come()
    assert await other.may_come()
    assert not any(name.endswith(one.home) for name in await nodes(place).users())


async def test_a_node_that_was_killed_knows_its_homes_and_one_made_anew_is_told_of_them(place: Place) -> None:
    (one,) = await joined(place, "one")
    await restarted(place)
    assert await one.may_come()
    await nodes(place).delete([name for name in await nodes(place).users() if name.endswith(one.home)])
    assert not await one.may_come()
    async with running(place.file) as hub:
        await there(hub)
        async with asyncio.timeout(READY):
            while not await one.may_come():  # noqa: ASYNC110 - as a box tries again
                await asyncio.sleep(0.1)
        async with one.line() as line:
            hello = Hello(boot="b", events=0, open=(), entrances=(), timezone="Europe/Paris")
            await says(line, one.topic("hello"), hello.model_dump_json().encode())
            await hears(line, ack_topic(one.home))


async def test_no_home_reaches_where_accounts_are_kept_nor_comes_by_the_account_that_keeps_them(place: Place) -> None:
    (one,) = await joined(place, "one")
    assert place.file.rabbit is not None
    word = password(place.file.cluster)
    tls = ssl.create_default_context(cafile=place.file.cluster / "r1" / "internode" / "authority.pem")
    tls.load_cert_chain(one.box.folder / "identity.pem")
    tls.check_hostname = False
    url = f"https://127.0.0.1:{place.file.rabbit.management}/api/users"
    async with aiohttp.ClientSession(headers={"Authorization": encode_basic_auth(NAME, word)}) as http:
        with pytest.raises(aiohttp.ClientError):
            async with http.get(url, ssl=tls):
                pass
    said = place.folder / "word"
    said.write_text(f"{word}\n")
    for name in (NAME, "guest"):
        named = one.at().model_copy(update={"username": name, "password_file": said})
        with pytest.raises(ConnectionError):
            async with visit(named, [], monotonic=time.monotonic):
                pass
    assert await one.may_come()


async def test_a_node_listens_where_its_files_say_and_nowhere_else(place: Place) -> None:
    told = await place.node.tells(
        "eval", "[{P, N} || {listener, _, P, _, _, N, _} <- rabbit_networking:active_listeners()]."
    )
    rabbit, boxes = place.file.rabbit, place.file.boxes
    assert rabbit is not None
    assert boxes is not None
    expected = {("mqtt/ssl", boxes.port), ("https", rabbit.management), ("http/prometheus", rabbit.metrics)}
    found = {(name, int(port)) for name, port in re.findall(r"\{'?([a-z/]+)'?,\s*(\d+)\}", told)}
    assert found - {("clustering", rabbit.distribution)} == expected, told


async def test_whoever_knows_the_password_but_shows_no_node_s_certificate_is_not_heard(place: Place) -> None:
    await joined(place, "one")
    assert place.file.rabbit is not None
    tls = ssl.create_default_context(cafile=place.file.cluster / "r1" / "internode" / "authority.pem")
    login = {"Authorization": encode_basic_auth(NAME, password(place.file.cluster))}
    async with aiohttp.ClientSession(headers=login) as http:
        with pytest.raises(aiohttp.ClientError):
            async with http.get(f"https://127.0.0.1:{place.file.rabbit.management}/api/users", ssl=tls):
                pass


async def test_an_account_that_is_not_there_is_ended_without_an_error(place: Place) -> None:
    await joined(place, "one")
    await nodes(place).delete([name_of("ab", f"home-{'a' * 26}")])
    await nodes(place).end_lines(name_of("ab", f"home-{'a' * 26}"))
