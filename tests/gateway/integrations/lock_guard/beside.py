"""A guard in memory: its rules with a clock, a disk and a gateway that are turned by hand."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from devices.commands import LockDoor, UnlockDoor
from devices.reports import DoorReport, DoorState, LockReport, LockState, Report
from devices.vendors import guard as vendor
from devices.vendors.words import NO_DEVICE_REF, TopicSuffix
from gateway.integrations.lock_guard import messages as w
from gateway.integrations.lock_guard.decide import handle_event
from gateway.protocol.guard_message import FromGuard, ToGuard

AT = datetime(2026, 3, 2, 13, 5, tzinfo=UTC)
LOCK = "front-lock"


def report_of(said: FromGuard) -> Report | None:
    """The report in a guard's message; None: it only proves that the guard runs."""
    return vendor.decode_report(TopicSuffix(said.channel), said.body.encode())[0] if said.body else None


@dataclass
class GuardInMemory:
    """The guard and all it stands on. `told` and `done` keep everything that it said and did."""

    settings: w.GuardSettings = field(
        default_factory=lambda: w.GuardSettings(
            lock=LOCK, has_door=True, max_silence_s=60, echoing_parts=frozenset({w.GuardPart.LOCK, w.GuardPart.DOOR})
        )
    )
    mono: float = 1000.0
    disk: w.WriteLedger = field(default_factory=lambda: w.WriteLedger(counter=0, intents=(), owes=False))
    disk_ok: bool = True
    alive: bool = True
    boots: int = 0
    words: int = 0
    done: list[w.GuardCommand] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.boot()

    def boot(self) -> None:
        self.boots += 1
        self.state = w.GuardState(
            settings=self.settings, boot=f"{self.boots}-{self.boots:016x}", boot_mono=self.mono,
            counter=self.disk.counter, intents=self.disk.intents, owes_locking=self.disk.owes,
            gateway_heard_mono=self.mono,
        )  # fmt: skip
        self.hear(w.GuardSignal.RADIO_CONNECTED)

    def hear(self, event: w.GuardEvent) -> tuple[w.GuardCommand, ...]:
        """Feed one event, and do what comes of it as the process does: in order, and after a failed disk not at all."""
        self.state, commands = handle_event(self.state, event, mono=self.mono)
        did: list[w.GuardCommand] = []
        for command in commands:
            if isinstance(command, w.WriteLedger) and not self.disk_ok:
                did += self.hear(w.GuardSignal.LEDGER_WRITE_FAILED)
                break
            if isinstance(command, w.WriteLedger):
                self.disk = command
            did.append(command)
            self.done.append(command)
            if isinstance(command, w.ProbeRadioBroker) and self.alive:
                did += self.hear(w.GuardSignal.RADIO_ANSWERED)
        return tuple(did)

    def word(self) -> str:
        self.words += 1
        return f"word-{self.words:012d}"

    def wait(self, seconds: float) -> tuple[w.GuardCommand, ...]:
        self.mono += seconds
        return self.hear(w.GuardSignal.DEADLINE_PASSED)

    # ---- the gateway ------------------------------------------------------------------------------------------------

    def beat(self, nonce: str | None = None) -> str:
        """The gateway beats; returns the challenge that it gets."""
        said = self.hear(
            w.GatewayMessage(
                claims=ToGuard(at="beat", lock=LOCK, question=self.word(), nonce=nonce), new_nonce=self.word()
            )
        )
        return next(s.nonce for s in said if isinstance(s, FromGuard) and s.nonce is not None)

    def unlocking(self, nonce: str | None, **other: object) -> ToGuard:
        """The gateway's unlock, as it ought to be but for `other`."""
        uptime = int((self.mono - self.state.boot_mono) * 1000)
        said = {"id": "u1", "intent": "v1", "boot": self.state.boot, "until_ms": uptime + 5000, **other}
        command = UnlockDoor(
            id=str(said["id"]), intent=str(said["intent"]), issued_at=AT, expires_at=AT,
            boot=str(said["boot"]), until_ms=int(str(said["until_ms"])), latch=bool(other.get("latch", False)),
        )  # fmt: skip
        body = vendor.encode_command(command, NO_DEVICE_REF).payload.decode()
        return ToGuard(
            at="set", lock=str(other.get("lock", LOCK)), question=self.word(), nonce=nonce,
            counter=int(str(other.get("counter", self.state.counter + 1))), body=body,
        )  # fmt: skip

    def locking(self, nonce: str | None, id_: str = "l1", until: float = 5.0) -> ToGuard:
        uptime = int((self.mono - self.state.boot_mono + until) * 1000)
        command = LockDoor(id=id_, intent="v1", issued_at=AT, expires_at=AT, boot=self.state.boot, until_ms=uptime)
        body = vendor.encode_command(command, NO_DEVICE_REF).payload.decode()
        return ToGuard(at="set", lock=LOCK, question=self.word(), nonce=nonce, body=body)

    def asking(self, part: str, nonce: str | None) -> ToGuard:
        return ToGuard(at="get", lock=LOCK, question=self.word(), nonce=nonce, body=f'{{"ask":"{part}"}}')

    def tell(self, claims: ToGuard) -> tuple[w.GuardCommand, ...]:
        return self.hear(w.GatewayMessage(claims=claims, new_nonce=self.word()))

    # ---- the radio --------------------------------------------------------------------------------------------------

    def says(self, part: w.GuardPart, report: Report, number: int | None = None) -> tuple[w.GuardCommand, ...]:
        return self.hear(w.RadioReported(part=part, reports=(report,), query_number=number))

    def bolt(self, bolt: LockState, *, answers: bool = False) -> tuple[w.GuardCommand, ...]:
        return self.says(w.GuardPart.LOCK, LockReport(bolt=bolt), self.asked(w.GuardPart.LOCK) if answers else None)

    def leaf(self, door: DoorState, *, answers: bool = False) -> tuple[w.GuardCommand, ...]:
        return self.says(w.GuardPart.DOOR, DoorReport(door=door), self.asked(w.GuardPart.DOOR) if answers else None)

    def asked(self, part: w.GuardPart) -> int | None:
        asked = self.state.open_queries.get(part)
        return None if asked is None else asked.number

    # ---- what came of it --------------------------------------------------------------------------------------------

    @property
    def unlocked(self) -> int:
        return sum(isinstance(c, UnlockDoor) for c in self.done)

    @property
    def locked(self) -> int:
        return sum(isinstance(c, LockDoor) for c in self.done)

    def opened(self) -> "GuardInMemory":
        """The gateway unlocks, and the bolt is withdrawn."""
        self.bolt(LockState.LOCKED, answers=True)
        self.tell(self.unlocking(self.beat()))
        self.bolt(LockState.UNLOCKED)
        assert self.unlocked == 1
        return self
