"""The files of a RabbitMQ cluster; what a real node makes of them stands in tests/scale/with_one_node.py."""

import asyncio
import errno
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import ValidationError
from typer.testing import CliRunner

from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.homes_broker import NodesUnreachable
from gateway.hub.cluster import rabbitmq
from gateway.hub.cluster.accounts import BrokerAccounts
from gateway.hub.cluster.rabbitmq import (
    ClusterAccountKeeper,
    definitions,
    node_files,
    renew_certificates,
    set_up,
)
from gateway.hub.config import Boxes, HubFile, Rabbit, ShardAssignment
from gateway.hub.database.store import HubStore
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.box_hub import SHARD_COUNT
from tests.gateway.cli.terminal import every_command
from tests.waiting import wait_until

NOW = datetime(2026, 11, 25, 17, tzinfo=UTC)
RABBIT = Rabbit(nodes={"r1": "10.0.0.1", "r2": "10.0.0.2", "r3": "10.0.0.3"})
BOXES = Boxes(host="mqtt.hub.example", connections=20_000)
POSTGRES = "postgresql+asyncpg://hub@db/hub"


def hub(folder: Path, **more: object) -> HubFile:
    plain = {"url": "https://hub.example", "folder": folder, "rabbit": RABBIT, "boxes": BOXES, "store": POSTGRES}
    return HubFile.model_validate({**plain, **more})


