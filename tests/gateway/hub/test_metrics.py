"""What an operator measures of a hub."""

import asyncio
import math
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from gateway.hub.database.tables import endpoints
from gateway.hub.metrics import HubMetrics
from gateway.hub.webhooks.queue import read_backlog
from gateway.system.clock import machine_time
from tests.certified import make_certificate
from tests.hubs import HIGH_LIMITS, RunningHub, hub_file, run_hub
from tests.webhookhouse import webhook_house

TABLE = Path(__file__).parents[3] / "docs" / "operator" / "metrics.md"

Samples = dict[str, dict[tuple[str, ...], float]]


async def scrape(hub: RunningHub) -> Samples:
    """The values by metric and labels' values."""
    found: Samples = {}
    async with hub.http.get("/metrics") as answer:
        for family in text_string_to_metric_families(await answer.text()):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def test_an_operator_sees_requests_by_operation_and_status_their_latency_and_which_limit_refuses(
    tmp_path: Path,
) -> None:
    limits = HIGH_LIMITS.model_copy(update={"reads": 2, "stranger_requests": 2})
    async with run_hub(hub_file(tmp_path, limits=limits)) as hub:
        retailer = await hub.retailer()
        for _ in range(12):
            async with hub.http.get("/v1/api_keys", headers=retailer.headers):
                pass
        for path in ("/v1/deliveries/dlv-1", "/nowhere", "/connect/s3cret"):
            async with hub.http.get(path):
                pass
        for _ in range(40):  # two a second, averaged over ten seconds
            async with hub.http.get("/"):
                pass
        async with hub.http.get("/metrics", headers=retailer.headers) as answer:
            text = await answer.text()
    requests, durations, limited = {}, {}, {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            match sample.name:
                case "perron_http_requests_total":
                    requests[sample.labels["operation"], sample.labels["status"]] = sample.value
                case "perron_http_request_duration_seconds_count":
                    durations[sample.labels["operation"]] = sample.value
                case "perron_http_limited_total":
                    limited[sample.labels["limit"]] = sample.value
    assert requests["listApiKeys", "200"] + requests["listApiKeys", "429"] == 12
    assert requests["readDelivery", "401"] == requests["unknown", "404"] == requests["/connect/{secret}", "404"] == 1
    assert durations["listApiKeys"] == 12
    assert limited["reads"] == requests["listApiKeys", "429"] > 0
    assert limited["stranger-requests"] == requests["/", "429"] > 0
    assert "s3cret" not in text
    assert retailer.id not in text


async def test_an_operator_sees_the_database_its_queue_the_disk_the_process_and_the_version(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        store = hub.hub.store
        end = asyncio.Event()

        async def write() -> None:
            async with store.writing():
                await end.wait()

        writing = [asyncio.create_task(write()) for _ in range(3)]
        await asyncio.sleep(0.05)
        found = await scrape(hub)
        end.set()
        await asyncio.gather(*writing)
        assert found["perron_store_writers"][()] >= 3, "its own workers may write too"
        assert found["perron_store_sessions"][()] >= (1 if store.has_one_writer else 3)
        assert found["perron_store_connections_limit"][()] == (math.inf if store.has_one_writer else 20)
        assert found["perron_store_up"][()] == 1
        assert 0 < found["perron_disk_free_bytes"][()] <= found["perron_disk_size_bytes"][()]
        assert found["perron_http_connections"][()] == 1
        assert found["perron_build_info"][version("perron"),] == 1
        assert "perron_broker_connected" not in found, "a hub without a broker misses none"
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
            assert found[name][()] > 0
        assert "python_info" in found

        async def away() -> bool:
            return False

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "is_healthy", away)
            assert (await scrape(hub))["perron_store_up"][()] == 0


async def test_an_operator_sees_how_far_the_hub_is_behind_and_a_retailer_s_slow_server_is_not_the_hub_s_fault(
    tmp_path: Path,
) -> None:
    async with webhook_house(tmp_path) as at:
        endpoint = await at.endpoint()
        store, now = at.hub.hub.store, machine_time()

        async def serve_from(instant: datetime) -> None:
            async with store.writing() as tx:
                mine = update(endpoints).where(endpoints.c.id == endpoint["id"])
                await tx.execute(mine.values(leased=instant))

        await serve_from(now + timedelta(minutes=1))  # another sender holds it
        await at.tell(3)
        async with store.reading() as tx:
            busy = await read_backlog(tx, now + timedelta(seconds=30))
            free = await read_backlog(tx, now + timedelta(seconds=90))
        assert (busy.count, busy.overdue_since) == (3, None)
        assert busy.oldest is not None
        assert timedelta() <= busy.oldest - now < timedelta(seconds=30)
        assert free.overdue_since is not None
        assert free.overdue_since >= busy.oldest
        await serve_from(now - timedelta(minutes=1))
        at.later(0)
        await at.receiver.until(3)
        await at.settled(endpoint)
        async with store.reading() as tx:
            done = await read_backlog(tx, now + timedelta(seconds=90))
        assert (done.count, done.oldest, done.overdue_since) == (0, None, None)


async def test_an_operator_sees_when_the_certificate_ends_that_the_hub_shows(tmp_path: Path) -> None:
    _, certificate, key = make_certificate(tmp_path, "hub")  # good for a day
    plain = hub_file(tmp_path)
    listen = plain.listen.model_copy(update={"certificate": certificate, "key": key})
    url = plain.url.replace("http:", "https:")
    async with run_hub(plain.model_copy(update={"listen": listen, "url": url})) as hub:
        certificate.unlink()  # the hub shows the one that it has read
        async with hub.http.get("/metrics", ssl=False) as answer:
            text = await answer.text()
    name = 'perron_certificate_expiry_timestamp_seconds{certificate="listen.certificate"} '
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    until = (machine_time() + timedelta(days=1)).timestamp()
    assert float(line.removeprefix(name)) == pytest.approx(until, abs=60)


def test_the_page_of_metrics_has_each_of_them_as_the_hub_exports_it() -> None:
    metrics = HubMetrics(CollectorRegistry())
    labels = {
        one._name: one._labelnames  # noqa: SLF001 - a metric without a sample tells its labels nowhere else
        for one in vars(metrics).values()
        if isinstance(one, MetricWrapperBase)
    } | {"perron_build": ("version",)}
    rows = []
    for family in metrics.registry.collect():
        if family.name.startswith("perron_"):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            named = ", ".join(f"`{label}`" for label in labels[family.name])
            rows.append(f"| `{family.name}{suffix}` | {family.type} | {named} | {family.documentation} |")
    written = [line for line in TABLE.read_text().splitlines() if line.startswith("| `perron_")]
    assert written == rows
