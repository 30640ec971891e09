"""One try at a cluster: what goes on, and what was found."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.scale.cluster import Cluster
from tests.scale.driving import LoadDriver
from tests.scale.homes import HomesCount, ScaleHomes
from tests.scale.processor import cpu_seconds

STABLE_S = 15.0  # seconds that all homes have to stay
DRAIN_TIMEOUT_S = 150.0  # seconds for all that was promised to be taken and told


@dataclass
class ResultRow:
    """One line of the table. `met` None: it is only told."""

    what: str
    value: str
    goal: str = ""
    met: bool | None = None


@dataclass
class ScaleRun:
    """What goes on, and what was seen of it."""

    made: Cluster
    homes: ScaleHomes
    driver: LoadDriver
    tell: Callable[[str], None]
    counts: list[HomesCount] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    rows: list[ResultRow] = field(default_factory=list)

    @property
    def all(self) -> int:
        """How many homes there are."""
        return len(self.homes.homes)

    def mark(self, what: str) -> float:
        """Note that something was done now."""
        now = time.monotonic()
        self.marks.append((now, what))
        self.tell(what)
        return now

    def row(self, what: str, value: str, goal: str = "", *, met: bool | None = None) -> None:
        """Note what was found."""
        self.rows.append(ResultRow(what, value, goal, met))
        self.tell(f"{what}: {value}")

    def used(self) -> dict[str, float]:
        """Seconds of processor time that each part has used so far."""
        found = cpu_seconds({**self.made.processes, "homes": [os.getpid()]})
        return {**found, "homes": 2 * found["homes"] - sum(found.values())}  # what it has started is not the homes'

    async def watch(self) -> None:
        """Count, each half second."""
        while True:
            self.counts.append(now := self.homes.count())
            if len(self.counts) % 10 == 0:
                self.tell(
                    f"{now.there} homes, {now.acts} of {len(self.driver.made)} deliveries taken,"
                    f" {now.waiting} events wait, {now.double} done twice"
                )
            await asyncio.sleep(0.5)

    async def back(self, since: float, goal: float, what: str) -> None:
        """Wait until all homes are there again and stay, and say how long that took; the cluster is asked too.

        A home whose node says nothing learns late that its line has ended: so what counts is the last instant at which
        one was not there, and how many lines the cluster has in the end.
        """
        last = since
        while (now := time.monotonic()) - last < STABLE_S and now - since < 4 * goal + STABLE_S:
            if self.homes.count().there < self.all:
                last = now
            await asyncio.sleep(0.05)
        there, took = self.homes.count().there, last - since
        known = sum([await node.lines() for node in self.made.nodes]) - len(self.made.hubs)
        self.row(
            what, f"{took:.1f} s; {there} of {self.all} are there, the cluster has {known}", f"{goal:.0f} s",
            met=there == known == self.all and took <= goal,
        )  # fmt: skip

    async def until(self, found: Callable[[], bool], seconds: float) -> float:
        """Wait until it is so, or so long; how long it took."""
        began = time.monotonic()
        while not found() and time.monotonic() - began < seconds:  # noqa: ASYNC110 - homes ring no bell
            await asyncio.sleep(0.1)
        return time.monotonic() - began
