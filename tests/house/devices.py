"""The lock and the door sensor as the network shows them: late, lost, doubled, out of order, lying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.reports import DoorReport, DoorState, LockReport, LockState, OperationSource
from gateway.domain.visit import events as e
from tests.house.reports import door_report, lock_report
from tests.house.rules import door_answers, front_door

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.house.house import SimulatedHome

MESSAGE_DELAY_S = 0.02  # seconds that a message takes on a good day, in order


class SimulatedDevices:
    """Speaks for the premises of one house."""

    def __init__(self, house: SimulatedHome) -> None:
        self.house = house
        self.obeyed: set[str] = set()
        self.half = False  # the bolts stopped on their way
        self.latch_pulled = False

    # ---- the network ------------------------------------------------------------------------------------------------

    def _net(self, deliver: Callable[[], None]) -> None:
        """Lose, double, delay and so reorder."""
        faults, rng = self.house.faults, self.house.rng
        if faults.loss and rng.random() < faults.loss:
            return
        copies = 2 if faults.duplicates and rng.random() < faults.duplicates else 1
        for _ in range(copies):
            self.house.later(MESSAGE_DELAY_S + (rng.uniform(0, faults.delay) if faults.delay else 0.0), deliver)

    def send(self, what: str, ident: str, visit: str, life: float) -> None:
        if self.house.session is None:
            return
        expires = self.house.t + life
        slow = self.house.faults.slow_unlock if what == "unlock" else 0.0
        self.house.later(slow, lambda: self._net(lambda: self._execute(what, ident, visit, expires)))

    def _context_on_arrival(
        self, device: str, session: int | None, answers: int | None
    ) -> Callable[[], e.ReportContext | None]:
        """Number the publication now; how it is heard shows on arrival."""
        self.house.seqs[device] += 1
        seq, boot = self.house.seqs[device], f"{device}{self.house.boots[device]}"

        def arrive() -> e.ReportContext | None:
            if self.house.session is None:
                return None
            heard_in = self.house.session if session is None else session
            return e.ReportContext(session=heard_in, answers=answers, boot=boot, seq=seq)

        return arrive

    # ---- the lock and the door sensor -------------------------------------------------------------------------------

    def lock_says(
        self,
        source: OperationSource,
        *,
        answers: int | None = None,
        session: int | None = None,
        bolt: LockState | None = None,
        jammed: bool = False,
    ) -> None:
        said = bolt or (LockState.LOCKED if self.house.premises.bolt_out else LockState.UNLOCKED)
        report = LockReport(bolt=said, source=source, jammed=jammed)
        heard_on = self._context_on_arrival("lock", session, answers)
        made = self.house.t
        if self.house.faults.mute:
            return

        def arrive() -> None:
            heard = heard_on()
            if heard is None:
                return
            self.house.oracle.hears_lock(report, heard, made)
            self.house.feed(lock_report(report=report, context=heard))
            if self.house.crash_at == "after-report" and self.house.alive and answers is None:
                self.house.oracle.seen["crash after-report"] += 1
                self.house.kill()

        self._net(arrive)

    def door_says(self, *, answers: int | None = None, session: int | None = None) -> None:
        report = DoorReport(door=DoorState.OPEN if self.house.premises.door_open else DoorState.CLOSED)
        heard_on = self._context_on_arrival("door", session, answers)
        made = self.house.t
        lost = report.door is DoorState.OPEN and answers is None and self.house.faults.loses_open
        if lost or self.house.faults.door_mute:
            return

        def arrive() -> None:
            heard = heard_on()
            if heard is None:
                return
            self.house.oracle.hears_door(report, heard, made)
            self.house.feed(door_report(report=report, context=heard))

        self._net(arrive)

    def question(self, device: str, session: int, number: int) -> None:
        """A question of the gateway's goes out."""
        self._net(lambda: self._answer(device, session, number))

    def _answer(self, device: str, session: int, number: int) -> None:
        if device == "lock":
            if not self.house.faults.silent:
                jammed = self.house.faults.jam and not self.house.premises.bolt_out
                bolt = LockState.NOT_FULLY_LOCKED if self.half else LockState.UNLATCHED if self.latch_pulled else None
                self.lock_says(OperationSource.UNSPECIFIED, answers=number, session=session, jammed=jammed, bolt=bolt)
        elif door_answers(self.house.rules):
            self.door_says(answers=number, session=session)

    def heartbeat(self) -> None:
        """A basic door tells its state by itself."""
        self.door_says()
        self.house.later(60.0, self.heartbeat)

    def _execute(self, what: str, ident: str, visit: str, expires: float) -> None:
        """A command reaches the lock: a guarded one refuses what is late or known."""
        late = self.house.t + self.house.faults.countdown > expires
        if self.house.guarded and (late or ident in self.obeyed):
            return
        self.obeyed.add(ident)
        if what == "unlock" and self.house.faults.holds:
            self.house.oracle.held.add(visit)
            self.house.later(self.house.faults.holds, lambda: self._move(what, ident, visit, None))
            return
        failure = self.house.faults.refuses
        if failure is not None:
            self._net(lambda: self.house.feed(e.LockFailed(failure=failure)))
            if not self.house.faults.refused_yet_done:
                return
        heard_on = self._context_on_arrival("lock", None, None)
        self._net(lambda: self._acknowledged(heard_on()))
        self.house.later(
            self.house.rng.uniform(0, self.house.faults.lag), lambda: self._move(what, ident, visit, expires)
        )

    def _acknowledged(self, heard: e.ReportContext | None) -> None:
        if heard is not None:
            self.house.feed(e.SequenceAdvanced(sensor="lock", context=heard))
            if self.house.crash_at == "after-acknowledgement" and self.house.alive:
                self.house.oracle.seen["crash after-acknowledgement"] += 1
                self.house.kill()

    def _move(self, what: str, ident: str, visit: str, expires: float | None) -> None:
        """The motor starts, if the command still lives; what a radio held (None) has no time that anybody checks."""
        if self.house.guarded and expires is not None and self.house.t + self.house.faults.countdown > expires:
            return
        if self.house.faults.jam:
            self.lock_says(OperationSource.REMOTE, jammed=True)
            if what == "lock" and self.house.faults.lies:
                self.lock_says(OperationSource.REMOTE, bolt=LockState.LOCKED)
            return
        self.half = self.house.faults.handle_down and what == "lock" and not self.house.premises.bolt_out
        if self.half:
            self.lock_says(OperationSource.REMOTE, bolt=LockState.NOT_FULLY_LOCKED)
            return
        before = LockState.LOCKED if self.house.premises.bolt_out else LockState.UNLOCKED
        if what == "unlock":
            moved = self.house.premises.withdraw(self.house.t, visit)
            self.house.oracle.withdrawn(visit)
            if moved:
                self.house.oracle.moved_the_bolt(visit)
        else:
            self.house.premises.throw(self.house.t, ident)
            moved = True
        self.house.note(
            f"{'':26} == bolt {what} by {ident}, {'open' if self.house.premises.door_open else 'closed'} door"
        )
        if self.house.faults.stale:
            self.lock_says(OperationSource.REMOTE, bolt=before)
            self.house.later(0.5, lambda: self.lock_says(OperationSource.REMOTE))
        elif moved:
            self.lock_says(OperationSource.REMOTE)
        if what == "unlock" and front_door(self.house.rules).unlatch and not self.house.faults.latch_stuck:
            self.house.later(0.3, lambda: self._latch(pulled=True))
            self.house.later(3.0, lambda: self._latch(pulled=False))

    def _latch(self, *, pulled: bool) -> None:
        """It is pulled for a moment, and springs back."""
        self.latch_pulled = pulled
        self.lock_says(OperationSource.REMOTE, bolt=LockState.UNLATCHED if pulled else None)
