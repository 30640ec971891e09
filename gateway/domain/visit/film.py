"""Starts, ends and seals the parts of a visit's film."""

from gateway.domain.frozen import replace
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm, SealProof, StartRecording, StopRecording
from gateway.domain.visit.events import FilmClosed, ProofSealed
from gateway.domain.visit.state import Timer
from gateway.domain.visit.step import Step

FILM_NOT_CLOSED = "film_not_closed"


def begin(step: Step, ident: str, part: int) -> None:
    """Start a new clip of every camera: nothing of it is on disk yet."""
    step.emit(StartRecording(visit=ident, part=part))
    cameras = {name: replace(camera, recording=False) for name, camera in step.state.cameras.items()}
    step.state = replace(step.state, cameras=cameras)


def begin_next_part(step: Step) -> None:
    """Start the next set of clips, with its own manifest; the seal of an unsealed part follows its film."""
    visit = step.visit
    waiting = () if visit.sealing else ((visit.part, visit.gaps),)
    step.visit = replace(
        visit,
        part=visit.part + 1,
        filming=True,
        film_closed=False,
        sealing=False,
        gaps=(),
        unsealed_parts=visit.unsealed_parts + waiting,
    )
    begin(step, visit.id, visit.part + 1)


def end(step: Step) -> None:
    """End the film after the post-roll."""
    visit = step.visit
    step.emit(StopRecording(visit=visit.id, part=visit.part, keep=True))
    step.visit = replace(visit, filming=False)
    step.clear_timers(Timer.POST_ROLL)
    step.set_timer(Timer.SEAL, step.state.rules.timing.film_closes)


def on_closed(step: Step, event: FilmClosed) -> None:
    """Record that a part's clips are closed; an earlier part is sealed at once."""
    if step.state.visit is None or step.visit.id != event.visit:
        return
    visit = step.visit
    if event.part == visit.part:
        gaps = tuple(dict.fromkeys((*visit.gaps, *event.gaps)))
        step.visit = replace(visit, film_closed=True, gaps=gaps)
    for part, gaps in visit.unsealed_parts:
        if part == event.part:
            step.emit(SealProof(visit=visit.id, part=part, gaps=tuple(dict.fromkeys((*gaps, *event.gaps)))))
            unsealed = tuple(waiting for waiting in visit.unsealed_parts if waiting[0] != part)
            step.visit = replace(step.visit, unsealed_parts=unsealed)


def seal(step: Step) -> None:
    """Request the signed manifest, when the film is closed or when it will not close in time."""
    visit = step.visit
    gaps = visit.gaps if visit.film_closed else (*visit.gaps, FILM_NOT_CLOSED)
    step.emit(SealProof(visit=visit.id, part=visit.part, gaps=gaps))
    step.visit = replace(visit, sealing=True, gaps=gaps)
    step.set_timer(Timer.SEAL, step.state.rules.timing.film_closes)


def on_sealed(step: Step, event: ProofSealed) -> None:
    """End the visit if the seal is that of the running part."""
    visit = step.state.visit
    if visit is not None and visit.id == event.visit and visit.part == event.part and visit.sealing:
        end_visit(step)


def end_visit(step: Step) -> None:
    """End the visit. During the grace, an opening by hand may still be the courier's way out."""
    visit = step.visit
    for part, _ in visit.unsealed_parts:
        step.emit(RaiseAlarm(code=AlarmCode.PROOF_INCOMPLETE, detail=f"part {part}"))
    step.clear_phase_timers()
    step.state = replace(step.state, visit=None)
    if visit.opened or visit.unlock_unanswered or not step.state.rules.guarded:
        step.state = replace(step.state, grace_visit=replace(visit, unsealed_parts=()))
        start_grace(step)


def start_grace(step: Step) -> None:
    """Set both timers of the grace in full: for the courier's exit, and for an unlock that no report answered.

    The second does not depend on whether the lock is guarded: a guard, or the lock, has checked the command's time
    before something behind it (a radio's queue, the motor) held it.
    """
    watch = step.state.grace_visit
    if watch is None:
        return
    step.set_timer(Timer.WATCH, step.state.rules.timing.watch)
    if watch.unlock_unanswered:
        step.state = replace(step.state, grace_visit=replace(watch, hold_expired=False))
        step.set_timer(Timer.HELD, step.state.rules.command_hold)
