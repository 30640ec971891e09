"""`python -m tests.bench.peers.floor --port PORT --password WORD --database FILE`: the least that Python can do.

It does the whole job, durably: each decision is a row in SQLite (WAL, synchronous=FULL) before its unlock leaves. What
arrives while one commit runs goes into the next. It has no state machine, no film, no signature, no page.
"""

import argparse
import asyncio
import json
import sqlite3
import time
from pathlib import Path

from tests.bench.peers.job import CODES, WINDOW_S
from tests.bench.wire import LeanClient, connected


class Floor:
    """Decides, stores a group, publishes it."""

    def __init__(self, database: Path) -> None:
        self._database = sqlite3.connect(database, check_same_thread=False)
        self._database.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE log (at REAL, entrance TEXT, code TEXT)"
        )
        now = time.time()
        self._expected = dict.fromkeys(CODES, (now - WINDOW_S, now + WINDOW_S))
        self._group: list[tuple[float, str, str]] = []
        self._commits = False
        self.client = LeanClient(self._on_message)

    def _on_message(self, topic: str, payload: bytes, _correlation: bytes | None, _at: float) -> None:
        entrance, code, now = topic.rpartition("/")[2], json.loads(payload)["code"], time.time()
        begin, end = self._expected.get(code, (now, now))
        if begin < now < end:
            self._group.append((now, entrance, code))
            self._commit_group()

    def _commit_group(self) -> None:
        if self._commits or not self._group:
            return
        self._commits, group, self._group = True, self._group, []
        done = asyncio.get_running_loop().run_in_executor(None, self._commit, group)
        done.add_done_callback(lambda _done: self._publish(group))

    def _commit(self, group: list[tuple[float, str, str]]) -> None:
        with self._database:
            self._database.executemany("INSERT INTO log VALUES (?, ?, ?)", group)

    def _publish(self, group: list[tuple[float, str, str]]) -> None:
        for _, entrance, code in group:
            self.client.publish(f"bench/floor/camera/{entrance}", b'{"record":true}')
            self.client.publish(f"bench/floor/unlock/{entrance}", json.dumps({"code": code}).encode())
        self._commits = False
        self._commit_group()


async def main(port: int, password: str, database: Path) -> None:
    """Run until killed."""
    floor = Floor(database)
    async with connected(floor.client, port, "floor", password):
        await floor.client.subscribe("bench/floor/scan/+")
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--database", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(main(options.port, options.password, options.database))
