"""A scan's look-up and decision with 10, 1,000 and 100,000 deliveries in the store."""

import asyncio
import gc
import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from gateway.config.home import Home
from gateway.domain.delivery.barcodes import InvalidBarcode, normalise
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.decide import decide
from gateway.domain.visit.events import Scanned
from gateway.domain.visit.state import CameraState, Entrance
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.storage.store import Store
from tests.bench import homes
from tests.bench.line import BenchLine, ShowStatus, median
from tests.house.door import proven_door

SIZES = (10, 1_000, 100_000)
SCAN_INTERVAL_S = 0.2
ROUND_SCANS = 50  # scans of one store before the next one's turn

# The rows of one accepted delivery, again under other names and codes: each may come in now.
_COPY_CTE = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many) "
_DELIVERIES = (
    "INSERT INTO delivery (key, brand, id, version, entrance, carrier, place, starts, ends, cold_max_c, cancelled,"
    " lacking, checked, told, look_at, signed_by, doubtful, by_hub, message)"
    " SELECT key || '-' || i, brand, id || '-' || i, version, entrance, carrier, place,"
    " starts, ends, cold_max_c, cancelled, lacking, checked, told, look_at, signed_by, doubtful, by_hub, message"
    " FROM delivery, n"
)
_CODES = "INSERT INTO code SELECT value || '-' || i, delivery || '-' || i, kind FROM code, n"


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    rounds = 4 if quick else 20
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    async with AsyncExitStack() as stack:
        stores: dict[int, tuple[Home, Store]] = {}
        for size in SIZES:
            say(f"a store with {size:,} deliveries")
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perron-bench-")))
            home = homes.make_home(folder, entrances=1, port=1)
            store = await _store(home, size)
            stack.push_async_callback(store.close)
            stores[size] = home, store
        gc.collect()
        for turn in range(rounds):
            say(f"scans, the stores in turn: {turn + 1} of {rounds}")
            for size, (home, store) in stores.items():
                took[size] += [_scan(home, store, turn * ROUND_SCANS + n, size) for n in range(ROUND_SCANS)]
            await asyncio.sleep(0)
    return _lines({size: median(samples) for size, samples in took.items()})


async def _store(home: Home, size: int) -> Store:
    await homes.fill_store(home, each=1)
    path = home.storage.folder / "perron.sqlite3"
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("BEGIN")
        db.execute(_COPY_CTE + _CODES, {"many": size - 1})
        db.execute(_COPY_CTE + _DELIVERIES, {"many": size - 1})
        db.execute("COMMIT")
        assert db.execute("SELECT count(*) FROM delivery").fetchone() == (size,)
    db.close()
    return await Store.open(path, home=home, now=_now())


def _now() -> Now:
    return Now(utc=datetime.now(UTC), trusted=True, mono=time.monotonic())


def _scan(home: Home, store: Store, number: int, size: int) -> float:
    """Seconds from a code as it was read to the commands; another delivery each time."""
    now = _now()
    proven = Entrance(
        id=homes.entrance_id(0), disk_ok=True, rules=entrance_rules(home, homes.entrance_id(0)), broker_session=1,
        facts=proven_door(),
        cameras={"camera-0": CameraState(live=True, moving=True, recording=False)},
    )  # fmt: skip
    copy = number * 7919 % size  # all over the store
    read = homes.parcel_code(0, 0) + (f"-{copy}" if copy else "")
    begin = time.perf_counter()
    code = normalise(read)
    assert not isinstance(code, InvalidBarcode)
    scan = Scanned(
        id="scan", scanner="scanner-0", code=code.value, matches=store.deliveries.matches(code.value, now=now)
    )
    _, commands = decide(proven, scan, now=now)
    seconds = time.perf_counter() - begin
    assert any(isinstance(command, c.RingBell) for command in commands), commands
    return seconds


def _lines(took: dict[int, float]) -> list[BenchLine]:
    least = min(took.values())
    lines = [
        BenchLine(bench="deliveries", what=f"look-up and decision of a scan, {size:,} deliveries in the store, p50",
             value=seconds * 1e6, unit="us", ratio=seconds / took[SIZES[0]], against=f"{SIZES[0]} deliveries")
        for size, seconds in took.items()
    ]  # fmt: skip
    apart = max(took.values()) / least - 1
    return [
        *lines,
        BenchLine(bench="deliveries", what="how far these are apart", value=apart * 100, unit="%",
             goal=f"<= {SCAN_INTERVAL_S:.0%}", met=apart <= SCAN_INTERVAL_S,
             why=f"{max(took, key=lambda size: took[size]):,} deliveries take"
             f" {(max(took.values()) - least) * 1e6:.0f} us more: deeper indexes, and pages that are"
            " not in SQLite's cache"),
    ]  # fmt: skip
