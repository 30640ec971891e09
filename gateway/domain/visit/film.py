"""A visit's film: parts, their end, their seal."""

from gateway.domain.frozen import replace
from gateway.domain.visit.commands import Alarm, AlarmCode, Film, Seal, StopFilm
from gateway.domain.visit.events import FilmClosed, Sealed
from gateway.domain.visit.state import Why
from gateway.domain.visit.step import Step

NOT_CLOSED = "film_not_closed"


def begin(step: Step, ident: str, part: int) -> None:
    """A new clip of every camera: nothing of it is on disk yet."""
    step.say(Film(visit=ident, part=part))
    cameras = {name: replace(camera, recording=False) for name, camera in step.state.cameras.items()}
    step.state = replace(step.state, cameras=cameras)


def begin_next_part(step: Step) -> None:
    """The door opens again after the film ended: a second set of clips, with a manifest of its own.

    A part that is not sealed yet is remembered: its seal follows its film.
    """
    visit = step.visit
    waiting = () if visit.sealing else ((visit.part, visit.gaps),)
    step.visit = replace(
        visit,
        part=visit.part + 1,
        filming=True,
        film_closed=False,
        sealing=False,
        gaps=(),
        unsealed=visit.unsealed + waiting,
    )
    begin(step, visit.id, visit.part + 1)


def end(step: Step) -> None:
    """The post-roll is over."""
    visit = step.visit
    step.say(StopFilm(visit=visit.id, part=visit.part, keep=True))
    step.visit = replace(visit, filming=False)
    step.disarm(Why.POST_ROLL)
    step.arm(Why.SEAL, step.state.rules.timing.film_closes)


def closed(step: Step, event: FilmClosed) -> None:
    """Learn that a part's clips are closed; an earlier part is sealed at once."""
    if step.state.visit is None or step.visit.id != event.visit:
        return
    visit = step.visit
    if event.part == visit.part:
        gaps = tuple(dict.fromkeys((*visit.gaps, *event.gaps)))
        step.visit = replace(visit, film_closed=True, gaps=gaps)
    for part, gaps in visit.unsealed:
        if part == event.part:
            step.say(Seal(visit=visit.id, part=part, gaps=tuple(dict.fromkeys((*gaps, *event.gaps)))))
            kept = tuple(waiting for waiting in visit.unsealed if waiting[0] != part)
            step.visit = replace(step.visit, unsealed=kept)


def seal(step: Step) -> None:
    """Ask for the signed manifest, when the film is closed or when it will not close."""
    visit = step.visit
    gaps = visit.gaps if visit.film_closed else (*visit.gaps, NOT_CLOSED)
    step.say(Seal(visit=visit.id, part=visit.part, gaps=gaps))
    step.visit = replace(visit, sealing=True, gaps=gaps)
    step.arm(Why.SEAL, step.state.rules.timing.film_closes)


def sealed(step: Step, event: Sealed) -> None:
    """The seal of the running part ends the visit."""
    visit = step.state.visit
    if visit is not None and visit.id == event.visit and visit.part == event.part and visit.sealing:
        end_visit(step)


def end_visit(step: Step) -> None:
    """The visit is over. For a while an opening by hand may still be the courier's way out."""
    visit = step.visit
    for part, _ in visit.unsealed:
        step.say(Alarm(code=AlarmCode.PROOF_INCOMPLETE, detail=f"part {part}"))
    step.drop_phase_dues()
    step.state = replace(step.state, visit=None)
    if visit.opened or visit.unanswered or not step.state.rules.guarded:
        step.state = replace(step.state, watch=replace(visit, unsealed=()))
        begin_watch(step)


def begin_watch(step: Step) -> None:
    """Set the watch's times in full: that of the courier's way out, and that of an unlock which no report answered.

    The second does not ask whether the lock is guarded: a guard, or the lock, has checked the command's time before
    something behind it (a radio's queue, the motor) held it.
    """
    watch = step.state.watch
    if watch is None:
        return
    step.arm(Why.WATCH, step.state.rules.timing.watch)
    if watch.unanswered:
        step.state = replace(step.state, watch=replace(watch, hold_over=False))
        step.arm(Why.HELD, step.state.rules.command_hold)
