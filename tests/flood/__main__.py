"""Flood a box as a file says, until ended: `python -m tests.flood FILE` (tests/flood/house.py writes it)."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.flood.publisher import Publisher
from tests.flood.visitors import flood_feed, flood_pages, flood_pipelines


async def publish_forever(port: int, told: dict[str, Any]) -> None:
    """One account publishes, again when the broker has ended its connection."""
    while True:
        try:
            publisher = await Publisher.connect(port, told["account"], told["password"])
        except OSError:
            await asyncio.sleep(0.5)
            continue
        try:
            await publisher.flood(told["topics"], told["payloads"], told["per_second"])
        except OSError:
            await asyncio.sleep(0.1)
        finally:
            await publisher.close()


async def flood(told: dict[str, Any]) -> None:
    """Flood through all ways that are named."""
    async with asyncio.TaskGroup() as group:
        for one in told.get("mqtt", ()):
            group.create_task(publish_forever(told["broker"], one))
        for one in told.get("pipelined", ()):
            for _ in range(one["connections"]):
                group.create_task(flood_pipelines(one["port"], one["path"], tls=one["tls"]))
        for one in told.get("feeds", ()):
            for _ in range(one["connections"]):
                group.create_task(
                    flood_feed(told["pages"], one["path"], one["words"], one["cookies"], one["per_second"])
                )
        for one in told.get("opened", ()):
            group.create_task(flood_pages(told["pages"], one["path"], one["cookies"]))
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    os.nice(10)  # a flood comes from other machines: here it must not take the processor from the house
    asyncio.run(flood(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
