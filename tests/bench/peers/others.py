"""The other programs beside the gateway: started, asked, and what they answer."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.bench.line import ShowStatus, median, p95
from tests.bench.machine import cpu
from tests.bench.measured import PeerRow
from tests.bench.peers.hass import hass
from tests.bench.peers.node_red import node_red
from tests.bench.scene import BenchScene
from tests.bench.throughput import Work

FIRST_ANSWER_S = 120.0  # seconds for a program to start and answer its first scan
BURSTS = 2
PARTS = ("floors", "node-red", "home-assistant", "gateway")


@dataclass(slots=True)
class Subject:
    """Another program. `singles`: seconds of one scan after the other; `crowd`: scans at once."""

    what: str
    durable: str
    pid: int = 0
    why: str = ""
    memory: float = 0.0
    singles: list[float] = field(default_factory=list)
    crowd: Work = field(default_factory=Work)

    @property
    def row(self) -> PeerRow:
        """What the table says of it."""
        if self.why or not self.crowd.rates:
            return PeerRow(what=self.what, why=self.why or "not measured")
        return PeerRow(
            what=self.what, p50=median(self.singles) * 1000, p95=p95(self.singles) * 1000,
            rate=median(self.crowd.rates), cpu=median(self.crowd.cpus) * 1000, memory=self.memory, durable=self.durable,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def others(stage: BenchScene, only: list[str], say: ShowStatus) -> AsyncIterator[dict[str, Subject]]:
    """Start the other programs; each has answered one scan, or says why not."""
    found: dict[str, Subject] = {}
    async with contextlib.AsyncExitStack() as stack:
        for of, what, no_delay, peers in (
            ("home-assistant", "Home Assistant", False, ("parallel", "queued")),
            ("home-assistant", "Home Assistant + TCP_NODELAY", True, ("parallel", "queued")),
            ("node-red", "Node-RED", False, ("", "log")),
            ("node-red", "Node-RED + TCP_NODELAY", True, ("", "log")),
        ):
            if of not in only:
                continue
            prefix = f"{of}-nodelay" if no_delay else of
            names = {"-".join(filter(None, (prefix, peer))): peer for peer in peers}
            say(f"{what} starts")
            subjects = {name: _subject(what, peer, no_delay=no_delay) for name, peer in names.items()}
            try:
                pid = await _start(stack, stage, of, prefix, no_delay=no_delay)
                for name, subject in subjects.items():
                    await stage.peers.scanners.until_ready(name, FIRST_ANSWER_S)
                    subject.pid = pid
            except (OSError, AssertionError, TimeoutError) as failed:
                words = str(failed).partition("\n")[0][:200] or type(failed).__name__
                for subject in subjects.values():
                    subject.why = subject.why or words
            found |= subjects
        for name, process in stage.peers.processes.items() if "floors" in only else ():
            durable = "yes" if name == "floor" else "no"
            found[name] = Subject(_FLOORS[name], durable, process.process.pid)
        yield found


_FLOORS = {
    "echo": "bare aiomqtt echo",
    "floor": "floor in Python: the job with a group commit",
    "cecho": "bare echo in C",
}


def _subject(what: str, peer: str, *, no_delay: bool) -> Subject:
    as_shipped = "" if no_delay else " as shipped"
    if what.startswith("Node-RED"):
        return Subject(f"{what}{as_shipped}{', log first' if peer else ''}", "no fsync" if peer else "no")
    return Subject(f"{what}{as_shipped}, {peer}", "no")


async def _start(stack: contextlib.AsyncExitStack, stage: BenchScene, of: str, prefix: str, *, no_delay: bool) -> int:
    folder, password = stage.folder / prefix, stage.passwords[prefix]
    if of == "node-red":
        process = await stack.enter_async_context(
            node_red(folder, port=stage.port, password=password, prefix=prefix, no_delay=no_delay)
        )
        return process.process.pid
    made = await stack.enter_async_context(
        hass(folder, port=stage.port, password=password, prefix=prefix, no_delay=no_delay)
    )
    return made.pid


async def one_round(stage: BenchScene, name: str, subject: Subject, entrances: int) -> None:
    """One round: as many scans one after the other as there are entrances, then all at once."""
    scanners = stage.peers.scanners
    try:
        for _ in range(entrances):
            subject.singles += await scanners.scan(name)
        for _ in range(BURSTS):
            spent = cpu(subject.pid)
            took = await scanners.scan(name, entrances)
            subject.crowd.rates.append(entrances / max(took))
            subject.crowd.cpus.append((cpu(subject.pid) - spent) / entrances)
    except (TimeoutError, OSError) as failed:
        subject.why = str(failed)
