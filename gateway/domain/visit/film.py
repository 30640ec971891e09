"""Starts, ends and seals the parts of a visit's film."""

from gateway.domain.delivery.candidate import PARCEL_ERRAND, Errand
from gateway.domain.frozen import replace
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm, SealProof, StartRecording, StopRecording
from gateway.domain.visit.events import FilmClosed, ProofSealed
from gateway.domain.visit.predicates import is_stay
from gateway.domain.visit.state import Recording, Timer
from gateway.domain.visit.step import Step

FILM_NOT_CLOSED = "film_not_closed"
NO_FILM = "no_film"
STAY_BEGAN = "stay_began"  # the film ends early, because a stay of guests begins


def begin(step: Step, ident: str, part: int) -> None:
    """Start a new clip of every camera: nothing of it is on disk yet."""
    step.emit(StartRecording(visit=ident, part=part))
    cameras = {name: replace(camera, recording=False) for name, camera in step.state.cameras.items()}
    step.state = replace(step.state, cameras=cameras)


def may_film(step: Step, errand: Errand = PARCEL_ERRAND) -> bool:
    """Return whether the cameras may film now: not what an errand excludes, and nothing in a stay of guests."""
    return errand.is_filmed and not is_stay(step.state, step.now)


def new_recording(step: Step, errand: Errand, route: tuple[str, ...], part: int = 1) -> Recording:
    """Return a part that begins now, with the gaps of the proof that are known before anything is filmed."""
    filmed = may_film(step, errand)
    gaps = () if filmed and step.state.rules.is_filmed else (NO_FILM,)
    of_closures = (gap for ident in route for gap in step.closure(ident).declared_gaps)
    return Recording(part=part, gaps=(*gaps, *of_closures), is_filmed=filmed)


def declare_shown_gaps(step: Step) -> None:
    """Add to the proof's gaps what a closure that was ordered open shows: that it opened more than it should."""
    with_gaps = step.state.rules.closures_with_gaps
    if not with_gaps:
        return
    visit, recording = step.visit, step.visit.recording
    closures = [step.closure(ident) for ident in visit.entry.ordered_at if ident in with_gaps]
    shown = (gap for closure in closures for gap in closure.shown_gaps(step.view(closure)))
    gaps = tuple(dict.fromkeys((*recording.gaps, *shown)))
    if gaps != recording.gaps:
        step.visit = replace(visit, recording=replace(recording, gaps=gaps))


def resume(step: Step) -> None:
    """Film on after a restart, if the visit has a film. `settle_stay` has ended it where a stay began meanwhile."""
    recording = step.visit.recording
    if recording.is_filmed:
        begin(step, step.visit.id, recording.part)


def end_early(step: Step) -> None:
    """End the film of the running visit, because a stay begins; the visit goes on. Nobody came in: it is deleted."""
    visit, recording = step.visit, step.visit.recording
    if recording.is_filmed and recording.is_running:
        step.emit(StopRecording(visit=visit.id, part=recording.part, keep=visit.unlock_intent))
        gaps = tuple(dict.fromkeys((*recording.gaps, STAY_BEGAN)))
        step.visit = replace(visit, recording=replace(recording, is_filmed=False, gaps=gaps))


def settle_stay(step: Step) -> None:
    """End each film when a stay of guests begins; an incident ends with its film, after its alarm."""
    if not is_stay(step.state, step.now):
        return
    if step.state.visit is not None:
        end_early(step)
    if step.state.incident is not None:
        step.emit(StopRecording(visit=step.state.incident, part=1, keep=True))
        step.state = replace(step.state, incident=None)
        step.clear_timers(Timer.INCIDENT)


def begin_next_part(step: Step) -> None:
    """Start the next set of clips, with its own manifest; the seal of an unsealed part follows its film."""
    recording = step.visit.recording
    waiting = () if recording.is_sealing else ((recording.part, recording.gaps),)
    next_part = new_recording(step, step.visit.delivery.errand, step.visit.route, recording.part + 1)
    next_part = replace(next_part, unsealed_parts=recording.unsealed_parts + waiting)
    step.visit = replace(step.visit, recording=next_part)
    if next_part.is_filmed:
        begin(step, step.visit.id, next_part.part)


