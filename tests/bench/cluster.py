"""A hub at scale on one machine: three RabbitMQ nodes, PostgreSQL, two hubs and simulated homes (tests/scale).

As root, with Debian's rabbitmq-server and iproute2; elsewhere it says what is missing and measures nothing.
"""

import re

from tests.bench.line import BenchLine, ShowStatus
from tests.scale.__main__ import scale
from tests.scale.cluster import missing_requirement
from tests.scale.run import ResultRow

HOMES = 5_000
_UNITS = {"in": "homes", "KiB": "KiB", "ms": "ms", "a second": "/s"}
_MEASURED_PATTERN = re.compile(rf"([0-9.]+) ({'|'.join(_UNITS)})\b")


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    if (why := missing_requirement()) is not None:
        say(f"the cluster is not measured: {why}")
        return [BenchLine.unmeasured("cluster", why)]
    run = await scale(100 if quick else HOMES, 10.0, fast=True, tell=say)
    return [line for row in run.rows if (line := _line(row)) is not None]


def _line(row: ResultRow) -> BenchLine | None:
    """A row as the others here; None: it is for whoever looks for a cause."""
    found = _MEASURED_PATTERN.match(row.value)
    if found is None:
        return None
    return BenchLine(
        bench="cluster", what=f"cluster of {HOMES:,} homes: {row.what}", value=float(found[1]), unit=_UNITS[found[2]],
        goal=row.goal, met=row.met, parts={"in words": row.value},
        why="nodes, hubs, database, homes and retailers share two cores",
    )  # fmt: skip
