"""Shows supervisors what their robots want at the doors, and passes their signed decisions to the entrances.

A yes counts only if it names a picture that this box served to this browser at most three seconds before. What was
served is remembered in memory, and only for a moment.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum, auto
from hashlib import sha256

import structlog

from gateway.config.devices import RobotDevice
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit import events as e
from gateway.domain.visit import supervision
from gateway.domain.visit.predicates import courier_cameras
from gateway.domain.visit.state import Entrance, Phase, Timer, Visit
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.jws import RejectedMessage
from gateway.protocol.robot_token import PICTURE_LIFETIME_S, DecisionClaims, verify_decision
from gateway.runtime.entrance import EntranceActor
from gateway.system.clock import Clock

log = structlog.get_logger(__name__)

MAX_SERVED = 16  # pictures that are remembered of one browser
MAX_SESSIONS = 64  # browsers of which pictures are remembered
TOKEN_GRAIN_S = 1.0  # a token has whole seconds: it may seem this much older than it is


class ConsoleStep(StrEnum):
    """What a supervisor sees of a robot's visit."""

    RINGING = auto()  # the household is called; a yes may be given already
    ASKED = auto()  # the opening waits for a yes
    ALLOWED = auto()  # a yes counts, and the opening waits for something else
    OPENING = auto()
    OPEN = auto()  # the robot may go in
    INSIDE = auto()
    SECURING = auto()
    STOPPED = auto()
    HANDED_OVER = auto()  # the owner has to look


class RobotVisit(Frozen):
    """A robot's visit as its supervisor sees it.

    `closure`: about whose opening the supervisor may decide now; None: about none. `seconds_left`: until the box gives
    up waiting.
    """

    entrance: str
    visit: str
    robot: str
    step: ConsoleStep
    closure: str | None
    seconds_left: float | None


class Supervisor(Frozen):
    """Who decides: the session of a browser, its key, and the person."""

    session: str
    supervisor: str
    operator: str
    key: Jwk


class ServedPicture(Frozen):
    """A picture that was served for one opening, at `seconds` since 1970."""

    digest: str
    visit: str
    closure: str
    seconds: float


class SupervisionDesk:
    """The robots' visits at all entrances, for their supervisors."""

    def __init__(
        self,
        home: Home,
        *,
        entrances: Mapping[str, EntranceActor],
        clock: Clock,
        take_picture: Callable[[str], Awaitable[bytes | None]],
    ) -> None:
        self._home, self._entrances, self._clock, self._take_picture = home, entrances, clock, take_picture
        self._served: dict[str, deque[ServedPicture]] = {}  # session -> its pictures

    def visits(self, operator: str) -> tuple[RobotVisit, ...]:
        """Return the running visits of this operator's robots."""
        now = self._clock.now()
        return tuple(
            _shown(actor.state, visit, now, is_stopped=actor.is_stopped())
            for actor in self._entrances.values()
            if (visit := actor.state.visit) is not None and self._is_of(operator, visit)
        )

    async def picture(self, who: Supervisor, visit: str) -> bytes | None:
        """Return a picture of where the robot of a visit stands now, and remember it; None: there is no picture."""
        found = self._find(who.operator, visit)
        if found is None:
            return None
        state, closure = found.state, supervision.question(found.state)
        cameras = state.rules.watched_by.get(closure or "") or courier_cameras(state)
        picture = await self._take_picture(cameras[0]) if cameras else None
        if picture is not None and closure is not None:
            self._remember(who.session, picture, visit, closure)
        return picture

    def decide(self, who: Supervisor, token: bytes) -> str | None:
        """Pass a signed decision to its entrance; return why it does not count, or None."""
        now = self._clock.now()
        claims = verify_decision(
            token, who.key, session=who.session, operator=who.operator, supervisor=who.supervisor, box=self._home.box,
            seconds=now.utc.timestamp(),
        )  # fmt: skip
        if isinstance(claims, RejectedMessage):
            log.warning("decision_rejected", supervisor=who.supervisor, why=claims.code.value)
            return claims.code.value
        actor = self._find(who.operator, claims.visit)
        if actor is None:
            return "no_visit"
        if claims.yes and supervision.question(actor.state) != claims.closure:
            return "not_asked"
        if claims.yes and not self._was_served(who.session, claims):
            return "no_picture"
        actor.post(
            e.OpeningDecided(
                visit=claims.visit, closure=claims.closure, yes=claims.yes, by=who.supervisor, issued=claims.issued,
                expires=claims.expires, message_sha256=sha256(token).hexdigest(),
                picture_sha256=claims.picture_sha256 or "", token=token.decode("ascii"), key=who.key.model_dump(),
            )
        )  # fmt: skip
        return None

    def _find(self, operator: str, visit: str) -> EntranceActor | None:
        for actor in self._entrances.values():
            running = actor.state.visit
            if running is not None and running.id == visit and self._is_of(operator, running):
                return actor
        return None

    def _is_of(self, operator: str, visit: Visit) -> bool:
        device = None if visit.robot is None else self._home.devices.get(visit.robot)
        return isinstance(device, RobotDevice) and device.operator == operator

    def _remember(self, session: str, picture: bytes, visit: str, closure: str) -> None:
        if session not in self._served and len(self._served) >= MAX_SESSIONS:
            del self._served[next(iter(self._served))]
        seconds = self._clock.now().utc.timestamp()
        served = ServedPicture(digest=sha256(picture).hexdigest(), visit=visit, closure=closure, seconds=seconds)
        self._served.setdefault(session, deque(maxlen=MAX_SERVED)).append(served)

    def _was_served(self, session: str, claims: DecisionClaims) -> bool:
        return any(
            one.digest == claims.picture_sha256
            and (one.visit, one.closure) == (claims.visit, claims.closure)
            and one.seconds - TOKEN_GRAIN_S <= claims.iat <= one.seconds + PICTURE_LIFETIME_S
            for one in self._served.get(session, ())
        )


def _shown(state: Entrance, visit: Visit, now: Now, *, is_stopped: bool) -> RobotVisit:
    closure = supervision.question(state)
    deadlines = [at for timer, at in state.timers.items() if timer in (Timer.RING, Timer.APPROVAL, Timer.ADVANCE)]
    left = min(deadlines) - now.mono if closure is not None and deadlines else None
    return RobotVisit(
        entrance=state.id,
        visit=visit.id,
        robot=visit.robot or "",
        step=_step(visit, closure, now, is_stopped=is_stopped or visit.consent.stopped),
        closure=closure,
        seconds_left=None if left is None else max(0.0, left),
    )


def _step(visit: Visit, closure: str | None, now: Now, *, is_stopped: bool) -> ConsoleStep:
    if visit.phase is Phase.HANDED_TO_OWNER:
        return ConsoleStep.HANDED_OVER
    if is_stopped:
        return ConsoleStep.STOPPED
    if closure is not None and supervision.is_permitted(visit, closure, now):
        return ConsoleStep.ALLOWED
    return _STEPS[visit.phase]


_STEPS = {
    Phase.RINGING: ConsoleStep.RINGING,
    Phase.APPROVING: ConsoleStep.ASKED,
    Phase.ADVANCING: ConsoleStep.ASKED,
    Phase.UNLOCKING: ConsoleStep.OPENING,
    Phase.UNLOCKED: ConsoleStep.OPEN,
    Phase.INSIDE: ConsoleStep.INSIDE,
    Phase.RELOCKING: ConsoleStep.SECURING,
    Phase.LOCKED_AGAIN: ConsoleStep.SECURING,
    Phase.HANDED_TO_OWNER: ConsoleStep.HANDED_OVER,
}