def end(step: Step) -> None:
    """End the film after the post-roll."""
    visit, recording = step.visit, step.visit.recording
    if recording.is_filmed:
        step.emit(StopRecording(visit=visit.id, part=recording.part, keep=True))
    is_closed = recording.is_closed or not recording.is_filmed
    step.visit = replace(visit, recording=replace(recording, is_running=False, is_closed=is_closed))
    step.clear_timers(Timer.POST_ROLL)
    step.set_timer(Timer.SEAL, step.state.rules.timing.film_closes)


def on_closed(step: Step, event: FilmClosed) -> None:
    """Record that a part's clips are closed; an earlier part is sealed at once."""
    if step.state.visit is None or step.visit.id != event.visit:
        return
    recording = step.visit.recording
    if event.part == recording.part:
        gaps = tuple(dict.fromkeys((*recording.gaps, *event.gaps)))
        recording = replace(recording, is_closed=True, gaps=gaps)
    for part, gaps in recording.unsealed_parts:
        if part == event.part:
            step.emit(SealProof(visit=event.visit, part=part, gaps=tuple(dict.fromkeys((*gaps, *event.gaps)))))
            unsealed = tuple(waiting for waiting in recording.unsealed_parts if waiting[0] != part)
            recording = replace(recording, unsealed_parts=unsealed)
    step.visit = replace(step.visit, recording=recording)


def seal(step: Step) -> None:
    """Request the signed manifest, when the film is closed or when it will not close in time."""
    recording = step.visit.recording
    gaps = recording.gaps if recording.is_closed else (*recording.gaps, FILM_NOT_CLOSED)
    step.emit(SealProof(visit=step.visit.id, part=recording.part, gaps=gaps))
    step.visit = replace(step.visit, recording=replace(recording, is_sealing=True, gaps=gaps))
    step.set_timer(Timer.SEAL, step.state.rules.timing.film_closes)


def on_sealed(step: Step, event: ProofSealed) -> None:
    """End the visit if the seal is that of the running part."""
    visit = step.state.visit
    if visit is not None and visit.id == event.visit:
        recording = visit.recording
        if recording.part == event.part and recording.is_sealing:
            end_visit(step)


def end_visit(step: Step) -> None:
    """End the visit. During the grace, an opening by hand may still be the courier's way out."""
    visit = step.visit
    for part, _ in visit.recording.unsealed_parts:
        step.emit(RaiseAlarm(code=AlarmCode.PROOF_INCOMPLETE, detail=f"part {part}"))
    step.end_visit()
    ordered = (step.closure(ident) for ident in visit.entry.ordered_at)
    is_guarded = all(closure.guarded or not closure.is_private for closure in ordered)
    may_come_out = visit.opened and not visit.delivery.errand.for_household
    if may_come_out or visit.entry.unanswered or not is_guarded:
        grace_visit = replace(visit, recording=replace(visit.recording, unsealed_parts=()))
        step.state = replace(step.state, grace_visit=grace_visit)
        start_grace(step)


def start_grace(step: Step) -> None:
    """Set both timers of the grace in full: for the courier's exit, and for a command that no report answered.

    The second does not depend on whether the closure is guarded: a guard, or the lock, has checked the command's time
    before something behind it (a radio's queue, the motor) held it.
    """
    visit = step.state.grace_visit
    if visit is None:
        return
    step.set_timer(Timer.WATCH, step.state.rules.timing.watch)
    if visit.entry.unanswered:
        step.state = replace(step.state, grace_visit=replace(visit, entry=replace(visit.entry, hold_expired=False)))
        holds = [step.closure(ident).command_hold for ident in visit.entry.unanswered]
        step.set_timer(Timer.HELD, max(holds))
