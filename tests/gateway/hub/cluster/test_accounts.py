"""Homes' accounts at the cluster's nodes; what real nodes make of them stands in tests/scale/with_one_node.py."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select, update

from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.homes_broker import NodesUnreachable
from gateway.hub.boxes.unenrolment import revoke_certificates
from gateway.hub.cluster import accounts
from gateway.hub.cluster.accounts import (
    CHECK_OVERLAP,
    FULL_COMPARISON_INTERVAL,
    REMOVAL_DELAY_S,
    BrokerAccounts,
    account_definition,
    account_name,
)
from gateway.hub.cluster.management_api import ManagementApi, RabbitPermission, RabbitTopicPermission
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import certificates
from gateway.protocol.box_hub import SHARD_COUNT, shard_of
from tests.scale.enrolling import enrol

HOME, OTHER = "home-" + "a" * 26, "home-" + "b" * 26
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


def yes(pattern: str, asked: str) -> bool:
    """Whether the nodes would say so: Erlang's `re` as Python's, but for the end."""
    return re.search(pattern.replace(r"\z", r"\Z"), asked) is not None


def own_queue(home: str = HOME, qos: int = 1) -> str:
    return f"mqtt-subscription-{home}qos{qos}"


@pytest.mark.parametrize(
    ("name", "makes", "uses"),
    [
        (own_queue(), True, True),
        (own_queue(qos=0), True, True),
        (own_queue(OTHER), False, False),
        (own_queue() + "x", False, False),
        (own_queue() + "\n", False, False),
        ("x" + own_queue(), False, False),
        ("mqtt-subscription-hub-1qos1", False, False),
        ("amq.topic", False, True),
        ("amqxtopic", False, False),
        ("amq.default", False, False),
        ("", False, False),
    ],
)
def test_a_home_has_its_own_queue_and_the_one_exchange(name: str, makes: bool, uses: bool) -> None:
    rights = account_definition(f"1f@{HOME}")["permissions"]
    assert yes(rights["configure"], name) is makes
    assert [yes(rights[right], name) for right in ("read", "write")] == [uses, uses]


@pytest.mark.parametrize(
    ("key", "hears", "says"),
    [
        (f"dn.{HOME}.jobs", True, False),
        (f"dn.{HOME}.*", True, False),
        (f"dn.{OTHER}.jobs", False, False),
        ("dn.*.jobs", False, False),
        ("#", False, False),
        (f"x.dn.{HOME}.jobs", False, False),
        (f"up.{shard_of(HOME)}.{HOME}.hello", False, True),
        (f"up.{shard_of(HOME)}.{HOME}.evt", False, True),
        (f"up.{shard_of(HOME)}.{HOME}.status", False, True),
        (f"up.{shard_of(HOME)}.{HOME}.gone", False, True),
        (f"up.{shard_of(HOME)}.{HOME}.more", False, False),
        (f"up.{shard_of(HOME)}.{HOME}.evt\n", False, False),
        (f"up.{shard_of(HOME)}.{HOME}.evt.more", False, False),
        (f"up.{shard_of(HOME)}.{HOME}.said.hub-1", False, True),
        (f"up.{shard_of(HOME)}.{HOME}.said.hub-1.more", False, False),
        (f"up.{shard_of(HOME)}.{HOME}.said.", False, False),
        (f"up.{(shard_of(HOME) + 1) % SHARD_COUNT}.{HOME}.evt", False, False),
        (f"up.{shard_of(OTHER)}.{OTHER}.evt", False, False),
    ],
)
def test_a_home_speaks_and_hears_under_its_own_name_only(key: str, hears: bool, says: bool) -> None:
    topics = account_definition(f"1f@{HOME}")["topic_permissions"]
    assert yes(topics["read"], key) is hears
    assert yes(topics["write"], key) is says


def test_nobody_comes_by_a_home_s_account_with_a_password() -> None:
    made = account_definition(f"1f@{HOME}")
    assert made["users"]["password_hash"] == ""
    assert made["users"]["tags"] == []
    assert {one["user"] for part, one in made.items() if part != "users"} == {f"1f@{HOME}"}


@dataclass
class Cluster(ManagementApi):
    """What nodes would know. `away`: none answers, after so many words more.

    After each word nobody may come in who could hear everything: RabbitMQ allows all topics where it knows no rule.
    """

    users_: set[str] = field(default_factory=set)
    rights: dict[str, RabbitPermission] = field(default_factory=dict)
    topics: dict[str, RabbitTopicPermission] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    away: int | None = None

    def __post_init__(self) -> None:
        super().__init__((), 1, Path())

    def put(self, name: str) -> None:
        """Let them know an account."""
        made = account_definition(name)
        self.users_.add(name)
        self.rights[name] = RabbitPermission(**made["permissions"])
        self.topics[name] = RabbitTopicPermission(**made["topic_permissions"])

    @property
    def come(self) -> set[str]:
        """Who may come in."""
        return self.users_ & self.rights.keys()

    def _ask_once(self, what: str) -> None:
        if self.away is not None:
            if self.away == 0:
                raise NodesUnreachable("r1: no answer in time")
            self.away -= 1
        self.asked.append(what)

    def _nobody_hears_all(self) -> None:
        assert self.come <= self.topics.keys()

    async def users(self) -> Sequence[str]:
        self._ask_once("users")
        return [*self.users_, "accounts", "hub@hub-1", "hub@visit"]

    async def permissions(self) -> Sequence[RabbitPermission]:
        self._ask_once("rights")
        return list(self.rights.values())

    async def topic_permissions(self) -> Sequence[RabbitTopicPermission]:
        self._ask_once("topics")
        return list(self.topics.values())

    async def define(self, definitions: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._ask_once("define")
        for part in ("users", "permissions", "topic_permissions"):  # the order in which a node takes them
            for one in definitions.get(part, ()):
                match part:
                    case "users":
                        self.users_.add(one["name"])
                    case "permissions":
                        self.rights[one["user"]] = RabbitPermission(**one)
                    case _:
                        self.topics[one["user"]] = RabbitTopicPermission(**one)
                self._nobody_hears_all()

    async def delete(self, names: Sequence[str]) -> None:
        self._ask_once("delete")
        assert not self.come & set(names), "it is shut out first"
        for name in names:
            self.users_.discard(name)
            self.rights.pop(name, None)
            self.topics.pop(name, None)

    async def remove_permissions(self, name: str) -> None:
        self._ask_once("shut out")
        self.rights.pop(name, None)

    async def disconnect(self, name: str) -> None:
        self._ask_once("end")
        self.ended.append(name)


@dataclass
class Place:
    """A store with three homes, and a cluster. `mono`: seconds."""

    store: HubStore
    homes: Sequence[str]
    names: Sequence[str]
    nodes: Cluster
    accounts: BrokerAccounts
    mono: float = 0.0

    def another(self) -> BrokerAccounts:
        """What another hub would have."""
        return BrokerAccounts(self.nodes, self.store, monotonic=lambda: self.mono)

    async def change(self, home: str, **values: object) -> None:
        """Change what the store knows of a home's certificate."""
        async with self.store.writing() as tx:
            await tx.execute(update(certificates).where(certificates.c.home == home).values(values))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await HubStore.open(f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite3'}")
    authority = HubAuthority.load(tmp_path, now=NOW)
    fleet = await enrol(store, 3, now=NOW - timedelta(days=9), folder=tmp_path, authority=authority)
    async with store.reading() as tx:
        rows = (await tx.execute(select(certificates.c.serial, certificates.c.home))).all()
    serial = {row.home: row.serial for row in rows}
    homes = [one.home for one in fleet.homes]
    nodes = Cluster()
    here = Place(
        store, homes, [account_name(serial[home], home) for home in homes], nodes,
        BrokerAccounts(nodes, store, monotonic=lambda: here.mono),
    )  # fmt: skip
    yield here
    await store.close()


async def test_at_first_the_nodes_are_told_of_all_that_count_and_rid_of_all_that_do_not(place: Place) -> None:
    await place.change(place.homes[0], ended=NOW)
    for name in (place.names[0], f"ab@{OTHER}"):
        place.nodes.put(name)
    before = place.accounts.are_complete
    await place.accounts.update(NOW)
    assert (before, place.accounts.are_complete) == (False, True)
    assert place.nodes.come == set(place.names[1:])
    assert set(place.nodes.ended) == {place.names[0], f"ab@{OTHER}"}


async def test_rights_that_another_hub_wrote_otherwise_are_written_anew_and_right_ones_are_left(place: Place) -> None:
    for name in place.names:
        place.nodes.put(name)
    place.nodes.topics[place.names[1]] = replace(place.nodes.topics[place.names[1]], write=".*")
    place.nodes.rights[place.names[2]] = replace(place.nodes.rights[place.names[2]], read=".*")
    await place.accounts.update(NOW)
    assert place.nodes.asked.count("define") == 2
    for at in (1, 2):
        made = account_definition(place.names[at])
        assert place.nodes.topics[place.names[at]] == RabbitTopicPermission(**made["topic_permissions"])
        assert place.nodes.rights[place.names[at]] == RabbitPermission(**made["permissions"])
    await place.accounts.update(NOW)
    assert place.nodes.asked.count("define") == 2


async def test_who_joins_or_is_revoked_is_told_at_the_next_look_and_once(place: Place) -> None:
    await place.accounts.update(NOW)
    at = NOW + timedelta(seconds=1)
    async with place.store.writing() as tx:
        assert await revoke_certificates(tx, place.homes[0], at)
    await place.change(place.homes[1], issued=at, serial="ab")
    for second in range(3):
        await place.accounts.update(at + timedelta(seconds=second))
    assert place.names[0] not in place.nodes.come
    assert f"ab@{place.homes[1]}" in place.nodes.come
    assert place.nodes.asked.count("shut out") == 1
    assert place.nodes.asked.count("define") == 4
    await place.change(place.homes[1], ended=at + timedelta(seconds=3))
    await place.accounts.update(at + timedelta(seconds=4))
    assert f"ab@{place.homes[1]}" not in place.nodes.come


async def test_what_one_may_say_stays_until_its_last_words_are_said_and_then_its_account_ends(place: Place) -> None:
    await place.accounts.update(NOW)
    await place.change(place.homes[0], ended=NOW)
    await place.accounts.update(NOW)
    assert place.nodes.ended == [place.names[0]]
    place.mono = REMOVAL_DELAY_S - 1
    await place.accounts.update(NOW)
    made = account_definition(place.names[0])
    assert place.nodes.topics[place.names[0]] == RabbitTopicPermission(**made["topic_permissions"])
    place.mono = REMOVAL_DELAY_S
    await place.accounts.update(NOW)
    assert place.names[0] not in place.nodes.users_
    await place.accounts.update(NOW + FULL_COMPARISON_INTERVAL)
    assert place.nodes.asked.count("delete") == 1


async def test_a_home_that_counts_again_before_its_account_ended_keeps_it(place: Place) -> None:
    await place.accounts.update(NOW)
    await place.change(place.homes[0], ended=NOW)
    await place.accounts.update(NOW)
    await place.change(place.homes[0], ended=None, issued=NOW)
    await place.accounts.update(NOW)
    place.mono = 2 * REMOVAL_DELAY_S
    await place.accounts.update(NOW)
    assert place.names[0] in place.nodes.come


async def test_nodes_that_take_nobody_new_and_a_comparison_that_fails_keep_no_revocation_waiting(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_words: object) -> None:
        raise NodesUnreachable("r1: 400")

    await place.accounts.update(NOW)
    monkeypatch.setattr(place.nodes, "define", refused)
    monkeypatch.setattr(place.nodes, "users", refused)
    await place.change(place.homes[0], ended=NOW)
    await place.change(place.homes[1], issued=NOW, serial="ab")
    for later in (timedelta(), FULL_COMPARISON_INTERVAL):
        with pytest.raises(NodesUnreachable):
            await place.accounts.update(NOW + later)
    assert place.names[0] not in place.nodes.come


async def test_nobody_who_ends_waits_until_all_others_are_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MAX_ACCOUNTS_PER_REQUEST", 1)
    define = place.nodes.define
    told: list[str] = []

    async def define_and_end(made: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        await define(made)
        told.extend(one["user"] for one in made.get("permissions", ()))
        if len(told) == 1:
            home = told[0].partition("@")[2]
            await place.change(home, ended=NOW)
        if len(told) == 2 and made.get("permissions"):
            assert told[0] not in place.nodes.come

    monkeypatch.setattr(place.nodes, "define", define_and_end)
    await place.accounts.update(NOW)
    assert place.nodes.come == set(place.names) - {told[0]}


async def test_what_another_hub_wrote_late_or_by_another_clock_is_seen_all_the_same(place: Place) -> None:
    await place.accounts.update(NOW)
    await place.change(place.homes[0], ended=NOW - CHECK_OVERLAP + timedelta(seconds=1))
    await place.accounts.update(NOW + timedelta(seconds=1))
    assert place.names[0] not in place.nodes.come


@pytest.mark.parametrize("step", [timedelta(minutes=-50), timedelta(hours=-9), timedelta(hours=9), timedelta(days=99)])
async def test_whatever_the_clock_does_all_that_count_may_come(place: Place, step: timedelta) -> None:
    await place.accounts.update(NOW)
    at = NOW + step
    await place.change(place.homes[0], issued=at, serial="ab")
    await place.accounts.update(at + timedelta(seconds=1))
    assert place.nodes.come >= {f"ab@{place.homes[0]}", *place.names[1:]}


@pytest.mark.parametrize("words", range(7))
async def test_whatever_the_nodes_did_not_take_is_told_again(place: Place, words: int) -> None:
    place.nodes.put(f"ab@{OTHER}")
    place.nodes.away = words
    with pytest.raises(NodesUnreachable):
        await place.accounts.update(NOW)
    assert not place.accounts.are_complete, "the hub says that it is not ready"
    place.nodes.away = None
    await place.accounts.update(NOW)
    assert place.nodes.come == set(place.names)
    await place.change(place.homes[0], ended=NOW)
    place.nodes.away = words % 2
    with pytest.raises(NodesUnreachable):
        await place.accounts.update(NOW + timedelta(seconds=1))
    place.nodes.away = None
    await place.accounts.update(NOW + timedelta(seconds=2))
    assert place.nodes.come == set(place.names[1:])
    assert place.names[0] in place.nodes.ended


async def test_a_cluster_that_was_made_anew_has_them_again_within_the_hour(place: Place) -> None:
    await place.accounts.update(NOW)
    for known in (place.nodes.users_, place.nodes.rights, place.nodes.topics):
        known.clear()
    await place.accounts.update(NOW + FULL_COMPARISON_INTERVAL)
    assert place.nodes.come == set(place.names)


async def test_a_home_that_is_revoked_at_the_terminal_comes_no_more_and_a_hub_ends_its_account(place: Place) -> None:
    await place.accounts.update(NOW)
    async with place.store.writing() as tx:
        assert await revoke_certificates(tx, place.homes[2], NOW)
    await place.another().delete_accounts_of(place.homes[2])
    assert place.nodes.come == set(place.names[:2])
    assert place.nodes.ended == [place.names[2]]
    await place.accounts.update(NOW)
    place.mono = REMOVAL_DELAY_S
    await place.accounts.update(NOW)
    assert place.nodes.users_ == set(place.names[:2])


async def test_the_lines_of_a_home_are_ended_by_the_names_of_its_certificates_that_count(place: Place) -> None:
    await place.accounts.disconnect(place.homes[1])
    assert place.nodes.ended == [place.names[1]]
    await place.change(place.homes[2], ended=NOW)
    await place.accounts.disconnect(place.homes[2])
    assert place.nodes.ended == [place.names[1]]


def test_a_box_s_certificate_names_itself_by_its_serial(tmp_path: Path) -> None:
    authority = HubAuthority.load(tmp_path, now=NOW)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    leaf = authority.certify(HOME, key, now=NOW)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == [account_name(f"{leaf.serial_number:x}", HOME)]
    assert names.get_values_for_type(x509.DNSName) == [HOME]
