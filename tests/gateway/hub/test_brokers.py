"""Which broker a hub chooses, and what it imports for it."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway.hub.boxes.broker import BrokerFileKeeper
from gateway.hub.brokers import load_cluster, open_homes_broker
from gateway.hub.cluster.rabbitmq import ClusterAccountKeeper, RabbitCluster, set_up
from gateway.hub.config import Rabbit, ShardAssignment
from gateway.hub.database.store import HubStore
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.joins import with_boxes

ROOT = Path(__file__).parents[3]
RUNS_A_HUB = """
import asyncio, contextlib, sys
from pathlib import Path
from gateway.__main__ import _load_command
from gateway.hub.config import load
from gateway.hub.process import HubProcess

async def main():
    hub = HubProcess(load(Path(sys.argv[1])), signals=False)
    running = asyncio.create_task(hub.run())
    opened = asyncio.create_task(hub.open.wait())
    await asyncio.wait({running, opened}, return_when=asyncio.FIRST_COMPLETED)
    assert hub.open.is_set(), running.result()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

for command in ("hub", "hub-config", "hub-claim"):
    _load_command(command)
asyncio.run(main())
print(*sys.modules)
"""


def test_a_hub_without_a_cluster_runs_and_imports_nothing_of_the_cluster(tmp_path: Path) -> None:
    file = tmp_path / "hub.yaml"
    listen, boxes = f"listen: {{port: {free_port()}}}", "boxes: {host: hub.test}"
    file.write_text(f"url: http://127.0.0.1\nfolder: {tmp_path / 'hub'}\n{listen}\n{boxes}\n")
    ran = subprocess.run(
        [sys.executable, "-c", RUNS_A_HUB, str(file)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    imported = ran.stdout.split()
    assert "gateway.hub.boxes.broker" in imported
    assert [name for name in imported if name.startswith("gateway.hub.cluster")] == []


async def test_the_hubs_file_chooses_one_broker_or_the_cluster_and_both_say_whether_they_are_ready(
    tmp_path: Path,
) -> None:
    mosquitto_file, now = with_boxes(tmp_path), datetime(2026, 11, 30, tzinfo=UTC)
    rabbit = Rabbit(nodes={"r1": "127.0.0.2"})
    cluster_file = mosquitto_file.model_copy(update={"rabbit": rabbit, "share": ShardAssignment(number=1, of=2)})
    assert mosquitto_file.boxes is not None
    authority = set_up(cluster_file, mosquitto_file.boxes, rabbit, now=now)
    store = await HubStore.open(mosquitto_file.database)
    chosen = [
        open_homes_broker(file, mosquitto_file.boxes, store, authority, now=now, monotonic=lambda: 0.0)
        for file in (mosquitto_file, cluster_file)
    ]
    await store.close()
    assert [type(one) for one in chosen] == [BrokerFileKeeper, ClusterAccountKeeper]
    assert [one.readiness() for one in chosen] == [{}, {"accounts": False}]
    assert load_cluster(mosquitto_file) is None
    cluster = load_cluster(cluster_file)
    assert isinstance(cluster, RabbitCluster)
