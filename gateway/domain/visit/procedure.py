"""Runs the procedures of closures: it queries, sends and waits as their moves say, and knows no kind."""

from collections.abc import Callable
from typing import TypeVar

from gateway.domain.frozen import Frozen, replace
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import START, Move, Order, ProcedureRun, Verdict, View, sensor_name
from gateway.domain.visit.commands import Close, Lock, ShowSignal
from gateway.domain.visit.state import Timer
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import sensor_names

Result = TypeVar("Result")


class Runner(Frozen):
    """Who runs a procedure: the timer of its steps, and the id and the number that its commands bear.

    `attempt` None: the number is that of the try. `command_valid_until`: until then a command to open may still act, in
    monotonic seconds.
    """

    timer: Timer
    ident: str
    attempt: int | None = None
    command_valid_until: float = 0.0


def advance(
    step: Step, closure: AnyClosure, procedure: Callable[[View], Result], run: ProcedureRun, runner: Runner
) -> tuple[ProcedureRun, Result | Verdict]:
    """Make the next move if its evidence is there; return how far the procedure is, and what it returned."""
    result = procedure(step.view(closure).in_procedure(run, is_over=step.timer_expired(runner.timer)))
    if not isinstance(result, Move):
        return run, result
    if result.after_expiry and step.now.mono < runner.command_valid_until:
        step.set_timer(runner.timer, runner.command_valid_until - step.now.mono)
        return run, Verdict.WAIT
    return _make(step, closure, result, run, runner), result


def _make(step: Step, closure: AnyClosure, move: Move, run: ProcedureRun, runner: Runner) -> ProcedureRun:
    tries = run.tries + move.counts
    if move.prompt is not None:
        step.emit(ShowSignal(light=move.prompt.light, sound=move.prompt.sound))
    if move.send is not None:
        command = Lock if move.send is Order.LOCK else Close
        attempt = tries if runner.attempt is None else runner.attempt
        life = step.state.rules.timing.command_life
        step.emit(command(closure=closure.id, visit=runner.ident, attempt=attempt, life=life))
    step.invalidate(*sensor_names(closure, *move.invalidate))
    basic = step.state.rules.basic_sensors  # those count as they are
    queried = tuple(name for role in move.query if (name := sensor_name(closure.id, role)) not in basic)
    step.invalidate(*queried)
    step.query(*queried)
    if not move.keeps_timer:
        step.set_timer(runner.timer, closure.latency if move.within_s is None else move.within_s)
    begins = run.step == START
    return replace(
        run,
        step=move.to,
        tries=tries,
        sent_in=move.to if move.send is not None else None if begins else run.sent_in,
        refused=False,
        jammed=run.jammed and not (begins or move.send is not None),
    )
