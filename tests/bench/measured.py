"""What was measured, in a file: the page is made of it, and a part that is measured anew replaces itself only."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tests.bench.line import BenchLine

FILE = Path(__file__).with_name("measured.json")


class Occasion(BaseModel):
    """When and where something was measured."""

    model_config = ConfigDict(frozen=True)

    day: str
    machine: str
    note: str = ""
    quick: bool = False

    @property
    def told(self) -> str:
        """In a sentence or two."""
        note = f" {self.note}" if self.note else ""
        return f"{self.day}; {self.machine}.{note}{' Quick run: few samples.' if self.quick else ''}"


class MeasuredBench(BaseModel):
    """One bench's rows."""

    occasion: Occasion
    lines: tuple[BenchLine, ...]


class PeerRow(BaseModel):
    """What one program does of the one job; None: not measured. Milliseconds, a second, MiB.

    `why` says why the rest was not measured. `durable` is what a decision has survived before its unlock leaves.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    p50: float | None = None
    p95: float | None = None
    rate: float | None = None
    cpu: float | None = None
    memory: float | None = None
    durable: str = ""
    why: str = ""


class MeasuredPeers(BaseModel):
    """The table of peers, and p50 in milliseconds over how many scans came at once: peer -> [(scans, p50), ...]."""

    occasion: Occasion
    rows: tuple[PeerRow, ...]
    load: dict[str, tuple[tuple[int, float], ...]] = {}


class Measured(BaseModel):
    """All of it."""

    benches: dict[str, MeasuredBench] = {}
    peers: MeasuredPeers | None = None


def load() -> Measured:
    """Read it."""
    return Measured.model_validate_json(FILE.read_bytes())


def save(measured: Measured) -> None:
    """Write it, in an order and form that a diff shows well."""
    FILE.write_text(measured.model_dump_json(indent=1) + "\n", encoding="utf-8")