def said(text: str) -> dict[str, str]:
    """What rabbitmq.conf says, line by line."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [(name, value) for name, _, value in (line.partition(" = ") for line in lines)]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_nobody_comes_without_a_certificate_and_nobody_by_a_password() -> None:
    conf = said(node_files(RABBIT, BOXES, "r1")["rabbitmq.conf"])
    assert conf["listeners.tcp"] == conf["mqtt.listeners.tcp"] == "none"
    assert conf["ssl_options.verify"] == "verify_peer"
    assert conf["ssl_options.fail_if_no_peer_cert"] == "true"
    assert conf["mqtt.allow_anonymous"] == "false"
    assert conf["mqtt.ssl_cert_client_id_from"] == "subject_alternative_name"
    assert [value for name, value in conf.items() if name.startswith("auth_backends")] == ["internal"]
    for name in ("cacertfile", "certfile", "keyfile"):
        assert conf[f"management.ssl.{name}"].startswith("/etc/rabbitmq/perron/internode/"), "no home has one of these"
    assert conf["management.ssl.verify"] == "verify_peer"
    assert conf["management.ssl.fail_if_no_peer_cert"] == "true"
    assert not any(name.startswith("management.tcp") for name in conf)
    assert conf["mqtt.max_packet_size_authenticated"] == "69632"
    assert conf["connection_max"] == "20000"
    told = json.loads(definitions(["hub@hub-1"], "word"))
    without = {user["name"] for user in told["users"] if user["password_hash"] == ""}
    assert without == {"hub@hub-1", "hub@visit"}, "and no guest"
    assert {user["name"] for user in told["users"]} - without == {"accounts"}
    assert "accounts" not in {one["user"] for one in told["permissions"]}, "it hears and says nothing"


def test_each_node_knows_the_others_and_stands_still_when_they_are_more() -> None:
    files = node_files(RABBIT, BOXES, "r2")
    conf = said(files["rabbitmq.conf"])
    nodes = [conf[f"cluster_formation.classic_config.nodes.{at}"] for at in (1, 2, 3)]
    assert nodes == ["r1@10.0.0.1", "r2@10.0.0.2", "r3@10.0.0.3"]
    assert conf["cluster_partition_handling"] == "pause_minority"
    assert "NODENAME=r2@10.0.0.2\n" in files["rabbitmq-env.conf"]


def test_a_hub_says_what_is_for_boxes_hears_what_they_say_and_does_nothing_else() -> None:
    told = json.loads(definitions(["hub@hub-1", "hub@hub-2"], "word"))
    assert {one["user"] for one in told["topic_permissions"]} == {"hub@hub-1", "hub@hub-2"}
    for one in told["topic_permissions"]:
        assert re.search(one["write"], "dn.home-1.jobs")
        assert not re.search(one["write"], "up.1.home-1.evt")
        assert re.search(one["read"], "up.1.#")
        assert not re.search(one["read"], "#")
    visit, *hubs = sorted(told["permissions"], key=lambda one: one["user"] != "hub@visit")
    assert {visit[what] for what in ("configure", "write", "read")} == {""}
    for one in hubs:
        assert re.search(one["configure"], "mqtt-subscription-hub-2qos1")
        assert not re.search(one["configure"], "mqtt-subscription-home-2qos1")
        assert not re.search(one["configure"], "amq.topic")


def test_the_shards_are_dealt_out_without_a_gap_and_none_twice() -> None:
    for of in (1, 2, 3, 64):
        dealt = [shard for number in range(1, of + 1) for shard in ShardAssignment(number=number, of=of).shards]
        assert sorted(dealt) == list(range(SHARD_COUNT))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"boxes": None}, "say under boxes"),
        ({"broker": {"host": "127.0.0.1"}}, "there is one broker"),
        ({"share": {"number": 3, "of": 2}}, "no share 3 of 2"),
        ({"share": {"number": 1, "of": 2}, "store": None}, "PostgreSQL only"),
        ({"share": {"number": 1, "of": 2}, "rabbit": None}, "PostgreSQL only"),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, more: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        hub(tmp_path, **more)


def test_the_hub_tries_every_node_and_not_every_hub_the_same_first(tmp_path: Path) -> None:
    one, two = (hub(tmp_path, share=ShardAssignment(number=number, of=2)) for number in (1, 2))
    assert {line.host for line in one.lines} == set(RABBIT.nodes.values())
    assert one.lines[0].host != two.lines[0].host
    assert {line.username for line in (*one.lines, *two.lines)} == {"hub-1", "hub-2"}


def test_files_written_again_keep_keys_and_cookie_and_what_is_old_is_made_anew(tmp_path: Path) -> None:
    file = hub(tmp_path)

    def write(at: datetime) -> tuple[bytes, ...]:
        set_up(file, BOXES, RABBIT, now=at)
        renew_certificates(file, HubAuthority.load(tmp_path, now=at), now=at)
        kept = (
            "erlang.cookie", "accounts.password", "r1/tls/broker.pem", "r3/tls/broker.pem", "hub-1.pem",
            "accounts/internode/node.pem", "r2/internode/node.pem",
        )  # fmt: skip
        return tuple((tmp_path / "rabbit" / one).read_bytes() for one in kept)

    first = write(NOW)
    assert write(NOW + timedelta(days=10)) == first
    later = write(NOW + timedelta(days=300))
    assert later[:2] == first[:2]
    assert all(new != old for new, old in zip(later[2:], first[2:], strict=True))
    node = x509.load_pem_x509_certificate(first[2])
    names = node.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mqtt.hub.example"]
    for private in (tmp_path / "rabbit").rglob("*"):
        if private.is_file() and private.name != "authority.pem":
            assert private.stat().st_mode & 0o077 == 0, private


def test_nodes_prove_themselves_to_each_other_under_an_authority_that_certifies_no_home(tmp_path: Path) -> None:
    file = hub(tmp_path)
    hubs = set_up(file, BOXES, RABBIT, now=NOW)
    at = tmp_path / "rabbit" / "r2"
    own = x509.load_pem_x509_certificate((at / "internode" / "node.pem").read_bytes())
    theirs = x509.load_pem_x509_certificate((at / "internode" / "authority.pem").read_bytes())
    own.verify_directly_issued_by(theirs)
    assert theirs.public_key() != hubs.certificate.public_key()
    usage = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    options = (at / "internode.config").read_text()
    assert options.count("{verify, verify_peer}") == 2
    assert "{fail_if_no_peer_cert, true}" in options
    assert "/etc/rabbitmq/perron/internode/node.pem" in options
    environment = (at / "rabbitmq-env.conf").read_text()
    assert environment.count("-proto_dist inet_tls -ssl_dist_optfile /etc/rabbitmq/perron/internode.config") == 2
    keys = {key.read_bytes() for key in (tmp_path / "authority").glob("*.key")}
    assert not any(one.read_bytes() in keys for one in (tmp_path / "rabbit").rglob("*") if one.is_file())


def test_the_nodes_are_brought_both_authorities_and_the_old_one_stays_until_every_node_shows_the_next(
    tmp_path: Path,
) -> None:
    config = tmp_path / "hub.yaml"
    config.write_text(
        f"url: https://hub.example\nboxes: {{host: mqtt.hub.example, port: {free_port()}}}\n"
        "rabbit:\n  nodes: {r1: 127.0.0.1}\n"
    )

    def perron(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(every_command(), [*words, "--config", str(config)])
        return done.exit_code, " ".join(done.output.split())

    def shown() -> x509.Certificate:
        return x509.load_pem_x509_certificates((node / "tls" / "broker.pem").read_bytes())[0]

    node, at = tmp_path / "hub" / "rabbit" / "r1", tmp_path / "hub" / "authority"
    perron("hub-config")
    old = x509.load_pem_x509_certificate((at / "authority.pem").read_bytes())
    status, told = perron("hub-authority", "--next")
    assert (status, "restart the nodes" in told) == (0, True), told
    for believes in (node / "authority.pem", tmp_path / "hub" / "rabbit" / "authority.pem"):
        assert believes.read_bytes().count(b"BEGIN CERTIFICATE") == 2
    assert shown().issuer == old.subject, "boxes have to learn of the next one first"
    status, told = perron("hub-authority", "--change")
    assert (status, "127.0.0.1: " in told) == (1, True), told
    assert x509.load_pem_x509_certificate((at / "authority.pem").read_bytes()) == old
    assert shown().issuer == x509.load_pem_x509_certificate((at / "next.pem").read_bytes()).subject


def test_hub_config_writes_a_folder_for_each_node_and_says_where_it_goes(tmp_path: Path) -> None:
    config = tmp_path / "hub.yaml"
    config.write_text(
        "url: https://hub.example\nstore: postgresql+asyncpg://hub@db/hub\nboxes: {host: mqtt.hub.example}\n"
        "rabbit:\n  nodes: {r1: 10.0.0.1, r2: 10.0.0.2}\nshare: {number: 2, of: 2}\n"
    )
    done = CliRunner().invoke(every_command(), ["hub-config", "--config", str(config)])
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert "goes to 10.0.0.2 as /etc/rabbitmq/perron" in told
    assert "mqtt.hub.example:8883" in told
    for node in ("r1", "r2"):
        files = {file.name for file in (tmp_path / "hub" / "rabbit" / node).iterdir()}
        assert {"rabbitmq.conf", "rabbitmq-env.conf", "enabled_plugins", "definitions.json", "authority.pem"} <= files


async def test_a_full_disk_keeps_no_revocation_from_the_nodes_nor_silent_nodes_the_hub_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq, "CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr(rabbitmq, "RETRY_DELAY_S", 0.01)
    done: list[str] = []

    def full(*_words: object, **_more: object) -> None:
        done.append("tried to write")
        raise OSError(errno.ENOSPC, "No space left on device")

    async def told(_accounts: BrokerAccounts, _now: datetime) -> None:
        done.append("told")
        if done.count("told") > 2:
            raise NodesUnreachable("r1: no answer in time")

    store = await HubStore.open(f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite3'}")
    monkeypatch.setattr(rabbitmq, "renew_certificates", full)
    monkeypatch.setattr(BrokerAccounts, "update", told)
    keeper = asyncio.create_task(
        ClusterAccountKeeper(hub(tmp_path), RABBIT, store, monotonic=lambda: 0.0).run(lambda: NOW)
    )
    await wait_until(lambda: done.count("told") > 4 and done.count("tried to write") > 4)
    keeper.cancel()
    await asyncio.wait({keeper})
    await store.close()
