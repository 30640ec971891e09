"""What the hub's commands say of a cluster that is away, and of a folder that is not whole."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import homes
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.gateway.cli.terminal import run_perron
from tests.scale.enrolling import enrol

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A hub on a cluster at which nobody listens."""
    file = tmp_path / "hub.yaml"
    file.write_text(
        f"url: http://127.0.0.1:{free_port()}\nlisten: {{port: {free_port()}}}\n"
        f"boxes: {{host: localhost, port: {free_port()}}}\n"
        f"rabbit:\n  nodes: {{r1: 127.0.0.1}}\n  management: {free_port()}\n"
    )
    assert run_perron("hub-config", "--config", file).returncode == 0
    return file


async def with_a_home(folder: Path) -> str:
    store = await HubStore.open(f"sqlite+aiosqlite:///{folder / 'hub.sqlite3'}")
    now = datetime.now(UTC)
    fleet = await enrol(store, 1, now=now, folder=folder, authority=HubAuthority.load(folder, now=now))
    await store.close()
    return fleet.homes[0].home


async def is_revoked(folder: Path, home: str) -> bool:
    store = await HubStore.open(f"sqlite+aiosqlite:///{folder / 'hub.sqlite3'}")
    async with store.reading() as tx:
        when = await tx.scalar(select(homes.c.revoked).where(homes.c.id == home))
    await store.close()
    return when is not None


def test_a_revocation_that_no_node_hears_of_is_kept_and_said_to_wait_for_them(config: Path, tmp_path: Path) -> None:
    home = asyncio.run(with_a_home(tmp_path / "hub"))
    done = run_perron("hub-revoke", home, "--config", config)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3, said
    assert f"{home} is revoked" in said
    assert "No node of the cluster could be told" in said
    assert "127.0.0.1" in said
    assert asyncio.run(is_revoked(tmp_path / "hub", home))


@pytest.mark.parametrize("missing", ["authority/nodes.key", "authority/nodes.pem", "rabbit/accounts.password"])
def test_a_hub_whose_folder_was_copied_in_part_begins_not_and_names_what_is_missing(
    config: Path, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "hub" / missing).unlink()
    done = run_perron("hub", "--config", config)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, said
    assert missing.rpartition("/")[2] in said
    assert "hub-config" in said
    assert not (tmp_path / "hub" / missing).exists(), "it makes none of its own, which no node would know"
